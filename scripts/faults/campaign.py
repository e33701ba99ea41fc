"""Every system call of a job made to fail: which faults there are, the trying of each, and what is said of them."""
import argparse
import collections
import concurrent.futures
import contextlib
import csv
import ctypes
import io
import itertools
import multiprocessing
import multiprocessing.util
import os
import random
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from analysis import outputs, programs
from analysis.script import Unreadable
from faults import machine
from faults.calls import ERRNOS, NAMES, NUMBERS, number_of
from faults.inject import EXECVE, Call, Ended, Roles, none_fails, watched
from faults.jobs import BY_NAME, JOBS, OUT, Facts, Job, Told
from faults.judge import NOT_PERMITTED, shortfalls

MEMORY_JOBS = ("version", "list", "doctor", "clone", "summary", "resume")
LATE = 0.9  # where a late occurrence is among those that were recorded: a run makes a few calls more or less than the last
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
BETWEEN = 1.0  # seconds between two writings of the table that is kept, which is written whole
SETTLING = 3.0  # seconds that what a run leaves on the machine has to go
ON = "+"  # behind a call's name: it and all that follow fail
MALLOC = "malloc"  # in a call's place: an allocation (src/failing/malloc.c)
OF_MEMORY = (MALLOC, "mmap")
LIBRARY = "nsbench-failing.so"
OURS = "nsbench"  # the names of nsbench's processes begin so; other programs' calls are not made to fail
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/root"}
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
class Outcome:
    """What came of it: held, short, or unreached where the run did not make the call so often."""

    fault: Fault
    outcome: str
    code: int
    seconds: float
    shortfall: str

    def row(self) -> dict[str, str]:
        """Of faults.csv."""
        values = asdict(self.fault) | {"outcome": self.outcome, "code": self.code, "seconds": f"{self.seconds:.2f}",
                                       "shortfall": self.shortfall}
        return {name: str(value) for name, value in values.items()}


COLUMNS = [*(one.name for one in fields(Fault)), "outcome", "code", "seconds", "shortfall"]


@dataclass(frozen=True)
class Recorded:
    """A job without faults: how often each call is made, and what it tells."""

    counts: Counts
    facts: Facts
    seconds: float


def _keep_files(folder: Path, place: Path) -> None:
    """Puts what a run has left in its folder there, instead of what another one had left."""
    outputs.own_folder(place)
    shutil.rmtree(place)
    for path in (folder, *sorted(folder.rglob("*"))):
        within = path.relative_to(folder)
        if path.is_symlink() or within.parts[:1] and within.parts[0].startswith("given-"):
            continue
        if path.is_dir():
            outputs.own_folder(place / within)
        elif path.is_file():
            outputs.replace(place / within, path.read_bytes())


class NotToBeHad(Unreadable):
    """A job that this machine does not let nsbench do, as that says itself."""


def _check_whole(job: Job, ended: Ended) -> None:
    """Of a run without faults: Unreadable where it did not go well."""
    if ended.code not in job.own_codes:
        kind = NotToBeHad if ended.code == NOT_PERMITTED else Unreadable
        raise kind(f"{job.name} cannot be tried here: exit code {ended.code}: {(ended.err or ended.out).strip()[-300:]}")


