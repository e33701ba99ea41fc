"""nsbench exec: what a command sees inside, and that it behaves as one started by a shell: codes, signals, terminal."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from exec_harness import SHELL, TELLING, Terminal, execute, named, next_line, started
from nsbench_harness import assert_one_line, binary, made_to_fail, needs_root, run, wait_for

NOBODY = 65534
CONTAINER = "--ns=uts,ipc,pid,mnt,net,user"

pytestmark = pytest.mark.usefixtures("host")


# what a command sees

def test_the_container_of_the_tutorial(user):
    done = execute(user, CONTAINER, "--proc", "--", "sh", "-c", "hostname; id -u; ps -e | wc -l; ip link | wc -l")
    if "is mounted over" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    own = 0 if user == [binary()] and os.geteuid() == 0 else (NOBODY if os.geteuid() == 0 else os.geteuid())
    # a header, the init, sh, ps and wc; two lines for lo
    assert done.stdout.split() == [os.uname().nodename, str(own), "5", "2"]


def test_hostname_root_and_lo(user):
    done = execute(user, CONTAINER, "--hostname=box", "--map-root", "--net-lo", "--", "sh", "-c",
                   "hostname; id -u; cat /proc/sys/kernel/hostname; ip -o link show up; echo $$")
    assert done.returncode == 0, done.stderr
    hostname, uid, *_, lo, pid = done.stdout.splitlines()
    assert (hostname, uid, pid) == ("box", "0", "2")
    assert re.match(r"1: lo: <LOOPBACK,UP", lo)


@needs_root
@pytest.mark.parametrize("kind", ["mnt", "uts", "ipc", "pid", "net", "user", "cgroup", "time"])
def test_each_kind_alone(kind):
    own = os.readlink(f"/proc/self/ns/{kind}")
    done = execute([binary()], f"--ns={kind}", "--", "sh", "-c", "readlink /proc/self/ns/*")
    assert done.returncode == 0, done.stderr
    links = set(done.stdout.split())
    others = {os.readlink(f"/proc/self/ns/{name}") for name in os.listdir("/proc/self/ns")
              if not name.startswith(kind)}
    assert own not in links and others <= links


@needs_root
def test_without_a_command_and_a_shell_in_the_environment_it_is_that_of_the_users_line():
    lines = [line.split(":") for line in Path("/etc/passwd").read_text(encoding="utf-8").splitlines()]
    shell = next((line[6] for line in lines if len(line) == 7 and line[2] == str(os.geteuid()) and line[6]), None)
    if shell is None:
        pytest.skip("/etc/passwd has no line with a shell for this user, who is found elsewhere")
    done = subprocess.run([binary(), "exec", "--ns=uts"], input="readlink /proc/$$/exe\n", capture_output=True, encoding="utf-8",
                          timeout=30, env={name: value for name, value in os.environ.items() if name != "SHELL"}, check=False)
    assert done.stdout.strip() == os.path.realpath(shell), done


def test_environment_folder_and_descriptors_are_the_callers(tmp_path):
    """Also a descriptor that was opened for the command; and none of nsbench's own."""
    if os.geteuid() != 0:
        pytest.skip("not root")
    with open(tmp_path / "kept", "w", encoding="utf-8") as kept:
        done = execute([binary()], "--ns=pid", "--", "sh", "-c", "echo $MARK $PWD; ls /proc/self/fd | tr '\\n' ' '",
                       cwd=tmp_path, env={**os.environ, "MARK": "mark"}, pass_fds=[kept.fileno()])
        first, second = done.stdout.splitlines()
        assert first == f"mark {tmp_path}"
        assert set(second.split()) == {"0", "1", "2", "3", str(kept.fileno())}  # 3 or so: ls reads the folder


def test_what_is_missing_is_said():
    for args, word in [(("--", "true"), "--ns=SET"), (("--ns=pid", "--proc", "--", "true"), "NEWNS"),
                       (("--ns=pid", "--hostname=x", "--", "true"), "NEWUTS"), (("--ns=pidd", "--", "true"), "pidd"),
                       (("--ns=pid", "--net-lo"), "NEWNET"), (("--ns=pid", "--map-root"), "NEWUSER"),
                       (("--ns=pid", "true"), "behind --"), (("--ns=uts", f"--hostname={'x' * 65}"), "64")]:
        done = run("exec", *args)
        assert done.returncode == 2 and done.stdout == ""
        assert_one_line(done.stderr)
        assert word in done.stderr


