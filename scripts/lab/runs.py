"""Runs: kernels measured side by side, each into a folder of result files."""
import contextlib
import csv
import errno
import hashlib
import itertools
import json
import os
import re
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from analysis import columns
from analysis.record import Lab
from analysis.stacks import FILE as STACKS
from lab import alone, initramfs, modules, orders, saved
from lab.errors import FAILED, USAGE, LabError
from lab.folders import JOURNAL, PART, Keep, exclusive, finished, lab_of, publish
from lab.guest import CLOCKS, SETTLE, Guest, Machine, changed, is_unchanged, qemu_version
from lab.images import Image, images
from lab.progress import Progress
from lab.states import STATES, TOGETHER, State
from lab.variations import VARIATIONS

FILES = ("run.json", "results.csv", "samples.csv")
# They name files, which would stay in the guest; the folded stacks have a name of their own, under which they come out.
FOREIGN = ("--out", "--resume", *(f"--{output['option']}" for output in columns.dictionary()["outputs"]
                                  if output["option"] not in ("", "folded")))
# They are the same for all cases, and the lab's to choose; what repeats are elsewhere are its machines here.
OF_THE_LAB = ("--state", "--block", "--lead-in", "--alone", "--repeat", "--apart")
SAMPLES = "10"  # of each case and machine
PROBED_SAMPLES = "30"  # with the probe, whose times are means of the middle fifth of them


@dataclass(frozen=True)
class How:
    """How cases come to their kernel: each in a copy of its own of saved machines with these numbers, all in this state;
    or all together in one boot, for the reason `together`."""

    state: State = STATES["fresh"]
    numbers: range = range(1, 6)
    everywhere: str = ""  # a regular expression: other cases are measured on the first three machines alone
    together: str = ""
    has_bases: bool = True  # False: without the cases that deltas are taken against, for who wants no deltas


@dataclass
class Result:
    """What became of one kernel: its folder, nsbench's exit code and output, or the error that left no folder."""

    image: Image
    folder: Path
    status: int = 0
    stdout: str = ""
    stderr: str = ""
    fresh: bool = True  # False: it had been measured before
    booted: bool = True  # False: the guest ended, or was ended, before nsbench started
    error: LabError | None = None


def arguments(options: list[str], accel: str) -> list[str]:
    """nsbench's options with the lab's defaults for those not given. LabError for what has no meaning in a guest."""
    given = [option for option in options if option != "run"] if options[:1] == ["run"] else list(options)
    if given and not given[0].startswith("-"):
        raise LabError(f"{given[0]!r}: the lab runs `nsbench run`; for other commands use scripts/lab.py shell", USAGE)
    for option in given:
        if not option.isprintable():
            raise LabError(f"{option!r} behind --: one line of text is needed", USAGE)
    names = {option.split("=", 1)[0] for option in given}
    if "--clock" in names:
        raise LabError("--clock behind --: a guest's clock is --accel's: instructions under tcg, wall under kvm", USAGE)
    if "--folded" in names and f"--folded={STACKS}" not in given:
        raise LabError(f"--folded behind --: the file is {STACKS}, in the folder of each kernel: --folded={STACKS}", USAGE)
    for name in OF_THE_LAB:
        if name in names:
            raise LabError(f"{name} behind --: that is the lab's to choose: see scripts/lab.py run --help", USAGE)
    for name in FOREIGN:
        if name in names:
            raise LabError(f"{name} behind -- would stay in the guest: every result file comes out into lab.py's --out", USAGE)
    probing = "--probe" in names and "--probe=off" not in given
    defaults = {"--samples": PROBED_SAMPLES if probing else SAMPLES, "--seed": "1", "--clock": CLOCKS[accel], "--cpu": "0"}
    given += [f"{name}={value}" for name, value in defaults.items() if name not in names]
    return given + [flag for flag in ("--no-progress",) if flag not in names]


