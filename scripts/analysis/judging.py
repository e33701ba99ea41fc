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
ALIKE = math.log(1.5)  # by which the sides' standard deviations may differ, in the mean of the rows, where runs are to change sides
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
    level's. `levels` are those that were taken off, with their effects as one row each; `correction` is whose `corrected` is."""

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


def _level(rest: Floats) -> Floats:
    """Of each run; NaN for one that is left out and has fewer than CASES of the rows."""
    level = np.full(rest.shape[1], np.nan)
    enough = np.isfinite(rest).sum(axis=0) >= CASES
    level[enough] = np.nanmedian(rest[:, enough], axis=0)
    return level


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
        found.append(Level(phase, rows, (_level(runs[0][rows] - middle), _level(runs[1][rows] - middle))))
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
    apart = are_apart(when)
    more = wander(_series(levels, kept, logs), when, drift) if apart else 1.0
    whole = effects.effects(*logs, own, (more, more), 1 - alpha, drift=drift)
    beside = effects.effects(*rest, own, level=1 - alpha)
    told = [_one_row(of_kept(kept, level.runs), more, alpha, drift) for level in levels]
    if apart and not all(of.all() for of in kept):
        of_all = effects.trend(*runs, times)
        whole = _no_surer(whole, effects.effects(*runs, None, (more, more), 1 - alpha, trim=0, drift=of_all))
        told = [_no_surer(of, _one_row(level.runs, more, alpha, of_all, 0)) for of, level in zip(told, levels)]
    return _judged(levels, told, beside, whole, rest, alpha, chosen)


def _series(levels: list[Level], kept: Kept, logs: Pair) -> Pair:
    """What follows its neighbours from run to run: the levels, or the rows where there is none."""
    of = [of_kept(kept, level.runs) for level in levels]
    return (np.stack([base for base, _ in of]), np.stack([new for _, new in of])) if of else logs


def _one_row(level: Pair, more: float, alpha: float, drift: Trend | None, trim: float = effects.TRIM) -> Effects:
    return effects.effects(level[0][None], level[1][None], None, (more, more), 1 - alpha, trim, drift)


def _no_surer(of: Effects, of_all: Effects) -> Effects:
    """Effects that are no surer than with the runs that are left out. Where one side was measured wholly before the other, a run that
    stands out shows how far the machine moves by itself, and it may have moved between the sides."""
    half = np.fmax(of_all.high - of_all.low, of.high - of.low) / 2
    return replace(of, low=of.log - half, high=of.log + half, p=np.fmax(of_all.p, of.p))


def of_kept(kept: Kept, pair: Pair) -> Pair:
    """The columns of runs that are kept."""
    return pair[0][..., kept[0]], pair[1][..., kept[1]]


def _is_by_divisions(rest: Pair, share: float, alpha: float) -> bool:
    """Whether p of rows beside their levels, which have that share of all, is corrected by all ways to divide the runs. Their smallest p
    has to be well below the limit, each row's t that of its means, and both sides are to scatter alike, or runs could not change sides."""
    sizes = [log.shape[1] for log in rest]
    if min(sizes) < KNOWN_BY_SCATTER or max(sizes) - min(sizes) > 1 or effects.trims(max(sizes)):
        return False
    if permuted.smallest(*sizes) / share > alpha / 2:
        return False
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.log(rest[0].var(axis=1, ddof=1) / rest[1].var(axis=1, ddof=1)) / 2
    apart = apart[np.isfinite(apart)]
    return bool(len(apart)) and abs(float(apart.mean())) <= ALIKE


def _judged(levels: list[Level], told: list[Effects], beside: Effects, whole: Effects, rest: Pair, alpha: float,
            chosen: Flags) -> Judgement:
    """Which of the levels are taken off, and what that makes of the rows."""
    off = np.zeros(len(chosen), bool)
    for level in levels:
        off |= level.rows

    def families() -> tuple[Floats, Floats, float, bool]:
        """p of the rows beside their levels; that of the other rows, and then of the levels; the former's share; whether it is corrected
        by divisions. Two families have their parts of the limit by how many they are."""
        mine = np.where(chosen & off, beside.p, np.nan)
        others = np.concatenate([np.where(chosen & ~off, whole.p, np.nan), *(of.p for of in told)])
        rows, more = (int(np.isfinite(of).sum()) for of in (mine, others))
        share = rows / max(rows + more, 1)
        of = np.isfinite(mine)
        return mine, others, share, rows > 0 and _is_by_divisions((rest[0][of], rest[1][of]), share, alpha)

    def of_others() -> Floats:
        """The other rows' p, and then the levels', corrected."""
        mine, others, share, by_divisions = families()
        if not by_divisions:
            return effects.holm(np.concatenate([mine, others]))[len(mine):]
        return np.minimum(effects.holm(others) / max(1 - share, 1e-300), 1)

    def of_rows() -> tuple[Floats, str]:
        """All rows' p, corrected, and whose correction it is."""
        mine, others, share, by_divisions = families()
        if not by_divisions:
            mine, said = effects.holm(np.concatenate([mine, others]))[:len(mine)], effects.HOLM
        else:
            of, left = np.isfinite(mine), int(np.isfinite(others[:len(mine)]).sum())
            mine[of] = np.minimum(np.maximum(permuted.corrected(rest[0][of], rest[1][of]) / share, mine[of]), 1)
            said = f"{permuted.BY}; {effects.HOLM} for {left}" if left else permuted.BY
        return np.where(off, mine, of_others()[:len(mine)]), said

    taken = []
    for level, of, p in zip(levels, told, of_others()[len(chosen):]):
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
    corrected, correction = of_rows()
    return Judgement(found, corrected, low, high, taken, correction)
