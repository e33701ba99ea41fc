"""What is different between two kernels: functions by how much they changed, in a table and in a sentence."""
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from analysis.kinds import prefixed
from lab import tree
from lab.books import Books
from lab.exact import Cost
from lab.tree import Tree

SUFFIX = re.compile(r"(\.(isra|constprop|part)\.\d+)+$")
LEAST = 0.5  # instructions that are a change
NAMED = 8  # functions in a sentence
Pair = tuple[Books, Books | None]  # a case's books, and those of its base
Side = dict[str, Pair]  # by case


def thousands(value: float) -> str:
    """An amount with its sign: whole, and from 1000 on with three digits."""
    text = f"{abs(value):.0f}" if abs(value) < 999.5 else prefixed(abs(value))
    return f"{'−' if value < 0 else '+'}{text}"


def sentence(about: str, found: dict[str, float], count: int) -> str:
    """The largest parts of a change, and what is left."""
    largest = sorted(found.items(), key=lambda item: -abs(item[1]))
    said = [f"{name} {thousands(value)}" for name, value in largest[:count] if abs(value) >= LEAST]
    left = sum(value for _, value in largest[count:])
    more = f", {len(largest) - count} others {thousands(left)}" if abs(left) >= LEAST else ""
    return f"{about}: {', '.join(said) or 'no function differs'}{more}"


@cache  # there are some thousand, on some hundred thousand paths
def name_of(function: str) -> str:
    """Without what the compiler has added to it."""
    return SUFFIX.sub("", function)


def plain(own: Tree) -> Tree:
    """Functions by the names that their source has: what the compiler makes of one differs from kernel to kernel."""
    found: Tree = {}
    for path, cost in own.items():
        found.setdefault(tuple(map(name_of, path)), Cost()).add(cost.calls, cost.self)
    return found


def named(own: Tree) -> Tree:
    """The plain functions, and what does not belong to the call as one function each."""
    return plain(tree.apart(own))


def into_callers(one: Tree, moved: dict[str, list[str]], common: set[str]) -> Tree:
    """The tree with these functions as parts of their callers, below which they are; elsewhere they stay."""
    found: Tree = {}
    for path, cost in one.items():
        kept, nearest, merged = [], "", False
        for name in path:
            merged = name in moved and nearest in moved[name]
            if not merged:
                kept.append(name)
            if name in common:
                nearest = name
        found.setdefault(tuple(kept), Cost()).add(0 if merged else cost.calls, cost.self)
    return found


def callers(one: Tree, common: set[str]) -> dict[str, dict[str, float]]:
    """For each function the nearest ones of `common` on its paths, and how many of its own instructions are theirs."""
    found: dict[str, dict[str, float]] = {}
    for path, cost in one.items():
        nearest = next((name for name in reversed(path[:-1]) if name in common), None)
        if nearest and path[-1] not in common:
            of = found.setdefault(path[-1], {})
            of[nearest] = of.get(nearest, 0) + cost.self
    return found


def on_both(base: Tree, new: Tree) -> set[str]:
    """The functions that both have."""
    return tree.own(base).keys() & tree.own(new).keys()


def inlined(base: Tree, new: Tree) -> dict[str, list[str]]:
    """Functions that are on one side only, and whose instructions their callers have more on the other: which callers."""
    found: dict[str, list[str]] = {}
    of_base, of_new = tree.own(base), tree.own(new)
    for here, own, other in ((base, of_base, of_new), (new, of_new, of_base)):
        grown = {name: other[name] - own[name] for name in own.keys() & other.keys()}
        called = callers(here, set(grown))
        gone = sorted(own.keys() - other.keys(), key=lambda name: (-own[name], name))
        for name in gone:
            for caller, theirs in called.get(name, {}).items():
                # A copy in its caller saves the call, and what the compiler then sees through.
                if theirs and grown.get(caller, 0) >= 0.5 * theirs:
                    found.setdefault(name, []).append(caller)
                    grown[caller] -= theirs
    return found


def shown_tree(own: Books) -> Tree:
    return named(own.phases[own.shown].tree)


@dataclass
class Explained:
    """What a case adds to its base on both sides, in instructions that were seen: the sums, each function's part, and the
    functions that are counted with their callers, since one side has them inlined there."""

    before: float
    after: float
    parts: tuple[dict[str, float], dict[str, float]]
    inlined: dict[str, list[str]]  # each function's callers

    def changes(self) -> dict[str, float]:
        """By function."""
        one, other = self.parts
        return {name: change for name in one | other if abs(change := other.get(name, 0) - one.get(name, 0)) >= LEAST}

    def with_callers(self, shown: Iterable[str]) -> list[str]:
        """A line on what is counted with its callers, if anything is; by name where these are among those shown."""
        if not self.inlined:
            return []
        near = [f"{name} ({', '.join(callers)})" for name, callers in sorted(self.inlined.items()) if set(callers) & set(shown)]
        what = "1 function is" if len(self.inlined) == 1 else f"{len(self.inlined)} functions are"
        return [f"  {what} inlined on one side, and counted with their callers"
                + (f": {', '.join(near)}" if near else "")]


def of_trees(base: tuple[Tree, Tree | None], new: tuple[Tree, Tree | None]) -> Explained:
    """Holds two kernels' trees of a case against each other, each less that of its base."""
    moved, common = inlined(base[0], new[0]), on_both(base[0], new[0])
    parts = []
    for own, none in (base, new):
        one, other = (tree.own(into_callers(side, moved, common)) if side else {} for side in (own, none))
        parts.append({name: one.get(name, 0) - other.get(name, 0) for name in one | other})
    return Explained(sum(parts[0].values()), sum(parts[1].values()), (parts[0], parts[1]), moved)


def explain(base: Pair, new: Pair) -> Explained:
    """Holds the two kernels' books of a case against each other."""
    one, other = ((shown_tree(own), shown_tree(none) if none else None) for own, none in (base, new))
    return of_trees(one, other)


def lines_of(case: str, base: Pair, new: Pair, names: list[str], top: int) -> list[str]:
    """A sentence, and a table of the functions by how much they changed."""
    found = explain(base, new)
    changes = found.changes()
    what = f"adds to {base[1].case}" if base[1] else base[0].shown
    lines = [sentence(f"{case} {thousands(found.after - found.before)} ({what}: {found.before:.0f} on {names[0]}, "
                      f"{found.after:.0f} on {names[1]})", changes, NAMED)]
    rows = sorted(changes.items(), key=lambda item: -abs(item[1]))[:top]
    if rows:
        lines += ["", f"  {'function':<44} {'change':>9} {'before':>9} {'after':>9}"]
    for name, change in rows:
        values = [part.get(name, 0) for part in found.parts]
        word = "  new" if name not in found.parts[0] else "  gone" if name not in found.parts[1] else ""
        lines.append(f"  {name:<44} {change:>+9.0f} {values[0]:>9.0f} {values[1]:>9.0f}{word}")
    lines += found.with_callers(dict(rows))
    return lines


def changes(base: Side, new: Side, names: list[str], top: int) -> list[list[str]]:
    """A paragraph for each case of both sides."""
    return [lines_of(case, base[case], new[case], names, top) for case in base if case in new]
