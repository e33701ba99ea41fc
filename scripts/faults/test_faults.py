"""validate.py faults and memory: what they make fail, and what they notice."""
import argparse
import collections
import contextlib
import ctypes
import dataclasses
import errno
import json
import os
import re
import subprocess
import threading
from pathlib import Path

import pytest

from analysis import programs
from analysis.fixtures import result_row, write_run
from faults import calls, drawing, inject, jobs, judge, machine
from faults.place import LIBRARY, Place

VALIDATE = Path(__file__).resolve().parents[1] / "validate.py"
HEADER = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a seccomp notifier, and namespaces")
VERSION = jobs.BY_NAME["version"]
EXECVE = inject.EXECVE
PYTHON = "/usr/bin/python3"


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


def sleeping(number):
    """A command that no other process on the machine has."""
    return f"sleep {60 + number}.{os.getpid()}"


def running(command):
    """Whether a process has that command."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/cmdline").read_bytes() == command.replace(" ", "\0").encode() + b"\0":
                return True
    return False


@needs_root
def test_what_hangs_and_what_stays_is_seen_and_ended(tmp_path):
    sleep = sleeping(0)
    assert watched(tmp_path, sleep, inject.none_fails, limit=0.3)[3]
    code, _, _, is_hung, left = watched(tmp_path, f"{sleep} & exit 0", inject.none_fails)
    assert (code, is_hung, left) == (0, False, ["sleep"])
    assert not running(sleep)


FORKING = """exec /usr/bin/python3 -ISc '
import os, threading
if os.fork() == 0:
    try:
        os.execv("/bin/true", ["true"])
    except OSError:
        os.getcwd()
    os._exit(0)
os.wait()
thread = threading.Thread(target=os.getcwd)
thread.start()
thread.join()
'"""


@needs_root
def test_a_failed_execve_makes_no_program(tmp_path):
    """By the kernel's own mark: whose call it is, and whether that has become a program. A thread is its process."""
    roles = inject.Roles()

    def programs_fail(made):
        role, file = roles.of(made), tmp_path / "seen"
        is_program = file.exists() and made.number == EXECVE and role.endswith("+")  # the first is on its way to the shell
        with file.open("a", encoding="utf-8") as seen:
            seen.write(f"{role}\n")
        return errno.ETXTBSY if is_program else 0

    watched(tmp_path, FORKING, programs_fail, numbers=(EXECVE, calls.NUMBERS["getcwd"]))
    seen = (tmp_path / "seen").read_text(encoding="utf-8").split()
    assert seen[-4:] == ["sh", "python3+", "python3+", "python3"], seen  # its beginning, then failed, thereafter, the thread


def ended(code=0, out="nsbench 1\n", err="", is_hung=False, left=()):
    return inject.Ended(code, out, err, 0.1, is_hung, list(left))


