"""Change points of a series of noisy figures: E-divisive, by scipy's permutation test.

A series is split where the two sides' energy distance is largest (Székely and Rizzo; Matteson and James, JASA 109, 2014), and the split
counts if the largest distance of the series in random orders is seldom as large. Both sides are then looked at in the same way. Nothing
is assumed about the noise but that runs are exchangeable: a host that drifts is a change, too.
"""
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]

LEAST = 3  # figures on each side of a change
ALPHA = 0.03  # of a whole history: a margin below the 5% that it is held to
ORDERS = 999  # random ones, at least: p is known to 0.001
SEEN = 5  # random orders, at least, that may do as much as a change that just counts
SEED = 1  # the same series gives the same answer


@dataclass(frozen=True)
class ChangePoint:
    """From `at` on (counted from 0) the figures are others: the medians on both sides, and how often chance does as much."""

    at: int
    before: float
    after: float
    p: float

    @property
    def ratio(self) -> float:
        return self.after / self.before


def energy(series: Floats) -> Floats:
    """For each split that leaves LEAST figures on both sides the energy distance of the sides, weighted by their sizes. The last axis
    is the series."""
    n = series.shape[-1]
    distances = np.abs(series[..., :, None] - series[..., None, :])
    square = distances.cumsum(-1).cumsum(-2)  # sums over the first i and j
    first = np.arange(LEAST, n - LEAST + 1)
    left = square[..., first - 1, first - 1]
    across = square[..., first - 1, -1] - left
    right = square[..., -1, -1][..., None] - left - 2 * across
    k = first.astype(float)
    within = left / np.maximum(k * (k - 1), 1) + right / np.maximum((n - k) * (n - k - 1), 1)
    return np.asarray((2 * across / (k * (n - k)) - within) * k * (n - k) / n)


def largest(series: Floats, axis: int = -1) -> Floats:
    """Of the splits' energy distances the largest."""
    return np.asarray(energy(np.moveaxis(series, axis, -1)).max(-1))


def chance(series: Floats, orders: int, random: np.random.Generator) -> float:
    """How often the series' largest distance is as large in a random order."""
    test = stats.permutation_test((series,), largest, permutation_type="pairings", n_resamples=orders, alternative="greater", batch=256,
                                  vectorized=True, random_state=random)
    return float(test.pvalue)


def split(series: Floats, alpha: float, random: np.random.Generator) -> tuple[int, float] | None:
    """Where the sides differ most, and how often chance does as much; None where that is too often, or the series is too short. A small
    `alpha` needs many orders, which only a series gets that few have not refused."""
    if len(series) < 2 * LEAST or np.ptp(series) == 0:
        return None
    p = chance(series, ORDERS, random)
    if alpha * ORDERS < SEEN and p * (ORDERS + 1) <= SEEN:
        p = chance(series, math.ceil(SEEN / alpha), random)
    return (LEAST + int(energy(series).argmax()), p) if p <= alpha else None


def change_points(figures: Floats, rows: int = 1, alpha: float = ALPHA) -> list[ChangePoint]:
    """All of them, in order; of so many rows that are looked at, a false one is to be found in any with this probability at most. The
    figures' logarithms are looked at, since noise grows with a time."""
    alpha /= rows
    if not len(figures):
        return []
    series = np.log(figures)
    random = np.random.default_rng(SEED)
    bounds: dict[int, float] = {}
    waiting = [(0, len(series))]
    while waiting:
        begin, end = waiting.pop(0)
        found = split(series[begin:end], alpha, random)
        if found:
            bounds[begin + found[0]] = found[1]
            waiting += [(begin, begin + found[0]), (begin + found[0], end)]
    edges = [0, *sorted(bounds), len(series)]
    medians = [float(np.median(figures[begin:end])) for begin, end in zip(edges, edges[1:])]
    return [ChangePoint(at, before, after, bounds[at]) for at, before, after in zip(edges[1:-1], medians, medians[1:])]
