"""Tests of a history's engines: the same list of jobs by each, and the same bytes. Run by scripts/test-kernels, since guests boot."""
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab import guest, initramfs, packages
from lab.errors import LabError
from lab.history import engines, table
from lab.history.steps import LEAST
from lab.slurm_harness import missing, slurm
from lab.test_history_jobs import interrupted

PROGRAM = Path(__file__).resolve().parents[1] / "lab.py"
SERIES = ("6.1", "5.10")
# Twenty cases that take a second each: 40 jobs of one case on two kernels.
FILTER = "^(setns/NEW[A-Z]+/via:(nsfd|pidfd)|unshare/(none|NEWUTS|NEWPID|NEWUSER))$"
JOBS = 40
FILES = ("history.csv.xz", "steps.json", "plans.json", "functions.csv.xz", "README.md")


def begun(folder: Path, *words: str, cases: str = FILTER, environment: dict[str, str] | None = None) -> "subprocess.Popen[str]":
    images = ",".join(str(path) for path in sorted(folder.parent.glob("bzImage-*")))
    command: list[str | Path] = [sys.executable, PROGRAM, "history", "--images", images, "--out", folder / "out", "--work", folder / "work",
                                 "--machines=1", "--split=1", *words, "--", f"--filter={cases}"]
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)


