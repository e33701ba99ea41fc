"""curves: how costs grow with what surrounds a case, on the newest kernel of each series, recorded under results/curves.

Each case at each level is measured in a copy of its own of a saved machine; figures are exact, so that few samples do. Kept per
kernel and curve are run.json, results.csv and samples.csv.xz, and in the folder exact/ run.json and functions.csv.xz of an exact
profile of the levels, which says what functions the growth is in. What is there already, of the same build and options, is not
measured again. `nsbench curves` shows these runs; `lab.py curves-page` makes their page.
"""
import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from analysis import programs
from lab import curves_profile, folders, guest, images, initramfs, profile, runs
from lab.commands import Commands
from lab.errors import FAILED, OK, USAGE, LabError
from lab.folders import FUNCTIONS
from lab.options import add_append, add_jobs, add_machine, of_profile
from lab.progress import Progress

SERIES = ("5.10", "6.1", "6.12", "6.16", "6.17", "6.18", "6.19", "7.0", "7.1", "7.2", "7.3")
RESULTS = programs.recorded() / "curves"
EXACT = "exact"


@dataclass(frozen=True)
class Recording:
    """What a kernel's folder NAME has: these cases over `levels` (of --curve; empty: none), and an exact profile of them at the levels
    of `profiled`, in words of nsbench's (empty: at all of them). `series` are those that it is recorded for; empty: all.

    Without other tasks a figure is the same each time; a curve of the profile has them apart, which the samples' has not."""

    name: str
    cases: tuple[str, ...]
    levels: str
    profiled: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    machines: int = 1
    samples: int = 3
    is_profiled: bool = True

    def is_of(self, version: str) -> bool:
        """Whether it is recorded for the kernel of this version, such as 6.1.192; for a kernel of one's own, without one, everything is."""
        return not version or not self.series or any(version.startswith(f"{one}.") for one in self.series)

    def words(self, parameters: tuple[str, ...], samples: int) -> list[str]:
        """nsbench's options."""
        return [*self.cases, *parameters, f"--samples={samples}"]

    @property
    def key(self) -> str:
        """The parameter whose levels these are."""
        return self.levels.partition(":")[0]

    @property
    def curve(self) -> tuple[str, ...]:
        return (f"--curve={self.levels}",) if self.levels else ()


NET = ("--op=clone", "--ns=net", "--stack=1M")
RECORDINGS = (
    Recording("mounts", ("--op=clone", "--ns=mnt", "--stack=1M"), "mounts:10..10000:10"),
    Recording("peers", ("--op=clone", "--ns=mnt", "--stack=1M"), "peers:10..1000:7"),
    Recording("netns", NET, "netns:1..200:8", ("--with=netns:1,20,200",)),
    Recording("dying", NET, "dying:1..200:8", ("--with=dying:1,20,200",)),
    Recording("rss", ("--op=clone", "--ns=none", "--stack=1M", "--spawn=fork,vm"), "rss:1M..128M:8"),
    Recording("depth", ("--op=clone", "--ns=user", "--ns=pid", "--stack=1M"), "depth:1..28:8"),
    Recording("mount_ns", ("--op=mount_ns",), "mounts:10..2000:8", ("--curve=mounts:10..2000:8", "--with=via:opentree,empty,fsmount"),
              series=("7.3",), machines=3, samples=1),
    # Its mount namespace is made in one phase or the next, which a profile of one of them would not show.
    Recording("container", ("--op=container", "--with=mntns:clone,unshare,opentree,empty,fsmount"), "mounts:10..2000:8",
              series=("7.3",), machines=3, samples=1, is_profiled=False),
    # Before and after Linux 7acee67a6bce (February 2026); between which two of these series it is, the recordings say.
    Recording("dying-alive", NET, "", ("--with=dying:1,16,64", "--with=netns:1,16,64,256"), series=("6.18", "6.19", "7.0", "7.3")),
)


@dataclass(frozen=True)
class Place:
    """Where and how the command records."""

    out: Path
    machine: guest.Machine
    keep: folders.Keep
    base: bytes

    def wanted(self, image: images.Image, folder: Path, words: list[str], machines: int) -> runs.Wanted:
        """The run of these options on as many saved machines."""
        return runs.wanted(image, self.machine, runs.arguments(words, self.machine.accel), self.base, self.out / image.name / folder,
                           self.keep, runs.How(numbers=range(1, machines + 1), has_bases=False))


