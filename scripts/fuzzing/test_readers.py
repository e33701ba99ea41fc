"""Readers in Python on what is made up: they read it, or say in one error of their own what is wrong with it."""
import hashlib
import io
import json
import tarfile
import tempfile
from pathlib import Path

import pytest

pytest.importorskip("pandas", reason="python3-pandas is missing")
pytest.importorskip("scipy", reason="python3-scipy is missing")
st = pytest.importorskip("hypothesis.strategies", reason="python3-hypothesis is missing")
from hypothesis import given

from analysis import stacks
from analysis.fixtures import result_row, write_run, write_table
from analysis.read import Run, read_run
from analysis.script import Unreadable
from analysis.sources import load
from fuzzing.strategies import changed, fields_changed
from lab import copies, guest, runs, tables
from lab.errors import LabError

CASES = ("clone/none/stack:1M", "clone/NEWPID/stack:1M")
PHASES = ("create", "ready", "exit", "total")
LARGEST = 2.0**64


def written(folder: Path) -> dict[str, bytes]:
    """The files of a run of two cases."""
    common = {"run_id": "id", "kernel": "6.1.0", "clock": "wall"}
    write_run(folder, [result_row(case, phase, 1000, run_id="id") for case in CASES for phase in PHASES],
              options={"samples": 9, "precision": 0.02}, measuring={"sample_lines": 12, "drains": 1, "drained_samples": 9})
    write_table(folder / "samples.csv", [{**common, "case": case, "round": number // 2 + 1, "block": 1, "sample": number, "counted": 1,
                                          **dict.fromkeys(PHASES, 1000 + number)} for case in CASES for number in range(6)])
    write_table(folder / "rounds.csv", [{"run_id": "id", "round": number, "begin": 100 + number, "seconds": 1} for number in (1, 2, 3)])
    write_table(folder / "probe.csv", [{**common, "case": CASES[1], "function": "f", "kind": "pid", "path": "create",
                                        "backend": "fentry", "calls_per_op": 1, "total": 900, "self": 100}])
    write_table(folder / "memory.csv", [{**common, "case": CASES[1], "kind": "net", "allocator": "slab", "bytes_per_op": 10,
                                         "calls_per_op": 1, "call_site": "s"}])
    (folder / stacks.FILE).write_text("".join(f"{case};a;b 5\n" for case in CASES))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


with tempfile.TemporaryDirectory() as made:
    GOOD = written(Path(made) / "run")


def put(folder: Path, file: str, data: bytes) -> Path:
    """The run with that file in its place."""
    folder = folder / "run"
    folder.mkdir()
    for name, content in GOOD.items():
        (folder / name).write_bytes(data if name == file else content)
    return folder


def look(run: Run) -> None:
    """At all that a run has, whose figures are numbers."""
    for table in (run.results, run.samples, run.rounds, run.probe, run.memory):
        if table is not None:
            figures = table.select_dtypes("number").abs()
            assert not (figures > LARGEST).any(axis=None), "a figure is none that nsbench has"
    run.quantile(0.05)
    run.identity()
    stacks.of_run(run, None)


CHANGED = st.one_of(*(st.tuples(st.just(name), changed(data)) for name, data in GOOD.items()),
                    *(st.tuples(st.just(name), fields_changed(data)) for name, data in GOOD.items() if name.endswith(".csv")))


@given(CHANGED)
def test_a_runs_files_are_read_or_refused(change: tuple[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = put(Path(name), *change)
        try:
            look(read_run(folder))
            load(folder)
        except Unreadable as error:
            assert str(folder) in str(error), "what is wrong is said with the file"


@given(CHANGED)
def test_the_labs_tables_are_read_or_refused(change: tuple[str, bytes]) -> None:
    wanted = {"results.csv": tables.COMPLETE, "probe.csv": tables.PROBE, "memory.csv": tables.MEMORY}
    if change[0] in wanted:
        with tempfile.TemporaryDirectory() as name:
            path = put(Path(name), *change) / change[0]
            try:
                tables.rows(path, wanted[change[0]], 2)
            except LabError as error:
                assert str(path) in str(error)


def archive(files: dict[str, bytes]) -> bytes:
    """As a guest sends it."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return data.getvalue()


def signed(data: bytes) -> bytes:
    return data + f"\nlab {len(data)} {hashlib.sha256(data).hexdigest()}\n".encode()


ARCHIVE = archive({"status": b"0\n", "out/run.json": b"{}", "out/results.csv": b"case\n"})


@given(st.one_of(changed(ARCHIVE).map(signed), changed(signed(ARCHIVE)), st.binary(max_size=600).map(signed)))
def test_what_a_guest_sends_is_whole_or_nothing(sent: bytes) -> None:
    found = guest.unpack(sent)
    for name, data in (found or {}).items():
        assert guest.NAME.fullmatch(name) and len(data) <= guest.MOST
    if found:
        try:
            status = runs.status_of(found)
            runs.complete(status, {"results.csv": b"", **found})
        except LabError:
            pass


SENT = b"run.json 2\n{}samples.csv 5\ncase\nstatus 1\n0"


@given(st.one_of(changed(SENT), st.binary(max_size=80).map(lambda data: data + b"status 1\n0")))
def test_what_a_copy_sends_is_whole_or_refused(sent: bytes) -> None:
    try:
        found = copies.unpack(sent)
    except LabError:
        return
    assert "status" in found and sum(map(len, found.values())) < len(sent)
    assert not any(name.startswith(".") or "/" in name for name in found)


@given(st.dictionaries(st.sampled_from(("run.json", "results.csv", "status", "stdout", "..", ".", "a/b")), st.binary(max_size=200)))
def test_an_archive_is_read_as_it_was_made(files: dict[str, bytes]) -> None:
    names = {Path(name).name: data for name, data in files.items()}
    assert guest.unpack(signed(archive(files))) == (names if all(map(guest.NAME.fullmatch, names)) else None)


def test_little_does_not_become_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest, "MOST", 1_000_000)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo("run.json")
        member.size = 10_000_000
        tar.addfile(member, io.BytesIO(bytes(member.size)))
    assert guest.unpack(signed(packed.getvalue())) is None
    assert json.loads((guest.unpack(signed(archive({"run.json": b"{}"}))) or {})["run.json"]) == {}
