"""history-job: one job of a history: some cases on one kernel, into one file. `lab.py history` writes the list of them.

The file's first line is the SHA-256 of all behind it, so that whoever merges files that were made elsewhere knows that each is whole.
Exit codes: 0 the file is there; 1 the kernel could not be measured; 2 usage; 3 not possible here.
"""
import argparse
import hashlib
import json
import re
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from analysis import outputs
from lab import books, explain, guest, images, initramfs, profile, runs
from lab.commands import Commands
from lab.errors import FAILED, IMPOSSIBLE, OK, USAGE, LabError
from lab.history import plan, table
from lab.history.table import Row
from lab.history.versions import Member, compiler_of
from lab.options import add_append, add_jobs, add_machine, machine_numbers
from lab.progress import Progress
from lab.tree import Tree

BANNER = re.compile(rb"Linux version [^\0\n]{1,400}")
Stacks = dict[str, dict[str, dict[str, float]]]  # by case, phase and path, functions joined by ;
Figures = dict[str, dict[str, dict[str, float]]]  # by case, phase and what the figure is


def sealed(content: dict[str, object]) -> bytes:
    """The bytes of a job's file."""
    body = json.dumps(content, indent=0, sort_keys=True, ensure_ascii=False).encode() + b"\n"
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def opened(path: Path) -> dict[str, object]:
    """What is in a job's file. LabError for one that is not whole."""
    try:
        digest, _, body = path.read_bytes().partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != digest:
            raise LabError(f"{path}: its hash is not that of its content: cut off, or changed", USAGE)
        content = json.loads(body)
        if not isinstance(content, dict):
            raise LabError(f"{path}: no result of a job", USAGE)
        return content
    except (OSError, ValueError) as error:
        raise LabError(f"{path}: {error}", USAGE) from None


def rows_of(content: dict[str, object]) -> list[Row]:
    """The rows in a job's file."""
    rows = content.get("rows")
    assert isinstance(rows, list)
    return [Row(**row) for row in rows]


def compiler_in(image: images.Image) -> str:
    """What compiled the kernel, as its banner says; empty where no known program unpacks it. NoProgram where one
    that does is missing: the same kernel would be another one here."""
    try:
        match = BANNER.search(images.unpacked(image.path))
    except images.NoProgram:
        raise
    except LabError:  # a format that no node knows
        return ""
    return compiler_of(match[0].decode(errors="replace")) if match else ""


def member_of(image: images.Image, name: str, order: int) -> Member:
    """The image as a kernel of a history: a file of one's own by the name that it was given."""
    version = (image.package or "").partition(" ")[2]
    return Member(image.name if version else name or image.name, version, compiler_in(image), order)


def wanted(image: images.Image, options: argparse.Namespace, numbers: range, out: Path) -> runs.Wanted:
    """The run of the job's cases."""
    machine = guest.Machine(options.accel, options.append, options.memory, options.timeout)
    words = [*(f"--case={case}" for case in options.case), *runs.arguments(options.nsbench, options.accel)]
    return runs.wanted(image, machine, words, initramfs.base(), out / "run", how=runs.How(numbers=numbers))


def figures(image: images.Image, options: argparse.Namespace) -> list[Row]:
    """Measures the cases. LabError where that cannot be."""
    with tempfile.TemporaryDirectory(prefix="nsbench-lab-") as name:
        one = wanted(image, options, options.machines, Path(name))
        result = runs.run_all([one], Path(name), options.jobs)[0]
        if result.error:
            raise result.error
        member = member_of(image, options.name, options.order)
        return table.of_run(result.folder / "results.csv", member, image.sha256, options.plan)


def stacks_of(tree: Tree) -> dict[str, float]:
    """Each path's own instructions."""
    return {";".join(path): cost.self for path, cost in sorted(tree.items()) if cost.self}


def stacks_of_phases(own: books.Books) -> dict[str, dict[str, float]]:
    """Of each phase, with functions by the names of the source; what workers execute after the samples as that of drain,
    whose other part is waiting."""
    later = {table.DRAIN: stacks_of(explain.plain(own.later))} if table.DRAIN in own.left_out else {}
    return {phase: stacks_of(explain.named(book.tree)) for phase, book in own.phases.items()} | later