def measured(place: Place, image: images.Image, every: list[Recording], jobs: int) -> int:
    """Measures the curves; the exit code."""
    wanted = [place.wanted(image, Path(one.name), one.words(one.curve, one.samples), one.machines)
              for one in every if one.levels]
    code = OK
    for result in runs.run_all(wanted, place.out / image.name, jobs):
        if result.error:
            print(f"lab: {result.folder}: {result.error}", file=sys.stderr)
            code = max(code, result.error.code)
        elif result.status:  # a way that this kernel lacks is skipped, which is no failure
            print(f"lab: {result.folder}: nsbench's exit code is {result.status}: its results.csv says what failed", file=sys.stderr)
            code = FAILED
    return code


def write(recording: Recording, found: profile.Profiled, out: Path) -> None:
    """A profile's folder; beside a curve, whose own run has the figures, without its rows."""
    kept = ("run.json",) if recording.levels else ("run.json", "results.csv")
    text = curves_profile.text_of(found, curves_profile.LEAST if recording.levels else 0)
    profile.publish(found, {**{name: found.files[name] for name in kept}, FUNCTIONS: text.encode()}, found.one.keep, out)


def profiled(place: Place, image: images.Image, every: list[Recording], jobs: int) -> int:
    """Profiles some levels of each; the exit code."""
    progress, code = Progress([image.name]), OK
    for recording in (one for one in every if one.is_profiled):
        if recording.levels and not (place.out / image.name / recording.name).is_dir():
            continue  # of what could not be measured there is nothing to be explained
        words = recording.words(recording.profiled or recording.curve, 1)
        folder = Path(recording.name) / (EXACT if recording.levels else "")
        one = place.wanted(image, folder, words, 1)
        try:
            with folders.exclusive(place.out / image.name):
                if not folders.finished(one.folder, profile.inputs(one), one.keep):
                    write(recording, profile.measure(one, jobs, progress), place.out / image.name)
                    progress.show(image.name, f"profiled, {one.folder}", event=True)
        except LabError as error:
            print(f"lab: {one.folder}: {error}", file=sys.stderr)
            code = max(code, error.code)
    return code


def curves(options: argparse.Namespace) -> int:
    """The command."""
    chosen = [one for one in RECORDINGS if not options.only or one.name in options.only]
    code = OK

    def missing(name: str, error: LabError) -> None:
        nonlocal code
        print(f"lab: {name}: {error}", file=sys.stderr)
        code = max(code, error.code)
    guest.qemu_version()
    machine, _ = of_profile(options, [])
    keep = folders.Keep(True, options.again, "give another --out, or --again to replace it")
    place = Place(options.out, machine, keep, initramfs.base())
    for image in images.images(options.kernel or list(SERIES), missing):
        version = image.package.split()[1] if image.package else ""
        mine = [one for one in chosen if one.is_of(version)]
        if not mine:  # that it is not recorded for, which is no fault unless it is named
            if options.kernel:
                missing(image.name, LabError(f"nothing is recorded for it of {', '.join(one.name for one in chosen)}", USAGE))
            continue
        (place.out / image.name).mkdir(parents=True, exist_ok=True)
        code = max(code, measured(place, image, mine, options.jobs), profiled(place, image, mine, options.jobs))
    return code


def add_parser(commands: Commands) -> None:
    """Adds the command to lab.py's."""
    one = commands.add_parser("curves", help="how costs grow with conditions, on several kernels, for results/curves",
                              description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)
    one.add_argument("--kernel", action="append", metavar="KERNEL", help=f"repeatable ({', '.join(SERIES)})")
    one.add_argument("--only", action="append", choices=[recording.name for recording in RECORDINGS], help="this one; repeatable")
    one.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="a folder for each kernel in it (results/curves)")
    one.add_argument("--again", action="store_true", help="replace what another build of nsbench, or other options, left there")
    add_jobs(one)
    add_append(one)
    add_machine(one)
    one.set_defaults(command=curves)
