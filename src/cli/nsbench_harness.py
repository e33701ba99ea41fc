"""What the system tests share: the binary under test, ways to run it, readers of its files, and snapshots of the host.

The binary is named by the environment variable NSBENCH; its sampler stands beside it.
"""

import contextlib
import csv
import ctypes
import fcntl
import itertools
import json
import os
import pty
import shutil
import struct
import subprocess
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from faults import machine

Value = TypeVar("Value")
KINDS = {
    "mnt": "NEWNS", "uts": "NEWUTS", "ipc": "NEWIPC", "pid": "NEWPID",
    "net": "NEWNET", "user": "NEWUSER", "cgroup": "NEWCGROUP", "time": "NEWTIME",
}
FLAGS = sorted(KINDS.values())

RESULT_COLUMNS = (
    "run_id kernel clock case operation namespaces syscall stack_bytes spawn parallel phase unit samples median "
    "ci_low ci_high precision min mean stddev p90 p99 max outliers_mild outliers_severe delta delta_low delta_high "
    "status errno reason state resolution delta_resolution machines position first steady last repeats scatter base"
).split()
PHASES = ("start create ready exit total switch mount unmount drain setgroups uid_map gid_map maps hostname root proc lo "
          "pivot exec load cpu enter read migrate link move address up").split()

SAMPLER = "nsbench-sampler"
SAMPLERS_OWN = (SAMPLER, "nsbench-deputy", "nsbench-keeper")  # it, and what surrounds a block for it
NOBODY = 65534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it looks at what a run with full rights does")


def binary() -> str:
    """The path of the binary under test."""
    path = os.environ.get("NSBENCH")
    if not path:
        pytest.fail("set NSBENCH to the path of the nsbench binary to test", pytrace=False)
    path = os.path.abspath(path)
    if not os.access(path, os.X_OK):
        pytest.fail(f"NSBENCH={path} is not an executable file", pytrace=False)
    return path


