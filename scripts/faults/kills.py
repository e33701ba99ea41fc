"""What is left of jobs that are killed at random moments: nothing, and files that are whole.

The jobs are those whose calls are made to fail (faults/jobs.py), and some that take longer. A kill strikes nsbench, its
sampler, any other process, its process group, its session, the terminal, or the memory cgroup.
"""
import argparse
import collections
import itertools
import os
import random
import shlex
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from analysis import files, programs
from analysis.running import progress
from analysis.script import Unreadable
from faults import machine, slab
from faults.campaign import here, in_workers
from faults.inject import Ended, none_fails, watched
from faults.jobs import BY_NAME, JOBS, OUT, Facts, Job
from faults.judge import CRASHES, FAILED, NOT_PERMITTED, REMOVED, UNREAD, USAGE, differing, reasons_of
from faults.outcomes import never_met
from faults.place import ENVIRONMENT, NotToBeHad, Place, check_whole
from faults.struck import COMMON, MEMORY, OUTSIDE, STEP, TERMINAL, TERMINATING, VICTIMS, WITH_IT, MemoryCgroup, Run, strike

PATIENCE = 20.0  # seconds until a condition has to be there
SEARCH = 5.0  # seconds for a deputy or a keeper to be met, which is there for a part of them
AGAIN = 5  # times that another moment is tried where nobody was there to be struck
BY_SIGNAL = 128
MISSED = "missed"


@dataclass(frozen=True)
class Kill:
    """One kill. Its moment is a share of the time that the job takes; where conditions are set up, seconds behind the first of
    them: from then on the next one is waited for."""

    job: str
    victim: str
    signal: str
    moment: float
    choice: int  # of what else is drawn

    def command(self) -> str:
        """What tries it again, as far as moments are the same."""
        return shlex.join(["scripts/validate.py", "kills", f"--job={self.job}", f"--victim={self.victim}", f"--signal={self.signal}",
                           f"--moment={self.moment:.4f}", "--kills=10"])


@dataclass(frozen=True)
class Struck:
    """What came of it."""

    kill: Kill
    code: int
    is_struck: bool
    shortfall: str


@dataclass(frozen=True)
class Usual:
    """A job that nobody strikes: its time, who was there, and what it tells."""

    seconds: float
    victims: tuple[str, ...]
    facts: Facts


def usual(place: Place, job: Job) -> Usual:
    """Unreadable where it does not go well even so."""
    outside = [victim for victim in OUTSIDE if victim != MEMORY or MemoryCgroup.can_be_made()]
    if job.is_surrounded:
        # A child is one of these, or a block's, which may be gone at any time.
        return Usual(0.0, (*(name for name in VICTIMS if name != "child"), *outside), {})
    run = Run(place.words(job), place.folder, ENVIRONMENT, "nobody")
    seen = set()
    try:
        chance = random.Random(0)
        while True:
            seen |= {name for name in VICTIMS if name not in ("deputy", "keeper") and VICTIMS[name](run, chance)}
            if run.wait(0.002) or time.monotonic() > run.begun + job.seconds:
                break
        ended = run.end(0)
    finally:
        run.close()
    check_whole(job, ended)
    return Usual(ended.seconds, (*sorted(seen), *outside), job.facts(place.told(ended)))


def has_victim(of: Usual, victim: str | None) -> bool:
    """Whether that one can be struck in it; anybody where none is named."""
    return victim is None or victim in of.victims


def with_victim(jobs: dict[str, Usual], victim: str | None) -> dict[str, Usual]:
    """Those in which that one can be struck; says which are left out. Unreadable where it is none."""
    found = {name: one for name, one in jobs.items() if has_victim(one, victim)}
    if not found:
        there = sorted({name for one in jobs.values() for name in one.victims})
        raise Unreadable(f"kills: --victim={victim}: in these jobs it is one of {', '.join(there)}")
    if left := [name for name in jobs if name not in found]:
        print(f"without {victim}, and left out: {', '.join(left)}", flush=True)
    return found


def order(names: Sequence[str], seed: int) -> list[str]:
    """Jobs as they have their turn: first those with a condition around them, which few kills shall meet each, too."""
    shuffled = random.Random(seed).sample(names, len(names))
    return sorted(shuffled, key=lambda name: not BY_NAME[name].is_surrounded)


def drawn(jobs: dict[str, Usual], wanted: argparse.Namespace) -> list[Kill]:
    """Each job in turn; the rest by chance. Half of the signals are those that people and programs send."""
    chance = random.Random(wanted.seed)
    kills = []
    for name in itertools.islice(itertools.cycle(jobs), wanted.kills):
        victim = wanted.victim or chance.choice(jobs[name].victims)
        number = chance.choice(COMMON if chance.random() < 0.5 else TERMINATING)
        number = wanted.signal or number
        moment = chance.random() if wanted.moment is None else wanted.moment
        kills.append(Kill(name, victim, OUTSIDE.get(victim, number), moment, chance.getrandbits(31)))
    return kills


