"""Runs a program under a seccomp notifier (seccomp_unotify(2)), which hears of its system calls, and of those of all that it
starts, and lets them be made or answers with an errno in their place.

No ptrace: waiting, signals and deaths of parents are as without it. One occurrence is made to fail, in one process, and no
other; strace counts in each process for itself.
"""
import contextlib
import ctypes
import errno
import fcntl
import os
import select
import signal
import struct
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from analysis.script import Unreadable
from faults.calls import NEVER

_LIBC = ctypes.CDLL(None, use_errno=True)
EXECVE = 59
_SECCOMP, _PIDFD_GETFD = 317, 438
_NEW_LISTENER, _WAIT_KILLABLE = 1 << 3, 1 << 5  # seccomp(2); the second is of 5.19 and later
_RECV, _SEND = 0xC0502100, 0xC0182101  # SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND
_CONTINUE = 1  # SECCOMP_USER_NOTIF_FLAG_CONTINUE
_CALL = struct.Struct("=QIIiI7Q")  # struct seccomp_notif: id, pid, flags; nr, arch, ip, args
_ANSWER = struct.Struct("=QqiI")  # struct seccomp_notif_resp: id, val, error, flags
_X86_64 = 0xC000003E
_FORKNOEXEC = 0x40  # PF_FORKNOEXEC (include/linux/sched.h), which an execve that succeeds takes away
LINGERING = 3.0  # seconds that processes which the program left behind have to end


@dataclass(frozen=True)
class Call:
    """A system call that is about to be made: its number, by which process, and where its instruction is in that one's memory."""

    number: int
    pid: int
    place: int


Decide = Callable[[Call], int]  # the errno that it fails with, or 0


def none_fails(_: Call) -> int:
    """A run without faults."""
    return 0


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    code: int  # negative: by this signal
    out: str
    err: str
    seconds: float
    is_hung: bool  # it was killed at its limit
    left: list[str]  # the names of processes that outlived it


def _program(watched: Collection[int] | None) -> bytes:
    """A classic BPF program that has the listener hear of these calls and execve; with None of all but NEVER."""
    load, equal, answer = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
    allow, notify = 0x7FFF0000, 0x7FC00000
    listed = sorted(NEVER.values()) if watched is None else sorted({*watched, EXECVE})
    code = [(load, 0, 0, 4), (equal, 1, 0, _X86_64), (answer, 0, 0, allow), (load, 0, 0, 0)]
    code += [(equal, len(listed) - place, 0, number) for place, number in enumerate(listed)]
    code += [(answer, 0, 0, value) for value in ((notify, allow) if watched is None else (allow, notify))]
    return b"".join(struct.pack("HBBI", *one) for one in code)


def _watch(code: bytes) -> None:
    """Puts this process under the filter; its descriptor is the lowest that is free. OSError where that is not to be had."""
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    for flags in (_NEW_LISTENER | _WAIT_KILLABLE, _NEW_LISTENER):
        if _LIBC.syscall(_SECCOMP, 1, flags, program) >= 0:
            return
    raise OSError(ctypes.get_errno(), "seccomp")


def children() -> list[int]:
    """Of this process, with what it has inherited as a subreaper."""
    return [int(word) for task in Path("/proc/self/task").iterdir() for word in (task / "children").read_text().split()]


def _start_of(path: str) -> str:
    """The first page of a file of procfs; empty where it is gone. By the calls alone: it is asked at each call of a run."""
    try:
        file = os.open(path, os.O_RDONLY)
        try:
            return os.read(file, 4096).decode(errors="replace")
        finally:
            os.close(file)
    except OSError:
        return ""


def name_of(pid: int) -> str:
    """As ps shows it; empty where it is gone."""
    return _start_of(f"/proc/{pid}/comm").rstrip("\n")