def inputs(image: Image, machine: Machine, initrd: bytes, options: list[str], how: How,
           subject: alone.Subject | None, loaded: tuple[str, ...] = ()) -> dict[str, object]:
    """The member "lab" of run.json, to which the status comes: all that decides what a run measures."""
    machines = {str(number): {"key": recipe.key, "variation": str(VARIATIONS[number - 1])}
                for number, recipe in (subject.recipes if subject else {}).items()}
    programs = {f"{name}_sha256": hashlib.sha256(initramfs.program(name).read_bytes()).hexdigest() for name in initramfs.PROGRAMS}
    qemu = machine.qemu(Path("vmlinuz"), Path("initrd"), "file:console", "file:sent")
    return {
        "qemu_version": qemu_version(), "kernel_package": image.package, "kernel_sha256": image.sha256,
        "command_line": machine.command_line, "initramfs_sha256": hashlib.sha256(initrd).hexdigest(),
        "accel": machine.accel, "memory_mb": machine.memory, "settle_s": SETTLE[machine.accel], "arguments": options,
        "qemu": shlex.join(qemu), **programs, "state": TOGETHER.name if how.together else how.state.name,
        "together": how.together or None, "machines": machines, "on_all_machines": how.everywhere or None,
        **({} if how.has_bases else {"bases": False}), **({"modules": list(loaded)} if loaded else {}),
    }


@dataclass(frozen=True)
class Wanted:
    """A run asked for: the kernel, the machine, what it starts from, and the folder that its result files become."""

    image: Image
    machine: Machine
    initrd: bytes
    folder: Path
    lab: dict[str, object]
    keep: Keep
    options: list[str]
    base: bytes
    subject: alone.Subject | None = None  # None: together in one boot
    has_bases: bool = True

    def at_once(self, reason: str) -> "Wanted":
        """The same with all cases in one boot. LabError where the state would be lost."""
        if self.subject and self.subject.state.script:
            raise LabError(f"{reason}: without a saved machine there is no state {self.subject.state.name!r}")
        return wanted(self.image, self.machine, self.options, self.base, self.folder, self.keep, How(together=reason))

    def before(self) -> Lab | None:
        """As finished(); also the run of a QEMU that saves no machine."""
        try:
            return finished(self.folder, self.lab, self.keep)
        except LabError:
            reason = (lab_of(self.folder) or Lab()).get("together")
            if self.subject and reason and reason != "--together":
                return finished(self.folder, self.at_once(reason).lab, self.keep)
            raise


def wanted(image: Image, machine: Machine, options: list[str], base: bytes, folder: Path, keep: Keep = Keep(),
           how: How = How()) -> Wanted:
    """nsbench with these options (as arguments() returned them) on this kernel, into this folder."""
    if not how.together and machine.accel != "tcg":
        if how.state.script:
            raise LabError(f"--accel={machine.accel} with --state={how.state.name}: only an emulated machine is saved, and only "
                           "a saved one is in a state", USAGE)
        how = How(together=f"--accel={machine.accel}: only an emulated machine is saved")
        print(f"lab: {how.together}: all cases are measured together in one boot", file=sys.stderr)
    loaded = modules.of_run(image, options)
    brought, more = modules.archive(image, loaded), modules.LOAD if loaded else ""
    if how.together:
        initrd = machine.initrd("run", [*options, f"--state={TOGETHER.name}"], base + brought, more)
        return Wanted(image, machine, initrd, folder, inputs(image, machine, initrd, options, how, None, loaded), keep, options, base)
    subject = alone.subject(image.name, image.path, image.sha256, machine, how.state, base + brought, how.numbers, how.everywhere, more)
    initrd = next(iter(subject.recipes.values())).initrd
    return Wanted(image, machine, initrd, folder, inputs(image, machine, initrd, options, how, subject, loaded), keep, options, base,
                  subject, how.has_bases)


