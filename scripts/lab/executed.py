"""What the exact profiles of recorded runs say: each function's own instructions by set, and what a list of callbacks calls."""
from collections.abc import Callable, Collection

from analysis.kinds import NONE
from lab.exact import OWN
from lab.explain import name_of
from lab.recorded import CREATE, Recorded
from lab.tree import Tree

Functions = dict[str, float]  # instructions, by the names that the source has


def own(tree: Tree, part: str) -> Functions:
    """Each function's own instructions; in the call, what does not belong to it counts as one function each."""
    found: Functions = {}
    for path, cost in tree.items():
        name = name_of(path[-1]) if part != CREATE or path[0] in OWN else path[0]
        found[name] = found.get(name, 0) + cost.self
    return found


def totals(tree: Tree, part: str) -> Functions:
    """The same with all that each calls; a call inside of another call of itself counts once."""
    found: Functions = {}
    for path, cost in tree.items():
        inside = path[1:] if path[0] in OWN else path if part != CREATE else path[:1]
        for name in set(map(name_of, inside)):
            found[name] = found.get(name, 0) + cost.self
    return found


def adds(run: Recorded, part: str, of: Callable[[Tree, str], Functions] = own) -> dict[str, Functions]:
    """For each set the functions that execute more or less for it than for `none`, and by how much."""
    every = {kinds: of(tree, part) for kinds, tree in run.exact.get(part, {}).items()}
    none = every.pop(NONE, None)
    if none is None:
        return {}
    return {kinds: {name: change for name in one | none if (change := one.get(name, 0) - none.get(name, 0))}
            for kinds, one in every.items()}


def called(tree: Tree, lists: Collection[str]) -> tuple[Functions, float]:
    """What functions that go through a list, and call each other, call: with all that is below it; and their own."""
    found: Functions = {}
    themselves = 0.0
    for path, cost in tree.items():
        names = iter(path)
        first = next((name for name in names if name_of(name) in lists), None)
        if first is None:
            continue
        child = next((name for name in map(name_of, names) if name not in lists), None)
        if child is None:
            themselves += cost.self
        else:
            found[child] = found.get(child, 0) + cost.self
    return found, themselves