def profiled(image: images.Image, options: argparse.Namespace) -> tuple[Stacks, Figures]:
    """The exact profile of the cases, phase by phase, on the first of the machines; and the figures that were measured with it."""
    first = range(options.machines.start, options.machines.start + 1)
    with tempfile.TemporaryDirectory(prefix="nsbench-lab-") as name:
        one = wanted(image, options, first, Path(name))
        found = profile.measure(one, options.jobs, Progress([image.name]))
        results = Path(name) / "results.csv"
        results.write_bytes(found.files["results.csv"])
        figures: Figures = {}
        for row in table.of_run(results, member_of(image, options.name, options.order), image.sha256, options.plan):
            figures.setdefault(row.case, {})[row.phase] = row.figures
    return {case: stacks_of_phases(own) for case, own in found.books.items()}, figures


def check_plan(options: argparse.Namespace) -> None:
    """LabError where this machine measures by another plan than that whose name the job writes: another nsbench, or QEMU."""
    machine = guest.Machine(options.accel, options.append, options.memory, options.timeout)
    about = plan.Plan(tuple(options.case), tuple(options.nsbench), machine, options.machines).about()
    if options.plan in ("", plan.digest_of(about)):
        return
    said = plan.meant(options.out.parent, options.plan)
    names = [name for name in sorted(about.keys() | said.keys()) if json.dumps(about.get(name)) != json.dumps(said.get(name))]
    differs = f": here {names[0]} is {about.get(names[0])}, and not {said.get(names[0])}" if said and names else ""
    raise LabError(f"this machine measures by plan {plan.digest_of(about)}, and not by {options.plan}{differs}", IMPOSSIBLE)


def check_name(image: images.Image, name: str) -> None:
    """LabError where a file of one's own is not the one that the list of jobs was made of: its name ends with that one's hash."""
    if image.package is None and name and not name.endswith(f"-{images.short(image.sha256)}"):
        raise LabError(f"kernel {image.path}: the file has changed since the history began, which calls it {name}: begin it again, "
                       "or with a copy")


def contents(options: argparse.Namespace) -> dict[str, object]:
    """Carries the job out."""
    check_plan(options)
    image = images.image_of(options.kernel)
    check_name(image, options.name)
    if options.profile:
        stacks, found = profiled(image, options)
        return {"kernel": image.sha256, "plan": options.plan, "stacks": stacks, "figures": found}
    return {"kernel": image.sha256, "plan": options.plan, "rows": [asdict(row) for row in sorted_rows(figures(image, options))]}


def sorted_rows(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row.key)


def job(options: argparse.Namespace) -> int:
    """The command."""
    if not options.case:
        raise LabError("--case is missing: which cases?", USAGE)
    content = contents(options)
    try:
        outputs.replace(options.out, sealed(content))
    except OSError as error:
        raise LabError(f"{options.out}: {error.strerror}", FAILED) from None
    return OK


def add_parser(commands: Commands) -> None:
    """Adds the command to lab.py's."""
    one = commands.add_parser("history-job", help="one job of a history, as its list has it", description=__doc__, allow_abbrev=False,
                              formatter_class=argparse.RawDescriptionHelpFormatter)
    one.add_argument("kernel", metavar="KERNEL")
    one.add_argument("--case", action="append", metavar="ID", help="repeatable")
    one.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file")
    one.add_argument("--plan", default="", metavar="DIGEST", help="of the history's plan, which stands in each row")
    one.add_argument("--name", default="", help="what a file of your own is called in the history")
    one.add_argument("--order", type=int, default=0, help="its place in the list of files")
    one.add_argument("--profile", action="store_true", help="which functions, instead of how much")
    one.add_argument("--machines", type=machine_numbers, default="3", metavar="N", help="saved machines (%(default)s)")
    add_jobs(one)
    add_append(one)
    add_machine(one)
    one.set_defaults(command=job, takes_nsbench=True)
