"""verify and exec where something is missing: a /proc of the own pid namespace, a capability, a limit, a system call.
What cannot be had is skipped with the call that was refused, or is exit code 3; `failed` is for what is not isolated."""

import csv
import ctypes
import io
import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

import pytest

from nsbench_harness import SAMPLER, assert_one_line, binary, needs_root, wait_for

NOBODY = 65534
AS_USER = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all")
OUTER = ("unshare", "--pid", "--fork")
# Another pid namespace's /proc, in a mount namespace of its own; the words behind it are the command.
OTHER = ("unshare", "--mount", "--propagation=private", "sh", "-c",
         "unshare --pid --fork mount -t proc proc /proc; exec \"$@\"", "sh")
PRIVATE = ("unshare", "--mount", "--propagation=private", "sh", "-c")
FILES = ("root_inside", "capabilities", "differ", "shared", "kept_open", "kept_bound", "root", "monotonic", "boottime",
         "overflow_ids", "proc_before")
LINKS = {"differ", "shared", "kept_open", "kept_bound"}


@pytest.fixture(scope="module", name="program")
def fixture_program():
    """A copy of nsbench that everybody may execute."""
    folder = Path(tempfile.mkdtemp(prefix="nsbench-test-"))
    folder.chmod(0o755)
    for name in (Path(binary()).name, SAMPLER):
        shutil.copy(Path(binary()).with_name(name), folder)
        (folder / name).chmod(0o755)
    yield folder / Path(binary()).name
    shutil.rmtree(folder)


def start(*words, **kwargs):
    return subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8",
                          timeout=60, check=False, **kwargs)


def verdicts(*words, code=0, **kwargs):
    """The checks that did not pass: by their names, and why. None of them says that something is not isolated."""
    done = start(*words, "verify", "--format=csv", **kwargs)
    assert done.returncode == code and done.stderr == "", done.stdout + done.stderr
    rows = {row["check"]: row for row in csv.DictReader(io.StringIO(done.stdout))}
    assert len(rows) == 26 and {row["verdict"] for row in rows.values()} <= {"passed", "skipped"}, done.stdout
    return {check: row["reason"] for check, row in rows.items() if row["verdict"] != "passed"}


# /proc of another pid namespace

@needs_root
@pytest.mark.parametrize("way", [OUTER, "exec"])
def test_an_outer_pid_namespaces_proc_serves_as_well(way, program):
    assert verdicts(*((program, "exec", "--ns=pid", "--") if way == "exec" else way), program) == {}


def test_an_ordinary_user_in_a_pid_namespace(program):
    prefix = AS_USER if os.geteuid() == 0 else ()
    if start(*prefix, "unshare", "-Ur", "true").returncode:
        pytest.skip("an ordinary user cannot make user namespaces here")
    assert set(verdicts(*prefix, "unshare", "-Urpf", program)) <= {"root", "proc_remounted"}


@needs_root
def test_without_a_proc_that_shows_it_the_rest_is_looked_at(program):
    skipped = verdicts(*OTHER, program)
    assert set(skipped) <= set(FILES) and LINKS < set(skipped)
    assert all("/proc is of another pid namespace" in reason for reason in skipped.values())


@needs_root
@pytest.mark.parametrize("options", [(), ("--map-root",)])
@pytest.mark.parametrize("prefix", [(), AS_USER])
def test_exec_maps_its_own_process(prefix, options, program):
    """By its number in /proc; the number here is an outside process's there."""
    outer = ("unshare", "-Urpf") if prefix else OUTER
    if prefix and start(*prefix, *outer, "true").returncode:
        pytest.skip("an ordinary user cannot make user namespaces here")
    shown = start(*prefix, *outer, program, "exec", "--ns=user", *options, "--", "cat", "/proc/self/uid_map")
    assert shown.returncode == 0 and shown.stdout.split() == ["0", "0", "1"], shown.stderr


@needs_root
@pytest.mark.parametrize("prefix", [(), AS_USER])
def test_exec_says_which_proc_it_needs(prefix, program):
    inside = ("unshare", "-Ur") if prefix else ()
    done = start(*prefix, *inside, *OTHER, program, "exec", "--ns=user", "--map-root", "--", "true")
    assert done.returncode == 3 and done.stdout == "", done.stderr
    assert_one_line(done.stderr)
    assert "/proc is of another pid namespace" in done.stderr and "--mount-proc" in done.stderr
    assert start(*prefix, *inside, *OTHER, program, "exec", "--ns=pid", "--", "true").returncode == 0


@needs_root
def test_what_an_ended_init_leaves_is_ended_by_its_own_numbers(program, tmp_path):
    """Without a pid namespace nsbench ends them itself; their numbers in /proc are others' here."""
    script = f"echo $PPID > {tmp_path}/init; sleep 62.5 & (setsid sleep 62.5 &); touch {tmp_path}/begun; wait"
    victim = f"sleep 63.5 & echo $! > {tmp_path}/victim; {program} exec --ns=uts -- sh -c '{script}'; kill -0 $!"
    with subprocess.Popen([*OUTER, "sh", "-c", victim], stdin=subprocess.DEVNULL) as process:
        wait_for((tmp_path / "begun").exists, 10, "the command")
        subprocess.run(["nsenter", f"--target={child_of(process.pid)}", "--pid", "kill", "-KILL",
                        (tmp_path / "init").read_text().strip()], check=True)
        assert process.wait(10) == 0


