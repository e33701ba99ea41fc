"""The page's section on the largest changes from one kernel to the next, with the function behind each."""

import math
from dataclasses import dataclass

from analysis.kinds import KINDS, change
from lab.recorded import Recorded, RecordedFigure
from lab.format import Runs, digits, k

SHOWN = 10
LEAST = 200  # instructions: a row that is shorter on both sides is no news, whatever its ratio


@dataclass(frozen=True)
class Step:
    """A kind's cost that changed by more than it varies."""

    one: Recorded
    other: Recorded
    kind: str
    what: str
    before: RecordedFigure
    after: RecordedFigure
    function: str

    @property
    def size(self) -> float:
        """How far the ratio is from 1, either way."""
        return abs(math.log(self.after.value / self.before.value))


def largest_difference(one: dict[str, float] | None, other: dict[str, float] | None) -> str:
    """The function whose own instructions differ most, and by how much. Nothing where a side was not probed."""
    if not one or not other:
        return "–"
    changes = {name: other.get(name, 0) - one.get(name, 0) for name in one | other}
    name = max(changes, key=lambda function: abs(changes[function]))
    change = changes[name]
    known = "" if name in one and name in other else ", new" if name in other else ", gone"
    return f"{name} ({'+' if change > 0 else ''}{k(change)}{known})"


def behind(one: Recorded, other: Recorded, kind: str, what: str) -> str:
    """The function behind a change of clone, as far as the probed runs tell."""
    if not one.probed or not other.probed or what not in ("create", "drain"):
        return "–"
    sides = [probed.adds if what == "create" else probed.later for probed in (one.probed, other.probed)]
    return largest_difference(sides[0].get(kind), sides[1].get(kind))


def figures(run: Recorded, kind: str) -> dict[str, RecordedFigure | None]:
    """What a kind costs: made by clone, torn down later, entered."""
    return {"create": run.added("clone", kind, "create"), "drain": run.median("clone", kind, "drain"),
            "setns": run.median("setns:nsfd", kind, "switch")}


def steps(runs: Runs) -> list[Step]:
    """All changes between neighbours, the largest ratio first."""
    found = []
    for one, other in zip(runs, runs[1:]):
        for kind in KINDS:
            before, after = figures(one, kind), figures(other, kind)
            for what, a in before.items():
                b = after[what]
                if a and b and a.value > 0 and b.value > 0 and a.differs(b) and max(a.value, b.value) >= LEAST:
                    found.append(Step(one, other, kind, what, a, b, behind(one, other, kind, what)))
    return sorted(found, key=lambda step: -step.size)


def ratio(step: Step) -> str:
    """Such as ×1400, ÷2.4, +7.0%."""
    times = step.after.value / step.before.value
    if 0.8 < times < 1.25:
        return change(times)
    return ("×" if times > 1 else "÷") + digits(max(times, 1 / times))


def changes(runs: Runs) -> list[str]:
    """The section; nothing for a single kernel."""
    every = steps(runs)
    if not every:
        return []
    lines = [
        "From one recorded kernel to the next, what a kind adds to clone (`create`), what its teardown takes afterwards",
        "(`drain`), and what entering it takes (`setns`, by its file), in k; only changes larger than what either figure varies by.",
        f"{len(every)} are; the {min(SHOWN, len(every))} largest, with the function that the probe sees most of it in, where it is known:",
        "",
        "| from | to | kind | cost | before | after | change | function |",
        "|---|---|---|---|---:|---:|---:|---|",
    ]
    for step in every[:SHOWN]:
        lines.append(f"| {step.one.name} | {step.other.name} | {step.kind} | {step.what} | {k(step.before.value)} | "
                     f"{k(step.after.value)} | {ratio(step)} | {step.function} |")
    return [*lines, ""]
