"""Trees of calls: sums by function, folded stacks."""
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lab.exact import OWN, Cost, Path_, Profile, Segment

Tree = dict[Path_, Cost]  # each path's own, without what is below


@dataclass
class Function:
    """Of one function on all paths, for each execution: calls, own instructions, and those of all that it calls; a call
    inside of another call of itself counts once."""

    name: str
    calls: float = 0
    self: float = 0
    total: float = 0


def mean(profile: Profile, executions: list[list[Segment]], belongs: Callable[[Segment], bool], divisor: float = 0) -> Tree:
    """The tree of these executions' segments that belong, divided by their number, or by `divisor`."""
    cells: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for execution in executions:
        for segment in execution:
            if belongs(segment):
                for node, calls, own in segment.cells:
                    cells[node][0] += calls
                    cells[node][1] += own
    count = divisor or len(executions)
    tree: Tree = {}
    for node, (calls, own) in cells.items():
        tree.setdefault(profile.path(node), Cost()).add(calls / count, own / count)
    return tree


def instructions(tree: Tree) -> float:
    """All of it."""
    return sum(cost.self for cost in tree.values())


def own(tree: Tree) -> dict[str, float]:
    """The own instructions of each function, on all paths."""
    found: dict[str, float] = {}
    for path, cost in tree.items():
        found[path[-1]] = found.get(path[-1], 0) + cost.self
    return found


def below(tree: Tree, name: str) -> Tree:
    """The parts of the tree that this function calls, it included, with the paths beginning there."""
    found: Tree = {}
    for path, cost in tree.items():
        if name in path:
            found.setdefault(path[path.index(name):], Cost()).add(cost.calls, cost.self)
    return found


def apart(tree: Tree) -> Tree:
    """The tree with what does not belong to the call as one function each: they share functions with it."""
    found: Tree = {}
    for path, cost in tree.items():
        found.setdefault(path if path[0] in OWN else path[:1], Cost()).add(cost.calls, cost.self)
    return found


def called_by(tree: Tree, name: str) -> list[Function]:
    """What the function calls, with all that these call; the largest first, and at the end its own instructions."""
    found: dict[str, Function] = {}
    own = Function(name)
    for path, cost in tree.items():
        if name not in path:
            continue
        at = len(path) - 1 - path[::-1].index(name)  # of a recursion the innermost
        if at == len(path) - 1:
            own.calls += cost.calls
            own.self += cost.self
            own.total += cost.self
            continue
        one = found.setdefault(path[at + 1], Function(path[at + 1]))
        one.total += cost.self
        if at == len(path) - 2:
            one.calls += cost.calls
            one.self += cost.self
    return [*sorted(found.values(), key=lambda function: -function.total), *([own] if own.calls or own.self else [])]


def of_owners(tree: Tree, owners: Iterable[str]) -> Tree:
    """What belongs to these."""
    wanted = set(owners)
    return {path: cost for path, cost in tree.items() if path[0] in wanted}


def functions(tree: Tree) -> dict[str, Function]:
    """By name."""
    found: dict[str, Function] = {}
    for path, cost in tree.items():
        for name in set(path):
            found.setdefault(name, Function(name)).total += cost.self
        one = found[path[-1]]
        one.calls += cost.calls
        one.self += cost.self
    return found


def totals(tree: Tree) -> dict[Path_, float]:
    """Of each path, with all below it."""
    found: dict[Path_, float] = defaultdict(float)
    for path, cost in tree.items():
        for depth in range(1, len(path) + 1):
            found[path[:depth]] += cost.self
    return found


def show(tree: Tree, least: float) -> list[str]:
    """The tree as lines, without what is below `least` instructions: calls, total and self of each path."""
    whole = totals(tree)
    below_it: dict[Path_, list[Path_]] = defaultdict(list)
    for path in whole:
        below_it[path[:-1]].append(path)
    lines: list[str] = []

    def add(path: Path_) -> None:
        cost = tree.get(path, Cost())
        lines.append(f"{'  ' * (len(path) - 1) + path[-1]:<60} {cost.calls:>9.6g} {whole[path]:>12.0f} {cost.self:>11.0f}")
        for below in sorted(below_it[path], key=lambda one: -whole[one]):
            if whole[below] >= least:
                add(below)

    for root in sorted(below_it[()], key=lambda one: -whole[one]):
        add(root)
    return lines


def folded(tree: Tree, *first: str) -> list[str]:
    """A line for each path, as flame graphs are made of, with `first` before it; the values are whole instructions."""
    return [f"{';'.join((*first, *path))} {round(cost.self)}" for path, cost in sorted(tree.items()) if round(cost.self)]