def apart(one: Wanted) -> Wanted:
    """The same in the first of the folders NAME, NAME-2, … that is free or holds this very run: for a place that the lab
    has chosen, where a run with other options is nothing to stop at."""
    for number in itertools.count(1):
        here = replace(one, folder=one.folder.with_name(one.folder.name + (f"-{number}" if number > 1 else "")))
        with contextlib.suppress(LabError):
            here.before()
            return here
    raise AssertionError


def each(kernels: list[str], options: list[str], out: Path, machine: Machine,
         extra: dict[str, Path] | None = None, keep: Keep = Keep(), how: How = How(),
         missing: Callable[[str, LabError], None] | None = None) -> list[Wanted]:
    """The same run on each of these kernels, into `out`/NAME, in the order asked for; images that are missing are
    downloaded. `extra` as in initramfs.base(). LabError for a wrong option or kernel, and where something is missing."""
    qemu_version()
    options = arguments(options, machine.accel)
    base = initramfs.base(extra)
    return [wanted(image, machine, options, base, out / image.name, keep, how) for image in images(kernels, missing)]


@dataclass
class Job:
    """A guest at work for a result, in a folder of its own."""

    wanted: Wanted
    result: Result
    guest: Guest
    part: Path
    is_as_asked: bool | None = None

    def look(self) -> None:
        """Whether QEMU has read the kernel that was asked for, looked at once, when it has: what is built later is no matter."""
        if self.is_as_asked is None:
            self.is_as_asked = is_unchanged(self.wanted.image.path, self.wanted.image.sha256)

    def collect(self) -> None:
        """Reads an ended guest's files and makes the result's folder. LabError without results, or with those of another kernel."""
        files = self.guest.files()
        result = self.result
        result.stdout, result.stderr = (files.get(n, b"").decode(errors="replace") for n in ("stdout", "stderr"))
        result.status = status_of(files)
        missing = [name for name in FILES if name not in files]
        if missing or not complete(result.status, files):
            said = (result.stderr.strip() or result.stdout.strip() or f"no {(missing or ['word'])[0]}").splitlines()[0]
            raise LabError(f"nsbench in the guest: exit {result.status}: {said}", USAGE if result.status == 2 else FAILED)
        self.look()
        if not self.is_as_asked:
            raise changed(self.wanted.image.path)
        publish(result.folder, self.part, files, {**self.wanted.lab, "status": result.status}, self.wanted.keep)


def status_of(files: dict[str, bytes]) -> int:
    """The exit code of nsbench in the guest; 1 where it is not told. LabError for what is none."""
    said = files.get("status", b"").strip() or b"1"
    if not re.fullmatch(rb"\d{1,3}", said):
        raise LabError(f"the guest sent a status that is no exit code: {said[:20]!r}")
    return int(said)


def complete(status: int, files: dict[str, bytes]) -> bool:
    """Whether nsbench came to its end: it writes its files after each round, so that they alone do not say so. 1 is also
    what it ends with where a case failed, and then that row is there."""
    rows = csv.DictReader(files["results.csv"].decode(errors="replace").splitlines())
    try:
        return status == 0 or (status == 1 and any(row.get("status") == "failed" for row in rows))
    except csv.Error:  # a field that is longer than any
        return False


