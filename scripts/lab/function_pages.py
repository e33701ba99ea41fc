"""A page for each set: every kernel function behind what it adds to clone, on all recorded kernels, with sums that balance."""
import math

from analysis.kinds import ALL, KINDS
from lab import executed, recorded
from lab.executed import Functions
from lab.format import Runs, name_of, table

FOLDER = "functions"
SHARE = 0.02  # of the cost: what is worth a line with all that it calls
Found = dict[str, list[dict[str, Functions]]]  # by part, for each kernel, by set
MARK = "<!-- made by scripts/lab.py page: do not edit by hand -->"
TITLES = {
    recorded.CREATE: "The call",
    recorded.DESTROY: "The child's exit",
    recorded.ASYNC: "What workers do later",
}
ABOUT = {
    recorded.CREATE: "Phase `create`. The sum of all functions is that of the profiled executions, the middle ones of the first machine;\n"
                     "the rest is what it lacks of the figure on the page, the median of all machines'.",
    recorded.DESTROY: "All that the child executes in `do_exit`, a part of phase `exit`.",
    recorded.ASYNC: "For each namespace, in instructions executed: the waits, which phase `drain` has, are not among them. What is named\n"
                    "`perf_trace_workqueue_…` is how nsbench itself watches the workers.",
}


def path_of(kinds: str) -> str:
    """Its page, as seen from the results' own."""
    return f"{FOLDER}/{name_of(kinds).replace(' ', '-')}.md"


def exactly(value: float | None) -> str:
    """Instructions, unrounded: a median may be between two."""
    return "–" if value is None else f"{value:.12g}".replace("-", "−")


def sums(runs: Runs, kinds: str, part: str, columns: list[Functions]) -> list[tuple[str, list[str]]]:
    """All functions; for the call also what the figure has more or less than they, and the figure."""
    every = [math.fsum(column.values()) for column in columns]
    rows = [("**all functions**", [exactly(value) for value in every])]
    if part == recorded.CREATE:
        figures = [run.added("clone", kinds, "create") for run in runs]
        rows += [("the rest", [exactly(figure.value - value) if figure else "–" for figure, value in zip(figures, every)]),
                 ("**what it adds**", [exactly(figure.value if figure else None) for figure in figures])]
    return rows


def sorted_names(columns: list[Functions]) -> list[str]:
    """Those that are largest on any kernel first."""
    return sorted({name for column in columns for name in column},
                  key=lambda name: (-max(abs(column.get(name, 0)) for column in columns), name))


def rows_of(columns: list[Functions], names: list[str]) -> list[tuple[str, list[str]]]:
    return [(name, [exactly(column.get(name)) for column in columns]) for name in names]


def section(runs: Runs, kinds: str, part: str, own: list[Functions], totals: list[Functions]) -> list[str]:
    """The sums; the functions that most of it is below; and all functions, the largest first."""
    names = sorted_names(own)
    if not names:
        return []
    least = [SHARE * math.fsum(map(abs, column.values())) for column in own]
    callers = [name for name in sorted_names(totals)
               if any(abs(column.get(name, 0)) >= limit > 0 for column, limit in zip(totals, least))]
    return [f"## {TITLES[part]}", "", ABOUT[part], "", *table(runs, "instructions", sums(runs, kinds, part, own)),
            f"With all that each function calls, those that have {100 * SHARE:g}% of it on some kernel:", "",
            *table(runs, f"{len(callers)} functions", rows_of(totals, callers)),
            "Without what it calls, all of them; their sum is the one above:", "",
            *table(runs, f"{len(names)} functions", rows_of(own, names))]


def page(runs: Runs, kinds: str, own: Found, totals: Found) -> str:
    """The text of a set's page."""
    lines = [f"# {name_of(kinds)}: every kernel function behind its cost", "", MARK, "",
             f"What clone with {name_of(kinds)} executes more than one without any, by function, in instructions. With a minus: a plain",
             "clone executes more of it. –: not on this kernel, or as much for both. In brackets what ran in between and does not",
             "belong to the call. From the exact profiles of [the recorded runs](../README.md#where-the-instructions-go-exactly);",
             "`scripts/lab.py profile` makes one, with the tree of calls.", ""]
    for part in TITLES:
        lines += section(runs, kinds, part, *([column.get(kinds, {}) for column in found[part]] for found in (own, totals)))
    return "\n".join(lines)


def pages(runs: Runs) -> dict[str, str]:
    """Path → text."""
    runs = [run for run in runs if run.exact]
    own, totals = ({part: [executed.adds(run, part, of) for run in runs] for part in TITLES} for of in (executed.own, executed.totals))
    return {path_of(kinds): page(runs, kinds, own, totals) for kinds in (*KINDS, ALL)
            if any(kinds in column for column in own[recorded.CREATE])}
