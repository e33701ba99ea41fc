"""compare: did this kernel get slower? Two kernels, or two result folders of the lab, row by row.

A row changed where its median moved by more than meaningless variations of the machine move it, on both sides together
(the rows' resolutions), and the 95% intervals of the medians do not meet; one beyond by its median alone is unresolved.
Where a side has no resolution (a single machine, all cases together), 1% takes its place; --threshold asks for a size
besides. Exit codes: 0 no row is slower; 1 at least one is; 125 could not be measured, so that
`git bisect run` skips the commit; 129 usage, also for runs that are not to be compared, and 130 interrupted, which both
end a bisection.
"""
import argparse
import contextlib
import csv
import dataclasses
import fcntl
import hashlib
import importlib
import json
import re
import secrets
import sys
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from analysis import outputs
from analysis.exact import Change, Figure, Key, geometric_means, measured, missing, within
from analysis.files import shown
from analysis.options import percentage
from analysis.record import Record, Schema, machines
from analysis.script import missing_package, of_system, one_line
from lab import functions, guest, images, initramfs, packages, runs, states, tables
from lab.commands import Commands
from lab.errors import ABORTED, OK, UNMEASURED, USAGE, LabError
from lab.options import add_how, add_jobs, add_machine, how_of, machine_numbers, printable
from lab.variations import VARIATIONS

SLOWER = 1
# What else is taken from run.json to compare.
RECORD: Schema = {"allOf": [tables.RECORD], "properties": {"lab": {"required": ["arguments"]}}}
RESULTS = tables.RESULTS
NAMED = 5  # unresolved rows
OF_A_RUN = ("run_id", "kernel")  # columns that say which run a row is of; the others are compared
QUIETLY = {"initramfs_sha256": "nsbench or its options", "qemu_version": "QEMU's version", "memory_mb": "memory"}


@dataclass
class Run:
    """A result folder: its run.json, and the rows of results.csv by case and phase."""

    folder: Path
    record: Record
    rows: dict[Key, dict[str, str]]

    def name(self) -> str:
        lab = self.record["lab"]
        what = lab.get("kernel_package") or f"bzImage {lab['kernel_sha256'][:12]}"
        return one_line(f"{self.record['kernel']} ({what}), {lab['command_line']}")

    @property
    def machines(self) -> list[int]:
        """The numbers of the saved machines that it was measured on, in order."""
        return sorted(map(int, machines(self.record)))


def cells(change: Change) -> list[str]:
    """A row of the table."""
    return [change.case, change.phase, f"{change.base.median:.12g}", f"{change.new.median:.12g}",
            f"{change.difference:+.12g}", f"{change.ratio:.4f}"]


def read(folder: Path) -> Run:
    """The run in a folder. LabError for what is no whole run of the lab."""
    record = tables.record(folder / "run.json", RECORD, UNMEASURED)
    rows = {(row["case"], row["phase"]): row for row in tables.rows(folder / "results.csv", RESULTS, UNMEASURED)}
    return Run(folder, record, rows)


def refuse(base: Run, new: Run) -> None:
    """LabError for runs that must not be compared; what else differs is said on standard error."""
    clocks = base.record["clock"], new.record["clock"]
    if clocks[0] != clocks[1]:
        raise LabError(f"the base's clock is {clocks[0]}, the new one's {clocks[1]}: they measure different things", USAGE)
    states = base.record.get("state"), new.record.get("state")
    if states[0] != states[1]:
        raise LabError(f"the base's state is {states[0]}, the new one's {states[1]}: they measure different things", USAGE)
    one, other = ({k: v for k, v in run.record["options"].items() if k != "clock"} for run in (base, new))
    differing = [f"{k} {json.dumps(one.get(k))} and {json.dumps(other.get(k))}"
                 for k in sorted(one | other) if one.get(k) != other.get(k)]
    if differing:
        raise LabError(f"the runs' nsbench options differ: {'; '.join(differing)}", USAGE)
    for key, what in QUIETLY.items():
        if base.record["lab"].get(key) != new.record["lab"].get(key):
            print(f"note: the runs differ in {what} ({key}), which can change figures", file=sys.stderr)
    machines = [", ".join(map(str, run.machines)) for run in (base, new)]
    if machines[0] != machines[1]:
        print(f"note: the base was measured on the saved machines {machines[0] or '(none)'}, the new side on "
              f"{machines[1] or '(none)'}", file=sys.stderr)
    if clocks[0] == "wall":
        print("note: wall clock: differences between two runs include the machine's drift", file=sys.stderr)


