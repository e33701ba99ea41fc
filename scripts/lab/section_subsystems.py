"""The page's section on the parts of a net namespace: what each registered subsystem costs when one is made and torn down."""
import math
from collections.abc import Collection

from lab import executed, explain, recorded
from lab.executed import Functions
from lab.format import Runs, all_of, folded, k, range_of, table

SHOWN = 10  # the others are folded away
KIND = "NEWNET"
# net/core/net_namespace.c: what goes through the list of subsystems. By name, since some kernels have one as a part of another.
MAKES = ("ops_init",)
CLEANS = "cleanup_net"
UNDOES = (CLEANS, "ops_undo_list", "ops_undo_single", "ops_pre_exit_list", "ops_exit_list", "ops_exit_rtnl_list", "ops_free_list")
ALLOCATOR = "__kmalloc"  # with a suffix on some kernels: what ops_init allocates for a subsystem is none

Column = tuple[Functions, float]  # by subsystem, and the lists' own


def columns_of(runs: Runs, part: str, lists: Collection[str], helpers: str = "") -> list[Column]:
    """For each kernel what the lists call, and what they do themselves, with functions that begin so."""
    found = []
    for run in runs:
        named, themselves = executed.called(run.exact.get(part, {}).get(KIND, {}), lists)
        own = {name: value for name, value in named.items() if not helpers or not name.startswith(helpers)}
        found.append((own, themselves + math.fsum(named.values()) - math.fsum(own.values())))
    return found


def whole(column: Column) -> float:
    return math.fsum(column[0].values()) + column[1]


def is_known(column: Column) -> bool:
    """Whether there is anything to take shares of."""
    return bool(column[0]) and whole(column) > 0


def count(columns: list[Column]) -> str:
    """How many a kernel has."""
    sizes = [len(named) for named, _ in columns]
    return range_of(f"{min(sizes)}", f"{max(sizes)}")


def sorted_names(columns: list[Column]) -> list[str]:
    """Those that are largest anywhere first."""
    return sorted({name for named, _ in columns for name in named},
                  key=lambda name: (-max(named.get(name, 0) for named, _ in columns), name))


def rows_of(columns: list[Column], names: list[str]) -> list[tuple[str, list[str]]]:
    return [(name, [k(named[name]) if name in named else "–" for named, _ in columns]) for name in names]


def tables(runs: Runs, columns: list[Column], sums: list[tuple[str, list[str]]], itself: str) -> list[str]:
    """The largest, with the sums; below, folded away, all others, the smallest last."""
    names = sorted_names(columns)
    others = names[SHOWN:]
    left = [k(math.fsum(value for name, value in named.items() if name in others)) for named, _ in columns]
    rest = [(f"the {len(others)} others, below", left)] if others else []
    own = [(itself, [k(themselves) for _, themselves in columns])]
    lines = table(runs, KIND, [*rows_of(columns, names[:SHOWN]), *rest, *own, *sums])
    if others:
        lines += folded(f"The {len(others)} others", table(runs, KIND, rows_of(columns, others)))
    return lines


def share(columns: list[Column]) -> str:
    """The part of the largest ones in the whole."""
    names = sorted_names(columns)[:SHOWN]
    shares = [math.fsum(named.get(name, 0) for name in names) / whole((named, own)) for named, own in columns]
    return range_of(f"{100 * min(shares):.0f}%", f"{100 * max(shares):.0f}%")


def top(columns: list[Column]) -> list[str]:
    """A sentence on the largest one, where it is the same everywhere."""
    tops = {max(named, key=named.__getitem__) for named, _ in columns}
    if len(tops) != 1:
        return []
    name = tops.pop()
    shares = [named[name] / whole((named, own)) for named, own in columns]
    span = range_of(f"{100 * min(shares):.0f}%", f"{100 * max(shares):.0f}%")
    return [f"- On every kernel {name} is the largest: {span} of it.", ""]


def called_for(runs: Runs) -> str:
    """How many are registered: the probe counts the calls. Nothing where a kernel was not probed."""
    calls = all_of(run.probed.calls.get(KIND, {}).get(MAKES[0]) if run.probed else None for run in runs)
    return f", {range_of(f'{min(calls):.0f}', f'{max(calls):.0f}')} times on a kernel" if calls else ""


def made(runs: Runs) -> list[str]:
    """What ops_init calls."""
    columns = columns_of(runs, recorded.CREATE, MAKES, ALLOCATOR)
    return [
        "What each subsystem of the network takes when a net namespace is made, with all that it calls, in k instructions:",
        f"{MAKES[0]} calls each, and is called for all that are registered{called_for(runs)}.",
        f"{count(columns)} on a kernel have a row: one that does nothing then has none, nor have {MAKES[0]} itself and what allocates",
        f"for it. The {SHOWN} largest make up {share(columns)} of the sum:",
        "",
        *tables(runs, columns, [(f"all of {MAKES[0]}", [k(whole(column)) for column in columns])],
                f"{MAKES[0]} itself, and what it allocates"),
        *top(columns),
    ]


def through(runs: Runs) -> str:
    """The functions between it and what it calls, as the kernels have them."""
    seen = {explain.name_of(name) for run in runs for path in run.exact[recorded.ASYNC][KIND] for name in path}
    return " or ".join(name for name in UNDOES if name != CLEANS and name in seen)


def torn_down(runs: Runs) -> list[str]:
    """What cleanup_net calls, in a worker."""
    columns = columns_of(runs, recorded.ASYNC, UNDOES)
    if not all(map(is_known, columns)):
        return []
    every = [math.fsum(cost.self for cost in run.exact[recorded.ASYNC][KIND].values()) for run in runs]
    drained = [run.median("clone", KIND, "drain") for run in runs]
    sums = [
        (f"all of {CLEANS}", [k(whole(column)) for column in columns]),
        ("other work of the workers", [k(value - whole(column)) for value, column in zip(every, columns)]),
        ("all work of the workers", [k(value) for value in every]),
        ("`drain`, which has their waits", [k(figure.value) if figure else "–" for figure in drained]),
    ]
    return [
        f"And when it is torn down, by a worker ({CLEANS} calls them by the same list, itself or through {through(runs)}; some",
        f"subsystems have several functions for it, and what the lists need is among them: {count(columns)} on a kernel), for each",
        f"namespace, in k instructions executed: without the waits. The {SHOWN} largest make up {share(columns)} of {CLEANS}:",
        "",
        *tables(runs, columns, sums, "the lists themselves"),
        *top(columns),
    ]


def subsystems(runs: Runs) -> list[str]:
    """The section; nothing where no run has a profile of a net namespace."""
    runs = [run for run in runs if all(map(is_known, columns_of([run], recorded.CREATE, MAKES, ALLOCATOR)))]
    return [*made(runs), *torn_down(runs)] if runs else []
