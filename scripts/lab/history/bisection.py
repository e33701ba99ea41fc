"""bisect: which kernel is the first in which a row moved, by how much, and in which function?

    scripts/lab.py bisect 6.12.43 6.12.118 -- clone/NEWNET/stack:1M
    scripts/lab.py bisect v6.15 v6.16 --tree linux --build 'make -j8 bzImage' -- clone/NEWPID/stack:1M

GOOD and BAD are kernels of the archive, and those between them are tried: first the ends of each line of updates that lies between
them, then the line, or the step from one line to the next, in which the row moved most; with --few the middle one of those that are
left, and so on. Or they are commits of --tree, which git bisect chooses from, and --build makes the image of each. A kernel counts as
bad if its figure is nearer to that of BAD: figures are exact, so that one look at each kernel is enough. What fails to build, to boot
or to carry the case out is left out.
Exit codes: 0 found; 1 not found; 2 usage, or the row is the same in both; 3 not possible here.
"""
import argparse
import copy
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from analysis.exact import MEASURED
from lab import guest, images, orders, packages
from lab.commands import Commands
from lab.errors import FAILED, OK, USAGE, LabError
from lab.explain import NAMED, of_trees, sentence
from lab.history import commits, explained, job, plan, record, table
from lab.history.search import Ended, search, search_tree
from lab.history.table import Value, What
from lab.history.versions import Member, segments, way
from lab.options import add_append, add_jobs, add_machine, machine_numbers


class Measurer:
    """Measures one row of a kernel, on one machine, and remembers its image."""

    def __init__(self, options: argparse.Namespace, case: str) -> None:
        self.options = copy.copy(options)
        self.options.case, self.options.name, self.options.order, self.options.plan = [case], "", 0, ""
        self.case, self.phase = case, options.phase
        self.images: dict[str, images.Image] = {}
        self.what: What | None = None

    def figure(self, name: str, image: images.Image) -> Value:
        """The row's. LabError where the case fails, or has no such phase, or what it adds is not known where it was for another kernel."""
        self.images[name] = image
        rows = [row for row in job.figures(image, self.options) if row.case == self.case]
        phases = list(dict.fromkeys(row.phase for row in rows))
        self.phase = self.phase or ("create" if "create" in phases else phases[0] if phases else "")
        row = next((row for row in rows if row.phase == self.phase), None)
        if row is None:
            raise LabError(f"--phase={self.phase}: {self.case} has {', '.join(phases)}", FAILED if self.what else USAGE)
        if row.status not in MEASURED:
            raise LabError(f"{self.case}: {row.errno or row.status}", FAILED)
        what = What.delta if row.delta else What.median
        if self.what not in (None, what):
            raise LabError(f"{self.case}: it has a {what.name}, the others a {self.what.name if self.what else ''}", FAILED)
        self.what = what
        return Value(float(row.delta or row.median), float((row.delta_resolution if row.delta else row.resolution) or 0), what)

    @property
    def is_added(self) -> bool:
        return self.what is What.delta

    def tell(self, name: str, image: Callable[[], images.Image]) -> Value | None:
        """The same, said on standard error; None where that kernel cannot be measured."""
        try:
            found = self.figure(name, image())
        except LabError as error:
            if error.code != FAILED:
                raise
            print(f"lab: {name}: left out: {error}", file=sys.stderr)
            return None
        print(f"lab: {name}: {found.value:.10g}", file=sys.stderr)
        return found

    def functions(self, before: str, after: str) -> dict[str, float]:
        """By how much each function's own instructions changed, by the exact profile; nothing where the phase has none."""
        sides = []
        for name in (before, after):
            stacks: dict[str, dict[str, object]] = {}
            for case, phases in job.profiled(self.images[name], self.options)[0].items():
                stacks[case] = dict(phases)
            sides.append(explained.Side(stacks).trees((self.case, self.phase), self.is_added))
        one, other = sides
        return of_trees(one, other).changes() if one and other else {}


def compilers(every: list[plan.Job]) -> dict[str, str]:
    """What compiled each, by version: as the recorded history says it, else as the kernel does, which is fetched for that."""
    known = {row.version: row.compiler for row in table.read(record.RESULTS / table.FILE)}
    missing = [one for one in every if one.kernel not in known]
    if missing:
        print(f"lab: {len(missing)} kernels are fetched for what compiled them", file=sys.stderr)
    return known | {one.kernel: job.compiler_in(images.image_of(one.kernel)) for one in missing}


