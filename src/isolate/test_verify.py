"""nsbench verify: every check passes here and in other kernels, and each one fails where its namespace is left out."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

import thorough

HERE = Path(__file__).resolve().parent
from lab import guest, initramfs, runs
from lab.errors import LabError
from nsbench_harness import (KINDS, assert_one_line, binary, host_kept, host_state, made_to_fail, needs_root, on_terminal, run,
                             wait_for)

NOBODY = 65534
# All series by: LAB_KERNELS="5.10 6.1 6.12 7" scripts/test -R verify
KERNELS = os.environ.get("LAB_KERNELS", "6.1").split()
LINKS = {"differ", "shared", "kept_open", "kept_bound"}
COLUMNS = "verdict kind check namespaces what inside outside reason".split()
# Other checks that need a kind as well.
ALSO = {"pid": {"proc_remounted"}}


def parsed(text):
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows and list(rows[0]) == COLUMNS, text
    return rows


def cgroups():
    """Those of the checks that were left behind, wherever a hierarchy is mounted."""
    found: list[Path] = []
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        if " - cgroup2 " in line:
            found += Path(line.split()[4]).glob("nsbench-*")
    return found


def whole_state():
    return {**host_state(), "domainname": Path("/proc/sys/kernel/domainname").read_text(encoding="utf-8"),
            "cgroups": cgroups()}


@pytest.fixture(name="host", autouse=True)
def fixture_host():
    """Every test here compares the host before and after."""
    with host_kept(whole_state) as before:
        yield before


@pytest.fixture(scope="module", name="user")
def fixture_user():
    """The beginning of a command line of an ordinary user, who this process may be already; with the program's copy."""
    folder = Path(tempfile.mkdtemp(prefix="nsbench-test-"))
    shutil.copy(binary(), folder)
    (folder / "nsbench").chmod(0o755)
    folder.chmod(0o755)
    prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all"]
    prefix = prefix if os.geteuid() == 0 else []
    probe = subprocess.run([*prefix, "unshare", "-U", "true"], capture_output=True, text=True, check=False)
    if probe.returncode:
        pytest.skip(f"an ordinary user cannot make user namespaces here: {probe.stderr.strip()}")
    yield prefix, folder / "nsbench"
    shutil.rmtree(folder)


def as_user(user, *args, before=()):
    prefix, program = user
    return subprocess.run([*prefix, *before, str(program), *args], stdin=subprocess.DEVNULL, capture_output=True,
                          encoding="utf-8", timeout=60, check=False)


def assert_all_passed(rows, may_be_skipped=()):
    for row in rows:
        if row["verdict"] == "skipped" and row["check"] in may_be_skipped:
            assert row["reason"]
            continue
        assert row["verdict"] == "passed", row
        assert row["inside"] and row["outside"] and not row["reason"], row
    assert {row["kind"] for row in rows} == {*KINDS, "links"}


def assert_left_out_is_seen(kind, rows):
    """Those of the kind and of the links fail; the others pass."""
    for row in rows:
        if row["kind"] == kind or row["check"] in LINKS | ALSO.get(kind, set()):
            assert row["verdict"] == "failed" and row["reason"], row
        else:
            assert row["verdict"] == "passed", row


@needs_root
def test_passes_as_root():
    done = run("verify", "--format=csv")
    assert done.returncode == 0 and done.stderr == "", done.stdout + done.stderr
    assert_all_passed(parsed(done.stdout))


def test_passes_as_an_ordinary_user(user):
    done = as_user(user, "verify", "--format=csv")
    assert done.returncode == 0 and done.stderr == "", done.stdout + done.stderr
    rows = parsed(done.stdout)
    # the root cgroup's processes need root; a masked /proc may not be mounted
    assert_all_passed(rows, ("root", "proc_remounted"))
    assert all("NEWUSER" in row["namespaces"] for row in rows)


@needs_root
@pytest.mark.parametrize("kind", KINDS)
def test_each_check_can_fail(kind):
    done = run("verify", f"--without={kind}", "--format=csv")
    assert done.returncode == 1, done.stdout + done.stderr
    assert_left_out_is_seen(kind, parsed(done.stdout))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "cgroup"])
def test_each_check_can_fail_for_an_ordinary_user(kind, user):
    done = as_user(user, "verify", f"--without={kind}", "--format=csv")
    if done.returncode == 3:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 1, done.stdout + done.stderr
    rows = [row for row in parsed(done.stdout) if row["verdict"] != "skipped"]
    assert len(rows) >= 24
    assert_left_out_is_seen(kind, rows)


