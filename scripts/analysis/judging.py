"""What is said of rows by the runs of two sides: of each row beside what all cases of its phase have in common, and of that.

A run's times are up or down together, by the luck of its process and by what else the machine does: its level. Of a phase
that enough cases have, such as create, the middle case tells it. It is taken off, and what is left of a row scatters much
less. A change that all cases share is in the level, so the level is judged as rows are; only where it has changed, too, are
its rows taken as they are. Where one side was measured wholly before the other, the machine may have moved in between: by
a line that the runs follow; by what wanders, as far as the runs of a side follow their neighbours; and by as much as runs
that stand out, which are left out of all else, show that it does.
"""
import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analysis import effects, permuted
from analysis.effects import Effects, Floats, Pair, Trend

Flags = NDArray[np.bool_]
Kept = tuple[Flags, Flags]  # which runs of each side are not left out

CASES = 5  # of a phase, for a level: the middle of fewer follows a case that changed
KNOWN_BY_SCATTER = 4  # runs a side: fewer may happen to agree, and what each is known to vary by itself is the least
COMMON = 0.75  # of a phase's rows that are to be where its level is: else it is none


@dataclass(frozen=True)
class Level:
    """What the rows of a phase have in common: how far each run of either side is from the middle of both, in logarithms."""

    phase: str
    rows: Flags
    runs: Pair


@dataclass
class Judgement:
    """`found` and `corrected` have an element for each row. `low` and `high` are the interval of its whole change, with its
    level's. `levels` are those that were taken off, with their effects as one row each; `correction` is by whom `corrected` is."""

    found: Effects
    corrected: Floats
    low: Floats
    high: Floats
    levels: list[tuple[Level, Effects]]
    correction: str

    def head(self, count: int) -> "Judgement":
        """Of the first rows alone."""
        found = Effects(*(getattr(self.found, name)[:count] for name in vars(self.found)))
        return Judgement(found, self.corrected[:count], self.low[:count], self.high[:count], self.levels, self.correction)


def are_apart(times: Pair) -> bool:
    """Whether one side was measured wholly before the other. False where the runs do not say when."""
    base, new = times
    return bool(base.max() < new.min() or new.max() < base.min())


def levels_of(runs: Pair, kept: Kept, phases: list[str]) -> list[Level]:
    """The levels of the phases that enough rows have in all runs that are kept."""
    logs = of_kept(kept, runs)
    whole = np.isfinite(logs[0]).all(axis=1) & np.isfinite(logs[1]).all(axis=1)
    names = np.array(phases)
    found = []
    for phase in dict.fromkeys(phases):
        rows = whole & (names == phase)
        if rows.sum() < CASES:
            continue
        base, new = (log[rows] for log in logs)
        # Between both sides: a row that has changed moves from its middle by as much on one side as on the other.
        middle = (np.median(base, axis=1, keepdims=True) + np.median(new, axis=1, keepdims=True)) / 2
        with np.testing.suppress_warnings() as quiet:
            quiet.filter(RuntimeWarning)  # a run that is left out may have none of them
            found.append(Level(phase, rows, (np.nanmedian(runs[0][rows] - middle, axis=0), np.nanmedian(runs[1][rows] - middle, axis=0))))
    return found


def wander(logs: Pair, times: Pair, drift: Trend | None) -> float:
    """How much more the difference of sides that are apart scatters than that of independent runs, by how runs follow their
    neighbours. So few runs hardly tell: it is taken as one standard error more than they say."""
    shares, pairs, shortest = [], 0, math.inf
    for log, time in zip(logs, times):
        x = (log - drift.slope * time if drift else log)[:, np.argsort(time, kind="stable")]
        if x.shape[1] < effects.FOR_A_TREND:
            return 1.0
        x = x - x.mean(axis=1, keepdims=True)
        squares = (x * x).mean(axis=1)
        shares.append(np.divide((x[:, 1:] * x[:, :-1]).mean(axis=1), squares, out=np.zeros(len(x)), where=squares > 0))
        pairs += x.shape[1] - 1
        shortest = min(shortest, x.shape[1])
    r = float(np.nanmean(shares)) + 1 / shortest + 1 / math.sqrt(pairs)  # the estimate is too low by about 1/n
    return effects.inflation(r)


def _take(chosen: Flags, one: Effects, other: Effects) -> Effects:
    """The rows of one where they are chosen, else of the other."""
    return Effects(*(np.where(chosen, getattr(one, name), getattr(other, name)) for name in vars(one)))


