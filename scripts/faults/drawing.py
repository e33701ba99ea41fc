"""Which faults there are: each plausible errno of each call that a job makes, and those that are drawn of them."""
import argparse
import random
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from analysis.script import Unreadable
from faults.calls import ERRNOS
from faults.jobs import Facts

LATE = 0.9  # where a late occurrence is among those that were recorded: a run makes a few calls more or less than the last
ON = "+"  # behind a call's name: it and all that follow fail
MALLOC = "malloc"  # in a call's place: an allocation (src/failing/malloc.c)
OF_MEMORY = (MALLOC, "mmap")
OURS = "nsbench"  # the names of nsbench's processes begin so; other programs' calls are not made to fail
Counts = dict[tuple[str, str], int]  # of a job's calls, by role and name


@dataclass(frozen=True)
class Fault:
    """One call that fails once, or, with ON, from there on."""

    job: str
    role: str
    call: str
    error: str
    occurrence: int

    def command(self) -> str:
        """What tries it again."""
        which = "memory" if self.error == "ENOMEM" and self.call.removesuffix(ON) in OF_MEMORY else "faults"
        return shlex.join(["scripts/validate.py", which, f"--job={self.job}", f"--role={self.role}", f"--call={self.call}",
                           f"--error={self.error}", f"--when={self.occurrence}"])


@dataclass(frozen=True)
class Recorded:
    """A job without faults: how often each call is made, and what it tells."""

    counts: Counts
    facts: Facts
    seconds: float
    sites: list[list[int]]  # the numbers of its allocations, by who makes them; empty where that was not asked for


def _occurrences(count: int, chance: random.Random) -> list[int]:
    """The first, the second, a late and a random one."""
    return sorted({1, min(2, count), max(1, int(LATE * count)), chance.randint(1, count)})


def _allocations(sites: Sequence[Sequence[int]], chance: random.Random) -> list[int]:
    """One of each site: those that have the same callers fail in the same way."""
    return sorted(chance.choice(numbers) for numbers in sites)


def faults_of(job: str, one: Recorded, seed: int, wanted: argparse.Namespace) -> Iterator[Fault]:
    """Those of a job, as far as the options let them: each plausible errno of each call of each of nsbench's processes, at the
    first, the second, a late and a random occurrence. Of memory: an allocation of each site, or each, and each mmap(2), alone
    and with all behind it."""
    for (role, call), count in sorted(one.counts.items()):
        if not role.startswith(OURS):
            continue
        of_memory = wanted.command == "memory"
        if of_memory and call not in OF_MEMORY or not of_memory and call not in ERRNOS:
            continue
        for error in ("ENOMEM",) if of_memory else ERRNOS[call]:
            occurrences: Sequence[int] = range(1, count + 1)
            if wanted.when:
                occurrences = [wanted.when]
            elif not of_memory:
                occurrences = _occurrences(count, random.Random(f"{seed} {job} {role} {call} {error}"))
            elif call == MALLOC and not wanted.each:
                occurrences = _allocations(one.sites, random.Random(f"{seed} {job}"))
            for fault in (Fault(job, role, call + how, error, occurrence)
                          for how in (("", ON) if of_memory else ("",)) for occurrence in occurrences):
                if all(getattr(wanted, name) in (None, getattr(fault, name)) for name in ("role", "call", "error")):
                    yield fault


def draw(options: argparse.Namespace, jobs: dict[str, Recorded]) -> list[Fault]:
    """Those to try, of all that the options leave; says how many that are."""
    every = [fault for name, one in jobs.items() for fault in faults_of(name, one, options.seed, options)]
    if not every:
        raise Unreadable("faults: no such call is made: nothing to try")
    # In random order also where it is all of them: what was tried before it is stopped is a sample.
    drawn = random.Random(options.seed).sample(every, min(options.most or len(every), len(every)))
    for name, one in jobs.items():
        allocations = f", {one.counts[OURS, MALLOC]} allocations at {len(one.sites)} sites" if one.sites else ""
        print(f"{name:<20} {one.seconds:>6.1f} s, {sum(one.counts.values()) - one.counts.get((OURS, MALLOC), 0)} calls{allocations}")
    print(f"{len(drawn)} of {len(every)} faults in {len(jobs)} jobs, seed {options.seed}", flush=True)
    return drawn
