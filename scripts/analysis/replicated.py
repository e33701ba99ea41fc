"""What compare.py says of sides of runs whose truth is known (replicate.py), counted and held against its limits."""
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.replicate import CHANGE, PLANTED_CASE, RUNS, chain
from analysis.script import Unreadable

if TYPE_CHECKING:
    from analysis.sources import Source

ALPHA, THRESHOLD = 0.05, 0.02  # compare.py's own
ALARMS_LIMIT, FOUND_LIMIT = 0.05, 0.9


@dataclass
class Count:
    """How many of so many comparisons, and their rate's exact interval (Clopper and Pearson)."""

    what: str
    of: int = 0
    hits: int = 0

    def add(self, hit: bool) -> None:
        self.of += 1
        self.hits += hit

    @property
    def rate(self) -> float:
        return self.hits / self.of

    def __str__(self) -> str:
        from scipy import stats
        if not self.of:
            return f"{self.what:<58} none"
        low, high = stats.binomtest(self.hits, self.of).proportion_ci(method="exact")
        return f"{self.what:<58} {self.hits:>4} of {self.of:<4} {self.rate:>6.1%}  ({low:.1%} … {high:.1%})"


class Judge:
    """Compares recorded sides by the code that ships."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.last: tuple[str, list["Source"]] = ("", [])

    def side(self, name: str) -> list["Source"]:
        """The runs of a side; the last one is kept, since neighbours are compared."""
        from analysis import sources
        if self.last[0] != name:
            self.last = name, sources.side([self.folder / name / f"run-{i + 1}" for i in range(RUNS)])
        return self.last[1]

    def changed(self, base: list["Source"], new: list["Source"]) -> tuple[dict[tuple[str, str], str], float]:
        """The rows that are called slower or faster, and by how much the planted row differs."""
        from analysis import comparison
        rows = comparison.compare(base, new, THRESHOLD, ALPHA).rows
        ratio = next((row.ratio for row in rows if (row.case, row.phase) == (PLANTED_CASE, "create")), float("nan"))
        return {(row.case, row.phase): row.verdict for row in rows if row.verdict in ("slower", "faster")}, ratio


def judged(folder: Path, comparisons: int, planted: int, done: Callable[[int], None], say: Callable[[str], None]) -> bool:
    """Prints the counts; whether they are within the limits."""
    import numpy as np
    judge = Judge(folder)
    alarms, single = Count(f"nothing changed, {RUNS} runs a side: any row changed"), Count("the same, --single: any row changed")
    found, beside = Count(f"{CHANGE:.0%} planted in one row: found"), Count("the same: a row of another case changed")
    rows: list[str] = []
    effects = []
    for number, (names, is_planted) in enumerate([*((pair, False) for pair in _pairs("S", "S", comparisons)),
                                                  *((pair, True) for pair in _pairs("B", "P", planted))]):
        base, new = judge.side(names[0]), judge.side(names[1])
        changed, ratio = judge.changed(base, new)
        if is_planted:
            found.add(changed.get((PLANTED_CASE, "create")) == ("slower" if names[1][0] == "P" else "faster"))
            others = {key: word for key, word in changed.items() if key[0] != PLANTED_CASE}
            beside.add(bool(others))
            effects.append(np.log(ratio) * (1 if names[1][0] == "P" else -1))
        else:
            others = changed
            alarms.add(bool(changed))
            try:
                single.add(bool(judge.changed(base[:1], new[:1])[0]))
            except Unreadable as error:  # a run on a busy machine may have come to no round
                rows.append(f"{names[0]} {names[1]}, --single: not compared: {error}")
        rows += [f"wrong: {names[0]} {names[1]}: {case} {phase} {word}" for (case, phase), word in others.items()]
        done(number)
    say("\n".join(map(str, [alarms, single, found, beside])))
    if effects:
        low, middle, high = np.expm1(np.nanquantile(effects, [0.25, 0.5, 0.75]))
        say(f"what was planted, as measured: {middle:+.1%} in the middle, half of them between {low:+.1%} and {high:+.1%}")
    for row in rows:
        say(row)
    say(f"at most {ALARMS_LIMIT:.0%} of the first may, at least {FOUND_LIMIT:.0%} of the third must; in brackets 95% limits, a little "
        "too narrow: neighbouring comparisons share a side")
    return (not alarms.of or alarms.rate <= ALARMS_LIMIT) and (not found.of or found.rate >= FOUND_LIMIT)


def _pairs(first: str, second: str, count: int) -> list[tuple[str, str]]:
    names = chain(first, second, count) if count else []
    return list(zip(names, names[1:]))