def judge(runs: Pair, phases: list[str], times: Pair, own: Pair | None, alpha: float, chosen: Flags | None = None,
          kept: Kept | None = None) -> Judgement:
    """Of matrices of logarithms, a row for each row and a column for each run. Only the chosen rows are judged; the others
    help to know the runs' levels. `own` is as in effects(): with enough runs, how they scatter says it all. `kept` are the
    runs that are not left out (None: all)."""
    chosen = np.full(len(phases), True) if chosen is None else chosen
    kept = kept or (np.full(runs[0].shape[1], True), np.full(runs[1].shape[1], True))
    logs, when = of_kept(kept, runs), of_kept(kept, times)
    if min(log.shape[1] for log in logs) >= KNOWN_BY_SCATTER:
        own = None
    levels = [level for level in levels_of(runs, kept, phases) if (level.rows & chosen).any()]
    rest = logs[0].copy(), logs[1].copy()
    for level in levels:
        for log, of_runs in zip(rest, of_kept(kept, level.runs)):
            log[level.rows] -= of_runs
    drift = effects.trend(*logs, when)
    apart = are_apart(times)
    more = wander(_series(levels, kept, logs), when, drift) if apart else 1.0
    whole = effects.effects(*logs, own, (more, more), 1 - alpha, drift=drift)
    beside = effects.effects(*rest, own, level=1 - alpha)
    told = [_one_row(of_kept(kept, level.runs), more, alpha, drift) for level in levels]
    if apart and not all(of.all() for of in kept):
        told = [_as_far_as_all(of, level, times, more, alpha) for of, level in zip(told, levels)]
    return _judged(levels, told, beside, whole, rest, alpha, chosen)


def _series(levels: list[Level], kept: Kept, logs: Pair) -> Pair:
    """What follows its neighbours from run to run: the levels, or the rows where there is none."""
    of = [of_kept(kept, level.runs) for level in levels]
    return (np.stack([base for base, _ in of]), np.stack([new for _, new in of])) if of else logs


def _one_row(level: Pair, more: float, alpha: float, drift: Trend | None = None) -> Effects:
    return effects.effects(level[0][None], level[1][None], None, (more, more), 1 - alpha, drift=drift)


def _as_far_as_all(told: Effects, level: Level, times: Pair, more: float, alpha: float) -> Effects:
    """A level's effect, no surer than with the runs that are left out. Where one side was measured wholly before the other, a run
    that stands out shows how far the machine moves by itself, and it may have moved between the sides."""
    there = tuple(np.isfinite(of) for of in level.runs)
    runs = level.runs[0][there[0]], level.runs[1][there[1]]
    of_all = _one_row(runs, more, alpha, effects.trend(runs[0][None], runs[1][None], (times[0][there[0]], times[1][there[1]])))
    half = np.maximum(of_all.high - of_all.low, told.high - told.low) / 2
    return replace(told, low=told.log - half, high=told.log + half, p=np.maximum(of_all.p, told.p))


def of_kept(kept: Kept, pair: Pair) -> Pair:
    """The columns of runs that are kept."""
    return pair[0][..., kept[0]], pair[1][..., kept[1]]


def _is_by_divisions(rest: Pair) -> bool:
    """Whether p of so many runs a side is corrected by all ways to divide them: there are enough, and each row's t is that of its means."""
    base, new = (log.shape[1] for log in rest)
    return permuted.divisions(base, new) >= permuted.FEWEST and not effects.trims(base) and not effects.trims(new)


def _corrected(beside: Floats, others: Floats, rest: Pair) -> Floats:
    """p corrected for the number of all. Of the rows of `rest`, which are beside their levels, `beside` is p of each; others' is that of
    the rest, levels among them: with what rows have in common where there are enough runs to know it."""
    of = np.isfinite(beside)
    if not of.any() or not _is_by_divisions(rest):
        return effects.holm(np.concatenate([beside, others]))
    # Two families, each of which is held to its part of the limit by how many it has.
    rows, more = int(of.sum()), int(np.isfinite(others).sum())
    p = np.full(len(beside), np.nan)
    p[of] = np.maximum(permuted.corrected(rest[0][of], rest[1][of]) * (rows + more) / rows, beside[of])
    both: Floats = np.minimum(np.concatenate([p, effects.holm(others) * (rows + more) / max(more, 1)]), 1)
    return both


def _judged(levels: list[Level], told: list[Effects], beside: Effects, whole: Effects, rest: Pair, alpha: float,
            chosen: Flags) -> Judgement:
    """Which of the levels are taken off, and what that makes of the rows."""
    off = np.zeros(len(chosen), bool)
    for level in levels:
        off |= level.rows

    def corrected() -> tuple[Floats, Floats]:
        p = _corrected(np.where(chosen & off, beside.p, np.nan),
                       np.concatenate([np.where(chosen & ~off, whole.p, np.nan), *(of.p for of in told)]), rest)
        rows = len(chosen)
        return np.where(off, p[:rows], p[rows:2 * rows]), p[2 * rows:]

    taken = []
    for level, of, p in zip(levels, told, corrected()[1]):
        strays = (effects.holm(beside.p[level.rows]) <= alpha).mean()
        if p <= alpha or strays > 1 - COMMON:
            off &= ~level.rows
        else:
            taken.append((level, of))
    found = _take(off, beside, whole)
    low, high = found.low.copy(), found.high.copy()
    for level, of in taken:
        half = np.hypot((found.high - found.low) / 2, (of.high - of.low) / 2)[level.rows]
        middle = (found.log + of.log)[level.rows]
        low[level.rows], high[level.rows] = middle - half, middle + half
    return Judgement(found, corrected()[0], low, high, taken, permuted.BY if taken and _is_by_divisions(rest) else effects.HOLM)