def measure(wanted: dict[str, tuple[str, guest.Machine]], hows: dict[str, runs.How], nsbench: list[str], root: Path,
            jobs: int) -> dict[str, Path]:
    """The result folder of each side (side → kernel and machine), measured side by side unless it is there already.

    Both sides start from the same initramfs. A folder's name is the hash of all that decides what its run measures; by the wall
    clock, which no run repeats, each is measured anew, in a folder of its own.
    """
    guest.qemu_version()
    base = initramfs.base()
    folders: dict[str, Path] = {}
    every: dict[Path, runs.Wanted] = {}
    for side, (kernel, machine) in wanted.items():
        try:
            image = images.images([kernel])[0]
        except LabError as error:
            raise LabError(str(error), UNMEASURED) from None
        image = dataclasses.replace(image, name=f"{side} {image.name}")
        one = runs.wanted(image, machine, runs.arguments(nsbench, machine.accel), base, root, how=hows[side])
        digest = hashlib.sha256(json.dumps(one.lab, sort_keys=True).encode()).hexdigest()[:16]
        repeats = guest.CLOCKS[machine.accel] == "instructions"
        folders[side] = root / (digest if repeats else f"{digest}-{secrets.token_hex(4)}")
        every.setdefault(folders[side], dataclasses.replace(one, folder=folders[side]))
    with alone(root):
        results = runs.run_all(list(every.values()), root, jobs)
    for result in results:
        if result.error:
            raise LabError(f"{result.image.name}: {result.error}", result.error.code, result.error.tail)
    return folders


@contextlib.contextmanager
def alone(root: Path) -> Iterator[None]:
    """The folder of runs for this comparison alone; another one that needs it waits."""
    try:
        outputs.own_folder(root)
    except OSError as error:
        raise LabError(f"{root}: {error.strerror}", ABORTED) from None
    with open(root / "lock", "a", opener=outputs.no_link) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def root_of(options: argparse.Namespace) -> Iterator[Path]:
    """Where what is measured is kept; by the wall clock, by which nobody looks it up again, it is gone with the command."""
    if options.out or guest.CLOCKS[options.accel] == "instructions":
        yield options.out or packages.cache() / "runs"
        return
    with tempfile.TemporaryDirectory(prefix="nsbench-lab-") as name:
        yield Path(name)


def how_like(run: Run) -> runs.How:
    """How a run that is there already was measured: what it is held against is measured so. LabError where that cannot be
    repeated."""
    lab, numbers = run.record["lab"], run.machines
    if lab.get("together") or not numbers:
        return runs.How(together="as the other side was")

    def refusal(what: str) -> LabError:
        return LabError(f"{run.folder}/run.json is of no run of the lab: lab: {what}", UNMEASURED)

    if "state" not in lab:
        raise refusal("state is missing")
    if lab["state"] not in states.STATES:
        raise LabError(f"the state {shown(lab['state'])} was made by a script: measure both sides anew, with --state=SCRIPT", USAGE)
    if numbers != list(range(numbers[0], numbers[-1] + 1)) or numbers[-1] > len(VARIATIONS):
        raise refusal(f"machines are not some that follow each other, of 1 to {len(VARIATIONS)}")
    everywhere = lab.get("on_all_machines") or ""
    try:
        re.compile(everywhere)
    except (re.error, RecursionError):
        raise refusal(f"on_all_machines is {shown(everywhere)}, no regular expression") from None
    return runs.How(states.STATES[lab["state"]], range(numbers[0], numbers[-1] + 1), everywhere)


def sides(options: argparse.Namespace, root: Path) -> tuple[Run, Run]:
    """Both runs, measured into `root` where they are kernels. LabError for options without a use."""
    names = {"base": options.base, "new": options.new}
    folders = {side: Path(name) for side, name in names.items() if Path(name).is_dir()}
    appends = {"base": options.append_base, "new": options.append_new}
    for side in folders:
        if appends[side]:
            raise LabError(f"--append-{side}: {names[side]} has been measured already", USAGE)
    if options.machines_new and ("new" in folders or options.together):
        raise LabError("--machines-new: the new side is not measured on saved machines now", USAGE)
    nsbench = options.nsbench
    if len(folders) == 2 and nsbench:
        raise LabError("options behind --: both sides have been measured already", USAGE)
    if len(folders) == 1 and not nsbench:  # as the other side was measured
        nsbench = [word for word in read(*folders.values()).record["lab"]["arguments"] if not word.startswith("--clock=")]
    wanted = {side: (name, guest.Machine(options.accel, appends[side], options.memory, options.timeout))
              for side, name in names.items() if side not in folders}
    if wanted:
        hows = dict.fromkeys(names, how_like(read(*folders.values())) if folders else how_of(options))
        if options.machines_new:
            hows["new"] = dataclasses.replace(hows["new"], numbers=options.machines_new)
        folders |= measure(wanted, hows, nsbench, root, options.jobs)
    if folders["base"].resolve() == folders["new"].resolve():
        print("note: both sides are one and the same run", file=sys.stderr)
    return read(folders["base"]), read(folders["new"])


