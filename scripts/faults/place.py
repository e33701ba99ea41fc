"""Where a job is run: in namespaces of its own, so that what it leaves is known to be its own."""
import collections
import contextlib
import ctypes
import fcntl
import shlex
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from analysis import programs
from analysis.script import Unreadable
from faults import machine
from faults.calls import NAMES, NUMBERS, number_of
from faults.drawing import MALLOC, ON, OURS, Counts, Fault, Recorded
from faults.inject import EXECVE, Call, Ended, Roles, none_fails, watched
from faults.jobs import BY_NAME, OUT, Facts, Job, Told
from faults.judge import NOT_PERMITTED, shortfalls
from faults.outcomes import Outcome, keep_files

LIBRARY = "nsbench-failing.so"
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SETTLING = 3.0  # seconds that what a run leaves on the machine has to go
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/root"}


class NotToBeHad(Unreadable):
    """A job that this machine does not let nsbench do, as that says itself."""


@contextlib.contextmanager
def _turn(folder: Path, how: int) -> Iterator[None]:
    with open(folder / "turn", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, how)
        yield


def check_whole(job: Job, ended: Ended) -> None:
    """Of a run without faults: Unreadable where it did not go well."""
    if ended.code not in job.own_codes:
        kind = NotToBeHad if ended.code == NOT_PERMITTED else Unreadable
        raise kind(f"{job.name} cannot be tried here: exit code {ended.code}: {(ended.err or ended.out).strip()[-300:]}")


class Place:
    """Where a worker runs nsbench: namespaces of its own, so that what a run leaves is that run's, and a folder below one
    that outlives it."""

    def __init__(self, program: Path, above: str) -> None:
        self.program = program
        self.folder = Path(tempfile.mkdtemp(dir=above))
        with _turn(self.folder.parent, fcntl.LOCK_SH):
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

    @contextlib.contextmanager
    def turn(self, job: Job) -> Iterator[None]:
        """One that is to be alone waits until no other worker has any, and the others wait for it."""
        with _turn(self.folder.parent, fcntl.LOCK_EX if job.is_alone else fcntl.LOCK_SH):
            yield

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
        by_site: dict[str, list[int]] = collections.defaultdict(list)
        roles = Roles()

        def count(call: Call) -> int:
            counts[roles.of(call), NAMES.get(call.number, str(call.number))] += 1
            return 0

        if of_memory:
            sites = self.folder / "sites"
            more = self._failing(0, False) | {"NSBENCH_FAIL_SITES": str(sites)}
            ended = watched(self.words(job), [], none_fails, 4 * job.seconds, self.folder, ENVIRONMENT | more)
            check_whole(job, ended)
            for number, site in enumerate(sites.read_text().split(), 1):
                by_site[site].append(number)
            if not (allocations := max(map(int, self._allocations()), default=0)):
                raise Unreadable(f"{job.name}: {LIBRARY} has counted no allocation")
            counts[OURS, MALLOC] = allocations
        ended = watched(self.words(job), None, count, 4 * job.seconds, self.folder, ENVIRONMENT)
        check_whole(job, ended)
        return Recorded(dict(counts), job.facts(self.told(ended)), ended.seconds, list(by_site.values()))

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
            keep_files(self.folder, keep / "-".join(str(part) for part in asdict(fault).values()))
        return Outcome(fault, outcome, ended.code, ended.seconds, "; ".join(wrong).replace("\n", " "))