def child_of(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()[0]


# a capability, a limit, a file, a system call

@needs_root
@pytest.mark.parametrize("capability, skipped, refused", [
    ("sys_time", {"monotonic", "boottime"}, "write(timens_offsets): EPERM"),
    ("sys_chroot", {"kept_open", "kept_bound"}, "mnt: setns: EPERM"),
    ("setgid", set(), ""),
    ("setuid", set(), ""),
    ("setfcap", LINKS | {"capabilities"}, "uid_map): Operation not permitted (EPERM)"),
])
def test_a_capability_is_missing(capability, skipped, refused, program):
    found = verdicts("setpriv", f"--bounding-set=-{capability}", f"--inh-caps=-{capability}", program)
    assert set(found) == skipped and all(refused in reason for reason in found.values()), found


@needs_root
def test_exec_names_the_capabilities_for_id_maps(program):
    done = start("setpriv", "--bounding-set=-setfcap", "--inh-caps=-setfcap", program, "exec", "--ns=user", "--map-root",
                 "--", "true")
    assert done.returncode == 3 and "CAP_SETFCAP" in done.stderr, done.stderr
    assert_one_line(done.stderr)


@needs_root
@pytest.mark.parametrize("kind, skipped", [("user", {"overflow_ids", "root_inside", "capabilities"}),
                                           ("uts", {"hostname", "domainname", "capabilities"}),
                                           ("mnt", {"mounts", "proc_remounted"}), ("time", {"monotonic", "boottime"})])
def test_a_limit_is_zero(kind, skipped, program):
    """That of a user namespace of its own: the host's stays."""
    limit = f"echo 0 > /proc/sys/user/max_{kind}_namespaces && exec {program} \"$@\""
    found = verdicts("unshare", "-Ur", "sh", "-c", limit, "sh")
    assert set(found) == skipped | LINKS and all("ENOSPC" in reason for reason in found.values()), found


def alone_with(processes):
    return ("setpriv", "--reuid=61234", "--regid=61234", "--clear-groups", "prlimit", f"--nproc={processes}:{processes}")


@needs_root
@pytest.mark.parametrize("processes", [3, 4, 5, 6])
def test_few_processes_are_a_limit_and_no_error(processes, program):
    """Of a user who has no others."""
    if start(*AS_USER, "unshare", "-U", "true").returncode:
        pytest.skip("an ordinary user cannot make user namespaces here")
    found = verdicts(*alone_with(processes), program)
    assert all("EAGAIN" in reason and "ulimit -u" in reason or check in ("root", "proc_remounted")
               for check, reason in found.items()), found


@needs_root
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_what_a_sandbox_lacks_is_said_as_outside(processes, program):
    """One process is nsbench, the second stays outside, the third is the sandbox: from there on it is refused inside."""
    if start(*AS_USER, "unshare", "-U", "true").returncode:
        pytest.skip("an ordinary user cannot make user namespaces here")
    done = start(*alone_with(processes), program, "verify", "--without=ipc")
    assert done.returncode == 3 and done.stdout == "", done.stdout + done.stderr
    assert_one_line(done.stderr)
    assert "EAGAIN" in done.stderr and "ulimit -u" in done.stderr


@needs_root
@pytest.mark.parametrize("hidepid", [1, 2])
def test_processes_are_hidden(hidepid, program):
    mount = f"mount -t proc -o hidepid={hidepid} proc /proc && exec \"$@\""
    if start(*AS_USER, "unshare", "-U", "true").returncode:
        pytest.skip("an ordinary user cannot make user namespaces here")
    assert set(verdicts(*PRIVATE, mount, "sh", *AS_USER, program)) <= {"proc_before", "root", "proc_remounted"}


def refuse(number, error):
    """For a child before its program: a filter that refuses one system call of x86-64."""
    def install():
        # The call's number is loaded and compared; SECCOMP_RET_ERRNO or SECCOMP_RET_ALLOW.
        code = b"".join(struct.pack("HBBI", *one) for one in (
            (0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x50000 | error), (0x06, 0, 0, 0x7FFF0000)))
        text = ctypes.create_string_buffer(code)
        program = struct.pack("HxxxxxxQ", 4, ctypes.addressof(text))
        assert ctypes.CDLL(None).prctl(22, 2, program, 0, 0) == 0  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
    return install


@needs_root
@pytest.mark.parametrize("call, number, error, skipped", [
    ("sethostname", 170, 1, {"hostname", "capabilities"}), ("setdomainname", 171, 1, {"domainname"}),
    ("setns", 308, 1, {"kept_open", "kept_bound"}),
    ("kill", 62, 1, {"unseen", "members_die", "kept_open", "kept_bound"}), ("connect", 42, 1, {"no_route"}),
    ("mq_open", 240, 38, {"posix_queue"}), ("ioctl", 16, 1, {"only_lo"}),
    ("mount", 165, 1, {"mounts", "proc_remounted", "kept_open", "kept_bound"})])
def test_a_filter_refuses_a_call(call, number, error, skipped, program):
    found = verdicts(program, preexec_fn=refuse(number, error))
    assert set(found) == skipped and all(reason for reason in found.values()), (call, found)
