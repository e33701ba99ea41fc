"""A job's run that is struck at a moment: how it is started for that, who of its processes is there, and what strikes them."""
import contextlib
import itertools
import os
import random
import re
import resource
import select
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from analysis.script import Unreadable
from faults.inject import LINGERING, Ended, begin_child, children, end_children, name_of, reap

NSBENCH, SAMPLER, DEPUTY, KEEPER = "nsbench", "nsbench-sampler", "nsbench-deputy", "nsbench-keeper"
SURROUNDING = (DEPUTY, KEEPER)  # while one of them is there, a condition is
STEP = 0.001  # seconds between two looks at what there is
TERMINAL, MEMORY = "terminal", "memory cgroup"
# Signals whose default is another one than an end (signal(7)).
_OTHERS = {signal.SIGCHLD, signal.SIGCONT, signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGURG, signal.SIGWINCH}
TERMINATING = tuple(sorted({one.name for one in signal.Signals} - {one.name for one in _OTHERS} - {"SIGCLD", "SIGRTMAX"}))
COMMON = ("SIGHUP", "SIGINT", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGTERM")  # which half of the kills are by


def _session_of(pid: int) -> int:
    """0 where the process is gone."""
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


def _below(pid: int) -> Iterator[int]:
    """A process, and all that it has started."""
    yield pid
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in file.read_text().split():
                yield from _below(int(child))


class MemoryCgroup:
    """One of its own for a run. A hierarchy of version 1, or version 2 where its root hands the controller on already: nothing of
    the machine is changed for it."""

    def __init__(self) -> None:
        found = self._hierarchy()
        if not found:
            raise Unreadable("no memory cgroup can be made here")
        above, self._is_old = found
        self.folder = above / f"kills-{os.getpid()}"
        try:
            self.folder.mkdir()
        except OSError as error:
            raise Unreadable(f"no memory cgroup can be made here: {error.strerror}") from error

    @staticmethod
    def _hierarchy() -> tuple[Path, bool] | None:
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            before, _, behind = line.partition(" - ")
            place, kind = Path(before.split()[4]), behind.split()
            if kind[0] == "cgroup" and "memory" in kind[2].split(","):
                return place, True
            with contextlib.suppress(OSError):
                if kind[0] == "cgroup2" and "memory" in (place / "cgroup.subtree_control").read_text().split():
                    return place, False
        return None

    @classmethod
    def can_be_made(cls) -> bool:
        """Whether there is one to be had."""
        try:
            cls().close()
        except Unreadable:
            return False
        return True

    def enter(self) -> None:
        """This process, and what it starts."""
        (self.folder / "cgroup.procs").write_text("0")

    def exhaust(self) -> None:
        """From here on its processes find no more memory, so that the kernel kills one of them."""
        if not self._is_old:
            with contextlib.suppress(OSError):  # of what is gone by now
                (self.folder / "memory.max").write_text("4096")
            return
        # The older one refuses a limit that is below what is used and cannot be taken away.
        for _ in range(1000):
            used = int((self.folder / "memory.usage_in_bytes").read_text())
            with contextlib.suppress(OSError):
                (self.folder / "memory.limit_in_bytes").write_text(str(used))
                return

    def has_killed(self) -> bool:
        """Whether the kernel has."""
        file = self.folder / ("memory.oom_control" if self._is_old else "memory.events")
        found = re.search(r"^oom_kill (\d+)$", file.read_text(), re.M)
        return found is not None and int(found[1]) > 0

    def close(self) -> None:
        """Takes it away, once its processes have gone."""
        end = time.monotonic() + LINGERING
        while True:
            try:
                return self.folder.rmdir()
            except OSError:
                if time.monotonic() > end:
                    raise
            time.sleep(0.01)


class Run:
    """A program from its start to its end. This process has to be a subreaper, with no other child."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str], victim: str) -> None:
        self.folder, self.begun = folder, time.monotonic()
        self.cgroup = MemoryCgroup() if victim == MEMORY else None
        self.is_at_terminal = victim == TERMINAL
        self._master, slave = os.openpty() if self.is_at_terminal else (-1, None)
        self._shown = b""
        self.pid = os.fork()
        if self.pid == 0:
            try:
                if self.cgroup:
                    self.cgroup.enter()
                begin_child(folder, slave)
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
                os.closerange(3, 256)
                os.execve(command[0], command, environment)
            finally:
                os._exit(127)
        self.pidfd = os.pidfd_open(self.pid)
        if slave is not None:
            os.close(slave)

    def wait(self, seconds: float) -> bool:
        """Whether it has ended within that time; what it shows at a terminal is read meanwhile."""
        end = time.monotonic() + seconds
        while True:
            sources = [self.pidfd] + ([self._master] if self._master >= 0 else [])
            ready = select.select(sources, [], [], max(end - time.monotonic(), 0))[0]
            if self.pidfd in ready:
                return True
            if not ready:
                return False
            try:
                self._shown += os.read(self._master, 1 << 16)
            except OSError:  # nobody has it open any more
                self.hang_up()

    def until(self, condition: Callable[[], object], seconds: float) -> bool:
        """Whether it came true before the run ended and the time was over."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition():
                return True
            if self.wait(STEP):
                return False
        return False

    @staticmethod
    def _each() -> Iterator[tuple[int, str]]:
        """Its processes, each as soon as it is found: with hundreds of them the last is found milliseconds behind the first."""
        for pid in itertools.chain.from_iterable(map(_below, children())):
            if name := name_of(pid):
                yield pid, name

    def processes(self) -> dict[int, str]:
        """Its own: pid → name. Those that lost their parent are this process's children."""
        return dict(self._each())

    def is_surrounded(self) -> bool:
        """Whether a deputy or a keeper is there."""
        return any(name in SURROUNDING for _, name in self._each())

    def in_session(self) -> list[int]:
        """Those of its session."""
        return [pid for pid in self.processes() if _session_of(pid) == self.pid]

    def hang_up(self) -> None:
        """Closes its terminal."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def end(self, seconds: float) -> Ended:
        """Its end, for which it has that time; what stays thereafter is killed, and named."""
        is_hung = not self.wait(seconds)
        if is_hung:
            os.kill(self.pid, signal.SIGKILL)
            if not self.wait(LINGERING):
                raise Unreadable(f"process {self.pid} stays, though it was killed")
        taken = time.monotonic() - self.begun
        status = os.waitpid(self.pid, 0)[1]
        limit = time.monotonic() + LINGERING
        while children() and time.monotonic() < limit and not is_hung:
            time.sleep(STEP)
            reap()
        left = [name_of(pid) for pid in children()]
        end_children()
        if self._master >= 0:
            with contextlib.suppress(OSError):
                while select.select([self._master], [], [], 0)[0] and (more := os.read(self._master, 1 << 16)):
                    self._shown += more
        out, err = self._shown.decode(errors="replace"), ""
        if not self.is_at_terminal:
            out, err = ((self.folder / name).read_text(encoding="utf-8", errors="replace") for name in ("stdout", "stderr"))
        return Ended(os.waitstatus_to_exitcode(status), out, err, taken, is_hung, left)

    def close(self) -> None:
        """Gives back what it has."""
        self.hang_up()
        os.close(self.pidfd)
        if self.cgroup:
            self.cgroup.close()


def _named(*names: str) -> Callable[[Run, random.Random], list[int]]:
    """One process of each of these names; nothing where one is missing."""
    def found(run: Run, chance: random.Random) -> list[int]:
        there = run.processes()
        pids = [[pid for pid, name in there.items() if name == wanted] for wanted in names]
        return [chance.choice(one) for one in pids] if all(pids) else []
    return found


def _another(run: Run, chance: random.Random) -> list[int]:
    """Any process but nsbench itself."""
    others = [pid for pid in run.processes() if pid != run.pid]
    return [chance.choice(others)] if others else []


# Who is struck, by name: its processes, if they are there.
VICTIMS: dict[str, Callable[[Run, random.Random], list[int]]] = {
    "nsbench": lambda run, _: [run.pid],
    "sampler": _named(SAMPLER),
    "nsbench and sampler": _named(NSBENCH, SAMPLER),
    "child": _another,
    "group": lambda run, _: [-run.pid],
    "session": lambda run, _: run.in_session(),
    "deputy": _named(DEPUTY),
    "keeper": _named(KEEPER),
}
OUTSIDE = {TERMINAL: "SIGHUP", MEMORY: "SIGKILL"}  # what is done to the run's surroundings, and the signal that the kernel sends then
WITH_IT = ("nsbench", "nsbench and sampler", "group", "session", TERMINAL, MEMORY)  # nsbench itself may get the signal


def strike(run: Run, victim: str, number: int, chance: random.Random) -> bool:
    """Whether somebody was there to be struck."""
    if victim == TERMINAL:
        run.hang_up()
        return True
    if victim == MEMORY and run.cgroup:
        run.cgroup.exhaust()
        return True
    is_struck = False
    for pid in VICTIMS[victim](run, chance):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
            is_struck = True
    return is_struck
