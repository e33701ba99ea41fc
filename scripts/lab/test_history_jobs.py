"""Tests of a history's jobs: what carries them out, and what becomes of one that fails."""
import argparse
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from lab import fake_harness, guest, images
from lab.errors import IMPOSSIBLE, LabError
from lab.fake_harness import IMAGE, PROGRAM, is_gone
from lab.history import carry, engines, job, plan
from lab.history.plan import Job, Plan
from lab.history.versions import Member
from lab.test_history import row


def options_of(work: Path, **more: object) -> argparse.Namespace:
    return argparse.Namespace(**{"work": work, "engine": "local", "at_once": 1, "sshlogin": [], "sbatch": [], **more})


def carried(monkeypatch: pytest.MonkeyPatch, work: Path, commands: dict[str, str], **more: object) -> tuple[list[str], list[Job]]:
    """The names of the jobs that gave something, and all of them, with these command lines."""
    every = [Job(f"5.10.{number}-1", name, 0, ("clone/NEWUTS/stack:1M",)) for number, name in enumerate(commands)]
    for one in every:
        content: dict[str, object] = {"plan": "p", "kernel": "0" * 64, "rows": [asdict(row(Member(one.name, one.kernel), 1))]}
        (work / f"{one.name}.made").write_bytes(job.sealed(content))
    monkeypatch.setattr(plan, "command", lambda one, chosen, digest, out: commands[one.name].format(work / f"{one.name}.made", out))
    chosen = Plan((), (), guest.Machine(), range(1, 2))
    monkeypatch.setattr(Plan, "about", lambda self: {"a": 1})
    found = carry.carry_out(every, chosen, "p", options_of(work, **more))
    return [one.name for one in found], every


@pytest.mark.parametrize("engine", sorted(engines.ENGINES))
def test_a_job_that_fails_takes_nothing_from_the_others(engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                        capsys: pytest.CaptureFixture[str]) -> None:
    if engine == "parallel" and not shutil.which("parallel"):
        pytest.skip("GNU parallel is missing: apt-get install parallel")
    if engine == "slurm":  # what it says where a task fails: its number, and the task's code as its own
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin/sbatch").write_text("""#!/bin/sh
echo 7
for word; do case $word in --array=1-*) count=${word#--array=1-} ;; --wrap=*) line=${word#--wrap=} ;; esac; done
for task in $(seq "${count%%%*}"); do SLURM_ARRAY_TASK_ID=$task sh -c "$line"; done
exit 3
""")
        (tmp_path / "bin/sbatch").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    commands = {"a": "sh -c 'echo lab: error: no such guest >&2; exit 3'", "b": "cp {} {}"}
    names, every = carried(monkeypatch, tmp_path, commands, engine=engine)
    assert names == ["b"]
    assert "a: error: no such guest" in capsys.readouterr().err
    assert carry.failed_last(every, "p", tmp_path) == every[::-1]
    assert carried(monkeypatch, tmp_path, {"a": "cp {} {}"}, engine=engine)[0] == ["a"]
    assert carry.failed_before(tmp_path) == set()


def test_an_engine_that_fails_is_said_and_what_is_there_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                               capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bin").mkdir()
    for name, code in (("sbatch", 1), ("parallel", 255)):
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\necho {name}: error: no controller >&2; exit {code}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    carried(monkeypatch, tmp_path, {"a": "cp {} {}"})
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    for engine in ("slurm", "parallel"):
        assert carried(monkeypatch, tmp_path, {"a": "true", "b": "true"}, engine=engine)[0] == ["a"]
        assert "error: no controller" in capsys.readouterr().err


JOB = """import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.default_int_handler)
try:
    pathlib.Path(sys.argv[1]).with_suffix(".begun").touch()
    time.sleep(600)
except KeyboardInterrupt:
    time.sleep(0.7)  # longer than GNU parallel waits by itself
    pathlib.Path(sys.argv[1]).with_suffix(".ended").touch()
