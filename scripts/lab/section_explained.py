"""The page's section that explains what changed between neighbouring kernels: a sentence for each change of a kind's cost."""
from collections.abc import Callable
from dataclasses import dataclass

from analysis.kinds import ALL, KINDS, NONE
from lab import executed, explain, tree
from lab.books import Book, Books
from lab.exact import OWN
from lab.explain import Pair
from lab.recorded import Figure, Recorded
from lab.format import Runs, folded, name_of

NAMED = 5  # functions in a sentence
LEAST = 200  # instructions: smaller changes are folded away
REST = 1  # instruction, from which on a rest is said


@dataclass(frozen=True)
class Cost:
    """A figure of clone that a part of the profile explains."""

    part: str
    figure: Callable[[Recorded, str], Figure | None]
    said: str  # behind a set's name
    rest: str  # what the functions do not make up


COSTS = (
    Cost(executed.CREATE, lambda run, kinds: run.added("clone", kinds, "create"), "", "the rest"),
    Cost(executed.ASYNC, lambda run, kinds: run.median("clone", kinds, "drain"), ", torn down", "waits and the rest"),
)


def pair_of(run: Recorded, kinds: str, part: str = executed.CREATE) -> Pair | None:
    """The books of clone with this set in this part of the profile, and of clone without any."""
    def books_of(one: str) -> Books | None:
        own = run.exact.get(part, {}).get(one)
        if own and part != executed.CREATE:  # all of it belongs, and has no first name that says so
            own = {(OWN[0], *path): cost for path, cost in own.items()}
        return Books(f"clone/{one}", {part: Book(tree.instructions(own), own, 0)}) if own else None

    own, none = books_of(kinds), books_of(NONE)
    return (own, none) if own and none else None


@dataclass(frozen=True)
class Change:
    """A cost changed by so much; the sentence says where."""

    size: float
    sentence: str


def change(one: Recorded, other: Recorded, kinds: str, cost: Cost) -> Change | None:
    """The change from one kernel to the other; None where the figure varies by more, or one has no profile. Its size is that of
    the plain runs, as in the tables; what the functions of the profiled executions do not make up is the rest."""
    before, after = cost.figure(one, kinds), cost.figure(other, kinds)
    if not before or not after or not before.differs(after):
        return None
    base, new = pair_of(one, kinds, cost.part), pair_of(other, kinds, cost.part)
    if not base or not new:
        return None
    found = explain.explain(base, new)
    size = after.value - before.value
    return Change(size, sentence(f"{name_of(kinds)}{cost.said} {explain.thousands(size)}", found.changes(), cost.rest,
                                 size - (found.after - found.before)))


def sentence(about: str, functions: dict[str, float], name: str, rest: float) -> str:
    """The functions, and the rest by its name at the end, or before them where it is the larger part."""
    if abs(rest) < REST:
        return explain.sentence(about, functions, NAMED)
    if abs(rest) > max((abs(own) for own in functions.values()), default=0):
        return explain.sentence(about, {name: rest, **functions}, NAMED + 1)
    return f"{explain.sentence(about, functions, NAMED)}, {name} {explain.thousands(rest)}"


def step(one: Recorded, other: Recorded) -> list[str]:
    """The sentences on this step, small changes folded away, and what does not change."""
    every = {f"{name_of(kinds)}{cost.said}": change(one, other, kinds, cost) for cost in COSTS for kinds in (*KINDS, ALL)
             if cost.figure(one, kinds) and cost.figure(other, kinds)}
    found = [change for change in every.values() if change]
    large = [change for change in found if abs(change.size) >= LEAST]
    small = [change for change in found if abs(change.size) < LEAST]
    same = [name for name, change in every.items() if not change]
    lines = [f"**{one.name} → {other.name}**", "", *(f"- {change.sentence}." for change in large)]
    lines += [f"- Within what they vary by: {'; '.join(same)}."] if same else []
    lines += [""]
    if small:
        what = "1 change" if len(small) == 1 else f"{len(small)} changes"
        lines += folded(f"{what} of less than {LEAST} instructions", [*(f"- {change.sentence}." for change in small), ""])
    return lines


def explained(runs: Runs) -> list[str]:
    """The section; nothing without two profiles."""
    runs = [run for run in runs if pair_of(run, ALL) or any(pair_of(run, kind) for kind in KINDS)]
    if len(runs) < 2:
        return []
    return [
        "From kernel to kernel, each kind whose part of `create`, or whose teardown by workers afterwards (`drain`), changed by more than",
        f"the figures vary: by how much, as in the tables, and which functions that is, by their own instructions, the {NAMED} largest by",
        "name. A function that the compiler made a part of its caller on one side is counted with it on both. The rest is what the",
        "profile does not have of the change: it is of the first machine's middle executions, and the figure is the median of all",
        "machines'; and it does not have the waits, which `drain` has.",
        "",
        *(line for one, other in zip(runs, runs[1:]) for line in step(one, other)),
    ]
