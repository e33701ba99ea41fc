"""A page for each set: every kernel function behind what it adds to clone, on all recorded kernels, with sums that balance."""
import math

from answers.kinds import ALL, KINDS
from lab import executed
from lab.executed import Functions
from lab.words import Runs, name_of, table

FOLDER = "functions"
MARK = "<!-- made by scripts/lab.py page: do not edit by hand -->"
TITLES = {
    executed.CREATE: "The call",
    executed.DESTROY: "The child's exit",
    executed.ASYNC: "What workers do later",
}
ABOUT = {
    executed.CREATE: "Phase `create`. The sum of all functions is that of the profiled executions, the middle ones of the first machine; the rest\n"
                     "is what it lacks of the figure on the page, the median of all machines'.",
    executed.DESTROY: "All that the child executes in `do_exit`, a part of phase `exit`.",
    executed.ASYNC: "For each namespace, in instructions executed: the waits, which phase `drain` has, are not among them.",
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
    if part == executed.CREATE:
        figures = [run.added("clone", kinds, "create") for run in runs]
        rows += [("the rest", [exactly(figure.value - value) if figure else "–" for figure, value in zip(figures, every)]),
                 ("**what it adds**", [exactly(figure.value if figure else None) for figure in figures])]
    return rows


def section(runs: Runs, kinds: str, part: str, columns: list[Functions]) -> list[str]:
    """The sums, and below them all functions, the largest first."""
    names = sorted({name for column in columns for name in column},
                   key=lambda name: (-max(abs(column.get(name, 0)) for column in columns), name))
    if not names:
        return []
    rows = [(name, [exactly(column.get(name)) for column in columns]) for name in names]
    return [f"## {TITLES[part]}", "", ABOUT[part], "",
            *table(runs, f"{len(names)} functions", [*sums(runs, kinds, part, columns), *rows])]


def page(runs: Runs, kinds: str, found: dict[str, list[dict[str, Functions]]]) -> str:
    """The text of a set's page."""
    lines = [f"# {name_of(kinds)}: every kernel function behind its cost", "", MARK, "",
             f"What clone with {name_of(kinds)} executes more than one without any, by function: instructions of its own, without those of",
             "the functions that it calls. With a minus: a plain clone executes more of it. –: not on this kernel, or as much for both.",
             "In brackets what ran in between and does not belong to the call. From the exact profiles of [the recorded",
             "runs](../README.md#where-the-instructions-go-exactly); `scripts/lab.py profile` makes one, with the tree of calls.", ""]
    for part in TITLES:
        lines += section(runs, kinds, part, [column.get(kinds, {}) for column in found[part]])
    return "\n".join(lines)


def pages(runs: Runs) -> dict[str, str]:
    """Path → text."""
    runs = [run for run in runs if run.exact]
    found = {part: [executed.adds(run, part) for run in runs] for part in TITLES}
    return {path_of(kinds): page(runs, kinds, found) for kinds in (*KINDS, ALL)
            if any(kinds in column for column in found[executed.CREATE])}