@needs_root
@pytest.mark.parametrize("kind", KINDS)
def test_one_kind_alone(kind):
    rows = parsed(run("verify", f"--ns={kind}", "--format=csv").stdout)
    assert {row["kind"] for row in rows} == {kind, "links"}
    for row in rows:
        assert row["verdict"] == "passed", row
        if row["kind"] == "links":
            assert row["namespaces"] == KINDS[kind]


@needs_root
def test_sets_add_up():
    rows = parsed(run("verify", "--ns=uts", "--ns=pid", "--format=csv").stdout)
    assert {row["kind"] for row in rows} == {"uts", "pid", "links"}
    assert {row["namespaces"] for row in rows if row["kind"] == "links"} == {"NEWPID-NEWUTS"}


@needs_root
def test_formats_say_the_same():
    rows = parsed(run("verify", "--ns=uts", "--format=csv").stdout)
    said = json.loads(run("verify", "--ns=uts", "--format=json").stdout)
    assert [list(one) for one in said] == [COLUMNS] * len(rows)
    stable = [key for key in COLUMNS if key not in ("inside", "outside")]
    assert [[one[key] for key in stable] for one in said] == [[row[key] for key in stable] for row in rows]
    table = run("verify", "--ns=uts").stdout
    for row in rows:
        assert row["check"] in table and row["what"] in table
    assert table.endswith(f"\n{len(rows)} passed, 0 failed, 0 skipped\n")


@needs_root
def test_colours_on_a_terminal_only():
    assert "\033[32mpassed" in on_terminal("verify", "--ns=uts", stream="stdout")[1]
    assert "\033" not in on_terminal("verify", "--ns=uts", stream="stdout", env={"NO_COLOR": "1"})[1]
    assert "\033" not in run("verify", "--ns=uts").stdout


@pytest.mark.parametrize("args, word", [(("--format=xml",), "csv"), (("--ns=utz",), "uts"), (("--without=x",), "'x'"),
                                        (("uts",), "no option"), (("--nss=uts",), "--ns")])
def test_bad_options(args, word):
    done = run("verify", *args)
    assert done.returncode == 2 and done.stdout == ""
    assert_one_line(done.stderr)
    assert word in done.stderr


def test_no_user_namespaces_is_3_and_names_the_setting(user):
    forbid = ["unshare", "-U", "-r", "sh", "-c",
              'echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --inh-caps=-all --bounding-set=-all "$@"', "sh"]
    done = as_user(user, "verify", before=forbid)
    assert done.returncode == 3 and done.stdout == "", done.stdout + done.stderr
    assert_one_line(done.stderr)
    assert "user.max_user_namespaces" in done.stderr


@needs_root
def test_a_masked_proc_is_3_and_says_so(user):
    prefix, program = user
    mask = ["unshare", "--mount", "sh", "-c", 'mount --bind /dev/null /proc/uptime && exec "$@"', "sh"]
    done = subprocess.run([*mask, *prefix, program, "verify", "--without=uts"], stdin=subprocess.DEVNULL, check=False,
                          capture_output=True, encoding="utf-8", timeout=20)
    assert done.returncode == 3 and done.stdout == "", done.stdout + done.stderr
    assert_one_line(done.stderr)
    assert "nsbench doctor" in done.stderr


# the host stays as it was, however it ends

