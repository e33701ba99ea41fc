"""The page's section from the exact profiles: every function behind what a kind adds."""
import math

from analysis.kinds import ALL, KINDS, prefixed
from lab import executed, function_pages, recorded
from lab.executed import Functions
from lab.recorded import Recorded
from lab.section_functions import AGREES, agrees
from lab.format import Runs, folded, k, name_of

TOP = 5  # functions of a kind
Found = dict[tuple[str, str], Functions]  # by kernel and set


def row(run: Recorded, kinds: str, found: Functions, *first: str) -> str:
    """How many functions there are, their sum, and those with the largest parts of it."""
    top = sorted(found.items(), key=lambda item: -abs(item[1]))[:TOP]
    cells = [*first, f"{len(found)}", k(math.fsum(found.values())), ", ".join(f"{name} {k(own)}" for name, own in top)]
    return f"| {' | '.join(cells)} |"


def balance(runs: Runs, found: Found) -> list[str]:
    """Whether the functions' sums are what the plain runs add."""
    others, count = [], 0
    for run in runs:
        for kinds in (*KINDS, ALL):
            plain, whole = run.added("clone", kinds, "create"), math.fsum(found.get((run.name, kinds), {}).values())
            if plain and whole:
                count += 1
                if not agrees(whole, plain):
                    others.append(f"{name_of(kinds)} on {run.name} {prefixed(whole)} for {prefixed(plain.value)}")
    said = f"; the others: {', '.join(others)}" if others else ""
    return [f"- For {count - len(others)} of {count} sets and kernels the functions' sum is what the plain run adds to `create`, within "
            f"{100 * AGREES:.0f}% or what that", f"  varies by{said}."] if count else []


def exact(runs: Runs) -> list[str]:
    """The section; nothing where no run has a profile."""
    runs = [run for run in runs if run.exact]
    if not runs:
        return []
    found = {(run.name, kinds): own for run in runs for kinds, own in executed.adds(run, recorded.CREATE).items()}
    newest, *older = reversed(runs)
    every = [kinds for kinds in (*KINDS, ALL) if (newest.name, kinds) in found]
    lines = [
        "What each kind adds to a plain clone, by kernel function: from the exact profile, which sees all of them (`scripts/lab.py",
        f"profile`). On {newest.name}: how many functions take part in it, their sum, and the {TOP} with the most instructions of their",
        "own, in k. Each kind's name leads to a table of all of its functions, on all kernels side by side, with what is behind",
        "its teardown:",
        "",
        "| clone | functions | all of them | the largest |",
        "|---|---:|---:|---|",
        *(row(newest, kinds, found[newest.name, kinds], f"[{name_of(kinds)}]({function_pages.path_of(kinds)})") for kinds in every),
        "",
        *balance(runs, found),
        "",
    ]
    if older:
        lines += folded("The same on the other kernels", [
            "| clone | kernel | functions | all of them | the largest |",
            "|---|---|---:|---:|---|",
            *(row(run, kinds, found[run.name, kinds], name_of(kinds), run.name)
              for kinds in every for run in reversed(older) if (run.name, kinds) in found),
        ])
    return lines
