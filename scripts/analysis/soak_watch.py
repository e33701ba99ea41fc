"""What a job and the kernel hold while the job runs, looked at now and then."""
import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from analysis.effects import Floats

KERNEL = ("SUnreclaim", "Percpu", "KernelStack")  # of /proc/meminfo
STARTED = 0.1  # seconds that a command has at least before it is looked at: before that it is hardly itself
CACHES = "SReclaimable"  # which grow until memory is needed for something else


@dataclass
class Series:
    """Values of one thing; times are in seconds since the job began."""

    times: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, at: float, value: float) -> None:
        self.times.append(at)
        self.values.append(value)

    def arrays(self) -> tuple[Floats, Floats]:
        return np.array(self.times, float), np.array(self.values, float)


Watched = dict[str, Series]


def descendants(pid: int) -> Iterator[int]:
    """A process's children, and theirs. Each has the thread that made it for a parent."""
    children: list[int] = []
    with contextlib.suppress(OSError):  # it is gone
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += map(int, (task / "children").read_text().split())
    for child in children:
        yield child
        yield from descendants(child)


def resident(pid: int) -> int:
    """A process's resident size in bytes; 0 where it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:")), 0)


def descriptors(pid: int) -> int:
    """So many a process has open; 0 where it is gone."""
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return 0


def kernel_memory() -> dict[str, int]:
    """What the kernel says of its own, in bytes."""
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return {name: int(lines[name].split()[0]) * 1024 for name in (*KERNEL, CACHES) if name in lines}


def look(pid: int, at: float, found: Watched) -> None:
    """Adds what a process, its descendants and the kernel hold now."""
    every = [pid, *descendants(pid)]
    values: dict[str, float] = {"descriptors": sum(map(descriptors, every)), "resident": resident(pid),
                                "resident of a child": max(map(resident, every[1:]), default=0), **kernel_memory()}
    for name, value in values.items():
        found.setdefault(name, Series()).add(at, value)


def watched(command: Sequence[str], every: float, found: Watched, began: float,
            say: Callable[[str], None] = lambda _: None) -> tuple[int, str]:
    """Runs a command to its end, and looks at it every so many seconds, counted through all commands of a job, which may be shorter:
    its exit code, and what it said on standard error."""
    last = max((series.times[-1] for series in found.values()), default=0.0)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace") as job:
        try:
            while True:
                try:
                    _, error = job.communicate(timeout=max(began + last + every - time.monotonic(), STARTED))
                    return job.returncode, error
                except subprocess.TimeoutExpired:
                    last = at = time.monotonic() - began
                    look(job.pid, at, found)
                    say(f"{at:.0f} s")
        except BaseException:
            job.terminate()  # it ends its own children
            raise