def children():
    """Processes of the program under test that are there."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "exe").readlink() == Path(binary()):
                found.append(int(entry.name))
        except OSError:
            pass
    return found


@needs_root
@pytest.mark.parametrize("args", [(), ("--without=ipc",)])
def test_killed_at_any_moment(args, host):
    """All that was made outside goes, by the process that made it; the host is compared by the fixture."""
    del host
    for moment in range(0, 60, 3):
        with subprocess.Popen([binary(), "verify", *args], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as process:
            time.sleep(moment / 1000)
            process.send_signal(signal.SIGKILL)
        wait_for(lambda: not children(), 5, "the end of its processes")


# Of their later occurrences, and with other errors, scripts/validate.py faults tries all, and test_holding some.
CALLS = ("clone3 clone unshare setns mount umount2 sethostname setdomainname msgget semget shmget msgctl semctl shmctl mq_open mq_unlink "
         "pipe2 socketpair socket bind connect ioctl openat mkdirat unlinkat prctl setresuid setresgid setsid getpgid kill write readlink "
         "fsopen fsmount sched_setaffinity poll recvfrom sendto uname pidfd_open access").split()


@needs_root
@pytest.mark.parametrize("call", thorough.of(CALLS[time.localtime().tm_yday % 4::4], CALLS))  # others each day
def test_each_call_made_to_fail_once(call):
    """In every process, from the first; also where that breaks the run itself, nothing is left."""
    # The loader's own calls come first, which are not nsbench's.
    when = {"openat": 20, "write": 2, "access": 2}.get(call, 1)
    for done in made_to_fail(call, when, "verify", "--format=csv"):
        assert done.returncode in (0, 1, 3), done.stdout + done.stderr
        if done.returncode == 0:
            assert "failed," not in done.stdout
        assert "terminate called" not in done.stderr
        wait_for(lambda: not children(), 5, "the end of its processes")


@needs_root
@pytest.mark.parametrize("call, when", [("poll", 1), ("poll", 2), ("recvfrom", 1), ("sendto", 1), ("write", 1),
                                        ("wait4", 1), ("read", 30)])
def test_a_signal_that_interrupts_a_call_changes_nothing(call, when):
    """Answers belong to their requests, so that the domain name is not given back as the hostname: see the fixture."""
    done = next(iter(made_to_fail(call, when, "verify", "--format=csv", error="EINTR")))
    assert done.returncode == 0, done.stdout + done.stderr
    assert_all_passed(parsed(done.stdout))


@needs_root
@pytest.mark.parametrize("call, when, error", [("poll", 1, "EIO"), ("recvfrom", 1, "EIO"), ("uname", 1, "EFAULT")])
def test_an_answer_that_was_not_read_is_no_other_requests(call, when, error):
    """What went wrong says nothing of isolation, and costs that check alone."""
    done = next(iter(made_to_fail(call, when, "verify", "--ns=uts", "--format=csv", error=error)))
    assert done.returncode in (1, 3) and "not isolated" not in done.stdout, done.stdout + done.stderr
    assert all(row["verdict"] in ("passed", "error") for row in parsed(done.stdout)) if done.stdout else done.stderr


@needs_root
@pytest.mark.parametrize("call, error", [("ioctl", "ENODEV"), ("getsockname", "EIO"), ("clock_gettime", "EIO")])
def test_a_call_that_fails_is_no_evidence(call, error, tmp_path):
    script = ["strace", "-f", "-qqq", "-o", tmp_path / "log", "-e", f"inject={call}:error={error}", binary(), "verify",
              "--ns=net", "--ns=time", "--format=csv"]
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    done = subprocess.run(script, capture_output=True, encoding="utf-8", timeout=60, check=False)
    rows = {row["check"]: row for row in parsed(done.stdout)}
    check = {"ioctl": "only_lo", "getsockname": "port", "clock_gettime": "monotonic"}[call]
    assert done.returncode == 1 and rows[check]["verdict"] == "error" and error in rows[check]["reason"], done.stdout


# other kernels

@pytest.fixture(scope="module", params=KERNELS, name="files")
def fixture_files(request, tmp_path_factory):
    """What a guest with this kernel sent: runs as root, as an ordinary user, and without each kind."""
    folder = tmp_path_factory.mktemp("guest")
    try:
        kernel = runs.images([request.param])[0].path
        machine = guest.Machine("tcg", "", 512, 600)
        made = machine.initrd("run", base=initramfs.base({"init": HERE / "guest_init"}))
        one = guest.Guest(machine, kernel, folder, made)
        try:
            while one.running():
                time.sleep(0.2)
        finally:
            one.kill()
        return {name: data.decode() for name, data in one.files().items()}
    except LabError as error:
        pytest.skip(str(error))


def test_passes_in_another_kernel(files):
    assert files["root.status"] == "0\n", files["root.csv"] + files["root.err"]
    assert_all_passed(parsed(files["root.csv"]))
    assert files["user.status"] == "0\n", files["user.csv"] + files["user.err"]
    assert_all_passed(parsed(files["user.csv"]), ("root",))


@pytest.mark.parametrize("kind", KINDS)
def test_each_check_can_fail_in_another_kernel(kind, files):
    assert_left_out_is_seen(kind, parsed(files[f"without-{kind}.csv"]))


def test_exec_in_another_kernel(files):
    assert files["exec.txt"].split() == ["box", "5", "5"]  # a header, init, sh, ps and wc


def test_another_kernels_host_is_untouched(files):
    assert files["hostname.txt"] == "(none)\n"
    assert all("key" in line for line in files["sysvipc"].splitlines())
    assert files["cgroups"] == "" and files["left"] == ""
