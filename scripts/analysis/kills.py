"""What is left of runs that are killed at random moments while a condition is set up around their blocks: nothing.

Looked at after each kill: processes, mounts, network interfaces, cgroups; and when all is over the kernel's own count of
namespaces, in which some that are left without a process or a mount would show. Others on the machine are told apart as far as
that goes: processes by their program's folder, cgroups by the process that is named in them.
"""
import os
import random
import re
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from faults import machine

# So many that most of a block's time is their setting up and taking down.
LEVELS = {"mounts": "2000", "peers": "300", "netns": "60", "dying": "60", "pidns": "300", "procs": "500", "rss": "96M",
          "fds": "20000", "depth": "8", "cgroups": "200"}
FEW = {"mounts": "50", "peers": "20", "netns": "5", "dying": "5", "pidns": "5", "procs": "20", "rss": "4M", "fds": "200", "depth": "2",
       "cgroups": "20"}
ALL = "all of them"
VICTIMS = ("nsbench", "sampler", "nsbench and sampler", "deputy", "keeper")
NAMES = {"sampler": "nsbench-sampler", "deputy": "nsbench-deputy", "keeper": "nsbench-keeper"}
SURROUNDING = (NAMES["deputy"], NAMES["keeper"])
PATIENCE = 20.0  # seconds until all has to be gone
BETWEEN = 2.0  # seconds between two blocks, at most, while the first one's namespaces are torn down
SLACK = 64  # objects of a slab cache that are active for the CPUs' own stock
CACHES = ("net_namespace", "pid_namespace", "user_namespace", "uts_namespace")