def run_all(every: list[Wanted], out: Path, jobs: int = 0) -> list[Result]:
    """Makes the runs that are not in their folders yet, all of them in `out`, `jobs` at a time (0: as many as CPUs).

    A run that fails has its error in its result, the others go on. LabError for what concerns them all: a folder that
    holds another run, another lab in `out`. However it ends, no guest is left behind.
    """
    with exclusive(out):
        results = []
        for one in every:
            before = one.before()
            results.append(Result(one.image, one.folder, status=before.get("status", 0) if before else 0, fresh=not before))
        waiting = [pair for pair in zip(every, results) if pair[1].fresh and not pair[0].subject]
        progress = Progress([one.image.name for one in every])
        for result in results:
            if not result.fresh:
                progress.show(result.image.name, f"measured before, {result.folder}", event=True)
        for one, result in zip(every, results):
            if result.fresh and one.subject and (instead := run_copies(one, one.subject, result, out, jobs, progress)):
                waiting.append((instead, result))
        running: list[Job] = []
        try:
            while waiting or running:
                while waiting and len(running) < (jobs or os.cpu_count() or 1):
                    one, result = waiting.pop(0)
                    with full_disk(result):
                        running.append(start(one, result, out))
                    progress.show(one.image.name, "failed" if result.error else "started", event=True)
                time.sleep(0.1)
                for job in [job for job in running if step(job, progress)]:
                    running.remove(job)
                    shutil.rmtree(job.part, ignore_errors=True)
        finally:
            for job in running:
                job.guest.kill()
            for left in out.glob(PART + "*"):
                shutil.rmtree(left, ignore_errors=True)
    return results


def run_copies(one: Wanted, subject: alone.Subject, result: Result, out: Path, jobs: int, progress: Progress) -> Wanted | None:
    """Measures case by case and makes the result's folder; what is to be done instead where this QEMU saves no machine.

    What copies gave back is kept until the folder is there.
    """
    name, begun = one.image.name, time.monotonic()
    progress.show(name, "started", event=True)
    digest = hashlib.sha256(json.dumps(one.lab, sort_keys=True).encode()).hexdigest()[:16]
    journal = alone.Journal(out / f"{JOURNAL}{digest}")
    try:
        with full_disk(result):
            plan = orders.plan(one.options, one.has_bases)
            done = alone.measure(alone.tasks(plan, subject), subject, journal, jobs,
                                 lambda state: progress.show(name, state))
            files = alone.merge(plan, done, f"lab-{digest}")  # the same run has the same name, and no other has
            result.status, result.stdout, result.stderr = alone.summarise(files, plan)
            part = Path(tempfile.mkdtemp(dir=out, prefix=PART))
            publish(result.folder, part, files, {**one.lab, "status": result.status}, one.keep)
            shutil.rmtree(part)
            journal.path.unlink(missing_ok=True)
    except saved.CannotSave as error:
        print(f"lab: {name}: {error}: all cases are measured together in one boot", file=sys.stderr)
        return one.at_once(str(error))
    except LabError as error:
        result.error = error
        result.booted = not isinstance(error, saved.NotSaved)
    how = "failed after" if result.error else "done in"
    progress.show(name, f"{how} {time.monotonic() - begun:.0f} s, {result.folder}", event=True)
    return None


@contextlib.contextmanager
def full_disk(result: Result) -> Iterator[None]:
    """A full disk is the result's error, which names its folder."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        result.error = LabError(f"{result.folder}: {error.strerror}")


def start(one: Wanted, result: Result, out: Path) -> Job:
    """Starts the guest of a run."""
    part = Path(tempfile.mkdtemp(dir=out, prefix=PART))
    return Job(one, result, Guest(one.machine, one.image.path, part, one.initrd), part)


def step(job: Job, progress: Progress) -> bool:
    """Looks at a guest and shows its state; True when it has ended and its result is complete, for good or ill."""
    name, seconds = job.result.image.name, f"{job.guest.seconds:.0f} s"
    try:
        if job.guest.running():
            state = job.guest.state()
            progress.show(name, f"{state}, {seconds}")
            if state != "booting":
                job.look()
            return False
        with full_disk(job.result):
            job.collect()
        how = "failed after" if job.result.error else "done in"
        progress.show(name, f"{how} {seconds}, {job.result.folder}", event=True)
    except LabError as error:
        job.result.error = error
        job.result.booted = job.guest.state() not in ("booting", "settling")
        progress.show(name, f"failed after {seconds}", event=True)
    return True
