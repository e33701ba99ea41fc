"""Every system call of a job made to fail: the workers that try each fault, and how far they are."""
import argparse
import concurrent.futures
import contextlib
import itertools
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from analysis import programs
from analysis.script import Unreadable
from faults.calls import NUMBERS
from faults.drawing import MALLOC, OURS, Fault, Recorded, draw
from faults.jobs import BY_NAME, JOBS, Facts
from faults.keeping import Keeping, kept, untried
from faults.outcomes import Outcome, never_met, tables
from faults.place import ENDING, LIBRARY, NotToBeHad, Place

MEMORY_JOBS = ("version", "list", "doctor", "clone", "summary", "resume")
BETWEEN = 1.0  # seconds between two writings of the table that is kept, which is written whole

_place: Place | OSError = OSError()  # a worker process's own, or why it has none


def _begin(program: Path, above: str) -> None:
    global _place
    try:
        Place.enter()
        _place = Place(program, above)
    except OSError as error:
        _place = error


def here() -> Place:
    """This worker's. Unreadable where it has none."""
    if isinstance(_place, OSError):
        raise Unreadable(f"no namespaces to try faults in: {_place.filename or _place.strerror}: {os.strerror(_place.errno or 0)}")
    return _place


def _record(name: str, of_memory: bool) -> Recorded | Unreadable:
    place, job = here(), BY_NAME[name]
    try:
        with place.turn(job):
            return place.record(job, of_memory)
    except Unreadable as unreadable:
        return unreadable


def _attempt(fault: Fault, whole: Facts, keep: Path | None) -> Outcome:
    with here().turn(BY_NAME[fault.job]):
        return here().attempt(fault, whole, keep)


class Said:
    """How far it is, on standard error where that is a terminal."""

    def __init__(self, count: int) -> None:
        self.count, self.done, self.short = count, 0, 0
        self.begun = time.monotonic()

    def one(self, outcome: Outcome) -> None:
        """One more was tried."""
        self.done += 1
        self.short += outcome.outcome == "short"
        left = (time.monotonic() - self.begun) / self.done * (self.count - self.done)
        if sys.stderr.isatty():
            print(f"\r\x1b[K{self.done} of {self.count}, {self.short} fell short, {left / 60:.0f} min left", end="", file=sys.stderr)

    def end(self) -> None:
        """Behind the last."""
        if self.done and sys.stderr.isatty():
            print(file=sys.stderr)


@contextlib.contextmanager
def in_workers(program: Path, jobs: int) -> Iterator[concurrent.futures.ProcessPoolExecutor]:
    """So many processes, each in a place of its own."""
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory(prefix="nsbench-faults-", ignore_cleanup_errors=True) as folder:  # a killed worker removes nothing
        pool = concurrent.futures.ProcessPoolExecutor(jobs, context, _begin, (program, folder))
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)


def recorded(pool: concurrent.futures.Executor, names: Sequence[str], of_memory: bool) -> tuple[dict[str, Recorded], bool]:
    """The jobs without faults, and whether these are all that can be had here; those that are left out are said."""
    found, are_all = {}, True
    for name, one in zip(names, pool.map(_record, names, itertools.repeat(of_memory))):
        if isinstance(one, Unreadable):
            print(one, file=sys.stderr)
            are_all = are_all and isinstance(one, NotToBeHad)
        else:
            found[name] = one
    return found, are_all


def never_failed(jobs: dict[str, Recorded]) -> list[str]:
    """Calls of nsbench's that are made and not in the table."""
    made = {call for one in jobs.values() for role, call in one.counts if role.startswith(OURS)}
    return sorted(made - NUMBERS.keys() - {MALLOC})


def _try_all(pool: concurrent.futures.Executor, faults: Sequence[Fault], jobs: dict[str, Recorded], keeping: Keeping | None,
             outcomes: list[Outcome]) -> None:
    """Adds to the outcomes as they come; the file that is kept has them soon after."""
    said = Said(len(faults))
    with contextlib.ExitStack() as stack:
        stack.callback(said.end)
        if keeping:
            stack.callback(keeping.write, outcomes)
        written = 0.0
        folder = keeping.folder if keeping else None
        waiting = {pool.submit(_attempt, fault, jobs[fault.job].facts, folder) for fault in faults if fault.job in jobs}
        for future in concurrent.futures.as_completed(waiting):
            outcomes.append(future.result())
            said.one(outcomes[-1])
            if keeping and time.monotonic() > written + BETWEEN:
                keeping.write(outcomes)
                written = time.monotonic()


def drawn_of(keeping: Keeping | None, options: argparse.Namespace, jobs: dict[str, Recorded]) -> list[Fault]:
    """Those to try: of a campaign that was begun before the ones that are left, whatever the seed is now."""
    if keeping and keeping.drawn:
        left = untried(keeping.drawn, keeping.outcomes)
        print(f"{len(left)} of {len(keeping.drawn)} faults are left in {keeping.folder}", flush=True)
        return left
    drawn = draw(options, jobs)
    if keeping:
        keeping.drawn = drawn
    return drawn


def run(options: argparse.Namespace) -> bool:
    """Tries what the options ask for, prints it, and says whether all of it held: not where no fault reached a job, or where a job does
    not go well even without one. After Ctrl-C, or a signal that asks it to end, it prints what was tried until then:
    KeyboardInterrupt."""
    import pandas  # noqa: F401  before the workers are forked: each would take half a second
    if os.geteuid() != 0:
        raise Unreadable("faults: needs root")
    of_memory = options.command == "memory"
    if of_memory and not programs.find(LIBRARY, options.build):
        raise Unreadable(f"{LIBRARY} is missing in {options.build}: it is built with the tests, by cmake -DNSB_TESTS=ON")
    for number in ENDING:
        signal.signal(number, _interrupted)
    wanted = options.job or (MEMORY_JOBS if of_memory else BY_NAME)
    names = [job.name for job in JOBS if job.name in wanted and not job.is_for_kills]
    with kept(options.keep, options) if options.keep else contextlib.nullcontext() as keeping:
        return _carry_out(options, names, keeping)


def _interrupted(number: int, frame: object) -> None:
    """Once: a second one would break off what prints the tables."""
    for one in ENDING:
        signal.signal(one, signal.SIG_IGN)
    raise KeyboardInterrupt


def _carry_out(options: argparse.Namespace, names: Sequence[str], keeping: Keeping | None) -> bool:
    """Of these jobs; as run()."""
    of_memory = options.command == "memory"
    outcomes = keeping.outcomes if keeping else []
    ending: BaseException | None = None
    try:
        with in_workers((options.build / "nsbench").resolve(), options.jobs) as pool:
            jobs, are_all = recorded(pool, names, of_memory)
            drawn = drawn_of(keeping, options, jobs)
            if not of_memory and (never := never_failed(jobs)):
                print(f"never made to fail: {', '.join(never)}", flush=True)
            _try_all(pool, drawn, jobs, keeping, outcomes)
    except KeyboardInterrupt as interrupt:
        ending = interrupt
    except BrokenProcessPool:
        ending = Unreadable("faults: a process that tries them was killed, so not all were tried")
    outcomes.sort(key=lambda one: (one.fault.job, one.fault.role, one.fault.call, one.fault.error, one.fault.occurrence))
    print(*tables(outcomes), sep="\n")
    if ending:
        raise ending
    if never := never_met([(one.fault.job, one.outcome != "unreached") for one in outcomes]):
        print(f"no fault reached: {', '.join(never)}")
    return are_all and bool(outcomes) and not never and all(one.outcome != "short" for one in outcomes)