def report(base: Run, new: Run, options: argparse.Namespace) -> int:
    """Prints what changed; 0, or 1 where something is slower. LabError where there is nothing to compare."""
    every = set(base.rows) | set(new.rows)
    phases = sorted({phase for _, phase in every})
    for phase in options.phase or []:
        if phase not in phases:
            raise LabError(f"--phase: no row has {phase!r}; the phases are {', '.join(phases)}", USAGE)
    chosen = {key for key in every if key[1] in (options.phase or phases)}
    both = []
    for key in sorted(measured(base.rows) & measured(new.rows) & chosen):
        one, other = base.rows[key], new.rows[key]
        same = all(one.get(name) == other.get(name) for name in one | other if name not in OF_A_RUN)
        both.append(Change(*key, Figure.of(one), Figure.of(other), same))
    failed = [f"{side}: {' '.join(key)}: {run.rows[key]['errno']} {run.rows[key]['reason']}"
              for side, run in (("base", base), ("new", new)) for key in sorted(chosen & set(run.rows))
              if run.rows[key]["status"] == "failed"]
    if failed:
        raise LabError(f"a case failed; {failed[0]}", UNMEASURED)
    gone = [("base", missing(base.rows, new.rows, chosen)), ("new", missing(new.rows, base.rows, chosen))]
    if not both:
        raise LabError(f"no case was measured on both sides{''.join(f'; {line}' for _, l in gone for line in l[:1])}", UNMEASURED)
    verdicts = {c: c.verdict(options.threshold) for c in sorted(both, key=lambda c: -abs(c.ratio - 1))}
    changed = [c for c, word in verdicts.items() if word in ("slower", "faster")]
    unresolved = [f"{c.case} {c.phase} {c.ratio - 1:+.2%}" for c, word in verdicts.items() if word == "~"]
    slower = sum(word == "slower" for word in verdicts.values())
    header = ["case", "phase", "base", "new", "difference", "ratio"]
    rows = [header] + [cells(c) for c in changed]
    out = sys.stderr if options.format == "csv" else sys.stdout
    unit = "instructions executed, not time" if base.record["clock"] == "instructions" else "ns"
    print(f"base: {base.name()}\nnew:  {new.name()}\nmedian, {unit}", file=out)
    if options.format == "csv":
        csv.writer(sys.stdout, lineterminator="\n").writerows(rows)
    elif changed:
        widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
        for row in rows:
            print("  ".join(c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))))
    limit = within(both)
    if options.threshold:
        limit += f" and {options.threshold * 100:g}%"
    if all(c.same for c in both):
        print(f"no change: {len(both)} rows are identical", file=out)
    elif not changed and not unresolved:
        largest = max(both, key=lambda c: abs(c.ratio - 1))
        print(f"no change beyond {limit}: 0 of {len(both)} rows, {sum(c.same for c in both)} identical; "
              f"largest {largest.ratio - 1:+.4%} ({largest.case} {largest.phase})", file=out)
    else:
        print(f"{len(changed)} of {len(both)} rows changed by more than {limit}: "
              f"{slower} slower, {len(changed) - slower} faster", file=out)
    if unresolved:
        more = f" and {len(unresolved) - NAMED} more" if len(unresolved) > NAMED else ""
        print(f"unresolved: {len(unresolved)} rows beyond {limit} by the median alone, their 95% intervals meet or are unknown "
              f"(more --samples make them narrower): {', '.join(unresolved[:NAMED])}{more}", file=out)
    print(geometric_means((c.phase, c.ratio) for c in both), file=out)
    for line in functions.behind(base.folder, new.folder, (c.case for c in changed)):
        print(one_line(line), file=out)
    for side, lines in gone:
        for line in lines:
            print(f"only {side} has {line}", file=out)
    return SLOWER if slower else OK


def compare(options: argparse.Namespace) -> int:
    """The command. No failure may come out as 1 to 124, which tell `git bisect run` that the commit is slower."""
    try:
        importlib.import_module("jsonschema")  # reads what was measured: without it nothing is
        with root_of(options) as root:
            base, new = sides(options, root)
            refuse(base, new)
            code = report(base, new, options)
        sys.stdout.flush()
        return code
    except LabError as error:
        raise LabError(str(error), ABORTED if error.code == USAGE else UNMEASURED, error.tail) from None
    except OSError as error:
        raise LabError(of_system(error), UNMEASURED) from None
    except Exception as error:
        if isinstance(error, ImportError) and missing_package(error):
            raise  # lab.py says which package it is
        traceback.print_exc()
        return UNMEASURED


def add_parser(commands: Commands) -> None:
    """Adds the command to lab.py's."""
    one = commands.add_parser("compare", help="did it get slower? for git bisect run; nsbench's options behind --",
                              description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)
    one.add_argument("base", metavar="BASE", help="a kernel, or a result folder of the lab")
    one.add_argument("new", metavar="NEW", help="likewise")
    one.add_argument("--threshold", type=percentage, default=0.0, metavar="P%",
                     help="smaller changes are not shown; without it whatever exceeds a row's resolution is")
    one.add_argument("--phase", type=lambda text: text.split(","), metavar="PHASE,...", help="only these, such as create,total")
    one.add_argument("--format", choices=("table", "csv"), default="table", help="csv: only the rows on standard output")
    one.add_argument("--out", type=Path, metavar="DIR", help="keep the runs there (the lab's cache; under kvm nowhere)")
    for side in ("base", "new"):
        one.add_argument(f"--append-{side}", type=printable, default="", metavar="STR", help="more for its kernel's command line")
    add_how(one)
    one.add_argument("--machines-new", type=machine_numbers, default=None, metavar="N", help="others for the new side")
    add_machine(one)
    add_jobs(one)
    one.set_defaults(command=compare, takes_nsbench=True)
