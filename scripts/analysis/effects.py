"""How much two groups of independent figures differ, row by row, and whether that is more than their scatter.

What scatters is whole runs, or boots: all samples of a run share its luck, so a run counts once, with its median. Times
are compared by their logarithms, since changes and disturbances both multiply. The test is Yuen's, which is Welch's on
trimmed means: sides may scatter differently, and from ten runs a side on one run at either end cannot decide. Before
that, runs that stand out of their side as a whole are left out, because now and then something disturbs one. A rank
test would need no assumption on how runs scatter, but with few runs and hundreds of rows its smallest possible p is above
Holm's limit whatever the change.
"""
import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Pair = tuple[Floats, Floats]  # of the base's side and the new one

HOLM = "Holm"
TRIM = 0.1  # of the runs at either end
TRIM_ROUNDS = 0.25  # of a run's rounds: there are more of them, and more of them are disturbed
# The standard deviation that is assumed between runs where there is one a side, which cannot tell it: of a time's
# logarithm. A quiet machine's is below it (trials.py: 0.7%); other work on the machine makes it several times as much,
# which no constant covers.
BETWEEN_RUNS = 0.01
POWER = 0.8  # of the runs that need() asks for
MOST_RUNS = 1000  # more are no advice


@dataclass(frozen=True)
class Trend:
    """How all rows of a run drift with time: `slope`, its variance, and the degrees of freedom that it was found with.
    `base` and `new` are the times of the sides' runs, their unit is free."""

    slope: float
    variance: float
    freedom: float
    base: Floats
    new: Floats


@dataclass
class Effects:
    """An array element for each row, NaN where nothing can be said. `log` is ln(new/base), `low` and `high` its interval
    for the row alone, `p` of the row alone, `spread` the standard deviation of one run's logarithm; `base` and `new` are
    the sides' trimmed means, so that `log` is their difference."""

    base: Floats
    new: Floats
    log: Floats
    low: Floats
    high: Floats
    p: Floats
    spread: Floats


def trims(runs: int) -> bool:
    """Whether so many runs lose some at either end."""
    return int(TRIM * runs) > 0


def _mean(x: Floats, own: Floats, inflate: float, trim: float) -> tuple[Floats, Floats, int]:
    """The trimmed means of sorted rows, their variances, and how many figures are in each.

    No group can scatter less than what each of its figures is known to (`own`, a variance): with two or three runs that
    happen to agree there would be no bounds to confidence else. `inflate` is for figures that follow their neighbours.
    """
    n = x.shape[1]
    cut = int(trim * n)
    kept = n - 2 * cut
    mean = x[:, cut:n - cut].mean(axis=1)
    if n == 1:
        return mean, np.where(own > 0, own, np.nan), kept
    winsorised = np.clip(x, x[:, cut, None], x[:, n - cut - 1, None])
    variance = winsorised.var(axis=1, ddof=1) * (n - 1) / (kept * (kept - 1)) * inflate
    return mean, np.maximum(variance, own / kept), kept


FOR_A_TREND = 5  # runs a side: with fewer its slope is so uncertain that nothing could be said of any row
FOR_A_DISTURBED = 10  # rows: the middle of fewer is not a run's own
STANDS_OUT = 6.0  # standard deviations: of twenty normal runs one does so in 1% of comparisons
MOST_DISTURBED = 0.25  # of a side: more are not disturbed, they are how its runs are


def _common(side: Floats) -> Floats | None:
    """What all rows of each run share: the middle of how far each is from its row's median. None without rows that all
    runs have."""
    whole = side[np.isfinite(side).all(axis=1)]
    return np.median(whole - np.median(whole, axis=1, keepdims=True), axis=0) if len(whole) else None


def trend(base: Floats, new: Floats, times: Pair) -> Trend | None:
    """The drift that the runs of each side share, over their times; None where there are too few runs or no times.

    The slope is the median of those between all pairs of runs of one side (Theil and Sen), so that a change between the
    sides is no drift, and a disturbed run does not tilt it. For normal scatter its variance is π/3 of least squares'.
    """
    sides = (base, new)
    if any(side.shape[1] < FOR_A_TREND or len(set(t)) < FOR_A_TREND or not np.isfinite(t).all()
           for side, t in zip(sides, times)):
        return None
    slopes, residuals, squares = [], [], 0.0
    centred = []
    for side, t in zip(sides, times):
        common = _common(side)
        if common is None:
            return None
        i, j = np.triu_indices(len(t), 1)
        apart = t[i] != t[j]
        slopes.append((common[i] - common[j])[apart] / (t[i] - t[j])[apart])
        centred.append((common, t - t.mean()))
        squares += float(((t - t.mean())**2).sum())
    slope = float(np.median(np.concatenate(slopes)))
    for common, t in centred:
        rest = np.sort(common - slope * t)
        n, cut = len(rest), int(TRIM * len(rest))
        rest = np.clip(rest, rest[cut], rest[n - cut - 1])
        residuals.append(((rest - rest.mean())**2).sum() * (n / (n - 2 * cut))**2)  # as a trimmed mean's variance
    freedom = base.shape[1] + new.shape[1] - 3
    return Trend(slope, math.pi / 3 * sum(residuals) / freedom / squares, freedom, *times)


