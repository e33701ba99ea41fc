"""What is different between two kernels: functions by how much they changed, in a table and in a sentence."""
from lab import books, tree
from lab.books import Books
from lab.exact import OWN, Cost
from lab.tree import Tree

LEAST = 0.5  # instructions that are a change
Side = dict[str, tuple[Books, Books | None]]  # by case: its books, and those of its base


def thousands(value: float) -> str:
    """An amount with its sign, in thousands from 1000 on."""
    return f"{value:+.0f}" if abs(value) < 1000 else f"{value / 1000:+.3g} k"


def sentence(about: str, found: dict[str, float], count: int) -> str:
    """The largest parts of a change, and what is left."""
    largest = sorted(found.items(), key=lambda item: -abs(item[1]))
    said = [f"{name} {thousands(value)}" for name, value in largest[:count] if abs(value) >= LEAST]
    left = sum(value for _, value in largest[count:])
    more = f", {len(largest) - count} others {thousands(left)}" if abs(left) >= LEAST else ""
    return f"{about}: {', '.join(said) or 'no function differs'}{more}"


def named(own: Tree) -> Tree:
    """What does not belong to the call as one function each."""
    found: Tree = {}
    for path, cost in own.items():
        found.setdefault(path if path[0] in OWN else path[:1], Cost()).add(cost.calls, cost.self)
    return found


def own_of(one: Tree) -> dict[str, float]:
    return {name: function.self for name, function in tree.functions(one).items()}


def into_callers(one: Tree, gone: set[str]) -> Tree:
    """The tree with these functions as parts of their callers."""
    found: Tree = {}
    for path, cost in one.items():
        kept = tuple(name for name in path if name not in gone)
        found.setdefault(kept, Cost()).add(cost.calls if path[-1] not in gone else 0, cost.self)
    return found


def callers(one: Tree, name: str) -> dict[str, float]:
    """Which functions call it, and how many of its own instructions are theirs."""
    found: dict[str, float] = {}
    for path, cost in one.items():
        if path[-1] == name and len(path) > 1:
            found[path[-2]] = found.get(path[-2], 0) + cost.self
    return found


def inlined(base: Tree, new: Tree) -> dict[str, str]:
    """Functions that are on one side only, and whose instructions their caller has on the other: which caller."""
    found: dict[str, str] = {}
    for here, there in ((base, new), (new, base)):
        own, other = own_of(here), own_of(there)
        for name in own.keys() - other.keys():
            for caller, theirs in callers(here, name).items():
                grown = other.get(caller, 0) - own.get(caller, 0)
                # A copy in its caller saves the call, and what the compiler then sees through.
                if caller in other and theirs and 0.5 * theirs <= grown:
                    found[name] = caller
    return found


def first_tree(own: Books) -> Tree:
    return named(own.phases[own.first].tree)


def explain(base: tuple[Books, Books | None], new: tuple[Books, Books | None],
            gone: set[str] | None = None) -> tuple[dict[str, float], dict[str, str]]:
    """By how much each function's part in what the case adds to its base changed, inlined ones counted with their callers;
    and those."""
    moved = inlined(first_tree(base[0]), first_tree(new[0]))
    sides = []
    for own, none in (base, new):
        found = own_of(into_callers(first_tree(own), set(moved)))
        if none:
            for name, value in own_of(into_callers(first_tree(none), set(moved))).items():
                found[name] = found.get(name, 0) - value
        sides.append(found)
    one, other = sides
    return {name: change for name in one | other
            if abs(change := other.get(name, 0) - one.get(name, 0)) >= LEAST}, moved


def figure(own: Books, none: Books | None) -> float:
    """What the case adds to its base, or is, in instructions that were seen."""
    whole = sum(books.whole(own).values())
    return whole - (sum(books.whole(none).values()) if none else 0)


def changes(base: Side, new: Side, names: list[str], top: int) -> list[list[str]]:
    """For each case of both sides: a sentence, and its functions by how much they changed."""
    paragraphs = []
    for case in base:
        if case not in new:
            continue
        before, after = figure(*base[case]), figure(*new[case])
        found, moved = explain(base[case], new[case])
        what = f"adds to {base[case][1].case}" if base[case][1] else base[case][0].first
        lines = [sentence(f"{case} {thousands(after - before)} ({what}: {before:.0f} on {names[0]}, {after:.0f} on {names[1]})",
                          found, 8)]
        in_base, in_new = (own_of(into_callers(first_tree(side[case][0]), set(moved))) for side in (base, new))
        rows = sorted(found.items(), key=lambda item: -abs(item[1]))[:top]
        if rows:
            lines += ["", f"  {'function':<44} {'change':>9} {'own before':>11} {'after':>11}"]
        for name, change in rows:
            values = [f"{side[name]:.0f}" if name in side else "–" for side in (in_base, in_new)]
            word = " new" if name not in in_base else " gone" if name not in in_new else ""
            lines.append(f"  {name:<44} {change:>+9.0f} {values[0]:>11} {values[1]:>11}{word}")
        lines += [f"  {name} is now a part of {caller}, or was" for name, caller in sorted(moved.items())]
        paragraphs.append(lines)
    return paragraphs