def test_a_closed_standard_output_is_the_commands():
    done = subprocess.run(["sh", "-c", f"'{binary()}' exec --ns=user --ns=uts -- sh -c '[ -e /proc/self/fd/1 ]; exit $((4 + $?))' >&-"],
                          stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=20, check=False)
    assert (done.returncode, done.stderr) == (5, "")


def test_an_ordinary_user_is_told_what_to_add(user):
    if user == [binary()]:
        pytest.skip("root may do it")
    done = execute(user, "--ns=uts", "--", "true")
    assert done.returncode == 3
    assert_one_line(done.stderr)
    assert "user in --ns" in done.stderr


# how it ends

def test_exit_codes(user):
    for script, code in [("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -9 $$", 137), ("kill -TERM $$", 143)]:
        assert execute(user, "--ns=pid,user", "--", "sh", "-c", script).returncode == code, script
    missing = execute(user, "--ns=pid,user", "--", "/no/such/program")
    assert missing.returncode == 127
    assert_one_line(missing.stderr)
    assert execute(user, "--ns=pid,user", "--", "/etc/passwd").returncode == 126


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGRTMIN])
@pytest.mark.parametrize("kinds", ["pid,user", "user"])
def test_signals_are_passed_on(kinds, number, user):
    """The command's own handler runs, and its code is nsbench's."""
    with started(user, kinds, *TELLING, str(int(number))) as process:
        assert next_line(process) == "ready\n"
        process.send_signal(number)
        assert next_line(process) == "got\n"
        process.send_signal(signal.SIGUSR2)
        assert next_line(process) == ""
        assert process.wait(10) == 9


def test_a_deadly_signal_is_128_and_its_number(user):
    with subprocess.Popen([*user, "exec", "--ns=pid,user", "--", "sleep", "60"], stdin=subprocess.DEVNULL) as process:
        wait_for(lambda: named("sleep", "60"), 5, "the command")
        process.terminate()
        assert process.wait(10) == 128 + signal.SIGTERM


@pytest.mark.parametrize("kinds", ["pid,user", "user", "user,pid,mnt,net,ipc,uts,cgroup,time"])
def test_sigkill_ends_all_that_is_inside(kinds, user):
    """The command, its child, and one that has left its session and its parent."""
    mark = f"60.{os.getpid()}"
    script = f"sleep {mark} & (setsid sleep {mark} &) ; sleep {mark}"
    with subprocess.Popen([*user, "exec", f"--ns={kinds}", "--", "sh", "-c", script],
                          stdin=subprocess.DEVNULL) as process:
        wait_for(lambda: len(named("sleep", mark)) == 3, 5, "three processes inside")
        process.kill()
        process.wait()
        wait_for(lambda: not named("sleep", mark), 5, "the end of all inside")


def test_orphans_are_reaped(user):
    """No zombies are left by processes whose parents are gone."""
    script = ("for i in 1 2 3 4 5; do (true & exec true) ; done; (sleep 0.1 &); sleep 0.4; "
              "for n in $(seq 50); do left=$(ps -eo stat --no-headers | grep -c Z); [ $left = 0 ] && break; sleep 0.1; done; echo $left")
    done = execute(user, "--ns=user,pid,mnt", "--proc", "--", "sh", "-c", script)
    if "is mounted over" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.stdout == "0\n"


def test_what_is_left_in_a_pid_namespace_ends_with_the_command(user):
    mark = f"61.{os.getpid()}"
    done = execute(user, "--ns=user,pid", "--", "sh", "-c", f"(setsid sleep {mark} >/dev/null 2>&1 &); exit 4")
    assert done.returncode == 4
    assert not named("sleep", mark)


# on a terminal


@pytest.fixture(name="inner", params=["user,pid,mnt,uts", "user"])
def fixture_inner(request, user):
    """A shell on a terminal, in which nsbench has started a shell: with and without a pid namespace."""
    with Terminal(*SHELL) as terminal:
        terminal.expect("outer> $")
        terminal.line(f"PS1='inner> ' {' '.join(user)} exec --ns={request.param} -- {' '.join(SHELL)}")
        terminal.expect("\ninner> $")
        yield terminal


def test_control_c_stops_the_command_and_not_the_shell(inner):
    inner.line("sleep 60.5")
    inner.has_in_front("sleep", "60.5")
    inner.send("\x03")
    inner.expect("inner> $")
    inner.line("echo $?")
    inner.expect(r"\n130\n")
    inner.expect("inner> $")
    inner.line("exit 5")
    inner.expect("outer> $")
    inner.line("echo code $?")
    inner.expect(r"\ncode 5\n")


