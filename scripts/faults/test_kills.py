"""validate.py kills: who is struck and when, what it notices, and that nsbench leaves nothing."""
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from analysis import columns, programs
from analysis.fixtures import call
from faults import inject, jobs, kills, machine, outcomes, struck

VALIDATE = Path(__file__).resolve().parents[1] / "validate.py"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces for what is struck")
CLONE, EXEC = jobs.BY_NAME["clone"], jobs.BY_NAME["exec"]


def test_each_condition_has_a_job() -> None:
    parameters = json.loads(columns.DICTIONARY.read_text())["parameters"]
    conditions = {one["key"] for one in parameters if one["type"] != "choice" and one["default"] == "0"}
    assert set(jobs.LEVELS) == set(jobs.FEW) == conditions
    assert {job.name for job in jobs.JOBS if job.is_surrounded} == {f"with {name}" for name in (*conditions, "all")}


def test_conditions_have_their_turn_first() -> None:
    names = kills.order(list(jobs.BY_NAME), 1)
    first = [name for name in names if jobs.BY_NAME[name].is_surrounded]
    assert names[:len(first)] == first and sorted(names) == sorted(jobs.BY_NAME)
    assert names != kills.order(list(jobs.BY_NAME), 2)


def wanted(**values: object) -> kills.argparse.Namespace:
    options = {"kills": 40, "seed": 5, "victim": None, "signal": None, "moment": None}
    return kills.argparse.Namespace(**(options | values))


def test_each_job_has_its_turn_and_the_signals_are_drawn() -> None:
    usual = {name: kills.Usual(0.1, ("nsbench", "child", struck.TERMINAL, struck.MEMORY), {}) for name in ("clone", "exec", "list")}
    planned = kills.drawn(usual, wanted(kills=300))
    assert [one.job for one in planned[:4]] == ["clone", "exec", "list", "clone"]
    assert {one.victim for one in planned} == {"nsbench", "child", *struck.OUTSIDE}
    assert {one.signal for one in planned if one.victim == struck.TERMINAL} == {"SIGHUP"}
    assert set(struck.COMMON) <= {one.signal for one in planned} <= set(struck.TERMINATING)
    assert planned == kills.drawn(usual, wanted(kills=300)) != kills.drawn(usual, wanted(kills=300, seed=6))
    assert {one.signal for one in kills.drawn(usual, wanted(signal="SIGUSR1", victim="child"))} == {"SIGUSR1"}


def as_started_by_a_shell() -> None:
    """Nothing is ignored, as under nohup, and no core is left."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if signal.getsignal(number) is not None:  # not the C library's own
            signal.signal(number, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def test_each_terminating_signal_ends_a_program() -> None:
    assert set(struck.COMMON) < set(struck.TERMINATING)
    for name in struck.TERMINATING:
        with subprocess.Popen(["/bin/sleep", "60"], preexec_fn=as_started_by_a_shell) as sleeping:
            sleeping.send_signal(signal.Signals[name])
            assert sleeping.wait(20) == -signal.Signals[name], name


def ended(code: int, err: str = "", *, is_hung: bool = False) -> inject.Ended:
    return inject.Ended(code, "", err, 0.1, is_hung, [])


@pytest.mark.parametrize("job, victim, name, run, wrong", [
    (CLONE, "nsbench", "SIGTERM", ended(-15), None),
    (CLONE, "nsbench", "SIGTERM", ended(143), None),
    (CLONE, "nsbench", "SIGTERM", ended(0), None),
    (CLONE, "nsbench", "SIGTERM", ended(130), "exit code 130"),
    (CLONE, "nsbench", "SIGTERM", ended(-9), "ended by SIGKILL"),
    (CLONE, "sampler", "SIGTERM", ended(-15), "ended by SIGTERM"),
    (CLONE, "sampler", "SIGKILL", ended(1), "without a message"),
    (CLONE, "sampler", "SIGKILL", ended(1, "nsbench: the sampler was killed or crashed\n"), None),
    (CLONE, "sampler", "SIGKILL", ended(1, "terminate called"), "a crash"),
    (CLONE, "child", "SIGKILL", ended(0, is_hung=True), "had not ended"),
    (CLONE, struck.TERMINAL, "SIGHUP", ended(129), None),
    (CLONE, struck.TERMINAL, "SIGHUP", ended(134), "exit code 134"),
    (EXEC, "child", "SIGTERM", ended(143), None),
    (CLONE, "child", "SIGTERM", ended(143), "exit code 143"),
])
def test_what_a_killed_run_must_not_do(job: jobs.Job, victim: str, name: str, run: inject.Ended, wrong: str | None) -> None:
    found = kills.ending(job, kills.Kill(job.name, victim, name, 0.5, 1), run, "")
    assert found is None if wrong is None else found is not None and wrong in found, found


def test_a_cgroup_of_the_dead_is_told_from_that_of_another_run() -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    assert not machine.of_the_living(f"/sys/fs/cgroup/nsbench-conditions-{dead.pid}-1a2b")
    assert machine.of_the_living(f"/sys/fs/cgroup/nsbench-conditions-{os.getpid()}-1a2b")


def in_a_process(told: Path, action: object) -> object:
    """What it returns, of a process of its own, which is a subreaper."""
    pid = os.fork()
    if pid == 0:
        try:
            assert kills.Place.enter() is None
            told.write_text(repr(action()), encoding="utf-8")  # type: ignore[operator]
        except BaseException as error:
            told.write_text(repr(repr(error)), encoding="utf-8")
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    return eval(told.read_text(encoding="utf-8"))


def struck_shell(folder: Path, script: str, victim: str, number: int) -> tuple[bool, int, list[str]]:
    """A shell's run that is struck once it has two children: whether it was, how it ended, and what it left."""
    run = struck.Run(["/bin/sh", "-c", script], folder, {"PATH": "/bin:/usr/bin"}, victim)
    try:
        assert run.until(lambda: sorted(run.processes().values()) == ["sh", "sleep", "sleep"], 20)
        is_struck = struck.strike(run, victim, number, random.Random(1))
        found = run.end(20)
        return is_struck, found.code, found.left
    finally:
        run.close()


