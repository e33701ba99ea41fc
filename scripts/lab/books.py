"""The books of a case: a tree for each phase that balances with the phase's own figure, to the instruction."""
import csv
import io
import statistics
from dataclasses import dataclass, field

from analysis import columns
from lab import tree
from lab.errors import FAILED, LabError
from lab.exact import OWN, OWNERS, USER, Profile, Segment
from lab.lines import Amounts
from lab.tree import Tree

# Instructions between what was seen in a phase and what the clock says: its nanoseconds are rounded at both ends, and the
# kernel's factor from the counter to them is off by some millionths. A child's first moment, and a program's, which part phases,
# are put between two readings of the clock by the time stamp counter, which is read some instructions before or after each.
MOST_ROUNDING = 2
MOST_DRIFT = 4e-6  # of the figure
MOST_PARTING = 64
PARTED = {"start": ("start", "exec", "exit"), "ready": ("ready", "exit")}  # by the first of them that an operation has
STEPS = ("setgroups", "uid_map", "gid_map")  # calls of one operation, each a phase
WORKER = "process_one_work"  # kernel/workqueue.c: below it is what workers do
WORKERS = "it is the workers' after the samples: their functions are on the path async"
APART = "it is no part of a sample's total"
UNMARKED = "the sampler has no marks around it"
EXIT = "do_exit"  # kernel/exit.c: below it a process gives its namespaces back


@dataclass
class Book:
    """One phase: its figure, the tree of those executions that it is the median of, and the instructions that its clock's
    reading takes beside them."""

    figure: float
    tree: Tree
    reading: float
    lost: int = 0  # returns that led nowhere
    parted: bool = False  # whether a child's or a program's first moment bounds it
    addresses: Amounts = field(default_factory=dict)  # what each executed, where that was asked for


@dataclass
class Books:
    """One case: its phases in their order, the workers' tree for each execution, which phase is asked for if not the first, and
    why others have no book."""

    case: str
    phases: dict[str, Book] = field(default_factory=dict)
    later: Tree = field(default_factory=dict)
    asked: str = ""
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def first(self) -> str:
        return next(iter(self.phases))

    @property
    def shown(self) -> str:
        return self.asked or self.first

    def named(self) -> dict[str, str]:
        """The phases of the calls themselves, by the names of their paths: `create`; steps by their own; where the operation is
        one other call, such as setns, `create`, as the probe's rows have it."""
        steps = {phase: phase for phase in self.phases if phase in STEPS} if self.first in STEPS else {}
        return steps or {"create": "create" if "create" in self.phases else self.first}

    def destroy(self) -> Tree:
        """What gives it back: unmounting, or the child's exit."""
        if "unmount" in self.phases:
            return tree.of_owners(self.phases["unmount"].tree, OWN)
        return tree.below(tree.of_owners(self.phases["exit"].tree, OWN), EXIT) if "exit" in self.phases else {}

    def paths(self) -> dict[str, Tree]:
        """The trees by the names that they have in probe.csv and in the stacks."""
        calls = {name: tree.of_owners(self.phases[phase].tree, OWN) for name, phase in self.named().items()}
        return {**calls, "destroy": self.destroy(), "async": self.later}


def phases_of(rows: list[dict[str, str]]) -> set[str]:
    """The columns that have a figure."""
    return {name for row in rows for name, value in row.items() if value}


def addresses(profile: Profile, executions: list[list[Segment]], bit: int) -> Amounts:
    """What each address of the call's own functions executed while a phase was open, in the mean of these executions.
    LabError where their sum is not that of the tree."""
    found: Amounts = {}
    left: dict[str, int] = {}
    for segment in (one for execution in executions for one in execution if one.phases >> bit & 1):
        for block, instructions, owner, times in segment.runs:
            if OWNERS[owner] in OWN:
                name, places = profile.blocks[block]
                left[name] = left.get(name, 0) - instructions * times
                for place in places[:instructions]:
                    found[name, place] = found.get((name, place), 0) + times
        for node, _, own in segment.cells:
            path = profile.path(node)
            if path[0] in OWN and path[-1] != USER:
                left[path[-1]] = left.get(path[-1], 0) + own
    wrong = next((name for name in left if left[name]), None)
    if wrong:
        raise LabError(f"{wrong}: its addresses and its calls are {left[wrong]:+d} instructions apart: the books do not balance",
                       FAILED)
    return {key: amount / len(executions) for key, amount in found.items()}


def most_reading(figure: float, parted: bool) -> float:
    """Instructions that a phase may have beside its functions."""
    return (MOST_PARTING if parted else MOST_ROUNDING) + MOST_DRIFT * figure


def balance(profile: Profile, samples: str, case: str) -> Books:
    """The books of a copy's profile and samples.csv. LabError where they do not balance."""
    reader = csv.DictReader(io.StringIO(samples))
    rows = list(reader)
    names = list(reader.fieldnames or [])
    phases = names[names.index("counted") + 1:names.index("errno")]  # as in core/phases.def, which the marks have
    executions = profile.samples()
    failed = next((row for row in rows if row["errno"]), None)
    if failed:
        raise LabError(f"{failed['call']}: {failed['errno']}", FAILED)
    if not executions:
        raise LabError("the sampler has no marks around this operation: all but runtime have")
    if len(executions) != len(rows):
        raise LabError(f"{len(executions)} executions are in the profile, and {len(rows)} in samples.csv")
    present = phases_of(rows)
    profile.settle_turns(sum(1 << bit for bit, phase in enumerate(phases) if phase in present))
    parted = next((those for name, those in PARTED.items() if name in present), ())
    books = Books(case)
    for bit, phase in enumerate(phases):
        counted = [(float(row[phase]), i) for i, row in enumerate(rows) if row[phase] and row["counted"] == "1"]
        if not counted:
            continue
        if not any(segment.phases >> bit & 1 for segment in executions[counted[0][1]]):
            books.left_out[phase] = WORKERS if phase == "drain" else APART if columns.is_apart(phase) else UNMARKED
            continue
        counted.sort()
        middle = counted[(len(counted) - 1) // 2:len(counted) // 2 + 1]
        chosen = [executions[i] for _, i in middle]
        own = tree.mean(profile, chosen, lambda segment: segment.phases >> bit & 1 != 0)
        figure = statistics.fmean(value for value, _ in middle)
        reading = figure - tree.instructions(own)
        is_parted = phase in parted
        if abs(reading) > most_reading(figure, is_parted):
            raise LabError(f"{phase} is {figure:g}, and {tree.instructions(own):g} instructions were seen: the books do "
                           "not balance", FAILED)
        lost = sum(segment.lost for execution in chosen for segment in execution if segment.phases >> bit & 1)
        books.phases[phase] = Book(figure, own, reading, lost, is_parted, addresses(profile, chosen, bit) if profile.blocks else {})
    books.later = tree.below(tree.mean(profile, [profile.segments], lambda segment: True, len(executions)), WORKER)
    return books


def whole(books: Books) -> dict[str, float]:
    """The own instructions of each function in the phase that is shown; tasks and interrupts that do not belong to it as one each.
    Their sum is the phase's figure, less the reading."""
    return tree.own(tree.apart(books.phases[books.shown].tree))


def adds(books: Books, base: Books) -> dict[str, float]:
    """By how much each function's own instructions are more than in `base`."""
    one, other = whole(base), whole(books)
    return {name: change for name in one | other if (change := other.get(name, 0) - one.get(name, 0))}