def _hit(run: Run, kill: Kill, seconds: float) -> bool:
    """Waits for the moment, and strikes; whether anybody was there."""
    chance = random.Random(kill.choice)
    number = signal.Signals[kill.signal]
    if not BY_NAME[kill.job].is_surrounded:
        if run.wait(kill.moment * seconds):
            return False
        return run.until(lambda: strike(run, kill.victim, number, chance), seconds)
    if not run.until(run.is_surrounded, PATIENCE) or run.wait(kill.moment):
        return False
    later = chance.uniform(0, 0.03)
    end = time.monotonic() + SEARCH
    while time.monotonic() < end and run.until(run.is_surrounded, PATIENCE) and not run.wait(later):
        if run.is_surrounded() and strike(run, kill.victim, number, chance):
            return True
        later = later / 2 if later > STEP else 0  # it has gone by then
    return False


def ending(job: Job, kill: Kill, ended: Ended, reasons: str) -> str | None:
    """What is wrong with how it ended."""
    number = int(signal.Signals[kill.signal])
    by_it = (-number, BY_SIGNAL + number)
    if ended.is_hung:
        return f"it had not ended after {job.seconds:.0f} s"
    if kill.victim in WITH_IT and (ended.code in by_it or kill.victim == TERMINAL and ended.code in UNREAD.values()):
        return None
    if ended.code < 0:
        return f"ended by {signal.Signals(-ended.code).name}"
    if job.runs_command and ended.code in (BY_SIGNAL + number, BY_SIGNAL + signal.SIGKILL, BY_SIGNAL + signal.SIGTERM):
        return None
    if job.is_surrounded and ended.code == BY_SIGNAL + signal.SIGTERM:
        return None
    if crash := next((word for word in CRASHES if word in ended.out + ended.err), None):
        return f"a crash: {crash}"
    if ended.code in job.own_codes:
        return None
    if ended.code not in (FAILED, NOT_PERMITTED):
        return f"exit code {ended.code}: {ended.err.strip()[-200:]!r}"
    # What is shown at a terminal that was closed nobody sees.
    is_said = ended.err or reasons or kill.victim == TERMINAL
    return None if is_said else f"exit code {ended.code} without a message"


def _read_again(place: Place, job: Job) -> str | None:
    """What is wrong with the run that is left, for nsbench itself."""
    out = place.folder / "out"
    if not any(OUT in word for word in job.words) or not (out / "run.json").exists():
        return None
    try:
        info: Any = files.json_of(out / "run.json")
    except Unreadable as unreadable:
        return str(unreadable)
    if info["measuring"]["rounds"] == 0:
        return None  # there is nothing to be read before the first round
    ended = watched([str(place.program), "summary", str(out), "--quiet"], [], none_fails, job.seconds, place.folder, ENVIRONMENT)
    return None if ended.code != USAGE else f"what is left is refused: {ended.err.strip()[-300:]}"


def _of_files(place: Place, job: Job, kill: Kill, ended: Ended, whole: Facts) -> Iterator[str | None]:
    told = place.told(ended)
    try:
        facts = job.facts(told)
        # A text that went to a terminal is not looked at.
        if kill.victim != TERMINAL or told.folder.is_dir():
            yield differing(job, told.code, facts, whole)
    except Unreadable as unreadable:
        is_over = told.code in job.own_codes
        may_be = not told.folder.is_dir() and not is_over
        is_begun = not is_over and "has no results.csv" in str(unreadable)
        is_part = ended.code < 0 and REMOVED in str(unreadable)  # of one that was killed: the next run removes it
        if not (may_be or is_begun or is_part):
            yield str(unreadable)
    yield _read_again(place, job)


def attempt(place: Place, kill: Kill, of: Usual) -> Struck:
    """Tries one kill."""
    job = BY_NAME[kill.job]
    shared = machine.shared_state()
    run = Run(place.words(job), place.folder, ENVIRONMENT, kill.victim)
    try:
        is_struck = _hit(run, kill, of.seconds)
        if job.is_surrounded:
            strike(run, "nsbench", signal.SIGTERM, random.Random())
        ended = run.end(job.seconds)
        if run.cgroup:
            is_struck = is_struck and run.cgroup.has_killed()
    finally:
        run.close()
    reasons = ""
    if kill.victim != TERMINAL:
        reasons = reasons_of(place.folder / "out") + job.reasons(place.told(ended))
    wrong = [*_of_files(place, job, kill, ended, of.facts), ending(job, kill, ended, reasons)]
    wrong += [f"left {', '.join(ended.left)}"] if ended.left else []
    wrong += place.left(shared)
    return Struck(kill, ended.code, is_struck, "; ".join(filter(None, wrong)).replace("\n", " "))