SLEEPING = "trap 'exit 9' TERM HUP; sleep 60 & setsid sleep 61 & wait"


@needs_root
@pytest.mark.parametrize("victim, number, wanted_code, left", [
    ("nsbench", signal.SIGKILL, -9, ["sleep", "sleep"]),
    ("nsbench", signal.SIGTERM, 9, ["sleep", "sleep"]),
    ("group", signal.SIGTERM, 9, ["sleep"]),
    ("session", signal.SIGKILL, -9, ["sleep"]),
    (struck.TERMINAL, signal.SIGHUP, 9, ["sleep"]),
])
def test_who_is_struck(tmp_path: Path, victim: str, number: int, wanted_code: int, left: list[str],
                       monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(struck, "LINGERING", 0.5)
    found = in_a_process(tmp_path / "told", lambda: struck_shell(tmp_path, SLEEPING, victim, number))
    assert found == (True, wanted_code, left)


@needs_root
def test_the_memory_cgroup_is_exhausted(tmp_path: Path) -> None:
    def exhausted() -> object:
        if not struck.MemoryCgroup.can_be_made():
            return "none"
        script = f"exec {sys.executable} -ISc 'import time\nx = []\nwhile True: x.append(bytearray(1 << 20)); time.sleep(0.01)'"
        run = struck.Run(["/bin/sh", "-c", script], tmp_path, {"PATH": "/bin:/usr/bin"}, struck.MEMORY)
        try:
            run.wait(0.2)
            struck.strike(run, struck.MEMORY, signal.SIGKILL, random.Random())
            code = run.end(20).code
            assert run.cgroup
            return code, run.cgroup.has_killed()
        finally:
            run.close()

    found = in_a_process(tmp_path / "told", exhausted)
    if found == "none":
        pytest.skip("no memory cgroup can be made here")
    assert found == (-9, True)


@pytest.fixture(name="build")
def fixture_build(tmp_path: Path) -> Path:
    """Where nsbench is a script."""
    (tmp_path / "nsbench-sampler").touch()
    return tmp_path


def killed(build: Path, script: str, *words: str) -> tuple[object, str]:
    (build / "nsbench").write_text(f"#!/bin/sh\n{script}\n")
    (build / "nsbench").chmod(0o755)
    code, out, err = call(VALIDATE, [f"--build={build}", "kills", "--kills=3", *words])
    return code, out + err


@needs_root
def test_what_is_left_is_told(build: Path) -> None:
    code, said = killed(build, "sleep 60 & sleep 0.3; kill $!; echo nsbench 1", "--job=version", "--victim=nsbench", "--signal=SIGKILL",
                        "--moment=0.5")
    assert code == 1 and "left sleep" in said and "scripts/validate.py kills --job=version --victim=nsbench" in said, said
    assert "3 kills, 3 fell short; 0 more struck nobody" in said
    # What ends soon is no loss.
    code, said = killed(build, "sleep 0.3; echo nsbench 1", "--job=version", "--victim=nsbench", "--signal=SIGKILL", "--moment=0.9")
    assert code == 0 and "3 kills, 0 fell short" in said, said


@needs_root
def test_a_job_that_fails_by_itself_is_not_left_out(build: Path) -> None:
    code, said = killed(build, "echo no >&2; exit 5", "--job=version")
    assert code == 2 and "exit code 5" in said and "nothing to kill" in said, said


def outcomes_of(job: str, *struck_: bool) -> list[kills.Struck]:
    return [kills.Struck(kills.Kill(job, "nsbench", "SIGKILL", 0.5, 1), 0, one, "") for one in struck_]


def test_a_job_that_no_kill_meets_is_no_test_of_it() -> None:
    other = outcomes_of("clone", True)
    assert kills.never_struck([*other, *outcomes_of("with fds", False)]) == ["with fds"]
    assert not kills.never_struck([*other, *outcomes_of("with fds", False, True)])
    many = [False] * outcomes.ENOUGH
    assert not kills.never_struck([*other, *outcomes_of("version", *many[1:])])  # it may be over too soon
    assert kills.never_struck([*other, *outcomes_of("version", *many)]) == ["version"]
    assert not kills.never_struck([*other, *outcomes_of("version", *many, True)])
    assert kills.never_struck([*outcomes_of("version", False), *outcomes_of("list", False)]) == ["version", "list"]


@needs_root
def test_kills_that_struck_nobody_are_no_test(build: Path) -> None:
    # A child is there when nobody strikes, and never again.
    code, said = killed(build, "[ -e ${0%/*}/met ] || { touch ${0%/*}/met; sleep 0.3; }; echo nsbench 1", "--job=version", "--victim=child")
    assert code == 1 and "0 kills, 0 fell short; 3 more struck nobody" in said and "no kill struck: version" in said, said


@needs_root
def test_a_victim_that_no_job_has_is_one_line(build: Path) -> None:
    code, said = killed(build, "echo nsbench 1", "--job=version", "--victim=sampler")
    assert code == 2 and said.count("validate: kills: --victim=sampler: in these jobs it is one of ") == 1, said


@needs_root
def test_jobs_that_need_no_kill_are_not_tried(build: Path) -> None:
    """Nor do those count that cannot be tried, where it is not known whether they have the victim."""
    script = "echo >>${0%/*}/calls; [ $1 = --version ] || { echo no >&2; exit 5; }; sleep 0.3; echo nsbench 1"
    words = ("--kills=1", "--victim=child", "--signal=SIGKILL", "--moment=0.3")
    code, said = killed(build, script, *words, "--jobs=1", "--seed=15")  # by which version has its turn early
    assert code == 0 and "1 kills, 0 fell short" in said and "exit code 5" in said, said
    assert len((build / "calls").read_text().splitlines()) < 12
    code, said = killed(build, script, *words, "--kills=2", "--job=version", "--job=list")
    assert code == 1 and "2 kills, 0 fell short" in said and "exit code 5" in said, said


def test_a_victim_that_one_job_has_is_struck_there(capsys: pytest.CaptureFixture[str]) -> None:
    jobs_ = {"clone": kills.Usual(0.1, ("nsbench", "sampler"), {}), "version": kills.Usual(0.1, ("nsbench",), {})}
    assert list(kills.with_victim(jobs_, "sampler")) == ["clone"]
    assert capsys.readouterr().out == "without sampler, and left out: version\n"
    assert kills.with_victim(jobs_, "nsbench") == kills.with_victim(jobs_, None) == jobs_ and not capsys.readouterr().out


@needs_root
def test_nothing_is_left_of_thirty() -> None:
    """Others each day, by its date."""
    if programs.find("nsbench") is None:
        pytest.skip("nsbench is not built")
    seed = time.strftime("%Y%m%d")
    code, out, err = call(VALIDATE, ["kills", "--kills=30", "--jobs=3", f"--seed={seed}"])
    assert code == 0, out + err
    assert out.startswith(f"30 kills, --seed={seed}") and " 0 fell short" in out