@pytest.mark.parametrize("run, wrong", [
    (ended(), None),
    (ended(out="nsbench"), "standard output is"),
    (ended(1, "", "nsbench: write(standard output): Input/output error (EIO)\n"), None),
    (ended(3, "", "nsbench: there is not enough memory\n"), "what failed is not said"),  # another errno's words
    (ended(3, "", "nsbench: there is not enough memory (ENOMEM)\n"), None),
    (ended(141, ""), "exit code 141"),
    (ended(1, "", "nsbench: something went wrong\n"), "what failed is not said"),
    (ended(3, ""), "without a message"),
    (ended(2, "", "nsbench: EIO\n"), "exit code 2"),
    (ended(1, "", "nsbench: EVERYTHING went wrong\n"), "what failed is not said"),
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


def short_of(name, run, folder, error, facts, whole):
    """What the judge says of a job with these facts."""
    job = dataclasses.replace(jobs.BY_NAME[name], facts=lambda _: facts)
    return "; ".join(judge.shortfalls(job, run, jobs.Told(run.code, run.out, run.err, folder), whole, error, "read"))


def test_an_interruption_is_no_failure(tmp_path):
    text = {"standard output": "nsbench 1\n"}
    run = ended(1, "", "nsbench: read: Interrupted system call (EINTR)\n")
    assert "interrupted" in short_of("version", run, tmp_path, "EINTR", text, text)
    assert not short_of("version", ended(), tmp_path, "EINTR", text, text)


def test_a_wrong_folder_is_said_by_its_errno(tmp_path):
    assert "not said" in short_of("clone", ended(2, "", "nsbench: it went wrong\n"), tmp_path, "EACCES", {}, {})
    assert not short_of("clone", ended(2, "", "nsbench: run: EACCES\n"), tmp_path, "EACCES", {}, {})


def test_what_failed_is_said_by_the_row_that_failed(tmp_path):
    rows = [result_row("clone/none", "total", 1.0),
            result_row("clone/NEWNET", "total", None, status="skipped", errno="EPERM", reason="clone: not permitted (EPERM)")]
    failed = result_row("clone/NEWUTS", "total", None, status="failed", reason="it went wrong")
    said = "nsbench: a row failed\n"
    write_run(tmp_path / "silent", [*rows, failed])
    assert "not said" in short_of("clone", ended(1, "", said), tmp_path / "silent", "EIO", {}, {})
    write_run(tmp_path / "told", [*rows, failed | {"errno": "EIO"}])
    assert not short_of("clone", ended(1, "", said), tmp_path / "told", "EIO", {}, {})
    write_run(tmp_path / "none", rows[1:])  # nothing could be had, which is said by all rows
    assert not short_of("clone", ended(3, "", said), tmp_path / "none", "EPERM", {}, {})


def test_an_errno_is_not_taken_for_another_cause(tmp_path):
    said = "nsbench: run: another nsbench is writing to it (ENOLCK)\n"
    assert "taken for" in short_of("clone", ended(2, "", said), tmp_path, "ENOLCK", {}, {})
    assert not short_of("clone", ended(2, "", said), tmp_path, "EAGAIN", {}, {})


def drawn_of_memory(**options):
    one = drawing.Recorded({("nsbench", "malloc"): 6, ("nsbench", "mmap"): 2, ("sh", "mmap"): 9}, {}, 0.1, [[1, 3, 4], [2], [5, 6]])
    wanted = {"command": "memory", "each": False, "when": None, "role": None, "call": None, "error": None} | options
    return [(one.call, one.occurrence) for one in drawing.faults_of("list", one, 7, argparse.Namespace(**wanted))]


@pytest.mark.parametrize("count, least", [(1, {1}), (2, {1, 2}), (3, {1, 2}), (100, {1, 2, 90})])
def test_a_call_fails_the_first_time_the_second_late_and_by_chance(count, least):
    wanted = argparse.Namespace(command="faults", each=False, when=None, role=None, call=None, error="EIO")
    by_chance = set()
    for seed in range(50):
        every = drawing.faults_of("list", drawing.Recorded({("nsbench", "read"): count}, {}, 0.1, []), seed, wanted)
        numbers = [one.occurrence for one in every]
        assert numbers == sorted(set(numbers)) and least <= set(numbers) <= set(range(1, count + 1))
        assert len(numbers) <= len(least) + 1
        by_chance |= set(numbers) - least
    assert len(by_chance) > min(count, 20) / 2 or count <= 3


def test_an_allocation_of_each_site_fails():
    every = drawn_of_memory()
    assert [one for one in every if one[0].startswith("mmap")] == [("mmap", 1), ("mmap", 2), ("mmap+", 1), ("mmap+", 2)]
    alone = [number for call, number in every if call == "malloc"]
    assert [len(set(alone) & set(site)) for site in ([1, 3, 4], [2], [5, 6])] == [1, 1, 1]
    assert [number for call, number in every if call == "malloc+"] == alone
    assert len(drawn_of_memory(each=True)) == 2 * 6 + 2 * 2


def test_allocations_are_told_apart_by_their_callers(tmp_path):
    library = programs.find(LIBRARY)
    if library is None:
        pytest.skip(f"{LIBRARY} is not built")
    script = "import ctypes; take = ctypes.CDLL(None).malloc\nfor i in range(100): take(999)\nimport json"
    sites = tmp_path / "sites"
    subprocess.run([PYTHON, "-ISc", script], check=True, env={"LD_PRELOAD": str(library), "NSBENCH_FAIL_SITES": str(sites),
                                                              "NSBENCH_FAIL_TOLD": str(tmp_path / "told"), "PYTHONMALLOC": "malloc"})
    found = collections.Counter(sites.read_text(encoding="utf-8").split())
    assert found.total() == int((tmp_path / "told").read_text(encoding="utf-8")) and "0" not in found
    assert found.most_common(1)[0][1] >= 100 and len(found) > 100


def test_in_a_user_namespace_something_is_measured_too(tmp_path):
    alone = {jobs.IN_USERNS: "", "clone/NEWNET total": "skipped"}
    assert "nothing was measured" in short_of("clone", ended(), tmp_path, "EPERM", alone, {"clone/none total": "2"})
    assert not short_of("clone", ended(), tmp_path, "EPERM", alone | {"clone/USER total": "2"}, {"clone/none total": "2"})


def test_a_verdict_by_a_failed_call_is_wrong():
    told = jobs.Told(1, "check,verdict,reason\ndiffer,failed,not isolated\n", "", Path("/nonexistent"))
    with pytest.raises(Exception, match="said not to isolate"):
        jobs.verdicts_of(told)


@pytest.mark.parametrize("code, err, is_short", [(1, "nsbench: write(standard output): ENOSPC\n", False), (1, "", True),
                                                 (0, "nsbench: write(standard output): ENOSPC\n", True)])
def test_a_doctor_that_failed_says_why(code, err, is_short, tmp_path):
    """1 is also its exit code where it has found a problem."""
    run = ended(code, "ok      proc               of this pid namespace\n", err)
    told = jobs.Told(run.code, run.out, run.err, tmp_path / "none")
    assert bool(judge.shortfalls(jobs.BY_NAME["doctor"], run, told, {}, "ENOSPC", "write")) == is_short


def test_a_job_that_changes_the_machine_has_it_alone(tmp_path):
    one, other = (Place(Path("/nonexistent"), str(tmp_path)) for _ in range(2))
    assert [job.name for job in jobs.JOBS if job.is_alone] == ["prepare"]
    for first, second, waits in (("prepare", "list", True), ("list", "prepare", True), ("prepare", "prepare", True),
                                 ("list", "clone", False)):
        entered = threading.Event()

        def enter(job=second, entered=entered):
            with other.turn(jobs.BY_NAME[job]):
                entered.set()
        with one.turn(jobs.BY_NAME[first]):
            thread = threading.Thread(target=enter)
            thread.start()
            assert entered.wait(0.3 if waits else 20) != waits, (first, second)
        thread.join(20)
        assert entered.is_set()


def benchmarks(out):
    return jobs.benchmarks_of(jobs.Told(0, out, "", Path("/nonexistent")))


def test_a_benchmark_that_failed_has_no_time():
    entries = [{"name": "clone/none", "real_time": 5.0},
               {"name": "clone/NEWUTS", "real_time": 0.0, "error_occurred": True, "error_message": "failed: EIO: clone"}]
    assert benchmarks(json.dumps({"benchmarks": entries})) == {"clone/none": "1", "clone/NEWUTS": "failed"}
    in_userns = [{"name": "clone/NEWUSER", "real_time": 5.0}]
    assert jobs.IN_USERNS in benchmarks(json.dumps({"benchmarks": in_userns}))
    entries[1]["real_time"] = 4.0
    with pytest.raises(Exception, match="clone/NEWUTS failed and has a time"):
        benchmarks(json.dumps({"benchmarks": entries}))
    with pytest.raises(Exception, match="its JSON is not whole"):
        benchmarks('{"benchmarks": [{"na')


def test_what_is_added_to_the_machine():
    before = {"cgroups": {"a"}, "BPF programs": {"1"}, "files": set[str]()}
    assert not machine.added(before, {"cgroups": set(), "BPF programs": {"1"}, "files": set()})
    assert machine.added(before, {"cgroups": {"a", "b"}, "BPF programs": {"1"}, "files": {"/run/x"}}) == {
        "cgroups": ["b"], "files": ["/run/x"]}
    of_another = f"/sys/fs/cgroup/nsbench-{os.getpid()}-1f"
    assert not machine.added(before, {"cgroups": {of_another}, "BPF programs": {"1"}, "files": set()})


def test_bpf_programs_are_known_by_their_names():
    """Each that the sources have; how long they are does not matter, since it is their beginnings."""
    sources = [path.read_text(encoding="utf-8") for path in (VALIDATE.parents[1] / "bpf").glob("*.bpf.[ch]")]
    names = [name for text in sources for name in re.findall(r"SEC\(\"(?!\.maps|license).*\n *int (?:BPF_PROG\()?(\w+)", text)]
    assert len(names) >= 15 and all(map(machine.OUR_PROGRAMS.match, names)), names
    assert not machine.OUR_PROGRAMS.match("entering") and not machine.OUR_PROGRAMS.match("sd_devices")


@needs_root
def test_what_is_in_its_own_namespaces_is_seen(tmp_path):
    """Where those before it had /dev/mqueue and /sys mounted, too."""
    pid = os.fork()
    if pid == 0:
        try:
            Place.enter()
            before = machine.state()
            assert ctypes.CDLL(None).mq_open(b"/nsbench-test", os.O_CREAT | os.O_RDWR, 0o600, None) >= 0
            subprocess.run(["ip", "link", "set", "lo", "name", "nsb0"], check=True)
            after = machine.state()
            told = [before["queues"], after["queues"], before["links"], after["links"]]
            (tmp_path / "told").write_text(repr(told), encoding="utf-8")
        except BaseException as error:
            (tmp_path / "told").write_text(repr(repr(error)), encoding="utf-8")
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert eval((tmp_path / "told").read_text(encoding="utf-8")) == [[], ["nsbench-test"], ["lo"], ["nsb0"]]
