"""p of many rows, corrected for their number by all ways to divide the runs between the sides: the step-down procedure of Westfall and
Young (1993) on the largest of the rows' t.

Rows of one machine go up and down together, and create, ready and total hold each other: they are far fewer chances of a false alarm
than rows, which Holm's correction has to take for as many. Here what they have in common is in each division as it is in the sides. Where
nothing has changed and both sides scatter alike, runs may stand on either side, so that the chance of even one false alarm is within the
limit; where one side scatters much more it is not, and Holm's is to be taken.
"""
import itertools
import math

import numpy as np
from numpy.typing import NDArray

from analysis.effects import Floats

BY = "Westfall and Young"
AT_ONCE = 4_000_000  # t in memory
TIE = 1 - 1e-9  # of a t: what rounding makes of two that are equal


def divisions(base: int, new: int) -> int:
    """In how many ways so many runs can be divided."""
    return math.comb(base + new, base)


def smallest(base: int, new: int) -> float:
    """The smallest p there can be: where the sides are alike, a division and its mirror image say the same."""
    return (2 if base == new else 1) / divisions(base, new)


def corrected(base: Floats, new: Floats) -> Floats:
    """Of two matrices of logarithms without gaps, a row for each row and a column for each run."""
    runs = np.concatenate([base, new], axis=1)
    runs = runs - runs.mean(axis=1, keepdims=True)
    count, in_base = runs.shape[1], base.shape[1]
    found = _largeness(runs, np.arange(count)[None] < in_base)[:, 0]
    order = np.argsort(-found, kind="stable")
    limits = found[order, None] * TIE
    as_large = np.zeros(len(runs))
    every = itertools.combinations(range(count), in_base)
    while some := list(itertools.islice(every, max(1, AT_ONCE // len(runs)))):
        chosen = np.zeros((len(some), count), bool)
        np.put_along_axis(chosen, np.array(some), True, axis=1)
        # Of each row the largest t of it and of all that are less conspicuous: the others have been told already.
        largest = np.maximum.accumulate(_largeness(runs[order], chosen)[::-1], axis=0)[::-1]
        as_large += (largest >= limits).sum(axis=1)
    p = np.empty(len(runs))
    p[order] = np.maximum.accumulate(as_large / divisions(in_base, count - in_base))
    return p


def _largeness(runs: Floats, chosen: NDArray[np.bool_]) -> Floats:
    """Welch's t without its sign: a row for each row, a column for each division; infinite where sides differ that do not scatter."""
    sides = []
    for of in (chosen, ~chosen):
        n = int(of[0].sum())
        mean = runs @ of.T / n
        variance = np.maximum(runs**2 @ of.T - n * mean**2, 0) / (n - 1)
        sides.append((mean, variance / n))
    (one, its), (other, others) = sides
    apart = np.abs(one - other)
    with np.errstate(divide="ignore", invalid="ignore"):
        t: Floats = np.where(apart > 0, apart / np.sqrt(its + others), 0.0)
    return t