def archive_lines(good: str, bad: str) -> list[list[Member]]:
    """The archive's kernels on the way from the one to the other, line by line."""
    ends = [Member(one.release, one.version) for one in packages.find([good, bad])] if good != bad else []
    if len(ends) < 2 or ends[0] == ends[1] or not all(one.upstream for one in ends):
        raise LabError(f"{good} and {bad}: two kernels of the archive are needed", USAGE)
    first, last = sorted(one.key[:2] for one in ends)
    between = [one for one in record.of_archive([]) if first <= Member(one.name, one.kernel).key[:2] <= last]
    compiler = compilers(between)
    members = {one.kernel: Member(one.name, one.kernel, compiler[one.kernel]) for one in between}
    return segments(way(members.values(), *(members[one.version] for one in ends)))


def check(options: argparse.Namespace) -> None:
    """LabError where the options contradict each other."""
    commits.check(options)
    if options.few and options.tree:
        raise LabError("--few: it is of the archive's kernels: of a tree's commits the middle one is looked at in any case", USAGE)


def bisect(options: argparse.Namespace) -> int:
    """The command."""
    check(options)
    machine = guest.Machine(options.accel, options.append, options.memory, options.timeout)
    words = orders.joined(options.nsbench)
    chosen = [word for word in words if not word.startswith("-")]
    options.nsbench = [word for word in words if word.startswith("-")]
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
            lines = archive_lines(options.good, options.bad)
            ages = {one.version: one.key for line in lines for one in line}
            print(f"lab: {len(ages)} kernels in {len(lines)} lines from {lines[0][0].version} to {lines[-1][-1].version}", file=sys.stderr)
            ended = search([[one.version for one in line] for line in lines],
                           lambda one: measurer.tell(one, lambda: images.image_of(one)), ages.__getitem__, options.few)
        return told(measurer, ended, bool(options.tree))


def of_tree(options: argparse.Namespace, measurer: Measurer, kept: Path) -> Ended[str]:
    """The search over a git tree's commits; each image that was built is kept while this lasts."""
    builder = commits.Builder(options.tree, options.build, options.image, kept)
    with builder.configured():
        return search_tree(builder.tree, options.good, options.bad,
                           lambda commit: measurer.tell(commit, lambda: images.image_of(str(builder.built(commit)))))


def where(measurer: Measurer, ended: Ended[str], is_tree: bool) -> list[str]:
    """Where the row moved, and by how much."""
    what = f"{measurer.case} {measurer.phase}{' adds' if measurer.is_added else ''}"
    tried = f"{ended.tried} {'commits' if is_tree else 'kernels'} were measured"
    if not ended.figures or ended.before is None:
        why = "none before it in one line was measured" if ended.left_out else "it is a merge, or its parent was not measured"
        return [f"{ended.after}: the first in which {what} another figure; by how much is not measured: {why}; {tried}"]
    before, after = (figure.value for figure in ended.figures)
    size = f"({after - before:+.10g})"
    if is_tree:
        lines = [f"{ended.after}: the first in which {what} {after:.10g} instructions; {ended.before} has {before:.10g} {size}; {tried}"]
    else:
        lines = [f"between {ended.before} (older) and {ended.after} (newer): {what} {before:.10g} and {after:.10g} instructions {size}",
                 tried]
    if abs(abs(after - before) - abs(ended.whole)) > 0.5:
        lines.append(f"of {ended.whole:+.10g} from GOOD to BAD; the rest lies elsewhere")
    return lines


def told(measurer: Measurer, ended: Ended[str], is_tree: bool) -> int:
    """Prints where the row moved, by how much, and in which functions."""
    print("\n".join(where(measurer, ended, is_tree)))
    if ended.left_out:
        print(f"left out, and any of them could be the first: {', '.join(ended.left_out)}")
    if not ended.figures or ended.before is None:
        return OK
    changes = measurer.functions(ended.before, ended.after)
    if changes:
        print(sentence("functions", changes, NAMED))
    else:
        print("functions: no function differs")
    return OK


def add_parser(commands: Commands) -> None:
    """Adds the command to lab.py's."""
    one = commands.add_parser("bisect", help="in which kernel did a row move, and by which function? a case behind --",
                              description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)
    one.add_argument("good", metavar="GOOD", help="a kernel of the archive, or a commit of --tree")
    one.add_argument("bad", metavar="BAD", help="likewise")
    one.add_argument("--phase", default="", metavar="PHASE", help="such as exit (create, or the case's first)")
    commits.add_options(one, "a git tree, whose commits are tried")
    one.add_argument("--few", action="store_true", help="of the archive: look at the middle one of those that are left, and not at the "
                     "ends of each line: finds a place where the row moved, which need not be where it moved most")
    one.add_argument("--machines", type=machine_numbers, default="1", metavar="N", help="saved machines (%(default)s)")
    add_jobs(one)
    add_append(one)
    add_machine(one)
    one.set_defaults(command=bisect, takes_nsbench=True)