def process_of(thread: int) -> int:
    """Whose thread it is; itself where it is gone."""
    found = _start_of(f"/proc/{thread}/status").partition("\nTgid:")[2].split(None, 1)
    return int(found[0]) if found else thread


def is_forked(pid: int) -> bool:
    """Whether this process has become no program of its own since it was forked; False where it is gone."""
    words = _start_of(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return len(words) > 6 and bool(int(words[6]) & _FORKNOEXEC)


LOADER = "ld.so"


def _loader_of(pid: int) -> tuple[int, int]:
    """Where a process has it in memory."""
    try:
        lines = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return 0, 0
    ranges = [line.split()[0].split("-") for line in lines if "/ld-linux" in line]
    return (int(ranges[0][0], 16), int(ranges[-1][1], 16)) if ranges else (0, 0)


class Roles:
    """Which of a run's processes one is. Has to hear of every execve."""

    def __init__(self) -> None:
        self._loaders: dict[int, tuple[int, int]] = {}

    def of(self, call: Call) -> str:
        """By its name: nsbench, nsbench-sampler; with a + where it was forked and is no program of its own yet, or never. A
        thread is its process. Where the dynamic loader makes the call, that."""
        if call.number == EXECVE:
            self._loaders.pop(call.pid, None)
        elif self._is_of_loader(call):
            return LOADER
        process = process_of(call.pid)
        return f"{name_of(process)}+" if is_forked(process) else name_of(process)

    def _is_of_loader(self, call: Call) -> bool:
        """By where in memory it is made: where a process has its loader stays the same until it is another program."""
        if call.pid not in self._loaders:
            self._loaders[call.pid] = _loader_of(call.pid)
        first, end = self._loaders[call.pid]
        return first <= call.place < end


def begin_child(folder: Path, terminal: int | None = None) -> None:
    """In a child that is to be a program: a session of its own, which ends with its parent, in the folder. Its streams are the
    terminal, or files there."""
    _LIBC.prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG: nobody else answers its calls
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    if terminal is not None:
        os.login_tty(terminal)
    else:
        os.setsid()
        null = os.open("/dev/null", os.O_RDONLY)
        for stream, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), stream)
        os.dup2(null, 0)
    os.chdir(folder)


