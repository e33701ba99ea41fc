"""How a cost grows with a parameter: which law its figures at several levels follow, and with which coefficients.

What scatters in a cost is in proportion to it, so that an equation's weight is by the relative width of its figure's interval;
without intervals all levels weigh alike, relative to their figures. Laws are compared by Akaike's information criterion for few
points (AICc). They resemble each other (n log n lies between linear and quadratic), so that one with more coefficients has to be
ahead by MARGIN, which is a weight of e² times the other's: by chance alone one of five lookalikes is ahead by less than that quite
often, and a slope has to be told from 0. Two laws of as many coefficients are told apart by the criterion alone.

Counts of instructions have no scatter: their slopes have no intervals, and what a law misses is in the residuals. Below EXACT of
a figure two laws are alike.
"""
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from statsmodels.regression.linear_model import WLS

Floats = NDArray[np.float64]

LEVEL = 0.95
LEAST_LEVELS = 6  # kLeastSteps in src/run/curve.h
Z95 = 1.959964
MARGIN = 4.0
EXACT = 1e-3  # of a figure: below it laws are not told apart
ROUNDING = 1e-9  # of a figure: what arithmetic may be off, by the processor that does it
BETWEEN_CASES = 0.005  # of a figure: how far two cases differ beside their intervals, by where their memory lies
MISFIT = 0.05  # of a figure: where counts are further off, no law fits
FAR = 4.0  # standard errors: of a dozen figures none is so far off by chance
BESIDE_A_BEND = 2  # levels, at least, that are on each side of it


@dataclass(frozen=True)
class Points:
    """Levels, ascending, with their figures and these figures' standard errors (NaN where unknown). Exact ones have no scatter."""

    x: Floats
    y: Floats
    error: Floats
    is_exact: bool = False


@dataclass(frozen=True)
class Coefficient:
    """What of: `start`, or a term of the law: `log` (a doubling), `n`, `n log n`, `n²`, `n before` and
    `n after` a bend. The start is at n = 0, of a logarithm at the lowest level. NaN: no interval."""

    of: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Fit:
    """One law's: the residuals are shares of the figures, `weight` is Akaike's among all laws. `first` is the lowest level, `bend`
    the one from which another slope holds."""

    law: str
    coefficients: tuple[Coefficient, ...]
    aicc: float
    residuals: Floats
    first: float
    bend: float = math.nan
    weight: float = math.nan

    def at(self, x: Floats) -> Floats:
        """What the law says there."""
        return np.asarray(sum(one.value * TERMS[one.of](x, self.first, self.bend) for one in self.coefficients))

    @property
    def median_residual(self) -> float:
        return float(np.median(np.abs(self.residuals)))

    @property
    def largest_residual(self) -> float:
        return float(np.max(np.abs(self.residuals)))

    def of(self, what: str) -> Coefficient | None:
        return next((one for one in self.coefficients if one.of == what), None)


@dataclass(frozen=True)
class Growth:
    """The law that the points follow, and the others, the likeliest first."""

    points: Points
    best: Fit
    others: tuple[Fit, ...]

    @property
    def rival(self) -> Fit:
        return self.others[0]

    @property
    def is_misfit(self) -> bool:
        """Whether no law fits: what is left of counts is no scatter."""
        return self.points.is_exact and self.best.largest_residual > MISFIT

    def far_off(self) -> int | None:
        """Of times: the place of the figure that is furthest from the law, where that is more than MISFIT and FAR standard errors."""
        away = np.abs(self.best.residuals)
        at = int(np.argmax(away))
        error = self.points.error[at] / self.points.y[at]
        return at if not self.points.is_exact and away[at] > MISFIT and away[at] > FAR * error else None


def doublings(x: Floats, first: float) -> Floats:
    """From the lowest level on; where that is 0, of n + 1."""
    return np.asarray(np.log2(x / first) if first > 0 else np.log2(x + 1))


# What a coefficient is multiplied with, by the level, the lowest level and the bend.
TERMS: dict[str, Callable[[Floats, float, float], Floats]] = {
    "start": lambda x, first, bend: np.ones_like(x),
    "log": lambda x, first, bend: doublings(x, first),
    "n": lambda x, first, bend: x,
    "n log n": lambda x, first, bend: np.asarray(x * np.log2(np.maximum(x, 1))),
    "n²": lambda x, first, bend: np.asarray(x**2),
    "n before": lambda x, first, bend: np.minimum(x, bend),
    "n after": lambda x, first, bend: np.maximum(x - bend, 0.0)}
# Law → its terms beside the start, in each of the forms that it has.
FORMS: dict[str, tuple[tuple[str, ...], ...]] = {"constant": ((),), "log": (("log",),), "linear": (("n",),), "n log n": (("n log n",),),
                                                 "quadratic": (("n²",), ("n", "n²"))}
