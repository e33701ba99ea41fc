"""validate.py faults and memory: what they make fail, what they notice, and that nsbench holds."""
import csv
import errno
import io
import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from analysis.fixtures import call
from faults import calls, inject, jobs, judge, machine
from faults.campaign import Fault

VALIDATE = Path(__file__).resolve().parents[1] / "validate.py"
HEADER = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a seccomp notifier, and namespaces")
VERSION = jobs.BY_NAME["version"]
EXECVE = inject.EXECVE
SLOW = {"doctor", "runtime", "probe", "conditions", "cgroups", "veth"}  # seconds for each run


def test_the_table_has_the_kernels_numbers():
    if not HEADER.exists():
        pytest.skip("linux-libc-dev is not installed")
    numbers = {name: int(number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)", HEADER.read_text(encoding="utf-8"))}
    ours = calls.NUMBERS | calls.NEVER
    # newer than the header
    assert {name: ours[name] for name in ours if numbers.get(name, ours[name]) != ours[name]} == {}
    assert sorted(ours.keys() - numbers.keys()) in ([], ["listmount", "statmount"])
    assert not calls.NUMBERS.keys() & calls.NEVER.keys()
    assert all(errors and all(map(calls.number_of, errors)) for errors in calls.ERRNOS.values())


def watched(folder, script, decide, *, limit=20.0, numbers=(EXECVE,)):
    """A shell's run in a process of its own, as a worker has it."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            import ctypes
            assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0  # PR_SET_CHILD_SUBREAPER
            ended = inject.watched(["/bin/sh", "-c", script], numbers, decide, limit, folder, {"PATH": "/bin:/usr/bin"})
            os.write(writer, repr((ended.code, ended.out, ended.err, ended.is_hung, ended.left)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as told:
        text = told.read()
    os.waitpid(pid, 0)
    return eval(text)


@needs_root
def test_one_occurrence_fails_and_no_other(tmp_path):
    """Counted over all processes: the second program of three is the one that cannot be started."""
    seen = []

    def second(made):
        seen.append(made)
        return errno.ETXTBSY if len(seen) == 3 else 0  # the first is the shell's own

    code, out, err, is_hung, left = watched(tmp_path, "for i in 1 2 3; do /bin/echo $i; done; exit 5", second)
    assert (code, out, is_hung, left) == (5, "1\n3\n", False, []) and os.strerror(errno.ETXTBSY) in err


@needs_root
def test_what_hangs_and_what_stays_is_seen_and_ended(tmp_path):
    assert watched(tmp_path, "sleep 61.25", inject.none_fails, limit=0.3)[3]
    code, _, _, is_hung, left = watched(tmp_path, "sleep 61.25 & exit 0", inject.none_fails)
    assert (code, is_hung, left) == (0, False, ["sleep"])
    running = [Path(f"/proc/{pid}/cmdline") for pid in os.listdir("/proc") if pid.isdigit()]
    assert not [one for one in running if one.exists() and b"61.25" in one.read_bytes()]


def ended(code=0, out="nsbench 1\n", err="", is_hung=False, left=()):
    return inject.Ended(code, out, err, 0.1, is_hung, list(left))


@pytest.mark.parametrize("run, wrong", [
    (ended(), None),
    (ended(out="nsbench"), "standard output is"),
    (ended(1, "", "nsbench: write(standard output): Input/output error (EIO)\n"), None),
    (ended(3, "", "nsbench: there is not enough memory\n"), None),
    (ended(141, ""), "exit code 141"),
    (ended(1, "", "nsbench: something went wrong\n"), "what failed is not said"),
    (ended(3, ""), "without a message"),
    (ended(2, "", "nsbench: EIO\n"), "exit code 2"),
    (ended(127, "", "nsbench: error while loading shared libraries: libc.so.6: EIO\n"), None),
    (ended(127, "", "EIO"), "exit code 127"),
    (ended(-6, "", "EIO"), "SIGABRT"),
    (ended(1, "", "terminate called after throwing EIO"), "a crash"),
    (ended(is_hung=True, code=-9), "had not ended"),
    (ended(left=["nsbench-sampler"]), "left nsbench-sampler"),
])
def test_what_a_run_must_not_do(run, wrong, tmp_path):
    told = jobs.Told(run.code, run.out, run.err, tmp_path / "none")
    found = judge.shortfalls(VERSION, run, told, {"standard output": "nsbench 1\n"}, "EIO", "read")
    assert (not found) if wrong is None else found and wrong in "; ".join(found), found


def test_a_pipes_reader_may_have_gone():
    run = ended(141, "")
    told = jobs.Told(run.code, run.out, run.err, Path("/nonexistent"))
    assert not judge.shortfalls(VERSION, run, told, {"standard output": "nsbench 1\n"}, "EPIPE", "write")


def test_a_verdict_by_a_failed_call_is_wrong():
    told = jobs.Told(1, "check,verdict,reason\ndiffer,failed,not isolated\n", "", Path("/nonexistent"))
    with pytest.raises(Exception, match="said not to isolate"):
        jobs.verdicts_of(told)


def test_what_is_added_to_the_machine():
    before = {"cgroups": {"a"}, "BPF programs": {"1"}, "files": set[str]()}
    assert not machine.added(before, {"cgroups": set(), "BPF programs": {"1"}, "files": set()})
    assert machine.added(before, {"cgroups": {"a", "b"}, "BPF programs": {"1"}, "files": {"/run/x"}}) == {
        "cgroups": ["b"], "files": ["/run/x"]}


# against programs that do not hold

@pytest.fixture(name="other")
def fixture_other(tmp_path):
    """Makes a folder with a script in nsbench's place."""
    def make(script):
        (tmp_path / "nsbench").write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (tmp_path / "nsbench").chmod(0o755)
        return f"--build={tmp_path}"
    return make


@needs_root
@pytest.mark.parametrize("script, wrong", [
    ("echo nsbench 1 || { echo 'write: EIO' >&2; exit 1; }", None),
    ("echo nsbench 1 || { kill -SEGV $$; }", "SIGSEGV"),
    ("echo nsbench 1 2>/dev/null; exit 0", "standard output is ''"),
    ("echo nsbench 1; mount -t tmpfs none /mnt", "mounts differ"),
    ("echo nsbench 1; sleep 61.5 >/dev/null 2>&1 &", "left sleep"),
])
def test_a_program_that_does_not_hold_is_told(other, script, wrong, tmp_path):
    code, out, err = call(VALIDATE, [other(script), "faults", "--job=version", "--call=write", "--role=nsbench", "--when=1", "--error=EIO",
                                     f"--keep={tmp_path}/kept"])
    if "no seccomp notifier" in err:
        pytest.skip(err)
    with (tmp_path / "kept/faults.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    short = [row for row in rows if row["outcome"] == "short"]
    if wrong is None:
        assert code == 0 and rows and not short, out
    else:
        assert code == 1 and short and all(wrong in row["shortfall"] for row in short), out
        assert "scripts/validate.py faults --job=version --role=nsbench --call=write --error=" in out


@needs_root
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_was_tried_until_it_is_stopped_is_kept(other, number, tmp_path):
    kept = tmp_path / "kept/faults.csv"
    with subprocess.Popen([VALIDATE, other("echo nsbench 1; sleep 0.2"), "faults", "--job=version", f"--keep={kept.parent}"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8") as started:
        end = time.monotonic() + 60
        while started.poll() is None and time.monotonic() < end and not (kept.exists() and kept.read_text().count("\n") > 2):
            time.sleep(0.05)
        started.send_signal(number)
        out, err = started.communicate(timeout=60)
    if "no seccomp notifier" in err:
        pytest.skip(err)
    rows = len(list(csv.DictReader(io.StringIO(kept.read_text(encoding="utf-8")))))
    assert started.returncode == 130 and rows > 1 and re.search(rf"^version +{rows} ", out, re.MULTILINE), out + err


def test_the_command_that_repeats_one():
    assert Fault("list", "nsbench", "read", "EIO", 3).command() == \
        "scripts/validate.py faults --job=list --role=nsbench --call=read --error=EIO --when=3"
    assert Fault("list", "nsbench", "malloc+", "ENOMEM", 3).command() == \
        "scripts/validate.py memory --job=list --role=nsbench --call=malloc+ --error=ENOMEM --when=3"


@pytest.mark.parametrize("words", [["faults", "--most=0"], ["faults", "--job=nothing"], ["memory", "--jobs=0"]])
def test_wrong_use_is_one_line(words):
    code, out, err = call(VALIDATE, words)
    assert (code, out, err.count("\n")) == (2, "", 1) and err.startswith("validate: ")


# nsbench itself

def tried(which, *words):
    """What came of it; skipped where nothing can be made to fail here."""
    from nsbench_harness import binary
    code, out, err = call(VALIDATE, [f"--build={Path(binary()).parent}", which, *words])
    if "no seccomp notifier" in err or "no namespaces to try faults in" in err or "cannot be tried here" in err:
        pytest.skip(err)
    return code, out + err


@needs_root
@pytest.mark.parametrize("words", [
    # A keeper that could not say that it was ready waited for the sampler, which waited for it.
    "faults --job=conditions --role=nsbench-keeper+ --call=sendto --error=ENOBUFS --when=1",
    # An interruption is no reason to have no name for a file.
    "faults --job=summary --role=nsbench --call=getrandom --error=EINTR",
    # Without memory for the message that there is none it aborted.
    "memory --job=list --call=malloc+ --most=5",
    "memory --job=summary --call=mmap+ --most=5",
])
def test_what_it_once_did_not_hold_against(words):
    code, said = tried(*words.split())
    assert code == 0, said


@needs_root
@pytest.mark.parametrize("which, most, names", [
    ("faults", 40, random.Random(time.strftime("%Y%m%d")).sample(sorted(jobs.BY_NAME.keys() - SLOW), 6)),
    ("memory", 40, ["version", "list", "summary"]),
])
def test_nsbench_holds(which, most, names):
    """So many of all faults, others each day; scripts/validate.py tries all of them, in all jobs."""
    code, said = tried(which, f"--most={most}", *(f"--job={name}" for name in names))
    assert code == 0, said
