"""Change points of noisy figures, row by row, of runs in their order: E-divisive, with one permutation test for all rows.

A row is split where the two sides' energy distance is largest (Székely and Rizzo; Matteson and James, JASA 109, 2014). The split counts
if, with whole runs in a random order, seldom any row has one as large: rows of one run move together, and an order of runs keeps that
(step-down maxT: Westfall and Young, 1993). Each row's distances are divided by their mean, so that rows are alike. Both sides are
then looked at in the same way, rows with the same split together. Nothing is assumed about the noise but that runs are
exchangeable: a host that drifts is a change, too.
"""
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

LEAST = 3  # figures on each side of a change
ALPHA = 0.03  # of a whole history: a margin below the 5% that it is held to
ORDERS = 999  # random ones: p is known to 0.001
MEMORY = 2**26  # bytes, about, of what is computed at once
ALIKE = 1e-9  # of a distance: sums in another order are not the same to the bit
SEED = 1  # the same history gives the same answer
ENOUGH = 9  # runs that can show a change: 2 of the 126 ways to part them into 4 and 5 are as plain as any, 2 of 70 for 8 of them


@dataclass(frozen=True)
class ChangePoint:
    """From run `at` on (counted from 0) the figures are others: the medians on both sides, and how often chance does as much in any of
    the rows."""

    at: int
    before: float
    after: float
    p: float

    @property
    def ratio(self) -> float:
        return self.after / self.before


def distances(rows: Floats) -> Floats:
    """Of each row between all runs, in multiples of their mean; 0 for what is missing."""
    found = np.nan_to_num(np.abs(rows[:, :, None] - rows[:, None, :]))
    present = (~np.isnan(rows)).sum(1)
    mean = found.sum((1, 2)) / np.maximum(present * (present - 1), 1)
    return np.asarray(found / np.where(mean > 0, mean, 1)[:, None, None])


def energy(far: Floats, present: NDArray[np.bool_], orders: Whole) -> Floats:
    """By order, split and row the energy distance of the sides, weighted by their sizes; −inf for a split that leaves fewer than LEAST
    figures on a side. `far` are the distances, `present` says of each row which runs have it."""
    place = np.argsort(orders, 1)
    earlier = (place[:, None, :] < place[:, :, None]).astype(float)  # by order and run: which runs are before it
    before = np.matmul(earlier.transpose(1, 0, 2), far.transpose(1, 2, 0)).transpose(1, 0, 2)  # its distances to these, by row
    left = 2 * np.take_along_axis(before, orders[:, :, None], 1).cumsum(1)
    across = far.sum(2).T[orders].cumsum(1) - left
    right = far.sum((1, 2)) - left - 2 * across
    k = present.T[orders].cumsum(1).astype(float)
    n = present.sum(1).astype(float)
    rest = n - k
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (2 * across / (k * rest) - left / (k * (k - 1)) - right / (rest * (rest - 1))) * k * rest / n
    return np.asarray(np.where((k >= LEAST) & (rest >= LEAST), found, -np.inf))


def largest(rows: Floats, orders: Whole) -> tuple[Floats, Whole]:
    """By order and row the largest energy distance of all splits, and at which run the second side then begins; so many rows at once
    as there is memory for."""
    parts = [energy(distances(part), ~np.isnan(part), orders) for part in np.array_split(rows, math.ceil(len(rows) / at_once(rows)))]
    return np.hstack([part.max(1) for part in parts]), np.hstack([part.argmax(1) for part in parts]) + 1


def at_once(rows: Floats) -> int:
    """Rows whose distances are a quarter of the memory."""
    return max(1, min(len(rows), MEMORY // (4 * 8 * rows.shape[1]**2)))


def by_chance(rows: Floats, seen: Floats, alpha: float, random: np.random.Generator) -> Floats | None:
    """By row how often chance does as much in any row, but for those that have changed more; None where it is too often for all of
    them, which a part of the orders may already say."""
    count, n = rows.shape
    batch = max(1, MEMORY // (8 * n * (n + 6 * at_once(rows))))
    descending = np.argsort(-seen)
    allowed = alpha * (ORDERS + 1) - 1
    counts = np.zeros(count)
    done = 0
    while done < ORDERS:
        orders = random.permuted(np.tile(np.arange(n), (min(batch, ORDERS - done), 1)), axis=1)
        chance = largest(rows, orders)[0][:, descending]
        below = np.maximum.accumulate(chance[:, ::-1], 1)[:, ::-1]  # of this row and those that changed less
        counts += (below >= seen[descending] * (1 - ALIKE)).sum(0)
        done += len(orders)
        if counts[0] > allowed:
            return None
    p = np.empty(count)
    p[descending] = np.maximum.accumulate((counts + 1) / (ORDERS + 1))
    return p


def splits(rows: Floats, alpha: float, random: np.random.Generator) -> list[tuple[int, int, float]]:
    """The rows that change, each with the run from which on, and how often chance does as much."""
    n = rows.shape[1]
    if n < 2 * LEAST:
        return []
    present = ~np.isnan(rows)
    seen, first = (of[0] for of in largest(rows, np.arange(n)[None, :]))
    if not (seen > 0).any():
        return []
    p = by_chance(rows, seen, alpha, random)
    if p is None:
        return []
    return [(row, int(first[row] + present[row, first[row]:].argmax()), float(p[row])) for row in np.flatnonzero(p <= alpha)]


def change_points(figures: Floats, alpha: float = ALPHA) -> list[list[ChangePoint]]:
    """Of each row (runs in their order, NaN for a run without it) all of them, in order; a false one is to be found in any row of a
    history in which nothing changes with this probability at most. The figures' logarithms are looked at, since noise grows with a
    time."""
    random = np.random.default_rng(SEED)
    series = np.log(figures)
    count, n = series.shape
    bounds: list[dict[int, float]] = [{} for _ in range(count)]
    waiting = [(np.arange(count), 0, n)] if count else []
    while waiting:
        rows, begin, end = waiting.pop(0)
        found: dict[int, list[int]] = {}
        for row, at, p in splits(series[rows, begin:end], alpha, random):
            bounds[rows[row]][begin + at] = p
            found.setdefault(begin + at, []).append(rows[row])
        for at, those in sorted(found.items()):
            waiting += [(np.array(those), begin, at), (np.array(those), at, end)]
    return [_points(row, of) for row, of in zip(figures, bounds)]


def _points(row: Floats, bounds: dict[int, float]) -> list[ChangePoint]:
    edges = [0, *sorted(bounds), len(row)]
    medians = [float(np.nanmedian(row[begin:end])) for begin, end in zip(edges, edges[1:])] if bounds else []
    return [ChangePoint(at, before, after, bounds[at]) for at, before, after in zip(edges[1:-1], medians, medians[1:])]