BEND, BENT = "bend", ("n before", "n after")
LAWS = (*FORMS, BEND)


def _spread(points: Points) -> tuple[Floats, bool]:
    """What each figure scatters by, and whether that is known, and not but in proportion."""
    if points.is_exact or not np.isfinite(points.error).all() or not (points.error > 0).any():
        return np.abs(points.y), False
    return np.hypot(points.error, BETWEEN_CASES * points.y), True


def _criterion(residuals: Floats, spread: Floats, y: Floats, coefficients: int) -> float:
    """AICc; the scatter is one more that is estimated. Infinite where there are too few levels for it."""
    count, estimated = len(y), coefficients + 1
    if count - estimated - 1 <= 0:
        return math.inf
    relative = spread / np.abs(y)
    mean = max(float(np.mean((residuals / spread * np.median(relative))**2)), EXACT**2)
    return count * math.log(mean) + 2 * estimated + 2 * estimated * (estimated + 1) / (count - estimated - 1)


def _fit(points: Points, law: str, form: Sequence[str], bend: float = math.nan) -> Fit | None:
    """None where there are too few levels for it."""
    spread, is_known = _spread(points)
    x, y = points.x, points.y
    names, first = ("start", *form), float(x[0])
    terms = np.column_stack([TERMS[name](x, first, bend) for name in names])
    scales = np.abs(terms).max(axis=0)
    if len(y) - terms.shape[1] - 2 <= 0 or not scales.all():
        return None
    done = WLS(y, terms / scales, weights=spread**-2.0).fit()
    values = np.asarray(done.params) / scales
    fitted = np.asarray(done.fittedvalues)
    ends = np.full((len(values), 2), math.nan)
    if not points.is_exact:
        # Figures that happen to lie closer to the law than their intervals say are not known better than these.
        widened = max(1.0, done.scale**-0.5) if is_known and done.scale > 0 else 1.0
        middle = np.asarray(done.params)[:, None]
        ends = (middle + (np.asarray(done.conf_int(1 - LEVEL)) - middle) * widened) / scales[:, None]
    found = tuple(Coefficient(name, float(value), float(low), float(high)) for name, value, (low, high) in zip(names, values, ends))
    criterion = _criterion(y - fitted, spread, y, len(values) + (not math.isnan(bend)))
    return Fit(law, found, criterion, (y - fitted) / y, first, bend) if math.isfinite(criterion) else None


def _makes_sense(fit: Fit, points: Points) -> bool:
    """A quadratic law's bends upwards, from the first level on: what bends downwards is another law. Of figures that are all the same
    the processor's rounding decides the sign of nothing."""
    if fit.law != "quadratic":
        return True
    last, least = points.x[-1:], -ROUNDING * float(np.max(np.abs(points.y)))
    return all(one.value * float(TERMS[one.of](last, fit.first, fit.bend)[0]) >= least for one in fit.coefficients[1:])


def _candidates(points: Points) -> list[Fit]:
    """The best of each law's forms."""
    found: dict[str, list[Fit | None]] = {law: [_fit(points, law, form) for form in forms] for law, forms in FORMS.items()}
    inner = points.x[BESIDE_A_BEND:-BESIDE_A_BEND]
    found[BEND] = [_fit(points, BEND, BENT, float(level)) for level in inner]
    sensible = [[one for one in fits if one and _makes_sense(one, points)] for fits in found.values()]
    return [min(fits, key=lambda one: one.aicc) for fits in sensible if fits]


def growth_of(points: Points) -> Growth | None:
    """None where there are too few levels. All figures have to be above zero."""
    if len(points.x) < LEAST_LEVELS:
        return None
    fits = _candidates(points)
    least = min(one.aicc for one in fits)
    likely = [math.exp((least - one.aicc) / 2) for one in fits]
    weighed = [replace(one, weight=share / sum(likely)) for one, share in zip(fits, likely)]
    weighed.sort(key=lambda one: one.aicc)
    best = weighed[0]
    for one in weighed:
        if _size(one) < _size(best) and one.aicc <= least + MARGIN:
            best = one
    if not _is_told_from_zero(best):
        near = [one for one in weighed if one.aicc <= least + MARGIN and one.law != "constant" and _is_told_from_zero(one)]
        best = near[0] if near else next(one for one in weighed if one.law == "constant")
    if points.is_exact and best.largest_residual > MISFIT:
        best = weighed[0]  # the likeliest: what a simpler law misses of counts is no scatter
    return Growth(points, best, tuple(one for one in weighed if one is not best))


def _is_told_from_zero(fit: Fit) -> bool:
    """Whether any slope is, or has no interval."""
    return fit.law == "constant" or not all(one.low <= 0 <= one.high for one in fit.coefficients[1:])


def _size(fit: Fit) -> int:
    return len(fit.coefficients) + (not math.isnan(fit.bend))
