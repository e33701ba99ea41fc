"""The universal scalability law, fitted to throughput: X(N) = λN / (1 + α(N−1) + βN(N−1)).

λ is what one sampler does, α the part of an operation that only one can be in (contention), β what each pair costs to agree
(coherency); neither is below 0. N/X(N) is linear in 1/λ, α/λ and β/λ, so there is one best fit and no start to choose: least
squares of relative residuals, each as heavy as its throughput is precise, not below 0 (scipy's nnls). The intervals are of the same
fit without that bound, to rounds drawn again, and end where the parameters do: an interval by fits at a bound would be too
narrow. It is fitted to N within the CPUs alone: beyond them samplers take turns, which is queueing, and no law of the kernel's.
"""
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

Floats = NDArray[np.float64]
LEVEL = 0.95
LEAST_LEVELS = 4  # three parameters, and one that can contradict
LEAST_ERROR = 1e-3  # relative: no throughput is known better
MISFIT = 0.01  # the chance that the law is called a wrong one by chance


@dataclass(frozen=True)
class Range:
    """A figure and its interval, which is NaN where there is none."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Drawn:
    """What came of rounds drawn again, in the last dimension, and which percentiles of it are the ends of an interval."""

    values: Floats
    ends: tuple[float, float]

    def over(self, values: Floats) -> "Drawn":
        """Others, of the same rounds."""
        return Drawn(values, self.ends)

    def interval(self) -> Floats:
        """Both ends, in the first dimension."""
        return np.asarray(np.nanpercentile(self.values, self.ends, axis=-1))


def ends_of(groups: int) -> tuple[float, float]:
    """The percentiles, of so many groups of rounds that are drawn from: further out than those of the level, since few groups
    scatter less than what they are drawn from, and do not know well by how much (Hesterberg's expanded percentiles)."""
    low = 100 * float(stats.norm.cdf(math.sqrt(groups / (groups - 1)) * stats.t.ppf((1 - LEVEL) / 2, groups - 1)))
    return low, 100 - low


class Point(Protocol):
    """What is fitted of a number of samplers."""

    @property
    def count(self) -> int: ...
    @property
    def is_within(self) -> bool: ...
    @property
    def throughput(self) -> Range: ...


@dataclass(frozen=True)
class Law:
    """`vague` are the parameters that these throughputs do not tell: their intervals hold all that matters."""

    counts: tuple[int, ...]
    rate: Range  # λ, operations a second
    contention: Range  # α
    coherency: Range  # β
    vague: tuple[str, ...]
    p: float  # of residuals as large as these, if the law holds: about, since rounds are shared by the numbers of samplers
    largest: float  # of the residuals, relative
    notes: tuple[str, ...]

    def at(self, count: float) -> float:
        """Operations a second."""
        alpha, beta = self.contention.value, self.coherency.value
        return self.rate.value * count / (1 + alpha * (count - 1) + beta * count * (count - 1))


def _equations(counts: Floats) -> Floats:
    return np.stack([np.ones_like(counts), counts - 1, counts * (counts - 1)], axis=1)


def _around(value: float, low: float, high: float) -> Range:
    """The interval holds the figure, which the bound of another parameter may have moved."""
    return Range(float(value), float(np.fmin(low, value)), float(np.fmax(high, value)))


def fit(counts: Floats, throughput: Floats, drawn: Drawn) -> Law:
    """Of four throughputs at least; `drawn` has a row of them for each count."""
    again = drawn.values
    measured = counts / throughput
    errors = np.maximum(np.nanstd(again, axis=1) / throughput, LEAST_ERROR) * measured
    equations = _equations(counts) / errors[:, None]
    best, _ = optimize.nnls(equations, measured / errors)
    free = np.linalg.pinv(equations) @ (counts[:, None] / again / errors[:, None])
    with np.errstate(divide="ignore", invalid="ignore"):
        every = np.where(free[0] > 0, np.stack([1 / free[0], free[1] / free[0], free[2] / free[0]]), np.nan)
    bounds = drawn.over(every).interval()
    first = best[0] or math.nan
    rate, alpha, beta = (_around(value, *np.maximum(0, bounds[:, i]))
                         for i, value in enumerate((1 / first, best[1] / first, best[2] / first)))
    largest = counts.max()
    vague = tuple(name for name, one, most in (("α", alpha, 1.0), ("β", beta, 1 / largest)) if one.low <= 0 and one.high >= most)
    notes = [f"{name} would be below 0, so throughput grows faster than the law knows: it is at its bound"
             for name, above in (("α", bounds[1, 1]), ("β", bounds[1, 2])) if above < 0]
    residuals = (equations @ best - measured / errors)
    p = float(stats.chi2.sf(float(residuals @ residuals), len(counts) - np.count_nonzero(best)))
    return Law(tuple(int(count) for count in counts), rate, alpha, beta, vague, p,
               float(np.abs(residuals * errors / measured).max()), tuple(notes))


def of(levels: Sequence[Point], drawn: Drawn | None) -> tuple[Law | None, str]:
    """The law of the levels within the CPUs, or why there is none."""
    within = [i for i, level in enumerate(levels) if level.is_within]
    counts = [levels[i].count for i in within]
    if len(counts) < LEAST_LEVELS:
        return None, (f"α and β are not identifiable: {len(counts)} number{'' if len(counts) == 1 else 's'} of samplers within the "
                      f"CPUs ({', '.join(map(str, counts)) or 'none'}), and the law's three parameters need {LEAST_LEVELS} at least")
    if drawn is None:
        return None, "α and β are not identifiable: too few rounds to know how throughput scatters"
    return fit(np.array(counts, dtype=float), np.array([levels[i].throughput.value for i in within]),
               drawn.over(drawn.values[within])), ""


def peak(law: Law) -> float:
    """The number of samplers from which on more of them do less: inf where there is none."""
    alpha, beta = law.contention.value, law.coherency.value
    return math.inf if beta <= 0 else math.sqrt(max(0.0, 1 - alpha) / beta)