class Place:
    """Where a worker runs nsbench: namespaces of its own, so that what a run leaves is that run's, and a folder."""

    def __init__(self, program: Path) -> None:
        self.program = program
        self.folder = Path(tempfile.mkdtemp(prefix="nsbench-faults-"))
        self.before = machine.state()
        self._given: dict[str, Path] = {}

    @staticmethod
    def enter() -> None:
        """Takes this process there; before anything else that it does. OSError where that is not permitted."""
        for number in ENDING:  # are for the one that hands out the work
            signal.signal(number, signal.SIG_IGN)
        libc = ctypes.CDLL(None, use_errno=True)
        private = (1 << 14) | (1 << 18)  # MS_REC | MS_PRIVATE
        for returned, what in ((libc.prctl(36, 1, 0, 0, 0), "prctl(PR_SET_CHILD_SUBREAPER)"),
                               (libc.prctl(1, signal.SIGKILL, 0, 0, 0), "prctl(PR_SET_PDEATHSIG)"),
                               (libc.unshare(0x20000 | 0x4000000 | 0x8000000 | 0x40000000), "unshare"),  # NEWNS, UTS, IPC, NET
                               (libc.mount(b"none", b"/", None, private, None), "mount(MS_PRIVATE)")):
            if returned:
                raise OSError(ctypes.get_errno(), what)

    def words(self, job: Job) -> list[str]:
        """The command line, with the folder that it writes to as it has to be."""
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        if job.given:
            shutil.copytree(self._made_before(job), out)
        return [str(self.program), *(word.replace(OUT, str(out)) for word in job.words)]

    def _made_before(self, job: Job) -> Path:
        if job.name not in self._given:
            folder = self.folder / f"given-{job.name}"
            words = [str(self.program), *(word.replace(OUT, str(folder)) for word in job.given)]
            ended = watched(words, [], none_fails, job.seconds, self.folder, ENVIRONMENT)
            if ended.code:
                raise Unreadable(f"{shlex.join(words)}: exit code {ended.code}: {ended.err.strip()}")
            self._given[job.name] = folder
        return self._given[job.name]

    def told(self, ended: Ended) -> Told:
        """What the run said and wrote."""
        return Told(ended.code, ended.out, ended.err, self.folder / "out")

    def left(self, shared: dict[str, set[str]]) -> list[str]:
        """What is other than before the run, once it has had time to go."""
        end = time.monotonic() + SETTLING
        while True:
            after = machine.state()
            more = machine.added(shared, machine.shared_state())
            if after == self.before and not more or time.monotonic() > end:
                break
            time.sleep(0.1)
        found = [f"{what} differ" for what, state in self.before.items() if after[what] != state]
        self.before = after
        return found + [f"{what} left: {', '.join(names)}" for what, names in more.items()]

    def _failing(self, number: int, is_on: bool) -> dict[str, str]:
        """What makes that allocation fail, put into nsbench's environment; 0: it counts them."""
        return {"LD_PRELOAD": str(programs.find(LIBRARY, self.program.parent)), "NSBENCH_FAIL_AT": str(number),
                "NSBENCH_FAIL_TOLD": str(self.folder / "allocations"), **({"NSBENCH_FAIL_ON": "yes"} if is_on else {})}

    def _allocations(self) -> list[str]:
        """What was told of them, which is read once."""
        file = self.folder / "allocations"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return lines

    def record(self, job: Job, of_memory: bool) -> Recorded:
        """The job without faults; with the number of its allocations, or of each call. Unreadable where it does not go well even
        so."""
        counts: Counts = collections.Counter()
        roles = Roles()

        def count(call: Call) -> int:
            counts[roles.of(call), NAMES.get(call.number, str(call.number))] += 1
            return 0

        if of_memory:
            ended = watched(self.words(job), [], none_fails, job.seconds, self.folder, ENVIRONMENT | self._failing(0, False))
            _check_whole(job, ended)
            if not (allocations := max(map(int, self._allocations()), default=0)):
                raise Unreadable(f"{job.name}: {LIBRARY} has counted no allocation")
            counts[OURS, MALLOC] = allocations
        ended = watched(self.words(job), None, count, 4 * job.seconds, self.folder, ENVIRONMENT)
        _check_whole(job, ended)
        return Recorded(dict(counts), job.facts(self.told(ended)), ended.seconds)

    def _run(self, fault: Fault, job: Job) -> tuple[Ended, bool]:
        """The run, and whether it had the fault."""
        call, is_on = fault.call.removesuffix(ON), fault.call.endswith(ON)
        if call == MALLOC:
            ended = watched(self.words(job), [], none_fails, job.seconds, self.folder,
                            ENVIRONMENT | self._failing(fault.occurrence, is_on))
            return ended, "failed" in self._allocations()
        roles = Roles()
        seen = 0

        def fail(made: Call) -> int:
            nonlocal seen
            role = roles.of(made)
            if made.number != NUMBERS[call] or role != fault.role:
                return 0
            seen += 1
            return number_of(fault.error) if seen == fault.occurrence or is_on and seen > fault.occurrence else 0

        ended = watched(self.words(job), [NUMBERS[call], EXECVE], fail, job.seconds, self.folder, ENVIRONMENT)
        return ended, seen >= fault.occurrence

    def attempt(self, fault: Fault, whole: Facts, keep: Path | None) -> Outcome:
        """Tries one fault."""
        job = BY_NAME[fault.job]
        shared = machine.shared_state()
        ended, is_reached = self._run(fault, job)
        wrong = shortfalls(job, ended, self.told(ended), whole, fault.error, fault.call, fault.role) + self.left(shared)
        outcome = "short" if wrong else "held" if is_reached else "unreached"
        if wrong and keep:
            _keep_files(self.folder, keep / "-".join(str(part) for part in asdict(fault).values()))
        return Outcome(fault, outcome, ended.code, ended.seconds, "; ".join(wrong).replace("\n", " "))

    def close(self) -> None:
        """Takes the folder away."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _occurrences(count: int, chance: random.Random) -> list[int]:
    """The first, the second, a late and a random one."""
    return sorted({1, min(2, count), max(1, int(LATE * count)), chance.randint(1, count)})


def faults_of(job: str, counts: Counts, seed: int, wanted: argparse.Namespace) -> Iterator[Fault]:
    """Those of a job, as far as the options let them: each plausible errno of each call of each of nsbench's processes, at the
    first, the second, a late and a random occurrence. Of memory: each allocation, each mmap(2), alone and with all behind it."""
    for (role, call), count in sorted(counts.items()):
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
            for fault in (Fault(job, role, call + how, error, occurrence)
                          for how in (("", ON) if of_memory else ("",)) for occurrence in occurrences):
                if all(getattr(wanted, name) in (None, getattr(fault, name)) for name in ("role", "call", "error")):
                    yield fault


_place: Place | OSError = OSError()  # a worker process's own, or why it has none


def _begin(program: Path) -> None:
    global _place
    try:
        Place.enter()
        _place = Place(program)
        multiprocessing.util.Finalize(None, _place.close, exitpriority=1)
    except OSError as error:
        _place = error


def _here() -> Place:
    if isinstance(_place, OSError):
        raise Unreadable(f"no namespaces to try faults in: {_place.filename or _place.strerror}: {os.strerror(_place.errno or 0)}")
    return _place


def _record(name: str, of_memory: bool) -> Recorded | Unreadable:
    place = _here()
    try:
        return place.record(BY_NAME[name], of_memory)
    except Unreadable as unreadable:
        return unreadable


def _attempt(fault: Fault, whole: Facts, keep: Path | None) -> Outcome:
    return _here().attempt(fault, whole, keep)


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
def _workers(program: Path, jobs: int) -> Iterator[concurrent.futures.ProcessPoolExecutor]:
    context = multiprocessing.get_context("fork")
    pool = concurrent.futures.ProcessPoolExecutor(jobs, context, _begin, (program,))
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


def tables(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Tried and fallen short, by job and call; and the command that tries each shortfall again."""
    for part in ("job", "call"):
        counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
        for one in outcomes:
            counts[getattr(one.fault, part)][one.outcome] += 1
        yield f"{part:<20} {'tried':>6} {'fell short':>11} {'not reached':>12}"
        for name, of_it in sorted(counts.items()):
            yield f"{name:<20} {of_it['held'] + of_it['short']:>6} {of_it['short']:>11} {of_it['unreached']:>12}"
        yield ""
    for one in outcomes:
        if one.outcome == "short":
            yield f"{one.fault.command()}\n    {one.shortfall}"
    by = collections.Counter(one.outcome for one in outcomes)
    yield f"{by['held'] + by['short']} faults tried, {by['short']} fell short; {by['unreached']} more were not reached"


