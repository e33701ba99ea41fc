"""How nsbench ends where the place it runs in lacks something: one line that names the call and the remedy, and the exit
code of what is not possible here."""
import contextlib
import ctypes
import fcntl
import json
import os
import pty
import resource
import shutil
import signal
import struct
import subprocess
import time
from pathlib import Path

import pytest

from nsbench_harness import assert_one_line, binary, list_ids, measure, needs_root, read_csv, run

SMALL = ("--filter=^clone/NEWPID/stack:1M$", "--samples=3", "--quiet")
EXEC = ("exec", "--ns=pid", "--", "true")
NOBODY = 65534


def said(done, code, *mentions):
    """The one line of a run that ended with this code."""
    assert done.returncode == code, f"{done.returncode}: {done.stdout}{done.stderr}"
    assert_one_line(done.stderr)
    for mention in mentions:
        assert mention in done.stderr, done.stderr
    return done.stderr


def limit(which, value):
    return lambda: resource.setrlimit(which, (value, value))


needs_plain = pytest.mark.skipif(
    "NSBENCH" in os.environ and b"__asan_init" in Path(binary()).read_bytes(),
    reason="a sanitizer needs terabytes of addresses, and large frames")


# a small stack

@needs_plain
@pytest.mark.parametrize("args", [SMALL, ("verify",), ("list", "--filter=NEWPID"), EXEC, SMALL + ("--probe",)])
def test_a_stack_of_64_kib_is_enough(args):
    measure(*args, preexec_fn=limit(resource.RLIMIT_STACK, 64 << 10))


# open files

@pytest.mark.parametrize("files", [5, 8])
@pytest.mark.parametrize("args", [SMALL, ("verify",), ("doctor",), EXEC], ids=["run", "verify", "doctor", "exec"])
def test_too_few_open_files_name_the_limit(args, files):
    said(run(*args, preexec_fn=limit(resource.RLIMIT_NOFILE, files)), 3, "the limit of open files is too low: ulimit -n 1024")


@pytest.mark.parametrize("args", [(*SMALL, "--csv={}/a.csv"), (*SMALL, "--out={}/run"), ("--resume={}/recorded", "--quiet"),
                                  ("summary", "{}/recorded"), ("verify", "--ns=uts"), ("exec", "--ns=uts", "--", "true")],
                         ids=["csv", "out", "resume", "summary", "verify", "exec"])
def test_open_files_are_enough_or_the_limit_is_named(args, tmp_path):
    """Each limit is met elsewhere: where an output is looked at, a sampler started, the CPUs looked at, a file written."""
    measure(*SMALL, f"--out={tmp_path}/recorded")
    for files in (4, 5, 6, 7, 9, 11, 12, 13):
        done = run(*(arg.format(tmp_path) for arg in args), preexec_fn=limit(resource.RLIMIT_NOFILE, files))
        assert done.returncode in (0, 3), f"{files}: {done.returncode} {done.stderr}"
        if done.returncode == 3:
            assert "EMFILE" in done.stdout + done.stderr and "ulimit -n 1024" in done.stdout + done.stderr, done.stderr
            assert done.stderr.count("\n") <= 1
        shutil.rmtree(tmp_path / "run", ignore_errors=True)


@pytest.mark.parametrize("files", [16, 64])
def test_few_open_files_are_enough(files):
    done = measure(*SMALL, preexec_fn=limit(resource.RLIMIT_NOFILE, files))
    assert done.stderr == ""


@needs_root
@pytest.mark.parametrize("files", [8, 16])
def test_the_probe_names_the_limit_and_not_root_to_root(files):
    done = run(*SMALL, "--probe=fentry", preexec_fn=limit(resource.RLIMIT_NOFILE, files))
    assert "as root" not in said(done, 3, "--probe=fentry: cannot be had here", "ulimit -n 1024")


# capabilities

def without(capability):
    return ("setpriv", f"--bounding-set=-{capability}", f"--inh-caps=-{capability}")