def ended(process: "subprocess.Popen[str]") -> str:
    out, err = process.communicate(timeout=1200)
    assert process.returncode == 0, err
    return out


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The history as this machine makes it."""
    folder = tmp_path_factory.mktemp("engines")
    try:
        guest.qemu_version()
        initramfs.base()
        for number, kernel in enumerate(packages.find(list(SERIES))):
            shutil.copy(packages.fetch(kernel), folder / f"bzImage-{number}")
    except LabError as error:
        pytest.skip(str(error))
    out = ended(begun(folder / "local", f"--at-once={os.cpu_count()}"))
    assert f"{JOBS} of {JOBS} jobs done" in out
    return folder / "local"


def same(one: Path, other: Path) -> None:
    for name in FILES:
        assert (one / "out" / name).read_bytes() == (other / "out" / name).read_bytes(), name


def commands(folder: Path, seconds: float) -> list[str]:
    """Forty jobs that each write a file, whole or not at all, and one that fails."""
    written = [f"sh -c 'sleep {seconds}; echo {number} >{folder}/{number}.part; mv {folder}/{number}.part {folder}/{number}'"
               for number in range(JOBS)]
    return [*written, "false"]


def all_written(folder: Path) -> bool:
    return {path.name: path.read_text() for path in folder.iterdir()} == {f"{number}": f"{number}\n" for number in range(JOBS)}


def listed(folder: Path, seconds: float) -> list[str]:
    (folder / "results").mkdir()
    every = commands(folder / "results", seconds)
    engines.write_list(folder, every)
    return every


@pytest.mark.parametrize("name", ("local", "parallel"))
def test_an_engine_carries_out_every_job(tmp_path: Path, name: str) -> None:
    if name == "parallel" and not shutil.which("parallel"):
        pytest.skip("GNU parallel is missing: apt-get install parallel")
    engines.ENGINES[name](tmp_path, listed(tmp_path, 0.01), engines.Settings(at_once=4))
    assert all_written(tmp_path / "results")


def test_slurm_carries_out_every_job_though_a_node_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if why := missing():
        pytest.skip(why)
    with slurm(tmp_path / "slurm") as cluster:
        for name in ("SLURM_CONF", "PATH"):
            monkeypatch.setenv(name, cluster.environment[name])
        every = listed(tmp_path, 1)
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(engines.slurm, tmp_path, every, engines.Settings())
            while not done.done() and len(list((tmp_path / "results").iterdir())) < JOBS // 4:
                time.sleep(0.1)
            assert not done.done()
            cluster.kill("node2")
            done.result(timeout=300)
        assert "down" in " ".join(cluster.states())
    assert all_written(tmp_path / "results")


def test_slurm_ends_the_jobs_of_a_history_that_is_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if why := missing():
        pytest.skip(why)
    with slurm(tmp_path / "slurm") as cluster:
        for name in ("SLURM_CONF", "PATH"):
            monkeypatch.setenv(name, cluster.environment[name])
        said = interrupted("slurm", tmp_path, [f"sh -c 'touch {tmp_path}/begun; sleep 600'"], (tmp_path / "begun").exists)
        limit = time.monotonic() + 60
        while queue := subprocess.run(["squeue", "--noheader"], text=True, capture_output=True, check=True).stdout:
            assert time.monotonic() < limit, queue
            time.sleep(0.2)
    assert said.startswith("lab: Slurm's job 1 is cancelled\n")


def test_gnu_parallel_gives_the_same_bytes(local: Path) -> None:
    if not shutil.which("parallel"):
        pytest.skip("GNU parallel is missing: apt-get install parallel")
    other = local.parent / "parallel"
    out = ended(begun(other, "--engine=parallel", "--at-once=2", "--sshlogin=:", f"--against={local / 'out'}"))
    same(local, other)
    rows = len(table.read(other / "out" / table.FILE))
    assert f"2 kernels: {rows} of {rows} rows are the same, 0 within their resolutions, 0 beyond" in out


def test_slurm_gives_the_same_bytes_though_a_node_dies(local: Path, tmp_path: Path) -> None:
    if why := missing():
        pytest.skip(why)
    other = local.parent / "slurm"
    with slurm(tmp_path / "slurm") as cluster:
        process = begun(other, "--engine=slurm", environment=cluster.environment)
        results = other / "work" / "results"
        while process.poll() is None and len(list(results.glob("*.json")) if results.exists() else []) < JOBS // 4:
            time.sleep(0.1)
        assert process.poll() is None, process.communicate()
        cluster.kill("node2")
        ended(process)
        assert "down" in " ".join(cluster.states())
    same(local, other)


def test_a_history_goes_on_where_it_was(local: Path) -> None:
    before = {name: (local / "out" / name).read_bytes() for name in FILES}
    folder = local.parent / "again"
    shutil.copytree(local / "out", folder / "out")
    assert "0 of 0 jobs done" in ended(begun(folder))
    assert {name: (folder / "out" / name).read_bytes() for name in FILES} == before


def test_steps_are_explained_by_functions(local: Path) -> None:
    """Of rows by two machines: those by one have no resolution, and make no steps."""
    assert json.loads((local / "out" / "steps.json").read_text()) == []
    folder = local.parent / "explained"
    ended(begun(folder, "--explain=3", "--machines=2", "--split=9", "--at-once=2", cases="^unshare/(none|NEWPID|NEWUSER)$"))
    steps = json.loads((folder / "out" / "steps.json").read_text())
    explained = [one for one in steps if one["functions"]]
    assert explained and all(one["function"] == one["functions"][0]["function"] for one in explained)
    largest = max(steps, key=lambda one: abs(one["instructions"]))
    assert largest in explained


def test_rows_by_another_plan_are_explained(local: Path) -> None:
    """Of the first of the two machines alone: another plan, and the same figures."""
    folder = local.parent / "as-recorded"
    cases = "^unshare/(none|NEWPID|NEWUSER)$"
    ended(begun(folder, "--machines=2", "--split=9", "--at-once=2", cases=cases))
    recorded = (folder / "out" / table.FILE).read_bytes()
    assert not any(one["functions"] for one in json.loads((folder / "out" / "steps.json").read_text()))
    assert "0 of 0 jobs done" in ended(begun(folder, "--as-recorded", "--explain", "--machines=1", "--split=9", "--at-once=2", cases=cases))
    assert (folder / "out" / table.FILE).read_bytes() == recorded
    steps = json.loads((folder / "out" / "steps.json").read_text())
    assert steps and all(one["functions"] for one in steps if abs(one["instructions"]) >= LEAST)
    assert len(json.loads((folder / "out" / "plans.json").read_text())) == 2
    assert "such as another build" in (folder / "out" / "README.md").read_text()


def test_bisect_finds_the_commit_of_a_tree(local: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven commits, whose kernels are two images, or none."""
    old, new = sorted(local.parent.glob("bzImage-*"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "t")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "t@localhost")

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=tmp_path, text=True, capture_output=True, check=True).stdout.strip()
    git("init", "-q", "-b", "main", ".")
    commits = []
    for number, kernel in enumerate([old, old, old, tmp_path / "missing", old, new, new]):  # the one that git looks at first is missing
        (tmp_path / "kernel").write_text(f"{kernel}\n{number}\n")
        git("add", "kernel")
        git("commit", "-q", "-m", "one")
        commits.append(git("rev-parse", "HEAD"))
    done = subprocess.run([sys.executable, PROGRAM, "bisect", commits[0], "main", "--tree", tmp_path, "--build",
                           'cp "$(head -1 kernel)" image', "--image=image", "--", "clone/NEWUTS/stack:1M"], text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{commits[5]}: the first in which clone/NEWUTS/stack:1M create adds ")
    assert "functions: " in done.stdout and f"{commits[3]}: left out" in done.stderr
    assert git("symbolic-ref", "--short", "HEAD") == "main"
