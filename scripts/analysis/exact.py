"""What needs no statistics: rows that are there on one side only, and whether figures of copies of saved machines changed.

Plain Python, since the lab compares with this where pandas need not be.
"""
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from analysis.files import shown

MEASURED = ("ok", "imprecise")  # the statuses of rows that have figures
STATUSES = (*MEASURED, "skipped", "failed")
# Columns of results.csv that say of a figure what it varies by: the ends of its interval, its resolution.
VARIES = (("ci_low", "ci_high", "resolution"), ("delta_low", "delta_high", "delta_resolution"))

Key = tuple[str, str]  # case and phase
Rows = Mapping[Key, Mapping[str, str]]  # at least status, errno and reason of each row

INSTEAD = 0.01  # of a resolution that a row does not have


@dataclass(frozen=True)
class Figure:
    """A row's median, its 95% interval, and by how much meaningless variations of the machine move it. NaN for what is not
    known: an interval from too few rounds, the resolution of a single machine."""

    median: float
    low: float = math.nan
    high: float = math.nan
    resolution: float = math.nan

    @classmethod
    def of(cls, row: Mapping[str, str]) -> "Figure":
        """What a row of results.csv says. ValueError, KeyError for one that says none."""
        median, low, high = (float(row[name] or "nan") for name in ("median", "ci_low", "ci_high"))
        return cls(median, low, high, float(row.get("resolution") or "nan"))


@dataclass(frozen=True)
class Change:
    """One row that both sides measured; `same` when every figure of it is, not the median alone."""

    case: str
    phase: str
    base: Figure
    new: Figure
    same: bool

    @property
    def ratio(self) -> float:
        base, new = self.base.median, self.new.median
        return new / base if base else math.inf if new else 1.0

    @property
    def difference(self) -> float:
        return self.new.median - self.base.median

    @property
    def resolution(self) -> float:
        """Of both sides together; NaN where one has none."""
        return self.base.resolution + self.new.resolution

    def verdict(self, threshold: float) -> str:
        """One of comparison.VERDICTS. A row is slower or faster that moved by more than both resolutions together, by more
        than `threshold` (a share of the base), and whose intervals do not meet; "~" if only they do or are unknown."""
        limit = INSTEAD * self.base.median if math.isnan(self.resolution) else self.resolution
        if abs(self.difference) > max(limit, threshold * self.base.median):
            apart = self.base.high < self.new.low or self.new.high < self.base.low
            return "~" if not apart else "slower" if self.difference > 0 else "faster"
        return "small" if self.difference else "identical" if self.same else "same"


def wrong(row: Mapping[str, str]) -> str | None:
    """What nsbench does not write of a row of results.csv, whose fields are numbers or empty where they have to be."""
    if row["status"] not in STATUSES:
        return f"unknown status {shown(row['status'])}"
    if row["status"] not in MEASURED:
        return None
    if not row["median"]:
        return f"{row['case']} {row['phase']} is {row['status']} without a median"
    for low, high, resolution in VARIES:
        ends = [row.get(name, "") for name in (low, high)]
        if (ends[0] == "") != (ends[1] == ""):
            return f"of {low} and {high} one is empty"
        if ends[0] and float(ends[0]) > float(ends[1]):
            return f"{low} is above {high}"
        if float(row.get(resolution) or 0) < 0:
            return f"{resolution} is below 0"
    return None


def within(changes: Iterable[Change]) -> str:
    """By what it is decided whether these changed, in words."""
    known = {not math.isnan(change.resolution) for change in changes}
    instead = f"{INSTEAD:.0%}"
    return "their resolution" if known == {True} else instead if known == {False} else f"their resolution, or {instead} without one"


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