def run(*args: object, timeout: float = 180, **kwargs: Any) -> subprocess.CompletedProcess[str]:
    """Runs nsbench to its end; its text output is in the result's stdout and stderr. What else there is, here and below, goes
    to subprocess."""
    return subprocess.run([binary(), *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, encoding="utf-8", timeout=timeout, **kwargs)


def measure(*args: object, **kwargs: Any) -> subprocess.CompletedProcess[str]:
    """As run(), for a run that must end well."""
    result = run(*args, **kwargs)
    assert result.returncode == 0, f"nsbench {' '.join(map(str, args))}\n{result.stdout}\n{result.stderr}"
    return result


def as_user(home: Path, *command: object, timeout: float = 180) -> subprocess.CompletedProcess[str]:
    """Runs a command as an ordinary user, who this process may be already."""
    prefix: list[str] = []
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("no setpriv: util-linux is not installed")
        prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all"]
    return subprocess.run([*prefix, *map(str, command)], cwd=home, stdin=subprocess.DEVNULL, capture_output=True,
                          encoding="utf-8", timeout=timeout, check=False)


def list_ids(*args: object) -> list[str]:
    """The case ids that `nsbench list` prints, in its order."""
    result = measure("list", *args)
    assert result.stderr == ""
    return result.stdout.splitlines()


def assert_one_line(stderr: str) -> None:
    """Standard error holds one line for a person, and no trace of a crash."""
    assert stderr.endswith("\n") and stderr.count("\n") == 1 and stderr.strip(), f"not one line:\n{stderr}"
    for crash in ("Traceback", "terminate called", "Assertion", "what():", "Sanitizer", "core dumped"):
        assert crash not in stderr


def assert_refused(result: subprocess.CompletedProcess[str], *mentions: str, code: int = 2) -> None:
    """A run ended at once, with one line that has these words."""
    assert result.returncode == code, result.stdout + result.stderr
    assert result.stdout == ""
    assert_one_line(result.stderr)
    for word in mentions:
        assert word in result.stderr, result.stderr


def processes() -> dict[int, tuple[int, str]]:
    """All processes but zombies: pid -> (parent, comm). Of the orphans that this process has inherited the samplers, which are many,
    are reaped; the others stay zombies until it ends, since they cannot be told from what it has to wait for."""
    found = {}
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                comm, _, rest = file.read().partition("(")[2].rpartition(")")
            state, parent = rest.split()[:2]
            if state not in "ZX":
                found[pid] = (int(parent), comm)
            elif int(parent) == os.getpid() and comm in SAMPLERS_OWN:
                os.waitpid(pid, os.WNOHANG)
        except (FileNotFoundError, ProcessLookupError, ChildProcessError):
            pass
    return found


# What a run leaves behind becomes this process's child, so that its processes can be told from those of any other run on the
# machine.
if ctypes.CDLL(None).prctl(36, 1, 0, 0, 0):  # PR_SET_CHILD_SUBREAPER
    raise OSError("prctl(PR_SET_CHILD_SUBREAPER)")


def below(roots: set[int], alive: dict[int, tuple[int, str]]) -> set[int]:
    """The descendants of these among what processes() gave."""
    family = set(roots)
    while more := {pid for pid, (parent, _) in alive.items() if parent in family} - family:
        family |= more
    return family - roots


class Started:
    """A run in the background, in a session of its own."""

    def __init__(self, *args: object, prefix: Sequence[str] = (), **kwargs: Any) -> None:
        self.process: subprocess.Popen[str] = subprocess.Popen(
            [*prefix, binary(), *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            encoding="utf-8", start_new_session=True, **kwargs)
        self.pid = self.process.pid

    def __enter__(self) -> "Started":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()

    def signal(self, number: int, group: bool = False) -> None:
        """Sends a signal to nsbench; with group, as a terminal does, to its process group."""
        (os.killpg if group else os.kill)(self.pid, number)

    def finish(self, timeout: float = 30) -> tuple[int, str, str]:
        """Waits for the end; returns the exit code, standard output and standard error."""
        out, err = self.process.communicate(timeout=timeout)
        return self.process.returncode, out, err

    def living(self) -> dict[int, tuple[int, str]]:
        """The run's processes besides nsbench itself, also those that have outlived it: pid -> (parent, comm)."""
        alive = processes()
        orphans = {pid for pid, (parent, comm) in alive.items() if parent == os.getpid() and comm in SAMPLERS_OWN}
        return {pid: alive[pid] for pid in orphans | below({self.pid} | orphans, alive)}

    def sampler(self, timeout: float = 5) -> int:
        """The pid of the sampler that nsbench has started."""
        return wait_for(lambda: next((pid for pid, (parent, comm) in self.living().items()
                                      if parent == self.pid and comm == SAMPLER), None), timeout, "a sampler")


def wait_for(condition: Callable[[], Value | None], timeout: float, what: str) -> Value:
    """The first true value of condition(), within the time."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"waited {timeout} s for {what}"
        time.sleep(0.02)


def on_terminal(*args: object, stream: str, columns: int = 80, env: dict[str, str] | None = None,
                timeout: float = 60) -> tuple[int, str, str]:
    """Runs nsbench with one of its streams on a pseudo-terminal: (exit code, stdout, stderr)."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    pipes = {name: subprocess.PIPE for name in ("stdout", "stderr")}
    pipes[stream] = follower
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
    environment.update({"TERM": "xterm-256color", **(env or {})})
    process = subprocess.Popen([binary(), *map(str, args)], stdin=subprocess.DEVNULL, env=environment, stdout=pipes["stdout"],
                               stderr=pipes["stderr"])
    os.close(follower)
    seen: list[bytes] = []

    def drain() -> None:
        try:
            while chunk := os.read(leader, 65536):
                seen.append(chunk)
        except OSError:
            pass  # the last writer has closed the terminal

    reader = threading.Thread(target=drain)
    reader.start()
    try:
        out, err = process.communicate(timeout=timeout)
    finally:
        process.kill()
        reader.join()
        os.close(leader)
    texts = {"stdout": out, "stderr": err, stream: b"".join(seen)}
    return process.returncode, texts["stdout"].decode(), texts["stderr"].decode()


def made_to_fail(call: str, first: int, *args: object, error: str = "EIO",
                 patience: float = 0.5) -> Iterator[subprocess.CompletedProcess[str]]:
    """Runs nsbench again and again, each time with one more of these calls left alone in each of its processes before
    one fails: until no process gets that far, or the seconds are over. Yields the finished runs."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    end = time.monotonic() + patience
    for number in itertools.count(first):
        with tempfile.NamedTemporaryFile(mode="r", encoding="utf-8", errors="replace") as log:
            done = subprocess.run(["strace", "-f", "-qqq", "--seccomp-bpf", "-o", log.name, "-e", f"trace={call}",
                                   "-e", f"inject={call}:error={error}:when={number}+1000", binary(), *map(str, args)],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                                  encoding="utf-8", timeout=60)
            if "ptrace" in done.stderr:
                pytest.skip(done.stderr.strip())
            yield done
            if "INJECTED" not in log.read() or time.monotonic() > end:
                return


EIO = 5


def refuse(number: int, arguments: dict[int, int]) -> None:
    """Makes this process's and its children's calls of one kind fail with EIO: a classic BPF program for seccomp(2)."""
    load, equal, answer = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
    tests = [(0, number), *((16 + 8 * index, value) for index, value in arguments.items())]
    code = []
    for i, (offset, value) in enumerate(tests):
        left = 2 * (len(tests) - i) - 1
        code += [(load, 0, 0, offset), (equal, 0, left, value)]
    code += [(answer, 0, 0, 0x00050000 | EIO), (answer, 0, 0, 0x7FFF0000)]
    text = b"".join(struct.pack("HBBI", *instruction) for instruction in code)
    buffer = ctypes.create_string_buffer(text, len(text))
    program = struct.pack("HxxxxxxP", len(code), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    for request in ((38, 1, 0, 0, 0), (22, 2, program)):  # PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP
        if libc.prctl(*request):
            raise OSError(ctypes.get_errno(), f"prctl{request[:2]}")


def read_samples(folder: Path) -> list[dict[str, str]]:
    """The rows of samples.csv that run.json says are valid: behind them a killed run may have left others, and half of one."""
    return read_csv(folder / "samples.csv", json.loads((folder / "run.json").read_text())["measuring"]["sample_lines"])


def read_csv(path: str | Path, count: int | None = None) -> list[dict[str, str]]:
    """The rows of a CSV file as dictionaries, or so many of them; every line must have all fields."""
    with open(path, encoding="utf-8", newline="") as file:
        text = file.read()
    if count is not None:
        text = "".join(text.splitlines(True)[:count + 1])
        assert text.count("\n") == count + 1, f"{path}: fewer lines than run.json says"
    assert text.endswith("\n"), f"{path}: its last line is not whole"
    header, *rows = list(csv.reader(text.splitlines()))
    for row in rows:
        assert len(row) == len(header), f"{path}: a line with {len(row)} of {len(header)} fields: {row}"
    return [dict(zip(header, row)) for row in rows]


def left_processes() -> list[tuple[int, str]]:
    """Those that these tests have started and that are still there: pid and name. What was just killed has a moment to go."""
    for _ in range(100):
        alive = processes()
        left = below({os.getpid()}, alive)
        if not left:
            break
        time.sleep(0.02)
    return sorted((pid, alive[pid][1]) for pid in left)


def host_state() -> dict[str, object]:
    """What a run must leave as it was: mounts, hostname, links, IPC objects; and its processes, which must be gone."""
    return {"processes": left_processes(), **machine.state()}


@contextlib.contextmanager
def host_kept(look: Callable[[], dict[str, object]] = host_state) -> Iterator[dict[str, object]]:
    """What the host was like; at the end it has to be like that again."""
    before = look()
    yield before
    after = look()
    for what, state in before.items():
        assert after[what] == state, f"{what} differ after the run"
