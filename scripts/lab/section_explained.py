"""The page's section that explains what changed between neighbouring kernels: a sentence for each kind's change."""
from dataclasses import dataclass

from answers.kinds import ALL, KINDS, NONE
from lab import executed, explain, tree
from lab.books import Book, Books
from lab.explain import Pair
from lab.recorded import Recorded
from lab.words import Runs, folded, name_of

NAMED = 5  # functions in a sentence
LEAST = 200  # instructions: smaller changes are folded away
REST = 1  # instruction, from which on a rest is said


def pair_of(run: Recorded, kinds: str) -> Pair | None:
    """The books of clone with this set in `create`, and of clone without any."""
    def books_of(one: str) -> Books | None:
        own = run.exact.get(executed.CREATE, {}).get(one)
        return Books(f"clone/{one}", {executed.CREATE: Book(tree.instructions(own), own, 0)}) if own else None

    own, none = books_of(kinds), books_of(NONE)
    return (own, none) if own and none else None


@dataclass(frozen=True)
class Change:
    """What a kind adds changed by so much; the sentence says where."""

    size: float
    sentence: str


def change(one: Recorded, other: Recorded, kinds: str) -> Change | None:
    """The change from one kernel to the other; None where the figure varies by more, or one has no profile. Its size is that of
    the plain runs, as in the tables; what the functions of the profiled executions do not make up is the rest."""
    before, after = (run.added("clone", kinds, "create") for run in (one, other))
    sides = pair_of(one, kinds), pair_of(other, kinds)
    if not before or not after or not before.differs(after) or not sides[0] or not sides[1]:
        return None
    found = explain.explain(*sides)
    size = after.value - before.value
    rest = size - (found.after - found.before)
    said = explain.sentence(f"{name_of(kinds)} {explain.thousands(size)}", found.changes(), NAMED)
    return Change(size, said + (f", the rest {explain.thousands(rest)}" if abs(rest) >= REST else ""))


def step(one: Recorded, other: Recorded) -> list[str]:
    """The sentences on this step, small changes folded away, and which kinds do not change."""
    every = {kinds: change(one, other, kinds) for kinds in (*KINDS, ALL)}
    found = [change for change in every.values() if change]
    large = [change for change in found if abs(change.size) >= LEAST]
    small = [change for change in found if abs(change.size) < LEAST]
    same = [name_of(kinds) for kinds, change in every.items() if not change]
    lines = [f"**{one.name} → {other.name}**", "", *(f"- {change.sentence}." for change in large)]
    lines += [f"- Within what they vary by: {', '.join(same)}."] if same else []
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
        "From kernel to kernel, for each kind whose part of `create` changed by more than the figures vary: by how much, as in the",
        f"tables above, and which functions that is, by their own instructions, the {NAMED} largest by name. A function that the compiler",
        "made a part of its caller on one side is counted with it on both. The rest is what the profile does not have of the change:",
        "it is of the first machine's middle executions, and the figure is the median of all machines'.",
        "",
        *(line for one, other in zip(runs, runs[1:]) for line in step(one, other)),
    ]