def _keep_table(keep: Path, outcomes: Sequence[Outcome]) -> None:
    text = io.StringIO()
    out = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    out.writeheader()
    out.writerows(one.row() for one in outcomes)
    outputs.replace(keep / "faults.csv", text.getvalue().encode())


def _try_all(pool: concurrent.futures.Executor, faults: Sequence[Fault], jobs: dict[str, Recorded], keep: Path | None,
             outcomes: list[Outcome]) -> None:
    """Adds to the outcomes as they come; the file that is kept has them soon after."""
    said = Said(len(faults))
    with contextlib.ExitStack() as stack:
        stack.callback(said.end)
        if keep:
            outputs.own_folder(keep)
            stack.callback(_keep_table, keep, outcomes)
        written = 0.0
        waiting = {pool.submit(_attempt, fault, jobs[fault.job].facts, keep) for fault in faults}
        for future in concurrent.futures.as_completed(waiting):
            outcomes.append(future.result())
            said.one(outcomes[-1])
            if keep and time.monotonic() > written + BETWEEN:
                _keep_table(keep, outcomes)
                written = time.monotonic()


def _draw(options: argparse.Namespace, jobs: dict[str, Recorded]) -> list[Fault]:
    """Those to try, of all that the options leave; says how many that are."""
    every = [fault for name, one in jobs.items() for fault in faults_of(name, one.counts, options.seed, options)]
    if not every:
        raise Unreadable("faults: no such call is made: nothing to try")
    drawn = every
    if options.most and options.most < len(every):
        drawn = random.Random(options.seed).sample(every, options.most)
    print(*(f"{name:<20} {one.seconds:>6.1f} s, {sum(one.counts.values())} calls" for name, one in jobs.items()), sep="\n")
    print(f"{len(drawn)} of {len(every)} faults in {len(jobs)} jobs, seed {options.seed}", flush=True)
    return drawn


