"""nsbench exec: signals that are ignored, sent to a group, stop or continue the command, or kill one of nsbench's own."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from exec_harness import SHELL, TELLING, Terminal, execute, named, next_line, started
from nsbench_harness import binary, made_to_fail, needs_root, wait_for

pytestmark = pytest.mark.usefixtures("host")

with_and_without_pid = pytest.mark.parametrize("kinds", ["user,pid", "user"])


@with_and_without_pid
def test_ignored_signals_are_the_commands_and_not_ours(kinds, user):
    """A parent that ignores SIGCHLD or SIGPIPE leaves that to its children."""
    for numbers in [(signal.SIGCHLD, signal.SIGPIPE), ()]:
        def prepare(ignored=numbers):
            for number in (signal.SIGCHLD, signal.SIGPIPE):
                signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
        seen = execute(user, f"--ns={kinds}", "--", "grep", "SigIgn", "/proc/self/status", preexec_fn=prepare,
                       restore_signals=False)
        mask = int(seen.stdout.split()[1], 16)
        assert [bool(mask >> (number - 1) & 1) for number in (signal.SIGCHLD, signal.SIGPIPE)] == [bool(numbers)] * 2
        assert execute(user, f"--ns={kinds}", "--", "sh", "-c", "exit 4", preexec_fn=prepare).returncode == 4


@needs_root
def test_verify_where_children_are_ignored():
    done = subprocess.run([binary(), "verify", "--ns=uts,pid"], stdin=subprocess.DEVNULL, capture_output=True, check=False,
                          encoding="utf-8", timeout=20, preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    assert done.returncode == 0 and " 0 failed" in done.stdout, done.stdout + done.stderr


@needs_root
@pytest.mark.parametrize("call", ["poll", "recvfrom", "sendto", "wait4", "read", "write"])
def test_a_call_that_a_signal_interrupts_is_made_again(call):
    """Of each process the first; of `read` the loader's come before."""
    first = {"read": 30}.get(call, 1)
    done = next(iter(made_to_fail(call, first, "exec", "--ns=pid,user", "--", "sh", "-c", "exit 7", error="EINTR")))
    assert done.returncode == 7 and done.stderr == "", done.stderr


STOPPING = "(sleep 0.5; kill -CONT $$) & kill -STOP $$; echo went on; exit 3"


@with_and_without_pid
def test_a_command_that_stops_and_is_continued_where_there_is_no_shell(kinds, user):
    """From inside; and from outside, by its own number."""
    done = execute(user, f"--ns={kinds}", "--", "sh", "-c", STOPPING, start_new_session=True)
    assert (done.stdout, done.returncode) == ("went on\n", 3)
    script = "kill -STOP $$; echo went on; exit 4"
    with started(user, kinds, "sh", "-c", script, start_new_session=True) as process:
        pid = wait_for(lambda: named("sh", "-c", script), 5, "the command")[0]
        wait_for(lambda: "\nState:\tT" in Path(f"/proc/{pid}/status").read_text(encoding="utf-8"), 5, "its stop")
        os.kill(pid, signal.SIGCONT)
        assert next_line(process) == "went on\n"
        assert next_line(process) == ""
        assert process.wait(5) == 4


@with_and_without_pid
def test_a_job_that_stops_goes_on_with_its_command(kinds, user):
    """The shell sees it stop; continued from inside, the command takes nsbench with it. So does its end."""
    with Terminal(*SHELL) as terminal:
        terminal.expect("outer> $")
        for script, end in [(STOPPING, "Exit 3"), ("(sleep 0.5; kill -KILL $$) & kill -STOP $$", "Exit 137")]:
            terminal.line(f"{' '.join(user)} exec --ns={kinds} -- sh -c {shlex.quote(script)}")
            terminal.expect(r"Stopped")
            terminal.expect("outer> $")
            terminal.line("sleep 1.2")
            terminal.expect(rf"\n\[1\]\S? +{end} ")
            terminal.expect("outer> $")


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGINT, signal.SIGCONT, signal.SIGHUP])
@with_and_without_pid
def test_a_signal_to_the_group_comes_once(kinds, number, user):
    """As to a command that a shell starts; and so does one to nsbench alone."""
    with started(user, kinds, *TELLING, str(int(number)), start_new_session=True) as process:
        assert next_line(process) == "ready\n"
        os.killpg(process.pid, number)
        assert next_line(process) == "got\n"
        time.sleep(0.4)  # longer than nsbench waits to learn whom it was for
        os.kill(process.pid, number)
        assert next_line(process) == "got\n"
        time.sleep(0.4)
        os.kill(process.pid, signal.SIGUSR2)
        assert next_line(process) == ""
        assert process.wait(5) == 9


def test_a_signal_to_process_1_is_passed_on(user):
    script = ("import os, signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]); os.kill(1, signal.SIGTERM); "
              "print(signal.sigwait([signal.SIGTERM]).name)")
    done = execute(user, "--ns=user,pid", "--", sys.executable, "-c", script)
    assert (done.stdout, done.returncode) == ("SIGTERM\n", 0), done.stderr


def test_sigkill_ends_all_where_proc_is_hidden(user):
    mark = f"63.{os.getpid()}"
    with started(user, "user,mnt", "sh", "-c", f"mount -t tmpfs none /proc; sleep {mark} & exec sleep {mark}") as process:
        if user == [binary()] and os.geteuid() == 0:
            wait_for(lambda: len(named("sleep", mark)) == 2, 5, "the command and its child")
        process.kill()
    wait_for(lambda: not named("sleep", mark), 5, "the end of all inside")


def test_the_death_of_the_init_ends_all(user):
    """Without a pid namespace too; but not what nsbench's process had started before it was nsbench."""
    mark, spared = f"64.{os.getpid()}", f"65.{os.getpid()}"
    script = f"sleep {mark} & (setsid sleep {mark} &) ; sleep {mark}"
    words = shlex.join([*user, "exec", "--ns=user", "--", "sh", "-c", script])
    with subprocess.Popen(["sh", "-c", f"sleep {spared} & exec {words}"], stdin=subprocess.DEVNULL) as process:
        wait_for(lambda: len(named("sleep", mark)) == 3, 5, "three processes inside")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="utf-8").split()
        init = next(pid for pid in children if int(pid) not in named("sleep", spared))
        os.kill(int(init), signal.SIGKILL)
        assert process.wait(5) == 137
        wait_for(lambda: not named("sleep", mark), 5, "the end of all inside")
        for pid in wait_for(lambda: named("sleep", spared), 1, "the one from before"):
            os.kill(pid, signal.SIGKILL)