def _usual_here(name: str) -> Usual | Unreadable:
    try:
        with here().turn(BY_NAME[name]):
            return usual(here(), BY_NAME[name])
    except Unreadable as unreadable:
        return unreadable


def _attempt_here(kill: Kill, of: Usual) -> Struck:
    with here().turn(BY_NAME[kill.job]):
        return _attempt_until_struck(kill, of)


def _attempt_until_struck(kill: Kill, of: Usual) -> Struck:
    """Again at an earlier moment, where nobody was there."""
    struck = attempt(here(), kill, of)
    for _ in range(AGAIN):
        if struck.is_struck or struck.shortfall:
            break
        # Not every condition has a keeper, and some have no deputy for long.
        victim = {"keeper": "deputy", "deputy": "keeper"}.get(kill.victim, kill.victim)
        kill = Kill(kill.job, victim, kill.signal, kill.moment * 0.6, kill.choice + 1)
        struck = attempt(here(), kill, of)
    return struck


def tables(outcomes: Sequence[Struck]) -> Iterator[str]:
    """Kills by job, victim and signal; and the command for each that fell short."""
    for part in ("job", "victim", "signal"):
        counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
        for one in outcomes:
            what = "short" if one.shortfall else "held" if one.is_struck else MISSED
            counts[getattr(one.kill, part)][what] += 1
        yield f"{part:<20} {'killed':>6} {'fell short':>11} {'missed':>7}"
        for name, of_it in sorted(counts.items()):
            yield f"{name:<20} {of_it['held'] + of_it['short']:>6} {of_it['short']:>11} {of_it[MISSED]:>7}"
        yield ""
    for one in outcomes:
        if one.shortfall:
            yield f"{one.kill.command()}\n    {one.shortfall} (exit code {one.code})"
    short = sum(bool(one.shortfall) for one in outcomes)
    missed = sum(not one.shortfall and not one.is_struck for one in outcomes)
    yield f"{len(outcomes) - missed} kills, {short} fell short; {missed} more struck nobody"


def never_struck(outcomes: Sequence[Struck]) -> list[str]:
    """Jobs that are not tested by these kills. A job of a millisecond may be missed by one or two; a condition is not."""
    return never_met([(one.kill.job, one.is_struck) for one in outcomes], [name for name, job in BY_NAME.items() if job.is_surrounded])


def run(options: argparse.Namespace) -> bool:
    """Kills as many as the options ask for, prints it, and says whether nothing was left by any of them."""
    if os.geteuid() != 0:
        raise Unreadable("kills: needs root")
    program = (options.build / "nsbench").resolve()
    if not programs.find("nsbench-sampler", options.build):
        raise Unreadable(f"nsbench-sampler is missing in {options.build}")
    names = order([job.name for job in JOBS if job.name in (options.job or BY_NAME)], options.seed)
    if not options.victim:  # else the first may not have it
        names = names[:options.kills]
    print(f"{options.kills} kills, --seed={options.seed}", flush=True)
    namespaces, cpus = slab.counted(), machine.cpus_of_rcu_worker()
    outcomes: list[Struck] = []
    is_good = True
    with in_workers(program, options.jobs) as pool:
        jobs: dict[str, Usual] = {}
        is_asked = options.job or not options.victim  # else one that cannot be tried may not have the victim
        trials = {name: pool.submit(_usual_here, name) for name in names}
        for name, trial in trials.items():
            one = trial.result()
            if isinstance(one, Unreadable):
                print(one, flush=True)
                is_good = is_good and (isinstance(one, NotToBeHad) or not is_asked)
            else:
                jobs[name] = one
            if sum(has_victim(of, options.victim) for of in jobs.values()) == options.kills:
                break
        for trial in trials.values():  # no kill needs them
            trial.cancel()
        if not jobs:
            raise Unreadable("kills: nothing to kill")
        jobs = with_victim(jobs, options.victim)
        kills = drawn(jobs, options)
        with progress("kill", len(kills)) as done:
            for number, struck in enumerate(pool.map(_attempt_here, kills, [jobs[kill.job] for kill in kills])):
                outcomes.append(struck)
                done(number)
    print(*tables(outcomes), sep="\n")
    if (now := machine.cpus_of_rcu_worker()) != cpus:
        print(f"RCU's worker may run on {now}, and was to on {cpus}")
        is_good = False
    if never := never_struck(outcomes):
        print(f"no kill struck: {', '.join(never)}")
        is_good = False
    return slab.are_as_before(namespaces, print) and is_good and not any(one.shortfall for one in outcomes)
