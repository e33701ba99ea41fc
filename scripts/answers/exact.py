"""What needs no statistics: rows that are there on one side only, and figures that are exact, as instruction counts are.

Plain Python, since the lab compares with this where pandas need not be.
"""
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MEASURED = ("ok", "imprecise")  # the statuses of rows that have figures

Key = tuple[str, str]  # case and phase
Rows = Mapping[Key, Mapping[str, str]]  # at least status, errno and reason of each row


@dataclass(frozen=True)
class Change:
    """One row that both sides measured; `same` when every figure of it is, not the median alone."""

    case: str
    phase: str
    base: float
    new: float
    same: bool

    @property
    def ratio(self) -> float:
        return self.new / self.base if self.base else math.inf if self.new else 1.0


def measured(rows: Rows) -> set[Key]:
    """The rows that have figures."""
    return {key for key, row in rows.items() if row["status"] in MEASURED}


def geometric_means(ratios: Iterable[tuple[str, float]]) -> str:
    """Of (phase, ratio) pairs, for each phase: a sentence. Ratios of 0 and infinity have no place in one."""
    logs: dict[str, list[float]] = defaultdict(list)
    for phase, ratio in ratios:
        if 0 < ratio < math.inf:
            logs[phase].append(math.log(ratio))
    means = [f"{phase} {math.exp(math.fsum(of) / len(of)):.4f} ({len(of)} rows)" for phase, of in sorted(logs.items())]
    return f"geometric mean of the ratios: {', '.join(means)}"


def missing(here: Rows, there: Rows, chosen: set[Key]) -> list[str]:
    """What only `here` has: its cases, with the reason `there` gives; a phase is named where only some are missing."""
    of_here = measured(here) & chosen
    only = of_here - measured(there)
    phases: dict[str, set[Key]] = defaultdict(set)
    for key in of_here:
        phases[key[0]].add(key)
    lines = []
    for case, phase in sorted(only):
        row = there.get((case, phase))
        why = f": {row['status']}: {row['errno']} {row['reason']}".rstrip() if row else ": not in the other's results"
        lines.append((case if phases[case] <= only else f"{case} {phase}") + why)
    return list(dict.fromkeys(lines))
