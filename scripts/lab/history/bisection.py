"""bisect: which kernel is the first in which a row moved, by how much, and in which function?

    scripts/lab.py bisect 6.12.43 6.12.118 -- clone/NEWNET/stack:1M
    scripts/lab.py bisect v6.15 v6.16 --tree linux --build 'make -j8 bzImage' -- clone/NEWPID/stack:1M

GOOD and BAD are kernels of the archive, and those between them are tried, along the updates of a series and from one series to the
next; or they are commits of --tree, which git bisect chooses from, and --build makes the image of each. A kernel counts as bad if its
figure is nearer to that of BAD: figures are exact, so that one look at each kernel is enough. What does not build, or boot, is left
out. Exit codes: 0 found; 1 not found; 2 usage, or the row is the same in both; 3 not possible here.
"""
import argparse
import copy
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from analysis.exact import MEASURED
from lab import guest, images, packages
from lab.commands import Commands
from lab.errors import FAILED, OK, USAGE, LabError
from lab.explain import NAMED, of_trees, sentence
from lab.history import explained, job, plan, record
from lab.history.search import Ended, search, search_tree
from lab.history.versions import Member, ordered, way
from lab.options import add_append, add_jobs, add_machine, machine_numbers

BUILT = "arch/x86/boot/bzImage"
RELEASE = re.compile(r"(?:~bpo|~deb|\+deb)(\d+)")


class Measurer:
    """Measures one row of a kernel, on one machine, and remembers its image."""

    def __init__(self, options: argparse.Namespace, case: str) -> None:
        self.options = copy.copy(options)
        self.options.case, self.options.name, self.options.order, self.options.plan = [case], "", 0, ""
        self.case, self.phase = case, options.phase
        self.images: dict[str, images.Image] = {}
        self.is_added = False

    def figure(self, name: str, image: images.Image) -> float:
        """The row's. LabError where the case fails, or has no such phase."""
        self.images[name] = image
        rows = [row for row in job.figures(image, self.options) if row.case == self.case]
        phases = list(dict.fromkeys(row.phase for row in rows))
        self.phase = self.phase or ("create" if "create" in phases else phases[0] if phases else "")
        row = next((row for row in rows if row.phase == self.phase), None)
        if row is None:
            raise LabError(f"--phase={self.phase}: {self.case} has {', '.join(phases)}", USAGE)
        if row.status not in MEASURED:
            raise LabError(f"{self.case}: {row.errno or row.status}", FAILED)
        self.is_added = row.delta != ""
        return float(row.delta or row.median)

    def tell(self, name: str, image: Callable[[], images.Image]) -> float | None:
        """The same, said on standard error; None where that kernel cannot be measured."""
        try:
            found = self.figure(name, image())
        except LabError as error:
            if error.code == USAGE:
                raise
            print(f"lab: {name}: left out: {error}", file=sys.stderr)
            return None
        print(f"lab: {name}: {found:.10g}", file=sys.stderr)
        return found

    def functions(self, before: str, after: str) -> dict[str, float]:
        """By how much each function's own instructions changed, by the exact profile; nothing where the phase has none."""
        sides = []
        for name in (before, after):
            stacks: dict[str, dict[str, object]] = {}
            for case, phases in job.profiled(self.images[name], self.options).items():
                stacks[case] = dict(phases)
            sides.append(explained.Side(stacks).trees((self.case, self.phase), self.is_added))
        one, other = sides
        return of_trees(one, other).changes() if one and other else {}


def archive_line(good: str, bad: str) -> list[Member]:
    """The archive's kernels from the one to the other."""
    members = []
    by_version = {}
    for one in record.of_archive([]):
        release = RELEASE.search(one.kernel) or RELEASE.search(one.name)
        member = Member(one.name, one.kernel, f"deb{release[1]}" if release else "")
        by_version[one.kernel] = member
        members.append(member)
    ends = [by_version[kernel.version] for kernel in packages.find([good, bad])] if good != bad else []
    if len(ends) < 2 or ends[0] == ends[1]:
        raise LabError(f"{good} and {bad}: two kernels of the archive are needed", USAGE)
    return way(ordered(members), *ends)