"""
ENGINE = """import os, pathlib, signal, sys
from lab.history import engines
signal.signal(signal.SIGTERM, signal.default_int_handler)
folder = pathlib.Path(sys.argv[2])
engines.GRACE = float(os.environ["GRACE"]) if "GRACE" in os.environ else engines.GRACE
engines.ENGINES[sys.argv[1]](folder, (folder / "commands").read_text().splitlines(), engines.Settings(at_once=2))
"""


def interrupted(engine: str, folder: Path, commands: list[str], begun: Callable[[], bool], again: int = 0) -> str:
    """What an engine says that gets a SIGTERM when these jobs have begun, and perhaps another one."""
    engines.write_list(folder, commands)
    (folder / "commands").write_text("\n".join(commands))
    process = subprocess.Popen([sys.executable, "-c", ENGINE, engine, folder], stderr=subprocess.PIPE, text=True, start_new_session=True,
                               env={**os.environ, "PYTHONPATH": str(PROGRAM.parent)})
    said = fake_harness.interrupted(process, begun, again=again)
    assert "KeyboardInterrupt" in said
    return said


@pytest.mark.parametrize("engine", ("local", "parallel"))
def test_the_jobs_of_an_interrupted_engine_end_and_clear_up(engine: str, tmp_path: Path) -> None:
    if not shutil.which(engine) and engine == "parallel":
        pytest.skip("GNU parallel is missing: apt-get install parallel")
    (tmp_path / "job.py").write_text(JOB)
    commands = [f"{sys.executable} {tmp_path}/job.py {tmp_path}/{number} >/dev/null 2>&1" for number in range(4)]
    said = interrupted(engine, tmp_path, commands, lambda: len(list(tmp_path.glob("*.begun"))) == 2)
    assert said.startswith("lab: the jobs that run are ended\n")
    assert sorted(path.stem for path in tmp_path.glob("*.ended")) == sorted(path.stem for path in tmp_path.glob("*.begun"))
    assert len(list(tmp_path.glob("*.begun"))) == 2


STUBBORN = """import pathlib, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "600"])
path = pathlib.Path(sys.argv[1])
path.with_suffix(".part").write_text(str(child.pid))
path.with_suffix(".part").rename(path)
child.wait()
"""


@pytest.mark.parametrize(("grace", "again"), [(0.5, 0), (600, signal.SIGTERM)], ids=["by itself", "at the second signal"])
def test_a_job_that_does_not_end_is_killed_with_all_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, grace: float,
                                                               again: int) -> None:
    (tmp_path / "job.py").write_text(STUBBORN)
    monkeypatch.setenv("GRACE", str(grace))
    interrupted("local", tmp_path, [f"{sys.executable} {tmp_path}/job.py {tmp_path}/pid"], (tmp_path / "pid").exists, again)
    assert is_gone(int((tmp_path / "pid").read_text()))


def test_what_the_shell_says_of_a_local_job_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engines.local(tmp_path, ["true", "sh -c 'echo a >&2; exit 3'", "/nowhere/nothing"], engines.Settings())
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "a" and len(said) == 2 and "/nowhere/nothing" in said[1]


@pytest.mark.parametrize(("job", "code", "words", "says"), [
    ("7", 0, "7", "lab: Slurm's job 7 is cancelled"),
    ("7;far", 1, "--clusters=far 7", "lab: Slurm's job 7 goes on: no controller; scancel --clusters=far 7 ends it"),
])
def test_the_job_of_an_interrupted_slurm_is_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, job: str, code: int, words: str,
                                                      says: str) -> None:
    for name, script in (("sbatch", f"echo '{job}'; touch {tmp_path}/begun; exec sleep 600"),
                         ("scancel", f"echo $* >{tmp_path}/words; echo no controller >&2; exit {code}")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert interrupted("slurm", tmp_path, ["true"], (tmp_path / "begun").exists).startswith(f"{says}\n")
    assert (tmp_path / "words").read_text() == f"{words}\n"


@pytest.mark.parametrize(("grace", "again"), [(0.5, 0), (600, signal.SIGTERM)], ids=["by itself", "at the second signal"])
def test_an_sbatch_that_names_no_job_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, grace: float, again: int) -> None:
    for name, script in (("sbatch", f"echo $$ >{tmp_path}/part; mv {tmp_path}/part {tmp_path}/pid; exec sleep 600"),
                         ("scancel", f"touch {tmp_path}/cancelled")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("GRACE", str(grace))
    said = interrupted("slurm", tmp_path, ["true"], (tmp_path / "pid").exists, again)
    assert said.startswith("lab: sbatch named no job, and is ended; if it had submitted one, that goes on: squeue --me\n")
    assert is_gone(int((tmp_path / "pid").read_text())) and not (tmp_path / "cancelled").exists()


def test_a_job_whose_scancel_does_not_answer_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                     capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "scancel").write_text("#!/bin/sh\nexec sleep 600\n")
    (tmp_path / "scancel").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(engines, "GRACE", 0.5)
    engines.cancel("7")
    assert capsys.readouterr().err == "lab: Slurm's job 7 goes on: no answer within 0.5 s; scancel 7 ends it\n"


def test_a_job_of_another_plan_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Plan, "about", lambda self: {"memory_mb": 256, "qemu": "q"})
    options = argparse.Namespace(accel="tcg", append="", memory=256, timeout=1, case=["c"], nsbench=[], machines=range(1, 2),
                                 out=tmp_path / "x.json", plan="")
    job.check_plan(options)
    options.plan = plan.digest_of({"memory_mb": 256, "qemu": "q"})
    job.check_plan(options)
    options.plan = "another"
    with pytest.raises(LabError, match="and not by another$") as raised:
        job.check_plan(options)
    assert raised.value.code == IMPOSSIBLE
    plan.mean(tmp_path, "another", {"memory_mb": 512, "qemu": "q"})
    with pytest.raises(LabError, match="here memory_mb is 256, and not 512"):
        job.check_plan(options)


def test_a_file_that_was_built_again_is_not_the_one_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bzImage"
    path.write_bytes(IMAGE)
    name = images.image_of(str(path)).name
    (tmp_path / "link").symlink_to(path)  # by which the list may know it
    monkeypatch.setattr(job, "check_plan", lambda _: None)
    monkeypatch.setattr(job, "figures", lambda *_: [])
    for one in (name, images.image_of(str(tmp_path / "link")).name, ""):
        assert job.contents(argparse.Namespace(kernel=str(path), name=one, profile=False, plan="p"))["rows"] == []
    path.write_bytes(IMAGE + b"\n")
    with pytest.raises(LabError, match=f"changed since the history began, which calls it {name}: begin it again"):
        job.contents(argparse.Namespace(kernel=str(path), name=name, profile=False, plan="p"))


def test_a_program_that_is_missing_is_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: Path) -> bytes:
        raise images.NoProgram("it needs apt-get install zstd", IMPOSSIBLE)

    def unknown(_: Path) -> bytes:
        raise LabError("no known program unpacks it")
    image = images.Image("k", Path("k"), "0" * 64)
    monkeypatch.setattr(images, "unpacked", missing)
    with pytest.raises(LabError, match="install zstd"):
        job.compiler_in(image)
    monkeypatch.setattr(images, "unpacked", unknown)
    assert job.compiler_in(image) == ""


def test_a_result_is_opened_only_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(job.sealed({"rows": [], "plan": "µ"}))
    assert job.opened(path) == {"rows": [], "plan": "µ"}
    for damage in (path.read_bytes()[:-2], path.read_bytes().replace(b"plan", b"plam"), b""):
        path.write_bytes(damage)
        with pytest.raises(LabError, match="hash"):
            job.opened(path)