def kept(base: Floats, new: Floats, times: Pair) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which runs of each side count: not those in which all rows together stand out of their own side, as when something
    else had the machine. Trimming alone withstands one such run of ten at either end, but three of a hundred runs give
    two among twenty often. A side is never compared with the other here, so a change between them decides nothing."""
    sides = (base, new)
    every = np.full(base.shape[1], True), np.full(new.shape[1], True)
    if any(side.shape[1] < FOR_A_TREND or np.isfinite(side).all(axis=1).sum() < FOR_A_DISTURBED for side in sides):
        return every
    drift = trend(base, new, times)
    rests = []
    for side, t in zip(sides, times):
        common = _common(side)
        assert common is not None  # there are FOR_A_DISTURBED rows that all runs have
        rest = common - (drift.slope * t if drift else 0)
        rests.append(rest - np.median(rest))
    # The quantile holds although MOST_DISTURBED are, and with twenty runs it scatters less than the median would.
    scale = np.quantile(np.abs(np.concatenate(rests)), 1 - MOST_DISTURBED) / stats.norm.ppf(1 - MOST_DISTURBED / 2)
    if not scale:
        return every
    within = [np.abs(rest) <= STANDS_OUT * scale for rest in rests]
    first, second = (of if (~of).mean() <= MOST_DISTURBED else all_ for of, all_ in zip(within, every))
    return first, second


def _group(base: Floats, new: Floats, own: Pair, inflate: tuple[float, float], level: float, trim: float,
           more: tuple[float, float]) -> tuple[Floats, ...]:
    """Effects of rows that all have as many figures: their fields in order."""
    mean_b, var_b, n_b = _mean(base, own[0], inflate[0], trim)
    mean_n, var_n, n_n = _mean(new, own[1], inflate[1], trim)
    # A side with a single run is taken to scatter as the other does.
    if n_b == 1 and n_n > 1:
        var_b = np.maximum(np.nan_to_num(var_b), var_n * n_n)
    if n_n == 1 and n_b > 1:
        var_n = np.maximum(np.nan_to_num(var_n), var_b * n_b)
    parts = [(v, n - 1.0) for v, n in ((var_b, n_b), (var_n, n_n)) if n > 1]
    variance = var_b + var_n + more[0]
    if more[0]:
        parts.append((np.full(len(var_b), more[0]), more[1]))
    with np.errstate(divide="ignore", invalid="ignore"):
        if len(parts) >= 2:
            freedom = variance**2 / sum(v**2 / n for v, n in parts)
        else:  # without any repetition only what the runs say of themselves is known
            freedom = np.full(len(variance), parts[0][1] if parts else np.inf)
        log = mean_n - mean_b
        error = np.sqrt(variance)
        t = np.abs(log) / error
        certain = error == 0  # identical figures on each side
        p = np.where(certain, np.where(log == 0, 1.0, 0.0), 2 * stats.t.sf(t, freedom))
        half = np.where(certain, 0, stats.t.isf((1 - level) / 2, freedom) * error)
    return mean_b, mean_n, log, log - half, log + half, p, np.sqrt((var_b * n_b + var_n * n_n) / 2)


def effects(base: Floats, new: Floats, own: Pair | None = None,
            inflate: tuple[float, float] = (1.0, 1.0), level: float = 0.95, trim: float = TRIM,
            drift: Trend | None = None, between: float = 0.0) -> Effects:
    """Of two matrices of logarithms, a row for each row and a column for each run; NaN where a run lacks the row.

    `own` is each side's known variance of a figure by itself, a vector; 0 or NaN where it is unknown. `drift` is taken off.
    `between` is the standard deviation between runs, where the figures are those of one run a side.
    """
    rows = len(base)
    known = (np.nan_to_num(own[0]), np.nan_to_num(own[1])) if own else (np.zeros(rows), np.zeros(rows))
    more = (2 * between**2, np.inf)  # what is added to the variance, and its degrees of freedom
    if drift:
        middle = (drift.base.mean() + drift.new.mean()) / 2
        base, new = base - drift.slope * (drift.base - middle), new - drift.slope * (drift.new - middle)
        # The line has followed some of the scatter that it was drawn through.
        followed = (drift.freedom + 1) / drift.freedom
        inflate = inflate[0] * followed, inflate[1] * followed
        # The drift's own uncertainty: nothing where the sides alternate.
        more = (drift.variance * float(drift.base.mean() - drift.new.mean())**2, drift.freedom)
    base, new = np.sort(base, axis=1), np.sort(new, axis=1)  # NaN goes last
    counts = np.stack([np.isfinite(base).sum(axis=1), np.isfinite(new).sum(axis=1)], axis=1)
    out = np.full((7, rows), np.nan)
    for n_b, n_n in np.unique(counts, axis=0) if rows else []:
        if n_b and n_n:
            of = (counts == (n_b, n_n)).all(axis=1)
            out[:, of] = _group(base[of, :n_b], new[of, :n_n], (known[0][of], known[1][of]), inflate, level, trim, more)
    return Effects(*out)


def holm(p: Floats) -> Floats:
    """The p of each row corrected for that many rows (Holm 1979): whatever depends on what, the chance of even one false
    alarm among all rows is below the limit that these are held against. NaN rows were not tested and do not count."""
    corrected = np.full(len(p), np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1) if len(order) else []
    return corrected


@functools.cache
def _detectable(alpha: float) -> Floats:
    """For 2, 3, … figures a side: the smallest change, in standard deviations of one, that is found with POWER."""
    n = np.arange(2, MOST_RUNS + 1)
    found: Floats = (stats.t.isf(alpha / 2, 2 * n - 2) + stats.t.isf(1 - POWER, 2 * n - 2)) * np.sqrt(2 / n)
    return found


def need(log: Floats, spread: Floats, alpha: float, rows: int) -> Floats:
    """About how many runs a side would resolve changes of that size among so many rows; NaN for more than MOST_RUNS."""
    sizes = _detectable(alpha / max(rows, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        wanted = np.where(spread > 0, np.abs(log) / spread, np.inf)
    index = np.searchsorted(-sizes, -wanted)
    return np.where((index < len(sizes)) & (wanted > 0), index + 2.0, np.nan)


def follow(figures: Floats) -> float:
    """How much more the mean of a series scatters than that of independent figures, from how each follows the one before:
    one for all rows, since what makes rounds drift is the machine's. Rows are series in the order of measuring."""
    n = figures.shape[1]
    if n < 4:
        return 1.0
    with np.errstate(invalid="ignore"), np.testing.suppress_warnings() as quiet:
        quiet.filter(RuntimeWarning)
        x = figures - np.nanmean(figures, axis=1, keepdims=True)
        correlation = np.nanmean(x[:, 1:] * x[:, :-1], axis=1) / np.nanmean(x * x, axis=1)
        middle = np.nanmedian(correlation) + 1 / n  # the estimate is too low by about 1/n
    return inflation(float(np.nan_to_num(middle)))


