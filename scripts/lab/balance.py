"""balance: can the exact profile be relied on? Holds its books against the figures, and what it costs against measuring alone.

Each case is measured in three copies of one saved machine, one after the other: without the plugin, and twice with it. For each
kernel and operation: whether the samples are the same with and without it, and the two profiles to the byte; whether the
functions' own instructions add up to all that was executed between the marks, and each function's total is its own and those of
what it calls; what is left between them and the phases' figures; and how many times the CPU time of measuring a profile takes.
Exit codes: 0 all holds; 1 something does not; 2 usage; 3 not possible here.
"""
import argparse
import csv
import io
import os
import statistics
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from lab import alone, books, callgrind, copies, exact, guest, images, initramfs, orders, runs, saved, tree
from lab.books import Books
from lab.commands import Commands
from lab.errors import FAILED, OK, USAGE, LabError
from lab.options import add_append, add_machine, add_state, of_profile, positive
from lab.progress import Progress
from lab.states import find

# The 8 kinds, and what each is compared with: clone, unshare, setns, and the remount of /proc.
DEFAULT = "--filter=^(clone/(none|NEW[A-Z]+)/stack:1M|unshare/(none|NEW[A-Z]+)|setns/.*|proc_remount/[^/]*/stack:1M)$"
HEADER = ("kernel", "operation", "cases", "phases", "seen", "reading the clock", "where phases part", "lost", "cost")


@dataclass
class OperationSums:
    """Of the cases of one operation on one kernel."""

    cases: int = 0
    phases: int = 0
    seen: float = 0  # instructions
    readings: list[float] = field(default_factory=list)
    partings: list[float] = field(default_factory=list)
    lost: int = 0
    plain: float = 0  # seconds of CPU
    profiled: float = 0

    def cells(self, kernel: str, operation: str) -> tuple[str, ...]:
        """A row of the table."""
        return (kernel, operation, str(self.cases), str(self.phases), f"{self.seen / 1e6:.2f} M", span(self.readings),
                span(self.partings), str(self.lost), f"{self.profiled / self.plain:.2f}")

    def add(self, own: Books) -> None:
        """The phases of a case."""
        self.cases += 1
        for book in own.phases.values():
            self.phases += 1
            self.seen += tree.instructions(book.tree)
            self.lost += book.lost
            (self.partings if book.parted else self.readings).append(book.reading)


def span(values: list[float]) -> str:
    """From the least to the greatest."""
    return f"{min(values):+.4g} … {max(values):+.4g}" if values else "–"


def cpu() -> float:
    """Seconds of this process and of those that it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def unequal(own: tree.Tree) -> str | None:
    """The first function whose total is not its own instructions and the totals of what it calls, as callgrind's file has them."""
    apart = tree.apart(own)
    edges = callgrind.edges_of(apart)
    recursive = {name for path in apart for name in path if path.count(name) > 1}
    for name, one in sorted(tree.functions(apart).items()):
        calls = sum(total for _, _, total in edges.get(name, []))
        if name not in recursive and not recursive & {callee for callee, _, _ in edges.get(name, [])}:
            if abs(one.total - one.self - calls) > 1e-6 * max(1, one.total):  # means are no whole numbers
                return f"{name}: its total is {one.total:.10g}, its own {one.self:.10g}, and of what it calls {calls:.10g}"
    return None


def wrong(profile: exact.Profile, own: Books) -> list[str]:
    """What of the case's books is not so."""
    found = []
    for segment in profile.segments:
        have = sum(cell[2] for cell in segment.cells)
        if segment.phases and have != segment.instructions:
            found.append(f"between two marks {segment.instructions} instructions were executed, and the functions have {have}")
    for phase, book in own.phases.items():
        if said := unequal(book.tree):
            found.append(f"{phase}: {said}")
        whole = sum(one.self for one in tree.functions(tree.apart(book.tree)).values())
        if abs(book.figure - whole) > books.most_reading(book.figure, book.parted):
            found.append(f"{phase} is {book.figure:.10g}, and the functions have {whole:.10g}")
        if book.lost:
            found.append(f"{phase}: {book.lost} returns lost")
    return found


