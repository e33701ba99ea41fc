"""What the tests of exec share: commands inside, their processes, and a terminal that a shell runs on."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nsbench_harness import processes, wait_for

SHELL = ("bash", "--norc", "--noprofile", "-i")


def execute(start: list[str], *args: str, timeout: float = 20, **kwargs: Any) -> subprocess.CompletedProcess[str]:
    """A command inside, ended. What else there is goes to subprocess.run."""
    return subprocess.run([*start, "exec", *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False,
                          stderr=subprocess.PIPE, encoding="utf-8", timeout=timeout, **kwargs)


@contextmanager
def started(user: list[str], kinds: str, *command: str, **kwargs: Any) -> Iterator[subprocess.Popen[str]]:
    """A command inside. What goes wrong here ends nsbench and with it the command, which may wait without end."""
    with subprocess.Popen([*user, "exec", f"--ns={kinds}", "--", *command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, encoding="utf-8", **kwargs) as process:
        try:
            yield process
        finally:
            process.kill()


# Writes 'ready', and 'got' for each signal with the number that follows; SIGUSR2 ends it with 9.
# Not a shell: bash loses a trap whose signal comes while it starts a process.
TELLING = (sys.executable, "-c", """
import signal, sys
awaited = {int(sys.argv[1]), signal.SIGUSR2}
signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
print("ready", flush=True)
while signal.sigwait(awaited) != signal.SIGUSR2:
    print("got", flush=True)
sys.exit(9)
""")


def next_line(process: subprocess.Popen[str]) -> str:
    """What the command writes next; empty at its end."""
    assert process.stdout
    assert select.select([process.stdout], [], [], 10)[0], "nothing was written within 10 s"
    return process.stdout.readline()


def named(*words: str) -> list[int]:
    """The processes with this command line."""
    found = []
    for pid in processes():
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if line.split(b"\0")[:-1] == [word.encode() for word in words]:
            found.append(pid)
    return found


class Terminal:
    """A pseudo-terminal with a program as its session's leader; what it wrote is read until a pattern is there."""

    def __init__(self, *command: str) -> None:
        self.pid, self.leader = pty.fork()
        if self.pid == 0:
            os.environ.update({"PS1": "outer> ", "TERM": "dumb", "HISTFILE": "/dev/null", "SHELL": "/bin/bash"})
            os.execvp(command[0], command)
        self.text = ""
        self.resize(24, 80)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.leader)
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.leader, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def send(self, text: str) -> None:
        os.write(self.leader, text.encode())

    def line(self, text: str) -> None:
        self.send(text + "\n")

    def has_in_front(self, *words: str) -> None:
        """Waits until a command with these words runs as the terminal's job, not stopped: keys reach it from now on."""
        def is_in_front(pid: int) -> bool:
            try:
                state, _, group = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[:3]
            except OSError:
                return False
            return state in "RS" and int(group) == os.tcgetpgrp(self.leader)

        wait_for(lambda: any(map(is_in_front, named(*words))), 10, f"{words} in front of the terminal")

    def expect(self, pattern: str, timeout: float = 10) -> re.Match[str]:
        """Reads until the pattern is found, and forgets what was before its end."""
        end = time.monotonic() + timeout
        while not (found := re.search(pattern, self.text)):
            ready, _, _ = select.select([self.leader], [], [], max(0, end - time.monotonic()))
            assert ready, f"no {pattern!r} within {timeout} s in {self.text!r}"
            try:
                self.text += os.read(self.leader, 65536).decode(errors="replace").replace("\r", "")
            except OSError:
                pytest.fail(f"the terminal was closed; no {pattern!r} in {self.text!r}")
        self.text = self.text[found.end():]
        return found