def build(tree: Path, command: str, image: Path, log: Path) -> None:
    """Builds what is checked out. LabError with the last line that the command said."""
    with open(log, "wb") as file:
        done = subprocess.run(["sh", "-c", command], cwd=tree, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
    if done.returncode:
        said = log.read_text(errors="replace").strip().splitlines() or [f"exit {done.returncode}"]
        raise LabError(f"--build failed: {said[-1]}", FAILED)
    if not image.exists():
        raise LabError(f"--build made no {image}", FAILED)


def bisect(options: argparse.Namespace) -> int:
    """The command."""
    if bool(options.tree) != bool(options.build):
        raise LabError("--tree and --build belong together", USAGE)
    machine = guest.Machine(options.accel, options.append, options.memory, options.timeout)
    chosen = [word for word in options.nsbench if not word.startswith("-")]
    options.nsbench = [word for word in options.nsbench if word.startswith("-")]
    selecting = [f"--case={case}" for case in chosen]
    found = plan.of_options([*selecting, *options.nsbench], machine, options.machines)
    cases = chosen or [case for case in found.cases if case.split("/")[1] != "none"]
    if len(cases) != 1:
        raise LabError(f"one case is needed behind --, such as clone/NEWPID/stack:1M; these are {len(cases)}", USAGE)
    options.nsbench = list(found.options)
    measurer = Measurer(options, cases[0])
    with tempfile.TemporaryDirectory(prefix="nsbench-bisect-") as name:
        if options.tree:
            ended = of_tree(options, measurer, Path(name))
        else:
            line = archive_line(options.good, options.bad)
            print(f"lab: {len(line)} kernels from {line[0].version} to {line[-1].version}", file=sys.stderr)
            ended = search([one.version for one in line], lambda one: measurer.tell(one, lambda: images.image_of(one)))
        return told(measurer, ended)


def of_tree(options: argparse.Namespace, measurer: Measurer, kept: Path) -> Ended[str]:
    """The search over a git tree's commits; each image that was built is kept while this lasts."""
    tree, made = options.tree.resolve(), options.tree.resolve() / options.image

    def built(commit: str) -> images.Image:
        build(tree, options.build, made, kept / "log")
        copied = kept / f"bzImage-{commit[:12]}"
        shutil.copyfile(made, copied)
        return images.image_of(str(copied))
    return search_tree(tree, options.good, options.bad, lambda commit: measurer.tell(commit, lambda: built(commit)))


def told(measurer: Measurer, ended: Ended[str]) -> int:
    """Prints where the row moved, by how much, and in which functions."""
    before, after = ended.figures
    what = f"{measurer.case} {measurer.phase}{' adds' if measurer.is_added else ''}"
    print(f"{ended.after}: the first in which {what} {after:.10g} instructions; {ended.before} has {before:.10g} "
          f"({after - before:+.10g}); {ended.tried} kernels were measured")
    if ended.left_out:
        print(f"between them, left out: {', '.join(map(str, ended.left_out))}")
    changes = measurer.functions(ended.before, ended.after)
    if changes:
        print(sentence("functions", changes, NAMED))
    else:
        print(f"{measurer.phase} is not profiled" if measurer.phase == "drain" else "functions: no function differs")
    return OK


def add_parser(commands: Commands) -> None:
    """Adds the command to lab.py's."""
    one = commands.add_parser("bisect", help="in which kernel did a row move, and by which function? a case behind --",
                              description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)
    one.add_argument("good", metavar="GOOD", help="a kernel of the archive, or a commit of --tree")
    one.add_argument("bad", metavar="BAD", help="likewise")
    one.add_argument("--phase", default="", metavar="PHASE", help="such as exit (create, or the case's first)")
    one.add_argument("--tree", type=Path, metavar="DIR", help="a git tree, whose commits are tried")
    one.add_argument("--build", default="", metavar="COMMAND", help="for a shell in the tree: makes the image")
    one.add_argument("--image", default=BUILT, metavar="FILE", help="what it makes (%(default)s)")
    one.add_argument("--machines", type=machine_numbers, default="1", metavar="N", help="saved machines (%(default)s)")
    add_jobs(one)
    add_append(one)
    add_machine(one)
    one.set_defaults(command=bisect, takes_nsbench=True)