def reap() -> None:
    """Children that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def end_children() -> None:
    """Kills them; one that the kernel keeps stays."""
    limit = time.monotonic() + LINGERING
    while (found := children()) and time.monotonic() < limit:
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
        reap()


class _Run:
    """A program from its start to its end, with what it leaves."""

    def __init__(self, command: list[str], code: bytes, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.begun = time.monotonic()
        free, told = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self._become(command, code, told, environment)
        os.close(told)
        self.pidfd = os.pidfd_open(self.pid)
        with os.fdopen(free, "rb") as pipe:
            number = pipe.read(4)
            self.listener = self._listener_of(int.from_bytes(number, "little")) if number else -1
            refusal = pipe.read() if self.listener < 0 else b""
        if self.listener < 0:
            os.waitpid(self.pid, 0)
            raise Unreadable(f"no seccomp notifier can be had here: {refusal.decode() or 'not root?'}")

    def _become(self, command: list[str], code: bytes, told: int, environment: dict[str, str]) -> None:
        """In the child."""
        try:
            begin_child(self.folder)
            os.set_inheritable(told, False)
            os.closerange(3, told)
            os.closerange(told + 1, 256)
            os.write(told, (3 if told != 3 else 4).to_bytes(4, "little"))
            _watch(code)
            try:
                os.execve(command[0], command, environment)
            except OSError as error:  # nobody reads `told` any more
                os.write(2, f"{command[0]}: {error.strerror}\n".encode())
        except OSError as error:
            os.write(told, str(error).encode())
        finally:
            os._exit(127)

    def _listener_of(self, number: int) -> int:
        """The child's descriptor of that number, once it is there; -1 where the child ended without it."""
        while True:
            listener = _LIBC.syscall(_PIDFD_GETFD, self.pidfd, number, 0)
            if listener >= 0:
                return int(listener)
            if select.select([self.pidfd], [], [], 0.0002)[0]:
                return -1

    def serve(self, decide: Decide, end: float) -> None:
        """Answers calls until the program has ended, or the time is over."""
        has_begun = False
        watcher = select.poll()
        watcher.register(self.listener, select.POLLIN)
        watcher.register(self.pidfd, select.POLLIN)
        while (left := end - time.monotonic()) > 0:
            ready = dict(watcher.poll(left * 1000))
            if ready.get(self.listener, 0) & select.POLLIN:
                has_begun = self._answer(decide, has_begun) or has_begun
            elif ready:  # it has ended, or will in a moment, since nobody is under the filter any more
                select.select([self.pidfd], [], [], max(left, 0))
                return

    def _answer(self, decide: Decide, has_begun: bool) -> bool:
        """Answers one call; whether it was the execve that begins the program."""
        call = bytearray(_CALL.size)
        try:
            fcntl.ioctl(self.listener, _RECV, call)
            number, pid, _, nr, _, place, *_ = _CALL.unpack(call)
            error = decide(Call(nr, pid, place))
            if not has_begun:  # of this process's copy, on its way to be the program
                error = 0
            fcntl.ioctl(self.listener, _SEND, _ANSWER.pack(number, 0, -error, 0 if error else _CONTINUE))
            return bool(nr == EXECVE)
        except OSError as gone:  # the caller was killed meanwhile
            if gone.errno not in (errno.ENOENT, errno.EINTR):
                raise
            return False

    def end(self, decide: Decide) -> tuple[int, bool, list[str]]:
        """The wait status, whether it had to be killed, and the processes that stayed."""
        is_hung = not select.select([self.pidfd], [], [], 0)[0]
        if is_hung:
            os.kill(self.pid, signal.SIGKILL)
            if not select.select([self.pidfd], [], [], LINGERING)[0]:
                raise Unreadable(f"process {self.pid} stays, though it was killed")
        status = os.waitpid(self.pid, 0)[1]
        limit = time.monotonic() + LINGERING
        watcher = select.poll()
        watcher.register(self.listener, select.POLLIN)
        while time.monotonic() < limit and not is_hung:
            ready = dict(watcher.poll(5)).get(self.listener, 0)
            if ready & select.POLLIN:
                self._answer(decide, True)
            reap()
            if ready & (select.POLLHUP | select.POLLERR):  # nobody is under the filter any more
                return status, is_hung, []
        left = [name_of(pid) for pid in children()]
        os.close(self.listener)
        self.listener = -1
        end_children()  # one that the kernel keeps is in `left`, as often as it is seen
        return status, is_hung, left

    def close(self) -> None:
        """Gives the descriptors back."""
        os.close(self.pidfd)
        if self.listener >= 0:
            os.close(self.listener)


@contextlib.contextmanager
def _started(command: list[str], code: bytes, folder: Path, environment: dict[str, str]) -> Iterator[_Run]:
    run = _Run(command, code, folder, environment)
    try:
        yield run
    finally:
        run.close()


def watched(command: list[str], calls: Collection[int] | None, decide: Decide, limit: float, folder: Path,
            environment: dict[str, str]) -> Ended:
    """Runs the program in the folder, its standard streams in files there, for `limit` seconds at most. `decide` is
    asked of each of these calls, or of all. This process has to be a subreaper. Unreadable where there is no notifier to be had."""
    with _started(command, _program(calls), folder, environment) as run:
        run.serve(decide, run.begun + limit)
        seconds = time.monotonic() - run.begun
        status, is_hung, left = run.end(decide)
        out, err = ((folder / name).read_text(encoding="utf-8", errors="replace") for name in ("stdout", "stderr"))
        return Ended(os.waitstatus_to_exitcode(status), out, err, seconds, is_hung, left)
