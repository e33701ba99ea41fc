"""That nsbench holds: faults of system calls and of memory, tried on it."""
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from faults.place import LIBRARY

VALIDATE = Path(__file__).resolve().parents[1] / "validate.py"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a seccomp notifier, and namespaces")


def tried(which, *words):
    """What came of it; skipped where nothing can be made to fail here."""
    from nsbench_harness import binary
    called = [sys.executable, VALIDATE, f"--build={Path(binary()).parent}", which, *words]
    done = subprocess.run(called, capture_output=True, text=True, check=False)
    code, out, err = done.returncode, done.stdout, done.stderr
    if code == 2 and ("no seccomp notifier" in err or "no namespaces to try faults in" in err
                      or "cannot be tried here: exit code 3" in err and "nothing to try" in err):
        pytest.skip(err)
    return code, out + err


ONCE = [
    # A keeper that could not say that it was ready waited for the sampler, which waited for it.
    "faults --job=conditions --role=nsbench-keeper+ --call=sendto --error=ENOBUFS --when=1",
    # It waited for the end of a command that nobody told it of.
    "faults --job=exec --role=nsbench+ --call=wait4 --error=ECHILD",
    "faults --job=exec --role=nsbench+ --call=poll --error=ENOMEM",
    # Its first process ended without a word.
    "faults --job=exec --role=nsbench+ --call=read --error=EIO",
    # Each refusal was another nsbench, or a /proc that hides processes.
    "faults --job=clone --role=nsbench --call=flock --error=ENOLCK",
    "faults --job=exec --role=nsbench --call=openat --error=EINTR",
    "faults --job=exec --role=nsbench --call=access --error=EACCES",
    "faults --job=userns_map --role=nsbench-sampler --call=read --error=EIO --when=4",
    # What it could not open it did not remove.
    "faults --job=cgroups --role=nsbench-keeper+ --call=openat --error=EIO",
    "faults --job=cgroups --role=nsbench-keeper+ --call=unlinkat --error=EROFS",
    "faults --job=churn --role=nsbench --call=flock --error=ENOLCK",
    # It hung, with a descriptor of the sampler's that its runtimes' programs had, too.
    "faults --job=runtime --role=nsbench-sampler --call=fcntl --error=EMFILE --when=2",
    # One of the repeats was measured through a user namespace.
    "faults --job=repeat --role=nsbench-sampler+ --call=unshare --error=EPERM --when=1",
    # Who was refused was said, and not by what.
    "faults --job=resume --role=nsbench-sampler+ --call=unshare --error=EPERM --when=1",
    # An interruption is no reason to have no name for a file.
    "faults --job=summary --role=nsbench --call=getrandom --error=EINTR --seed=1",
    # It waited for a watcher that it had not told to go.
    "faults --job=prepare --role=nsbench --call=write --error=EPIPE --when=2",
    # Google Benchmark's output lacked a part, and the exit code was 0; an interruption cost as much.
    "faults --job=benchmark --role=nsbench --call=write --error=ENOSPC --when=2",
    "faults --job=benchmark --role=nsbench --call=write --error=EINTR --when=2",
    # Without memory for the message that there is none it aborted.
    "memory --job=list --call=malloc+ --most=5",
    "memory --job=summary --call=mmap+ --most=5",
]


@pytest.fixture(name="once", scope="module")
def fixture_once(request):
    """What comes of those of ONCE that are asked for. Most of their time they wait: four at once, each in namespaces of its own."""
    lines = [item.callspec.params["line"] for item in request.session.items if "once" in item.fixturenames]
    with ThreadPoolExecutor(4) as pool:
        yield {line: pool.submit(tried, *line.replace(" ", " --seed=18 ", 1).split()) for line in lines}


@needs_root
@pytest.mark.parametrize("line", ONCE)
def test_what_it_once_did_not_hold_against(once, line):
    code, said = once[line].result()
    assert code == 0, said


@needs_root
@pytest.mark.parametrize("which, most, names", [
    ("faults", 300, ["clone", "exec", "list", "resume", "summary", "unshare", "userns_map", "verify"]),
    ("memory", 60, ["version", "list", "clone", "summary", "resume"]),
])
def test_nsbench_holds(which, most, names):
    """So many of all faults, drawn by the date, which the output has; scripts/validate.py draws from all jobs. Most of a run's time
    it waits: four at once take hardly longer than one."""
    code, said = tried(which, f"--most={most}", "--jobs=4", *(f"--job={name}" for name in names))
    assert code == 0, said


@needs_root
def test_without_memory_no_part_of_a_file_stays(tmp_path):
    """Around the allocation up to which results.csv is not replaced."""
    from nsbench_harness import binary
    library = Path(binary()).parent / LIBRARY
    if not library.exists():
        pytest.skip(f"{LIBRARY} is not built")
    run = tmp_path / "run"
    subprocess.run([binary(), "--op=clone", "--ns=none", "--stack=1M", "--samples=2", "--block=1", "--quiet", f"--out={run}"], check=True)

    def replaced(number):
        before = (run / "results.csv").stat().st_ino
        more = {"LD_PRELOAD": str(library), "NSBENCH_FAIL_AT": str(number), "NSBENCH_FAIL_TOLD": str(tmp_path / "told")}
        subprocess.run([binary(), "summary", run, "--quiet"], env={**os.environ, **more}, capture_output=True, check=False)
        assert not list(run.glob(".part-*")), number
        return (run / "results.csv").stat().st_ino != before

    assert replaced(0)
    first = max(int(line) for line in (tmp_path / "told").read_text(encoding="utf-8").split())
    last = first // 2  # the very first is libstdc++'s, which does without
    assert not replaced(last)
    while first - last > 1:
        middle = (last + first) // 2
        first, last = (middle, last) if replaced(middle) else (first, middle)
    assert [replaced(number) for number in range(last - 3, first + 1)] == [False] * 4 + [True]
