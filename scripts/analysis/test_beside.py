"""Tests of names that tell runs apart, and of what is taken along that lies beside a run."""
from pathlib import Path

import pytest

pytest.importorskip("pandas", reason="python3-pandas is missing")

from analysis import beside, limits, stacks
from analysis.fixtures import result_row, write_run, write_table
from analysis.read import read_run


def run(folder: Path, kernel: str = "6.1.0", probed: bool = False, environment: dict[str, str] | None = None) -> Path:
    folder.parent.mkdir(parents=True, exist_ok=True)
    row = result_row("clone/none/stack:1M", "create", 1000.0, kernel=kernel, run_id="-".join(folder.parts[-2:]))
    write_run(folder, [row], environment)
    if probed:
        write_table(folder / "probe.csv", [{"run_id": row["run_id"], "kernel": kernel, "clock": "wall", "case": row["case"],
                                            "function": "copy_process", "path": "create", "self": 1, "total": 2}])
    return folder


@pytest.mark.parametrize("paths, names", [
    ([["/", "a", "run"]], ["run"]),
    ([["/", "a", "run"], ["/", "b", "other"]], ["run", "other"]),
    ([["/", "a", "run"], ["/", "b", "run"], ["/", "c", "other"]], ["a/run", "b/run", "other"]),
    ([["/", "x", "a", "run"], ["/", "y", "a", "run"], ["/", "y", "b", "run"]], ["x/a/run", "y/a/run", "b/run"]),
    ([["/", "run"], ["/", "a", "run"]], ["/run", "a/run"]),
])
def test_the_shortest_end_that_no_other_path_has(paths: list[list[str]], names: list[str]) -> None:
    assert limits.names(paths) == names


def test_runs_of_one_name(tmp_path: Path) -> None:
    runs = limits.read_runs([str(run(tmp_path / "a/run")), str(run(tmp_path / "b/run"))])
    assert [one.name for one in runs] == ["a/run", "b/run"] and runs[1].identity().startswith("b/run · kernel")


@pytest.mark.parametrize("wall, probe, name", [("host/wall", "host/probe", "host/probe"), ("run", "run/probe", "run/probe")])
def test_the_probe_beside_a_run(tmp_path: Path, wall: str, probe: str, name: str) -> None:
    shown = read_run(run(tmp_path / wall))
    assert beside.probed(shown) is None and beside.folded(shown, None) is None
    folder = run(tmp_path / probe, probed=True)
    (folder / stacks.FILE).write_text("clone/none/stack:1M;copy_process 12\n")
    found, stacked = beside.probed(shown), beside.folded(shown, None)
    assert found and found.name == name and found.run_id != shown.run_id
    assert stacked and stacked[0] is found and stacked[1].endswith(" 12\n")
    assert beside.probed(found) is found


def test_its_own_figures_are_first(tmp_path: Path) -> None:
    shown = read_run(run(tmp_path / "host/wall", probed=True))
    run(tmp_path / "host/probe", probed=True)
    assert beside.probed(shown) is shown


def test_another_kernels_probe_is_not_taken(tmp_path: Path) -> None:
    shown = read_run(run(tmp_path / "host/wall"))
    run(tmp_path / "host/probe", "6.12.0", probed=True)
    assert beside.probed(shown) is None


@pytest.mark.parametrize("environment", [{"cpu_model": "Another CPU"}, {"cpus": "64"}])
def test_another_machines_probe_is_not_taken(tmp_path: Path, environment: dict[str, str]) -> None:
    shown = read_run(run(tmp_path / "host/wall"))
    run(tmp_path / "host/probe", probed=True, environment=environment)
    assert beside.probed(shown) is None


@pytest.mark.parametrize("file", ["run.json", "results.csv", "probe.csv", stacks.FILE])
def test_what_lies_there_and_cannot_be_read_is_a_note(tmp_path: Path, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = read_run(run(tmp_path / "run"))
    (run(tmp_path / "run/probe", probed=True) / file).write_text("{")
    assert beside.probed(shown) is None and beside.folded(shown, None) is None
    said = capsys.readouterr().err
    assert said.startswith(f"left out: what lies in {tmp_path}/run/probe: ") and file in said and said.count("\n") == 1, said


def test_an_exact_profile_beside_a_run_has_its_stacks(tmp_path: Path) -> None:
    shown = read_run(run(tmp_path / "run"))
    (run(tmp_path / "run/exact") / stacks.FILE).write_text("clone/none/stack:1M;create;a 12\n")
    found = beside.folded(shown, None)
    assert found and found[0].name == "run/exact" and beside.probed(shown) is None