def _line(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def processes(folder: Path) -> dict[int, str]:
    """Those that run a program of the folder: pid → name."""
    found = {}
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            # Of a program that was replaced: "/where/it/was (deleted)".
            if os.path.dirname(os.readlink(f"/proc/{pid}/exe")) == str(folder):
                found[pid] = _line(Path(f"/proc/{pid}/comm")).strip()
        except OSError:
            pass  # a kernel's thread, or gone
    return found


def cgroups() -> set[str]:
    """nsbench's, by their folder, in each hierarchy of version 2."""
    points = [line.split()[4] for line in _line(Path("/proc/self/mountinfo")).splitlines() if " - cgroup2 " in line]
    return {folder for point in points for folder, _, _ in os.walk(point) if Path(folder).name.startswith("nsbench-")}


def counted() -> dict[str, int]:
    """The kernel's namespaces by their slab caches; those that share a cache with others are not told."""
    return {name: int(active) for name, active in re.findall(r"^(\w+) +(\d+)", _line(Path("/proc/slabinfo")), re.M) if name in CACHES}


@dataclass
class Host:
    """What a run has to leave as it was."""

    folder: Path
    before: set[int] = field(default_factory=set)
    mounts: str = ""
    links: list[str] = field(default_factory=list)
    groups: set[str] = field(default_factory=set)

    @classmethod
    def noted(cls, folder: Path) -> "Host":
        """As it is now."""
        return cls(folder, set(processes(folder)), _line(Path("/proc/self/mountinfo")), sorted(os.listdir("/sys/class/net")), cgroups())

    def left(self) -> list[str]:
        """What is there beyond that, in words."""
        now = [f"process {pid} ({name})" for pid, name in processes(self.folder).items() if pid not in self.before]
        now += [f"cgroup {folder}" for folder in sorted(cgroups() - self.groups) if not machine.of_the_living(folder)]
        if (mounts := _line(Path("/proc/self/mountinfo"))) != self.mounts:
            now += [f"mount {line}" for line in sorted(set(mounts.splitlines()) ^ set(self.mounts.splitlines()))]
        return now + [f"interface {link}" for link in sorted(set(os.listdir("/sys/class/net")) ^ set(self.links))]


@dataclass
class Attempt:
    """One run, and how it is killed."""

    condition: str
    victim: str
    moment: float  # seconds after its first condition began to be set up: from then on the next one is waited for,
    later: float  # and the kill comes so many seconds later
    seed: int

    def options(self) -> list[str]:
        """A block is one sample, and the rest its condition."""
        conditions = FEW if self.condition == ALL else {self.condition: LEVELS[self.condition]}
        return ["--op=clone", "--ns=none", "--stack=1M", "--block=1", "--lead-in=1", "--alone", "--budget=600s", "--precision=0.001%",
                f"--seed={self.seed}", "--quiet", "--no-progress", *(f"--with={key}:{value}" for key, value in conditions.items())]


def attempts(number: int, seed: int) -> list[Attempt]:
    """Each condition in turn, and all of them together; victims and moments by chance."""
    chance = random.Random(seed)
    conditions = [*LEVELS, ALL]
    return [Attempt(conditions[i % len(conditions)], chance.choice(VICTIMS), chance.uniform(0, 1), chance.uniform(0, 0.03),
                    chance.getrandbits(31))
            for i in range(number)]


def _until(condition: Callable[[], object], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def _kill(pid: int, number: int = signal.SIGKILL) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # gone by itself


def carry_out(build: Path, attempt: Attempt, host: Host) -> tuple[bool, list[str]]:
    """Whether a deputy or a keeper was there at the kill, and what is left behind it."""
    said = tempfile.TemporaryFile()  # no pipe: what outlives nsbench would keep it open
    run = subprocess.Popen([build / "nsbench", *attempt.options()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said,
                           start_new_session=True)

    def named(*names: str) -> list[int]:
        return [pid for pid, name in processes(host.folder).items() if pid not in host.before and name in names]

    try:
        begun = _until(lambda: named(*SURROUNDING) or run.poll() is not None, PATIENCE)
        if not begun or run.poll() is not None:
            said.seek(0)
            return False, [f"no condition, and so no kill: {said.read().decode(errors='replace').strip() or run.poll()}"]
        time.sleep(attempt.moment)
        _until(lambda: named(*SURROUNDING), BETWEEN)
        time.sleep(attempt.later)
        surrounded = bool(named(*SURROUNDING))
        doomed = [run.pid] if "nsbench" in attempt.victim else []
        for word, name in NAMES.items():
            doomed += named(name) if word in attempt.victim else []
        for pid in doomed:
            _kill(pid)
        if run.pid not in doomed:
            _kill(run.pid, signal.SIGTERM)
        try:
            run.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            return surrounded, [f"nsbench itself, {PATIENCE:g} s after SIGTERM"]
        _until(lambda: not host.left(), PATIENCE)
        return surrounded, host.left()
    finally:
        said.close()
        run.kill()
        run.wait()


def check(build: Path, number: int, seed: int, tell: Callable[[str], object], done: Callable[[int], None]) -> bool:
    """Whether nothing was left by any of them; says so line by line."""
    folder = Path(os.path.realpath(build))
    host, namespaces = Host.noted(folder), counted()
    kills: Counter[str] = Counter()
    surrounded: Counter[str] = Counter()
    good = True
    for index, attempt in enumerate(attempts(number, seed)):
        is_surrounded, left = carry_out(build, attempt, host)
        kills[attempt.condition] += 1
        surrounded[attempt.condition] += is_surrounded
        if left:
            good = False
            tell(f"kill {index + 1}, {attempt.condition}: {attempt.victim} after {attempt.moment:.3f} s and {attempt.later:.3f} s "
                 f"has left {'; '.join(left)}")
            host = Host.noted(folder)  # what is left once is said once
        done(index)
    for condition, count in kills.items():
        tell(f"{condition:<12} {count:>3} kills, {surrounded[condition]:>3} of them while a deputy or a keeper was there")
    return _told_of_namespaces(namespaces, tell) and good


def _told_of_namespaces(before: dict[str, int], tell: Callable[[str], object]) -> bool:
    """Whether the kernel has as many as before, as far as it tells."""
    if not before:
        tell("namespaces: unknown: /proc/slabinfo does not tell them here")
        return True
    _until(lambda: all(counted().get(name, 0) <= count + SLACK for name, count in before.items()), PATIENCE)
    after = counted()
    for name, count in before.items():
        tell(f"{name}: {count} active objects before, {after.get(name, 0)} after; at most {SLACK} more may be")
    return all(after.get(name, 0) <= count + SLACK for name, count in before.items())