def inflation(correlation: float) -> float:
    """How much more the mean of a long series scatters than that of independent figures, where each follows the one before
    with that correlation."""
    r = min(max(correlation, 0), 0.95)
    return (1 + r) / (1 - r)


@functools.cache
def at_most(k: int, n: int) -> float:
    """The chance that at most k of n tosses of a coin are heads."""
    return float(stats.binom.cdf(k, n, 0.5))


@functools.cache
def _cut(n: int, level: float) -> int:
    """How many order statistics at either end the interval of a median leaves out."""
    k = 0
    while at_most(k + 1, n) <= (1 - level) / 2:
        k += 1
    return k


def sign_interval(ratios: Floats, level: float = 0.95) -> tuple[float, float, float, float, float]:
    """The median of paired log ratios, its interval from order statistics, the sign test's p, and the interval's true
    level, which is below `level` only where there are too few pairs for it."""
    ratios = np.sort(ratios[np.isfinite(ratios)])
    n = len(ratios)
    if n == 0:
        return np.nan, np.nan, np.nan, np.nan, np.nan
    above, below = int((ratios > 0).sum()), int((ratios < 0).sum())
    p = min(1.0, 2 * at_most(min(above, below), above + below)) if above + below else 1.0
    cut = _cut(n, level)
    real = max(0.0, 1 - 2 * at_most(cut, n))
    return float(np.median(ratios)), float(ratios[cut]), float(ratios[n - 1 - cut]), p, real
