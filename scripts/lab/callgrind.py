"""Callgrind's format (valgrind.org, "Callgrind Format Specification"): functions, the calls between them, and their lines."""
import os
from collections import defaultdict

from lab import tree
from lab.exact import Cost
from lab.lines import NOWHERE, Lines, SourceLine
from lab.tree import Tree

FILE = NOWHERE.file  # of functions whose source is not known


def whole_numbers(amounts: list[float]) -> list[int]:
    """The amounts as whole numbers whose sum is that of all, rounded."""
    found, before, running = [], 0, 0.0
    for amount in amounts:
        running += amount
        found.append(round(running) - before)
        before = round(running)
    return found


def edges_of(one: Tree) -> dict[str, list[tuple[str, float, float]]]:
    """What each function calls: how often, and with how many instructions below; inside of the same call it counts once."""
    edges: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for path, total in tree.totals(one).items():
        if len(path) > 1:
            pair = path[-2], path[-1]
            edges[pair][0] += one.get(path, Cost()).calls
            if pair not in zip(path[:-2], path[1:-1]):
                edges[pair][1] += total
    found: dict[str, list[tuple[str, float, float]]] = defaultdict(list)
    for (caller, callee), (calls, total) in sorted(edges.items()):
        found[caller].append((callee, calls, total))
    return found


def own_of(one: Tree) -> dict[str, float]:
    """The own instructions of every function that is on a path."""
    own = tree.own(one)
    return {name: own.get(name, 0) for name in {name for path in one for name in path}}


def write(one: Tree, what: str, lines: dict[str, Lines], root: str = "") -> str:
    """The tree as a file; `lines` of those functions whose lines are known, in files that are seen from `root`. Calls are at
    the line where a function opens."""
    def named(file: str) -> str:
        return file if file == FILE else os.path.join(root, file)

    own, edges = own_of(one), edges_of(one)
    opens = {name: lines[name].opens if name in lines else SourceLine(FILE, 0, name) for name in own}
    text = ["# callgrind format", "version: 1", "creator: nsbench", f"cmd: {what}", "positions: line", "events: Ir",
            f"summary: {round(tree.instructions(one))}", ""]
    file = ""
    for name in sorted(own):
        at = opens[name]
        if at.file != file:
            file = at.file
            text.append(f"fl={named(file)}")
        text.append(f"fn={name}")
        amounts = lines[name].amounts if name in lines else {at: own[name]}
        order = sorted(amounts, key=lambda place: (place.file != file, place.file, place.line, place.function))
        costs = list(zip(order, whole_numbers([amounts[place] for place in order])))
        text += [f"{place.line} {cost}" for place, cost in costs if place.file == file]
        for callee, calls, total in edges[name]:
            other = opens[callee]
            text += [*([f"cfi={named(other.file)}"] if other.file != file else []), f"cfn={callee}",
                     f"calls={max(1, round(calls))} {other.line}", f"{at.line} {round(total)}"]
        inlined = ""
        for place, cost in costs:
            if place.file != file:
                if place.file != inlined:
                    inlined = place.file
                    text.append(f"fi={named(inlined)}")
                text.append(f"{place.line} {cost}")
        if inlined:
            text.append(f"fe={named(file)}")
        text.append("")
    return "\n".join(text)