@dataclass
class Copies:
    """How a case's copies are run."""

    recipe: saved.Recipe
    folder: Path
    words: str
    crowd: guest.Crowd

    def case(self, task: alone.Task, sums: OperationSums) -> list[str]:
        """Measures a case without and twice with the plugin; what does not hold."""
        order = list(task.order)
        begun = cpu()
        plain = copies.run(self.recipe, self.folder, order, self.crowd)
        sums.plain += cpu() - begun
        if "run.json" not in plain:
            raise alone.said(plain)
        begun = cpu()
        files, profile = exact.run(self.recipe, self.folder, order, self.crowd, self.words)
        own = books.balance(profile, files["samples.csv"].decode(), task.case)
        sums.profiled += cpu() - begun
        again, other = exact.run(self.recipe, self.folder, order, self.crowd, self.words)
        sums.add(own)
        found = wrong(profile, own)
        if samples(plain) != samples(files) or samples(files) != samples(again):
            found.append("the samples differ with the plugin and without it")
        if (profile.nodes, profile.segments) != (other.nodes, other.segments):
            found.append("two profiles differ")
        return [f"{task.case}: {line}" for line in found]


def samples(files: dict[str, bytes]) -> list[dict[str, str]]:
    """All but which run they are of."""
    return [{name: value for name, value in row.items() if name != "run_id"}
            for row in csv.DictReader(io.StringIO(files["samples.csv"].decode()))]


def hold(one: runs.Wanted, progress: Progress) -> tuple[dict[str, OperationSums], list[str]]:
    """The sums by operation, and what does not hold."""
    if one.subject is None:
        raise LabError(f"{one.lab['together']}: a profile is made of copies of a saved machine", USAGE)
    plan, marks = orders.plan(one.options), exact.marks()
    number, recipe = next(iter(one.subject.recipes.items()))
    waiting = [task for task in alone.tasks(plan, one.subject) if task.number == number]
    found: dict[str, OperationSums] = {}
    failed: list[str] = []
    crowd, name = guest.Crowd(), one.image.name
    with ThreadPoolExecutor(1) as pool, alone.ready(one.subject, pool, crowd, lambda what: progress.show(name, what)) as machines, \
            tempfile.TemporaryDirectory(prefix="nsbench-lab-") as directory:
        marks_file = Path(directory) / "marks"
        marks_file.write_text(marks)
        words = exact.plugin(recipe, machines[number], marks_file, crowd, False)
        ready = Copies(recipe, machines[number], words, crowd)
        for done, task in enumerate(waiting):
            progress.show(name, f"{done} of {len(waiting)} cases")
            try:
                failed += ready.case(task, found.setdefault(task.case.split("/")[0], OperationSums()))
            except LabError as error:
                if error.code != FAILED:  # of every case alike
                    raise
                failed.append(f"{task.case}: {error}")
    return found, [f"{name}: {line}" for line in failed]


def cost_of(operations: list[OperationSums]) -> float:
    """What a profile takes, in times the CPU time of measuring."""
    return sum(sums.profiled for sums in operations) / sum(sums.plain for sums in operations)


def beyond(name: str, cost: float, most: int | None) -> list[str]:
    """The kernel's profile that costs more than the limit, if there is one."""
    return [f"{name}: a profile takes {cost:.2f} times the CPU time of measuring, and {most} is the limit"] if most and cost > most else []


def balance(options: argparse.Namespace) -> int:
    """The command."""
    machine, given = of_profile(options, options.nsbench or [DEFAULT])
    every, base = images.images(options.kernel), initramfs.base()
    progress = Progress([image.name for image in every])
    rows: list[tuple[str, ...]] = [HEADER]
    failed, costs = [], []
    for image in every:
        one = runs.wanted(image, machine, given, base, Path("nowhere"), how=runs.How(find(options.state), range(1, 2)))
        found, wrongs = hold(one, progress)
        failed += wrongs
        whole = [sums for sums in found.values() if sums.cases]
        if whole:
            costs.append(cost_of(whole))
            failed += beyond(image.name, costs[-1], options.most_cost)
        rows += [sums.cells(image.name, operation) for operation, sums in found.items() if sums.cases]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADER))]
    for row in rows:
        print("  ".join(cell.ljust(width) if i < 2 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))))
    if failed:
        print(*failed, sep="\n", file=sys.stderr)
        return FAILED
    print("samples with the plugin and without, and two profiles: the same; self of all functions and the reading are the phase; "
          f"each total is self and callees; a profile takes {statistics.median(costs):.2f} times the CPU time of measuring")
    return OK


def add_parser(commands: Commands) -> None:
    """Adds the command to lab.py's."""
    one = commands.add_parser("balance", help="do the exact profile's books balance, and what does it cost?", description=__doc__,
                              allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)
    one.add_argument("--kernel", action="append", required=True, metavar="KERNEL", help="repeatable")
    one.add_argument("--most-cost", type=positive, metavar="TIMES",
                     help="fail if a profile takes more than so many times the CPU time of measuring; without it, the cost is only said")
    add_state(one)
    add_append(one)
    add_machine(one)
    one.set_defaults(command=balance, takes_nsbench=True)
