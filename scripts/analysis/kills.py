"""What is left of runs that are killed at random moments while a condition is set up around their blocks: nothing.

Looked at after each kill: processes, mounts, network interfaces, cgroups; and when all is over the kernel's own count of
namespaces, in which some that are left without a process or a mount would show. Others on the machine are told apart as far as
that goes: processes by their program's folder, which has a copy made for this, cgroups by the process that is named in them, and mounts
by a mount namespace of one's own.
"""
import contextlib
import ctypes
import errno
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from faults import machine

# So many that most of a block's time is their setting up and taking down.
LEVELS = {"mounts": "2000", "peers": "300", "netns": "60", "dying": "60", "pidns": "300", "procs": "500", "rss": "96M",
          "fds": str(min(20_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] // 2)), "depth": "8", "cgroups": "200"}
FEW = {"mounts": "50", "peers": "20", "netns": "5", "dying": "5", "pidns": "5", "procs": "20", "rss": "4M", "fds": "200", "depth": "2",
       "cgroups": "20"}
ALL = "all of them"
VICTIMS = ("nsbench", "sampler", "nsbench and sampler", "deputy", "keeper")
NAMES = {"nsbench": "nsbench", "sampler": "nsbench-sampler", "deputy": "nsbench-deputy", "keeper": "nsbench-keeper"}
SURROUNDING = (NAMES["deputy"], NAMES["keeper"])
PATIENCE = 20.0  # seconds until all has to be gone
SLACK = 16  # namespaces of others that may have come meanwhile
CACHES = ("net_namespace", "pid_namespace", "user_namespace", "uts_namespace")


def _line(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def processes(folder: Path) -> dict[int, str]:
    """Those that run a program of the folder: pid → name. Some leave the run's session, and outlive their parents."""
    found = {}
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            # Of a program that was replaced: "/where/it/was (deleted)".
            if os.path.dirname(os.readlink(f"/proc/{pid}/exe")) == str(folder):
                found[pid] = _line(Path(f"/proc/{pid}/comm")).strip()
        except OSError:
            pass  # a kernel's thread, or gone
    return found


def has_own_mounts() -> str:
    """This process in a mount namespace of its own, where no other program's mounts come and go; else why not."""
    new_namespace, recursive, private = 0x20000, 0x4000, 1 << 18  # CLONE_NEWNS, MS_REC, MS_PRIVATE
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(new_namespace) != 0 or libc.mount(b"none", b"/", None, recursive | private, None) != 0:
        return errno.errorcode[ctypes.get_errno()]
    return ""


def cgroups() -> set[str]:
    """nsbench's, by their folder, in each hierarchy of version 2."""
    points = [line.split()[4] for line in _line(Path("/proc/self/mountinfo")).splitlines() if " - cgroup2 " in line]
    return {folder for point in points for folder, _, _ in os.walk(point) if Path(folder).name.startswith("nsbench-")}


def counted() -> dict[str, int]:
    """The kernel's namespaces by their slab caches; those that share a cache with others are not told. What CPUs have in stock
    passes for active, and is given back before."""
    for name in CACHES:
        with contextlib.suppress(OSError):
            Path(f"/sys/kernel/slab/{name}/shrink").write_text("1")
    return {name: int(active) for name, active in re.findall(r"^(\w+) +(\d+)", _line(Path("/proc/slabinfo")), re.M) if name in CACHES}


@dataclass
class Host:
    """What a run has to leave as it was."""

    folder: Path  # of the programs, where nobody else starts any
    before: set[int]
    mounts: str
    links: list[str]
    groups: set[str]

    @classmethod
    def noted(cls, folder: Path) -> "Host":
        """As it is now."""
        return cls(folder, set(processes(folder)), _line(Path("/proc/self/mountinfo")), sorted(os.listdir("/sys/class/net")), cgroups())

    def run(self) -> dict[int, str]:
        """The run's processes: pid → name."""
        return {pid: name for pid, name in processes(self.folder).items() if pid not in self.before}

    def surrounding(self) -> bool:
        """Whether a deputy or a keeper is there."""
        return any(name in SURROUNDING for name in self.run().values())

    def left(self) -> list[str]:
        """What is there beyond that, in words."""
        now = [f"process {pid} ({name})" for pid, name in self.run().items()]
        now += [f"cgroup {folder}" for folder in sorted(cgroups() - self.groups) if not machine.of_the_living(folder)]
        if (mounts := _line(Path("/proc/self/mountinfo"))) != self.mounts:
            now += [f"mount {line}" for line in sorted(set(mounts.splitlines()) ^ set(self.mounts.splitlines()))]
        return now + [f"interface {link}" for link in sorted(set(os.listdir("/sys/class/net")) ^ set(self.links))]


@dataclass
class Attempt:
    """One run, and how it is killed."""

    condition: str
    choice: float  # from 0 to 1: which of the victims that are there
    moment: float  # seconds after its first condition began to be set up: from then on the next one is waited for,
    later: float  # and the kill comes so many seconds later, or sooner where the condition is gone by then
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
    return [Attempt(conditions[i % len(conditions)], chance.random(), chance.uniform(0, 1), chance.uniform(0, 0.03),
                    chance.getrandbits(31))
            for i in range(number)]


def _until(condition: Callable[[], object], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


def _kill(pid: int, number: int = signal.SIGKILL) -> bool:
    """Whether it was there."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _surrounded(host: Host, later: float) -> dict[int, str]:
    """The run's processes, a deputy or a keeper among them, `later` seconds after one came, or sooner; else nothing."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if host.surrounding():
            time.sleep(later)
            there = host.run()
            if any(name in SURROUNDING for name in there.values()):
                return there
            later = later / 2 if later > 0.001 else 0
        time.sleep(0.001)
    return {}


def carry_out(attempt: Attempt, host: Host) -> tuple[str, list[str]]:
    """Who was killed while a deputy or a keeper was there ("" if nobody was), and what is left behind it."""
    said = tempfile.TemporaryFile()  # no pipe: what outlives nsbench would keep it open
    run = subprocess.Popen([host.folder / "nsbench", *attempt.options()], stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                           start_new_session=True)
    try:
        _until(lambda: host.surrounding() or run.poll() is not None, PATIENCE)
        time.sleep(attempt.moment)
        is_killed = False
        for later in (attempt.later, 0, 0, 0, 0):  # again where the victim had ended by itself meanwhile
            there = _surrounded(host, later) if run.poll() is None else {}
            present = [victim for victim in VICTIMS if all(NAMES[word] in there.values() for word in victim.split(" and "))]
            if not present:
                said.seek(0)
                return "", [f"no condition, and so no kill: {said.read().decode(errors='replace').strip()} (exit code {run.poll()})"]
            victim = present[int(attempt.choice * len(present))]
            doomed = [pid for word in victim.split(" and ") for pid, name in there.items() if name == NAMES[word]]
            is_killed = any([_kill(pid) for pid in doomed])
            if is_killed:
                break
        if run.pid not in doomed:
            _kill(run.pid, signal.SIGTERM)
        try:
            run.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            return victim, [f"nsbench itself, {PATIENCE:g} s after SIGTERM"]
        _until(lambda: not host.left(), PATIENCE)
        return victim if is_killed else "", host.left()
    finally:
        said.close()
        run.kill()
        run.wait()


def check(build: Path, number: int, seed: int, tell: Callable[[str], object], done: Callable[[int], None]) -> bool:
    """Whether nothing was left by any of them; says so line by line."""
    if reason := has_own_mounts():
        tell(f"no mount namespace of one's own ({reason}): mounts of others on this machine would be told, too")
    namespaces = counted()
    with tempfile.TemporaryDirectory() as folder:
        for program in ("nsbench", NAMES["sampler"]):
            shutil.copy2(build / program, folder)
        good = _carry_out_all(Path(os.path.realpath(folder)), attempts(number, seed), tell, done)
    return _told_of_namespaces(namespaces, tell) and good


def _carry_out_all(folder: Path, planned: list[Attempt], tell: Callable[[str], object], done: Callable[[int], None]) -> bool:
    host = Host.noted(folder)
    tries: Counter[str] = Counter()
    kills: dict[str, Counter[str]] = {}
    good = True
    for index, attempt in enumerate(planned):
        victim, left = carry_out(attempt, host)
        tries[attempt.condition] += 1
        kills.setdefault(attempt.condition, Counter()).update([victim] if victim else [])
        if left:
            good = False
            tell(f"kill {index + 1}, {attempt.condition}: {victim or 'nobody'} after {attempt.moment:.3f} s and {attempt.later:.3f} s "
                 f"has left {'; '.join(left)}")
            host = Host.noted(folder)  # what is left once is said once
        done(index)
    for condition, victims in kills.items():
        tell(f"{condition:<12} {tries[condition]:>3} runs, {victims.total():>3} killed while a deputy or a keeper was there: "
             f"{', '.join(f'{name} {count}' for name, count in victims.items()) or 'which is no test of this condition'}")
    return good and all(victims.total() for victims in kills.values())


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
