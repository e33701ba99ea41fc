"""The kernel functions behind a change: what the probe attributed on each side, function by function."""
from collections.abc import Iterable
from pathlib import Path

from lab import tables
from lab.errors import UNMEASURED

SHOWN = 5  # functions of a case


def own_times(folder: Path) -> dict[str, dict[str, float]]:
    """By case and function: ticks per execution without the traced functions that it calls. Empty without probe.csv.

    Teardown by the kernel's workers is left out: it depends on how many namespaces a worker finds.
    """
    times: dict[str, dict[str, float]] = {}
    path = folder / "probe.csv"
    for row in tables.rows(path, tables.PROBE, UNMEASURED) if path.exists() else ():
        if row["path"] != "async" and row["self"]:
            of_case = times.setdefault(row["case"], {})  # an exact profile has some functions on two paths
            of_case[row["function"]] = of_case.get(row["function"], 0) + float(row["self"])
    return times


def behind(base: Path, new: Path, cases: Iterable[str]) -> list[str]:
    """A paragraph for each case that both sides probed: its functions by how much they changed."""
    of_base, of_new = own_times(base), own_times(new)
    lines: list[str] = []
    for case in dict.fromkeys(cases):
        if case not in of_base or case not in of_new:
            continue
        one, other = of_base[case], of_new[case]
        changes = sorted(((other.get(name, 0) - one.get(name, 0), name) for name in one | other),
                         key=lambda change: -abs(change[0]))
        lines.append(f"{case}: functions that changed most, by their own time")
        for change, name in changes[:SHOWN]:
            if abs(change) < 0.5:
                break
            was = f"{one[name]:.0f}" if name in one else "not seen"
            now = f"{other[name]:.0f}" if name in other else "not seen"
            lines.append(f"  {name:<40} {change:>+12.0f}  {was} to {now}")
    return lines
