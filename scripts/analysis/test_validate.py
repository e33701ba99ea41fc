"""validate.py: what it cannot find out is one line and 2, never the 1 that says 'outside of the limits'."""
import csv
import io
from pathlib import Path

import pytest

from analysis.fixtures import call, result_row

VALIDATE = Path(__file__).resolve().parents[1] / "validate.py"


@pytest.fixture(name="build")
def fixture_build(tmp_path: Path) -> Path:
    """Where nsbench does as it is told by said(), and the yardstick measures all alike."""
    record = ('for word; do case $word in --out=*)\nmkdir "${word#--out=}" && cp "${0%/*}/samples" "${word#--out=}/samples.csv";;\n'
              "esac; done")
    for name, script in (("nsbench", f"{record}\ncat ${{0%/*}}/csv\ncat ${{0%/*}}/error >&2\nexit $(cat ${{0%/*}}/code)"),
                         ("nsbench-yardstick", "yes 9 9 | head -n $2")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    said(tmp_path, [result_row(f"clone/{kinds}/stack:1M", phase, 9.0, delta_low="-1", delta_high="1")
                    for kinds in ("none", "NEWPID") for phase in ("create", "total")])
    recorded(tmp_path, [9.0] * 40)
    return tmp_path


def recorded(build: Path, times: list[float], lead_in: int = 2) -> None:
    """Each of the yardstick's cases has three blocks of these times."""
    lines = ["case,round,block,counted,errno,create,total", "clone/none/stack:1M,0,1,0,,9,9"]
    lines += [f"clone/{name}/stack:1M,{number},{number},{int(place >= lead_in)},,{time},{time}"
              for name in ("none", "NEWPID", "NEWNET") for number in (1, 2, 3) for place, time in enumerate(times)]
    (build / "samples").write_text("\n".join([*lines, ""]))


def said(build: Path, rows: list[dict], code: int = 0, error: str = "") -> None:
    text = io.StringIO()
    out = csv.DictWriter(text, list(result_row("clone/none", "create", None)), lineterminator="\n")
    out.writeheader()
    out.writerows(rows)
    for name, what in (("csv", text.getvalue()), ("code", str(code)), ("error", error)):
        (build / name).write_text(what)


@pytest.mark.parametrize("words", [
    ["yardstick", "--pairs=1"], ["aa", "--trials=0"], ["aa", "--trials=²"], ["compare", "--trials=-1"], ["compare", "--seed=-1"],
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


@pytest.mark.parametrize(("times", "code"), [
    ([9.0] * 40, 0),
    ([90.0, 20.0] + [9.0] * 38, 0),  # what does not count may take as long as it likes
    ([9.0] * 2 + [9.05] * 22 + [9.0] * 16, 0),
    ([9.0] * 2 + [9.2] * 22 + [9.0] * 16, 1),
    ([9.0] * 20, 1),  # no block has late ones: nothing is known
])
def test_what_counts_of_a_block_is_like_its_late_samples(build: Path, times: list[float], code: int) -> None:
    recorded(build, times)
    found, out, _ = call(VALIDATE, [f"--build={build}", "position", "--seconds=1"])
    assert found == code and out.count("clone         2+38") == (2 if len(times) == 40 else 0), out


@pytest.mark.parametrize("command", ["aa", "yardstick", "position"])
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
