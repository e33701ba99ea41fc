"""Tests of a second run of some kernels of a history, and of holding it against the first."""
import argparse
from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import FAILED, OK, LabError
from lab.history import again, bisection, record, table
from lab.history.plan import Job
from lab.test_history import kernel, row, series_of


def test_kernels_are_chosen_at_random_by_a_seed() -> None:
    jobs = [Job(f"6.1.{number}-1", f"6.1.{number}-1-cloud-amd64", 0, ()) for number in range(20)]
    found = again.of_random(jobs, 5, 3)
    assert found == again.of_random(jobs, 5, 3) == sorted(found, key=jobs.index) and len(set(found)) == 5
    assert any(again.of_random(jobs, 5, seed) != found for seed in range(4, 9))
    assert again.of_random(jobs, 2, 3, [jobs[4].of, jobs[9].of, ("gone", "1")]) == [jobs[4], jobs[9]]
    with pytest.raises(LabError, match="--random=3: there are 2"):
        again.of_random(jobs, 3, 3, [jobs[4].of, jobs[9].of])


def test_a_history_is_held_against_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = [*series_of([100, 300]), *series_of([50, 70], phase="exit")]
    table.write(tmp_path / table.FILE, [*series_of([100, 303, 9]), *series_of([50, 900], phase="exit")])
    assert again.against(here, tmp_path) == FAILED
    assert capsys.readouterr().out.splitlines() == [
        "6.1.170-1: 2 of 2 rows are the same by the same plan",
        "6.1.171-1: 0 of 2 rows are the same by the same plan; 1 within their resolutions; 1 beyond: clone/NEWUTS/stack:1M exit −830",
        "2 kernels: 2 of 4 rows are the same, 1 within their resolutions, 1 beyond, 0 of another kind, 0 in one alone"]
    assert again.against([replace(one, plan="q") for one in here], tmp_path) == OK
    assert "2 of 2 rows are the same by another plan" in capsys.readouterr().out
    with pytest.raises(LabError, match="none of these kernels"):
        again.against([row(kernel("5.10.1-1"), 1)], tmp_path)
    with pytest.raises(LabError, match="two kernels of that name"):
        again.against([replace(one, kernel_sha256="1" * 64) for one in here], tmp_path)


def test_rows_that_one_history_lacks_are_no_agreement(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = series_of([100])
    both = [*here, *series_of([50], phase="exit")]
    table.write(tmp_path / table.FILE, both)
    assert again.against(here, tmp_path) == FAILED
    assert capsys.readouterr().out.splitlines()[0] == "6.1.170-1: 1 of 1 rows are the same by the same plan; 1 only there"
    assert again.against([replace(one, plan="q") for one in here], tmp_path) == OK
    table.write(tmp_path / table.FILE, here)
    capsys.readouterr()
    assert again.against(both, tmp_path) == FAILED
    assert "; 1 only here" in capsys.readouterr().out


def test_another_status_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = series_of([100])
    table.write(tmp_path / table.FILE, [replace(one, status="failed", errno="ENOSPC") for one in here])
    assert again.against(here, tmp_path) == FAILED
    said = capsys.readouterr().out
    assert "1 of another kind: clone/NEWUTS/stack:1M create failed ENOSPC → ok delta" in said and "inf" not in said


def test_options_that_contradict_each_other_are_refused_before_anything_is_measured(tmp_path: Path) -> None:
    table.write(tmp_path / table.FILE, series_of([100]))

    def options(**more: object) -> argparse.Namespace:
        given: dict[str, object] = {
            "random": 0, "images": "", "series": "", "tree": None, "build": "", "commit": [], "as_recorded": False, "explain": None,
            "stacks": None, "titles": False, "replace": False, "most": 0, "against": None, "few": False, "out": tmp_path}
        return argparse.Namespace(**{**given, **more})
    record.check(options(against=tmp_path))
    record.check(options(as_recorded=True))
    for name, value in (("explain", 0), ("stacks", ""), ("titles", True)):
        record.check(options(as_recorded=True, series="6.1", **{name: value}))
    bisection.check(options(few=True))
    wrong: list[tuple[dict[str, object], str]] = [
        ({"against": tmp_path / "mistyped"}, "there is no history in it"),
        ({"as_recorded": True, "out": tmp_path / "mistyped"}, "there is no history in it"),
        ({"as_recorded": True, "series": "6.1"}, "it is of all rows")]
    for name in ("replace", "random", "most"):
        wrong.append(({"as_recorded": True, "explain": 5, name: 2}, "it measures no kernel"))
    for given, says in wrong:
        with pytest.raises(LabError, match=says):
            record.check(options(**given))
    with pytest.raises(LabError, match="--few: it is of the archive"):
        bisection.check(options(few=True, tree=Path("linux"), build="make"))