def started(prefix, *args):
    return subprocess.run([*prefix, binary(), *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, encoding="utf-8", timeout=60)


@needs_root
@pytest.mark.parametrize(("capability", "case"), [
    ("net_admin", "container/NEWNET"), ("sys_chroot", "setns/NEWNS/via:nsfd"), ("setfcap", "userns_map/NEWUSER")])
def test_a_skipped_case_names_the_capability_that_is_missing(capability, case, tmp_path):
    done = started(without(capability), f"--case={case}", "--samples=2", f"--out={tmp_path}/run")
    assert done.returncode == 3, done.stdout + done.stderr
    first = read_csv(tmp_path / "run" / "results.csv")[0]
    assert (first["status"], first["errno"]) == ("skipped", "EPERM")
    assert f"needs CAP_{capability.upper()})" in first["reason"]
    # The summary is made by another process, which has it.
    run("summary", tmp_path / "run")
    assert read_csv(tmp_path / "run" / "results.csv")[0]["reason"] == first["reason"]


@needs_root
@pytest.mark.parametrize(("capability", "args"), [
    ("net_admin", ("--ns=net", "--net-lo")), ("setfcap", ("--ns=user", "--map-root")), ("sys_admin", ("--ns=net",))])
def test_exec_names_the_capability_that_is_missing(capability, args):
    line = said(started(without(capability), "exec", *args, "--", "true"), 3, f"needs CAP_{capability.upper()}")
    assert "root" not in line


@needs_root
@pytest.mark.parametrize(("capability", "named"), [("syslog", "CAP_SYSLOG"), ("sys_admin,-bpf,-perfmon", "CAP_PERFMON and CAP_BPF")])
def test_the_probe_names_the_capability_that_is_missing(capability, named):
    done = started(without(capability), *SMALL, "--probe=fentry")
    assert "as root" not in said(done, 3, f"needs {named}\n")


def test_an_ordinary_user_is_told_to_be_root(user):
    assert "as root" in said(started(user, *SMALL, "--probe=fentry"), 3, "--probe=fentry: cannot be had here")
    said(started(user, "exec", "--ns=net", "--", "true"), 3, "clone3(NEWNET): Operation not permitted (EPERM): needs root, or user in --ns")


@pytest.fixture(name="user")
def fixture_user():
    """Runs a command as an ordinary user, whose processes nobody else counts."""
    if os.geteuid() != 0:
        return ()
    if subprocess.run(["setpriv", f"--reuid={NOBODY}", "test", "-x", binary()], check=False).returncode:
        pytest.skip("the binary is where an ordinary user cannot start it")
    return ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


# processes and memory

@needs_root
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("args", [SMALL, ("exec", "--ns=user", "--", "true"), ("doctor",)], ids=["run", "exec", "doctor"])
def test_the_limit_of_processes_is_3_everywhere(user, processes, args):
    """With one nothing can be started; with two the init of exec, and the samplers, but nothing of theirs."""
    done = started((*user, "prlimit", f"--nproc={processes}:{processes}"), *args)
    assert done.returncode == 3, done.stdout + done.stderr
    assert ("(EAGAIN): a limit on processes is reached" in done.stderr or "EAGAIN: clone" in done.stdout
            or "not measured: clone: Resource temporarily unavailable (a limit on processes is reached" in done.stdout)


@needs_plain
@pytest.mark.parametrize("args", [SMALL, SMALL + ("--probe",)], ids=["plain", "probe"])
def test_little_memory_is_a_line_with_the_remedy(args):
    """Each limit ends it elsewhere; from some on it is enough. 127 is the dynamic linker's."""
    codes = set()
    for kib in (9550, *range(9500, 12000, 250)) if len(args) == len(SMALL) else range(13000, 31000, 3000):
        done = run(*args, preexec_fn=limit(resource.RLIMIT_AS, kib << 10))
        assert done.returncode in (0, 3, 127), f"{kib} KiB: {done.returncode} {done.stderr}"
        codes.add(done.returncode)
        if done.returncode == 3:
            said(done, 3, "there is not enough memory")
    assert 3 in codes


# time

def test_a_budget_that_reaches_no_round_is_1():
    done = run("--case=unshare/NEWUTS", "--budget=1us", "--quiet")
    assert done.returncode == 1 and "the run ended before its first counted round" in done.stdout, done.stdout + done.stderr


# what is not mounted, and what a filter forbids

@needs_root
@pytest.mark.parametrize("args", [SMALL, ("exec", "--ns=user", "--", "true")], ids=["run", "exec"])
def test_without_proc_it_says_so(args):
    said(started(("unshare", "-m", "sh", "-c", "umount -l /proc && exec \"$@\"", "sh"), *args), 3, "/proc is not mounted")


@needs_root
def test_without_dev_null_it_says_so(tmp_path):
    script = f"mount -t tmpfs none '{tmp_path}' && mount --move '{tmp_path}' /dev && exec \"$@\""
    said(started(("unshare", "-m", "sh", "-c", script, "sh"), *SMALL), 3, "open(/dev/null)", "mknod -m 666 /dev/null c 1 3")


def forbid_clone3():
    """A seccomp filter that answers EPERM to clone3(2), as containers did for some years."""
    words = struct.pack("HBBI" * 4, 0x20, 0, 0, 0, 0x15, 0, 1, 435, 0x06, 0, 0, 0x00050000 | 1, 0x06, 0, 0, 0x7FFF0000)
    code = ctypes.create_string_buffer(words)
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 4, ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


@pytest.mark.parametrize("args", [SMALL, EXEC, ("doctor",)], ids=["run", "exec", "doctor"])
def test_a_filter_that_forbids_clone3_is_3(args):
    said(run(*args, preexec_fn=forbid_clone3), 3, "EPERM", "a seccomp filter forbids it" if os.geteuid() == 0 else "")


# nobody reads

@pytest.mark.parametrize("args", [("list",), ("dictionary",), SMALL, SMALL[:-1], SMALL + ("--csv=-",), ("--help",), ("--version",),
                                  SMALL + ("--format=json",), ("verify", "--ns=uts"), ("doctor",), ("summary", "{}"),
                                  pytest.param(("verify", "--without=pid"), marks=needs_root)])
def test_a_reader_that_has_seen_enough_is_no_error(args, tmp_path):
    """As of any program: the exit code that a shell gives for SIGPIPE, and not a word."""
    if "{}" in args:
        measure(*SMALL, f"--out={tmp_path}/run")
    args = [word.format(f"{tmp_path}/run") for word in args]
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        done = subprocess.run([binary(), *args], stdout=pipe, stderr=subprocess.PIPE, encoding="utf-8", timeout=30)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")


def test_a_closed_terminal_is_129(tmp_path):
    """The run's files are whole all the same."""
    child, leader = pty.fork()
    if child == 0:
        os.execv(binary(), [binary(), "--op=clone", "--ns=pid", "--stack=1M", "--budget=60s", f"--out={tmp_path}/run"])
    end = time.monotonic() + 20
    while not (tmp_path / "run" / "results.csv").exists() and time.monotonic() < end:
        time.sleep(0.02)
    os.close(leader)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 128 + signal.SIGHUP
    assert read_csv(tmp_path / "run" / "results.csv")


# a filter that came out of a file

@pytest.mark.parametrize("args", [("--resume={}",), ("summary", "{}")], ids=["resume", "summary"])
def test_a_recorded_filter_is_named_with_its_file(args, tmp_path):
    folder = tmp_path / "run"
    measure(*SMALL, f"--out={folder}")
    info = json.loads((folder / "run.json").read_text())
    info["options"]["selection"]["filter"] = "(["
    (folder / "run.json").write_text(json.dumps(info))
    said(run(*(arg.format(folder) for arg in args)), 2, f"{folder}/run.json: ", "([")


def test_an_output_that_does_not_wait_is_waited_for():
    """A pipe that is full says EAGAIN, which is no limit on processes."""
    here, there = os.pipe()
    os.set_blocking(there, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(there, b"-" * 4096)
    with subprocess.Popen([binary(), "list"], stdin=subprocess.DEVNULL, stdout=there, stderr=subprocess.PIPE) as listing:
        os.close(there)
        time.sleep(0.2)  # it finds the pipe full
        with os.fdopen(here, "rb") as pipe:
            text = pipe.read().lstrip(b"-").decode()
        assert listing.wait() == 0 and listing.communicate()[1] == b""
    assert text.splitlines() == list_ids()


def test_a_file_that_refuses_is_no_matter_of_capabilities():
    file = os.memfd_create("sealed", os.MFD_ALLOW_SEALING)
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW)
    done = run(*SMALL, f"--csv=/dev/fd/{file}", pass_fds=(file,))
    os.close(file)
    assert done.returncode == 1 and "EPERM" in done.stderr, done.stderr
    assert_one_line(done.stderr)
    assert "security module" not in done.stderr and "CAP_" not in done.stderr