def run(options: argparse.Namespace) -> bool:
    """Tries what the options ask for, prints it, and says whether all of it held: not where nothing was tried, or where a job does
    not go well even without a fault. After Ctrl-C, or a signal that asks it to end, it prints what was tried until then:
    KeyboardInterrupt."""
    import pandas  # noqa: F401  before the workers are forked: each would take half a second
    if os.geteuid() != 0:
        raise Unreadable("faults: needs root")
    of_memory = options.command == "memory"
    if of_memory and not programs.find(LIBRARY, options.build):
        raise Unreadable(f"{LIBRARY} is missing in {options.build}: it is built with the tests, by cmake -DNSB_TESTS=ON")
    for number in ENDING:
        signal.signal(number, signal.default_int_handler)
    names = [job.name for job in JOBS if job.name in (options.job or (MEMORY_JOBS if of_memory else BY_NAME))]
    outcomes: list[Outcome] = []
    ending: BaseException | None = None
    try:
        with _workers((options.build / "nsbench").resolve(), options.jobs) as pool:
            jobs, are_all = recorded(pool, names, of_memory)
            drawn = _draw(options, jobs)
            if not of_memory and (never := never_failed(jobs)):
                print(f"never made to fail: {', '.join(never)}", flush=True)
            _try_all(pool, drawn, jobs, options.keep, outcomes)
    except KeyboardInterrupt as interrupt:
        ending = interrupt
    except BrokenProcessPool:
        ending = Unreadable("faults: a process that tries them was killed, so not all were tried")
    outcomes.sort(key=lambda one: (one.fault.job, one.fault.role, one.fault.call, one.fault.error, one.fault.occurrence))
    print(*tables(outcomes), sep="\n")
    if ending:
        raise ending
    return are_all and any(one.outcome == "held" for one in outcomes) and all(one.outcome != "short" for one in outcomes)
