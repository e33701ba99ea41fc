"""The page's section that explains what changed between neighbouring kernels: a sentence for each change of a kind's cost."""
from collections.abc import Callable
from dataclasses import dataclass

from analysis.kinds import ALL, KINDS, NONE
from lab import explain, recorded
from lab.recorded import Recorded, RecordedFigure
from lab.format import Runs, folded, name_of
from lab.tree import Tree

NAMED = 5  # functions in a sentence
LEAST = 200  # instructions: smaller changes are folded away
REST = 1  # instruction, from which on a rest is said
MOST = 0.5  # of a change: a larger rest is no rest, and the change is not explained


@dataclass(frozen=True)
class ExplainedCost:
    """A figure of clone that a part of the profile explains, or, where it has waits, the instructions in it."""

    part: str
    figure: Callable[[Recorded, str], RecordedFigure | None]
    said: str  # behind a set's name
    waits: bool


COSTS = (
    ExplainedCost(recorded.CREATE, lambda run, kinds: run.added("clone", kinds, "create"), "", False),
    ExplainedCost(recorded.ASYNC, lambda run, kinds: run.median("clone", kinds, "drain"), ", torn down", True),
)


def trees_of(run: Recorded, kinds: str, part: str = recorded.CREATE) -> tuple[Tree, Tree] | None:
    """Clone with this set in this part of the profile, and clone without any."""
    own, none = (run.named.get(part, {}).get(one) for one in (kinds, NONE))
    return (own, none) if own and none else None


@dataclass(frozen=True)
class SetChange:
    """A set's cost changed by so much; the sentence says where. What the functions do not have of it is its rest, but for waits."""

    name: str
    size: float
    rest: float
    waits: float | None
    sentence: str

    @property
    def is_explained(self) -> bool:
        """Whether it is the functions that make it up."""
        return abs(self.rest) <= MOST * abs(self.size)


def change(one: Recorded, other: Recorded, kinds: str, cost: ExplainedCost) -> SetChange | None:
    """The change from one kernel to the other; None where the figure varies by more, or one has no profile. Its size is that of
    the plain runs, as in the tables; of a figure with waits it is that of the instructions alone, and the others are the waits."""
    before, after = cost.figure(one, kinds), cost.figure(other, kinds)
    if not before or not after or not before.differs(after):
        return None
    base, new = trees_of(one, kinds, cost.part), trees_of(other, kinds, cost.part)
    if not base or not new:
        return None
    found = explain.of_trees(base, new)
    seen, size = found.after - found.before, after.value - before.value
    name = name_of(kinds)
    if cost.waits:
        return SetChange(name, seen, 0, size - seen, sentence(f"{name}{cost.said}", seen, found.changes(), 0))
    return SetChange(name, size, size - seen, None, sentence(f"{name}{cost.said}", size, found.changes(), size - seen))


def sentence(name: str, size: float, functions: dict[str, float], rest: float) -> str:
    """The functions, and the rest behind them; of a change that they do not explain, how much of it they have."""
    about = f"{name} {explain.thousands(size)}"
    if abs(rest) > MOST * abs(size):
        return explain.sentence(f"{about}, and the profile has {explain.thousands(size - rest)}", functions, NAMED)
    said = explain.sentence(about, functions, NAMED)
    return f"{said}, the rest {explain.thousands(rest)}" if abs(rest) >= REST else said


def bullets(found: list[SetChange]) -> list[str]:
    return [f"- {change.sentence}." for change in found]


def counted(count: int) -> str:
    return "1 change" if count == 1 else f"{count} changes"


def changes(one: Recorded, other: Recorded) -> dict[str, SetChange | None]:
    """Each cost that both have; None where it varies by more than it changed."""
    return {f"{name_of(kinds)}{cost.said}": change(one, other, kinds, cost) for cost in COSTS for kinds in (*KINDS, ALL)
            if cost.figure(one, kinds) and cost.figure(other, kinds)}


def step(one: Recorded, other: Recorded, every: dict[str, SetChange | None]) -> list[str]:
    """The sentences on this step, all of them folded away: the changes that are explained, the waits, what does not change;
    small changes, and those that are not explained."""
    found = [change for change in every.values() if change]
    large = [change for change in found if change.is_explained and abs(change.size) >= LEAST]
    small = [change for change in found if change.is_explained and abs(change.size) < LEAST]
    unknown = [change for change in found if not change.is_explained]
    waits = [f"{change.name} {explain.thousands(change.waits)}" for change in found if change.waits and abs(change.waits) >= LEAST]
    same = [name for name, change in every.items() if not change]
    lines = bullets(large)
    lines += [f"- Waits, and what `drain` leaves out: {', '.join(waits)}."] if waits else []
    lines += [f"- Within what they vary by: {'; '.join(same)}."] if same else []
    lines += [""] if lines else []
    if small:
        lines += folded(f"{counted(len(small))} of less than {LEAST} instructions", [*bullets(small), ""])
    if unknown:
        lines += folded(f"{counted(len(unknown))} not explained by the profile", [*bullets(unknown), ""])
    largest = sorted(large, key=lambda change: -abs(change.size))[:1]
    said = f", the largest {largest[0].sentence.partition(':')[0]}" if largest else ""
    return folded(f"{one.name} → {other.name}: {counted(len(found))}{said}", lines)


def explained(runs: Runs) -> list[str]:
    """The section; nothing without two profiles."""
    runs = [run for run in runs if trees_of(run, ALL) or any(trees_of(run, kind) for kind in KINDS)]
    if len(runs) < 2:
        return []
    steps = [(one, other, changes(one, other)) for one, other in zip(runs, runs[1:])]
    of_create = [change for *_, every in steps for change in every.values() if change and change.waits is None]
    return [
        "From kernel to kernel, each kind whose part of `create`, or whose teardown by workers afterwards (`drain`), changed by more than",
        f"the figures vary: by how much, and which functions that is, by their own instructions, the {NAMED} largest by name. A function",
        "that the compiler made a part of its caller on one side is counted with it on both.",
        "",
        "For `create` it is the figure of the tables, the median of all machines; the rest is what the profile, of the first machine's",
        f"middle executions, does not have of it. For {sum(change.is_explained for change in of_create)} of {len(of_create)} changes the "
        f"rest is at most {100 * MOST:.0f}% of the change; the others are named as not",
        "explained. For the teardown it is what the workers execute. What `drain` changed by beside that stands once for each step:",
        "their waits, and what `drain` does not measure of them, such as their scheduling.",
        "",
        *(line for one, other, every in steps for line in step(one, other, every)),
    ]
