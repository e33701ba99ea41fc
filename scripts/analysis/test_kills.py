"""Runs that are killed while conditions are set up around their blocks."""
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from analysis import columns, kills, programs
from analysis.fixtures import call
from faults import machine

VALIDATE = Path(__file__).resolve().parents[1] / "validate.py"


def test_each_condition_has_its_turn() -> None:
    parameters = json.loads(columns.DICTIONARY.read_text())["parameters"]
    conditions = {one["key"] for one in parameters if one["type"] != "choice" and one["default"] == "0"}
    assert set(kills.LEVELS) == set(kills.FEW) == conditions
    planned = kills.attempts(22, 5)
    assert {one.condition for one in planned} == {*conditions, kills.ALL}
    assert planned == kills.attempts(22, 5) != kills.attempts(22, 6)


@pytest.fixture(name="build")
def fixture_build(tmp_path: Path) -> Path:
    """Where nsbench is a program that starts a keeper, which outlives it."""
    (tmp_path / "nsbench").write_text(f"#!{tmp_path}/shell\n{tmp_path}/nsbench-keeper 600 &\nwait\n")
    (tmp_path / "nsbench").chmod(0o755)
    shutil.copy("/bin/sh", tmp_path / "shell")
    shutil.copy("/bin/sleep", tmp_path / "nsbench-keeper")
    return tmp_path


def test_a_process_that_is_left_is_named(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kills, "PATIENCE", 2.0)
    host = kills.Host.noted(build)
    try:
        victim, left = kills.carry_out(kills.Attempt("fds", 0.0, 0.0, 0.0, 1), host)
        assert victim == "nsbench"
        assert len(left) == 1 and left[0].startswith("process ") and left[0].endswith("(nsbench-keeper)")
    finally:
        for pid in kills.processes(build):
            os.kill(pid, 9)


def test_a_victim_is_one_of_those_that_are_there(build: Path) -> None:
    victim, left = kills.carry_out(kills.Attempt("fds", 0.99, 0.0, 0.0, 1), kills.Host.noted(build))
    assert (victim, left) == ("keeper", [])


def test_a_run_that_does_not_begin_is_no_kill(build: Path) -> None:
    (build / "nsbench").write_text(f"#!{build}/shell\necho 'nsbench: no' >&2\nexit 3\n")
    victim, left = kills.carry_out(kills.Attempt("fds", 0.0, 0.0, 0.0, 1), kills.Host.noted(build))
    assert (victim, left) == ("", ["no condition, and so no kill: nsbench: no (exit code 3)"])


def test_a_cgroup_of_the_dead_is_told_from_that_of_another_run() -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    assert not machine.of_the_living(f"/sys/fs/cgroup/nsbench-conditions-{dead.pid}-1a2b")
    assert machine.of_the_living(f"/sys/fs/cgroup/nsbench-conditions-{os.getpid()}-1a2b")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: as another user some conditions are refused")
def test_nothing_is_left_of_a_dozen() -> None:
    if programs.find("nsbench") is None:
        pytest.skip("nsbench is not built")
    code, out, err = call(VALIDATE, ["kills", "--kills=12"])
    assert code == 0, out + err
    assert out.startswith("12 kills, --seed=") and "has left" not in out
