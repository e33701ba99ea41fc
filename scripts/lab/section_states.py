"""The page's section on states: what a kind costs in a kernel that is not fresh."""

from analysis.kinds import KINDS
from lab.recorded import Recorded
from lab.states import STATES
from lab.format import Runs, digits, k, table

TWICE = 2.0


def in_state(run: Recorded, state: str) -> Recorded | None:
    """The kernel's run in that state."""
    return run if state == "fresh" else run.states.get(state)


def recorded(runs: Runs) -> list[str]:
    """The states that some run was recorded in, in their order."""
    return [state for state in STATES if any(in_state(run, state) for run in runs)]


def cell(run: Recorded, kind: str, shown: list[str]) -> str:
    """What the kind adds to clone in each of these states."""
    found = []
    for state in shown:
        one = in_state(run, state)
        figure = one.added("clone", kind, "create") if one else None
        found.append(k(figure.value) if figure else "–")
    return " / ".join(found)


def states(runs: Runs) -> list[str]:
    """The section; nothing where no other state was recorded."""
    if not any(run.states for run in runs):
        return []
    shown = recorded(runs)
    lines = [
        f"What each kind adds to a plain clone (`create`) in a kernel that is {' / '.join(shown)}:",
        "",
        *(f"- {name}: {STATES[name].about}." for name in shown),
        "",
        *table(runs, "clone", [(kind, [cell(run, kind, shown) for run in runs]) for kind in KINDS]),
    ]
    for name in shown:
        for kind in KINDS:
            times = {}
            for run in runs:
                other = in_state(run, name)
                one, two = run.added("clone", kind, "create"), other.added("clone", kind, "create") if other else None
                if one and two and one.value > 0 and two.value > TWICE * one.high:
                    times[run.name] = two.value / one.value
            if times:
                span = f"×{digits(min(times.values()))}" + (f" to ×{digits(max(times.values()))}" if len(times) > 1 else "")
                where = "on every kernel" if len(times) == len(runs) else f"on {', '.join(times)}"
                lines.append(f"- {kind} in a {name} kernel: {span} of what it is in a fresh one, {where}.")
    return [*lines, ""]
