"""The page's first section: what the recorded runs say, in a few sentences."""
import math

from analysis.kinds import KINDS, prefixed
from lab.format import Runs, all_of, range_of, span
from lab.recorded import RecordedFigure
from lab.section_changes import Step, ratio, steps

CHEAP = 0.1  # of a plain clone
MADE, UNMADE = 3, 2  # steps that are named: of what a kind adds to clone, and of its teardown
HOST = "host/README.md"  # a run by wall time, where there is one beside the recorded ones
Added = dict[str, list[RecordedFigure]]  # by kind, for each kernel


def dearest(runs: Runs, added: Added) -> list[str]:
    """The dearest kind, where it is the same on every kernel."""
    if not all(added.values()):
        return []
    order = [max(KINDS, key=lambda kind: added[kind][i].low) for i in range(len(runs))]
    first = order[0]
    others = [max(added[kind][i].high for kind in KINDS if kind != first) for i in range(len(runs))]
    times = [added[first][i].low / other if other > 0 else 0 for i, other in enumerate(others)]
    if len(set(order)) > 1 or min(times) <= 1:
        return []
    bare = all_of(run.median("clone", "none", "create") for run in runs)
    clones = [figure.value / plain.value for figure, plain in zip(added[first], bare) if plain.value > 0]
    whole = f", as much as {range_of(f'{min(clones):.1f}', f'{max(clones):.1f}')} plain clones" if clones else ""
    return [f"- On every kernel {first} is the dearest: it adds {span([f.value for f in added[first]])} to a clone{whole}, and at "
            f"least {math.floor(min(times) * 10) / 10:g} times any other kind."]


def cheap(runs: Runs, added: Added) -> list[str]:
    """The kinds that add little on every kernel."""
    bare = [run.median("clone", "none", "create") for run in runs]
    found = [kind for kind, figures in added.items()
             if figures and all(plain and f.high < CHEAP * plain.low for f, plain in zip(figures, bare))]
    if not found:
        return []
    values = [figure.value for kind in found for figure in added[kind]]
    below = [kind for kind in found if min(figure.value for figure in added[kind]) < 0]
    why = ""
    if below == ["NEWTIME"]:
        why = " NEWTIME adds less than nothing where clone3, which alone has a flag for it, takes less than clone."
    return [f"- {', '.join(found)} add less than a tenth of a plain clone on every kernel: {span(values)}.{why}"]


def said(step: Step) -> str:
    return f"{step.kind} at {step.other.name}, {prefixed(step.before.value)} → {prefixed(step.after.value)} ({ratio(step)})"


def largest(runs: Runs) -> list[str]:
    """The largest steps from kernel to kernel."""
    every, lines = steps(runs), []
    for what, count, about in (("create", MADE, "What a kind adds to clone changed most for"),
                               ("drain", UNMADE, "Its teardown by workers afterwards, waits included, changed most for")):
        if found := [step for step in every if step.what == what][:count]:
            lines.append(f"- {about} {'; '.join(map(said, found))}.")
    return lines


def short(runs: Runs) -> list[str]:
    """The section."""
    added = {kind: all_of(run.added("clone", kind, "create") for run in runs) for kind in KINDS}
    beside = runs[0].folder.parent / HOST
    host = f" Two runs by wall time, on a host, are in [host]({HOST})." if beside.exists() else ""
    return [
        *dearest(runs, added),
        *cheap(runs, added),
        *largest(runs),
        "- All of these are instructions executed, not time: k is a thousand of them, M a million, and what a table has is in k, if "
        f"it says nothing else.{host}",
        "",
    ]