def test_control_z_and_fg(inner):
    inner.line("sleep 1.5; echo slept")
    inner.has_in_front("sleep", "1.5")
    inner.send("\x1a")
    inner.expect(r"Stopped.*sleep")
    inner.expect("inner> $")
    inner.line("fg")
    inner.expect("inner> $")
    inner.line("jobs; echo none left")
    inner.expect(r"\nnone left\n")


def test_resizing_reaches_the_shell(inner):
    inner.line("trap 'echo resized' WINCH; stty size")
    inner.expect(r"\n24 80\n")
    inner.expect("inner> $")
    inner.resize(33, 101)
    inner.line("stty size")
    inner.expect(r"33 101\n")


def test_the_inner_shell_suspends_as_one_job(inner):
    """`suspend` stops the inner shell: nsbench stops with it, and fg continues both."""
    inner.line("suspend -f")
    inner.expect(r"Stopped")
    inner.expect("outer> $")
    inner.line("fg")
    inner.expect(r"nsbench")
    inner.line("echo back $((6 * 7))")
    inner.expect(r"\nback 42\n")
    inner.expect("inner> $")
    inner.line("exit")
    inner.expect("outer> $")
    inner.line("jobs; echo no job")
    inner.expect(r"jobs; echo no job\nno job\n")


@pytest.mark.parametrize("kinds", ["user,pid", "user"])
def test_a_command_that_is_no_shell(kinds, user):
    """Ctrl-Z stops it and nsbench, fg continues both, Ctrl-C ends it: 130. The shell has its terminal back."""
    with Terminal(*SHELL) as terminal:
        terminal.expect("outer> $")
        terminal.line(f"{' '.join(user)} exec --ns={kinds} -- sleep 61.5")
        terminal.has_in_front("sleep", "61.5")
        terminal.send("\x1a")
        terminal.expect(r"Stopped")
        terminal.expect("outer> $")
        terminal.line("fg")
        terminal.expect(r"sleep 61.5\n")
        terminal.has_in_front("sleep", "61.5")
        terminal.send("\x03")
        terminal.expect("outer> $")
        terminal.line("echo code $?")
        terminal.expect(r"\ncode 130\n")


def test_in_a_pipeline(user):
    """The reader of a pipe keeps the terminal."""
    with Terminal(*SHELL) as terminal:
        terminal.expect("outer> $")
        terminal.line(f"{' '.join(user)} exec --ns=user,pid -- echo one two | (cat; read -r word </dev/tty; echo got $word)")
        terminal.expect(r"\none two\n")
        terminal.line("three")
        terminal.expect(r"\ngot three\n")


def test_a_script_has_its_terminal_back(user):
    """A shell inside that was killed leaves the terminal to a group that is gone."""
    script = f"{' '.join(user)} exec --ns=user,pid -- bash --norc -ic 'kill -9 $$'; echo code $?; read -r x; echo got $x"
    with Terminal("sh", "-c", script) as terminal:
        terminal.expect(r"code 137\n")
        terminal.line("four")
        terminal.expect(r"\ngot four\n")


def test_as_the_leader_of_the_session(user):
    """As a terminal emulator starts it; the default command is the user's shell. A hang-up ends all."""
    with Terminal(*user, "exec", "--ns=user,pid,uts", "--map-root", "--hostname=box") as terminal:
        terminal.expect(r"# $|\$ $|> $")
        terminal.line("echo $0 $$ $(hostname)")
        terminal.expect(r"\n/bin/bash 2 box\n")
        terminal.line("sleep 62.5 & echo started")
        terminal.expect(r"\nstarted\n")
        pid = terminal.pid
    wait_for(lambda: not named("sleep", "62.5"), 5, f"the end of all inside {pid}")


# the host stays as it was, also where a step fails

@needs_root
@pytest.mark.parametrize("call", "socketpair pipe2 clone3 openat write prctl mount sethostname ioctl socket signalfd4 clone "
                         "execve poll recvfrom sendto read wait4".split())
def test_each_call_made_to_fail_once(call):
    """In every process, from the first that is not the loader's: it ends by itself, and nothing is left."""
    mark = f"0.1{os.getpid()}"
    when = {"openat": 20, "write": 1, "read": 40, "execve": 2}.get(call, 1)
    error = "EINTR" if call == "wait4" else "EIO"  # its other errors say that there is no child
    for done in made_to_fail(call, when, "exec", "--ns=all", "--proc", "--hostname=box", "--net-lo", "--map-root", "--",
                             "sleep", mark, error=error):
        assert "terminate called" not in done.stderr
        if done.returncode:
            assert_one_line(done.stderr)
        wait_for(lambda: not named("sleep", mark), 5, "the end of the command")
