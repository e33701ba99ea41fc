"""validate.py: what it cannot find out is one line and 2, never the 1 that says 'outside of the limits'."""
import csv
import io
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

import validate
from analysis import coverage
from analysis.fixtures import call, result_row

VALIDATE = Path(__file__).resolve().parents[1] / "validate.py"


@pytest.fixture(name="build")
def fixture_build(tmp_path: Path) -> Path:
    """Where nsbench does as it is told by said(), and the yardstick measures all alike."""
    for name, script in (("nsbench", "cat ${0%/*}/csv\ncat ${0%/*}/error >&2\nexit $(cat ${0%/*}/code)"),
                         ("nsbench-yardstick", "yes 9 9 | head -n $2")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    said(tmp_path, [result_row(f"clone/{kinds}/stack:1M", phase, 9.0, delta_low="-1", delta_high="1")
                    for kinds in ("none", "NEWPID") for phase in ("create", "total")])
    return tmp_path


def said(build: Path, rows: list[dict], code: int = 0, error: str = "") -> None:
    text = io.StringIO()
    out = csv.DictWriter(text, list(result_row("clone/none", "create", None)), lineterminator="\n")
    out.writeheader()
    out.writerows(rows)
    for name, what in (("csv", text.getvalue()), ("code", str(code)), ("error", error)):
        (build / name).write_text(what)


@pytest.mark.parametrize("words", [
    ["yardstick", "--pairs=1"], ["aa", "--trials=0"], ["aa", "--trials=²"], ["compare", "--trials=-1"],
    ["compare", "--seed=-1"], ["median", "--trials=0"],
    ["compare", "--seed=x"], [], ["--build=/no/folder", "aa"],
])
def test_wrong_use_is_one_line(words: list[str]) -> None:
    code, out, err = call(VALIDATE, words)
    assert (code, out, err.count("\n")) == (2, "", 1) and err.startswith("validate: ")


def test_what_was_measured_is_an_answer(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    code, out, _ = call(VALIDATE, [f"--build={build}", "yardstick", "--pairs=2"])
    assert code == 0 and out.count("  1.000 ") == 6
    code, out, _ = call(VALIDATE, [f"--build={build}", "aa", "--trials=2"])
    assert code == 0 and "NEWPID   total      0 of 2 intervals leave out zero" in out


@pytest.mark.parametrize("command", ["aa", "yardstick"])
def test_an_nsbench_that_failed_is_no_answer(build: Path, command: str) -> None:
    said(build, [], 3, "nsbench: first line\nnsbench: not permitted\n")
    assert call(VALIDATE, [f"--build={build}", command]) == (2, "", f"validate: {build}/nsbench: exit code 3: nsbench: not permitted\n")


def test_rows_without_figures_are_no_answer(build: Path) -> None:
    said(build, [result_row("clone/NEWPID/stack:1M", "create", None, status="skipped", errno="EPERM", reason="not permitted")])
    assert call(VALIDATE, [f"--build={build}", "aa"]) == (2, "", f"validate: {build}/nsbench: clone/NEWPID/stack:1M: EPERM not permitted\n")
    said(build, [])
    assert call(VALIDATE, [f"--build={build}", "aa"]) == (2, "", f"validate: {build}/nsbench: it has measured nothing\n")


def test_a_program_that_is_missing_is_named(build: Path) -> None:
    (build / "nsbench-yardstick").unlink()
    code, _, err = call(VALIDATE, [f"--build={build}", "yardstick"])
    assert code == 2 and err.splitlines()[-1] == f"validate: {build}/nsbench-yardstick: No such file or directory"


def test_runs_of_known_times_are_read_by_nsbench(tmp_path: Path) -> None:
    program = os.environ.get("NSBENCH")
    if program is None:
        pytest.skip("NSBENCH is not set: scripts/test does that")
    info, header = validate.template(Path(program).parent, tmp_path / "template")
    base, new = coverage.pairs(coverage.MODELS[0], np.random.default_rng(1), 8, 10)
    coverage.write(tmp_path, info, header, base, new)
    subprocess.run([program, "summary", tmp_path, "--quiet"], check=True, capture_output=True)
    with (tmp_path / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["case"], row["phase"]) for row in rows] == [
        (f"clone/NEWUTS/stack:{size}K", phase) for size in (16, 20) for phase in coverage.PHASES]
    for row, times, of_base in zip(rows, new, base):
        assert int(row["samples"]) == times.size and float(row["median"]) == np.median(times)
        assert float(row["delta"]) == np.median(np.median(times, axis=1) - np.median(of_base, axis=1))
    everything, nothing = (float(new.min()), 0.0), (2 * float(new.max()), 0.0)
    assert [held for held, _, _ in coverage.held(rows, nothing)] == [False] * 8
    assert [held for held, _, _ in coverage.held(rows, everything)] == [False] * 8
    assert all(held for held, _, _ in coverage.held(rows, (float(np.median(new)), 0.0)))


def test_where_a_run_stops_is_told() -> None:
    program = Path(os.environ.get("NSBENCH", "/none")).with_name("nsbench-stops")
    if not program.exists():
        pytest.skip("NSBENCH is not set, or nsbench-stops is not built: scripts/test does both")
    alike, apart = "100 101 " * 32, "100 101 300 301 " * 16
    said = subprocess.run([program, "0.05", "32", "2"], input=f"{alike}\n{apart}\n", text=True, capture_output=True, check=True)
    stops, ends = ([float(line.split()[of]) for line in said.stdout.splitlines()] for of in (0, 2))
    assert stops == [8, 32] and ends[0] <= 101 and ends[1] >= 300
    assert subprocess.run([program, "0.05"], capture_output=True).returncode == 2
