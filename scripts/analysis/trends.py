"""Whether a series has a trend: by Kendall's test over the means of its parts, whose statistic allows for how parts follow
their neighbours (Hamed and Rao 1998, with one correlation), and by the line of Theil and Sen, which says how much it is."""
import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis import effects
from analysis.effects import Floats

WARM_UP = 0.1  # of a series, from its begin: what fills once
PARTS = 20  # that the rest is cut into
FEWEST = 10  # values behind the warm-up, of fewer nothing is said


@dataclass(frozen=True)
class Trend:
    """`level`: the middle of the series; `change`: what the line moves by from its begin to its end, in the same unit; `p`: of no
    trend."""

    level: float
    change: float
    p: float

    @property
    def share(self) -> float:
        """The change, of the level; 0 for a series that is 0."""
        return self.change / self.level if self.level else 0.0


def _means(times: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Those of the parts, which are of as many values each, but for one."""
    parts = min(PARTS, len(values))
    return (np.array([part.mean() for part in np.array_split(times, parts)]),
            np.array([part.mean() for part in np.array_split(values, parts)]))


def trend(times: Floats, values: Floats) -> Trend | None:
    """Of values at increasing times; None where there are too few."""
    behind = times >= times[0] + WARM_UP * (times[-1] - times[0]) if len(times) else np.zeros(0, bool)
    times, values = times[behind], values[behind]
    if len(values) < FEWEST:
        return None
    at, means = _means(times, values)
    slope, level = stats.theilslopes(means, at)[0], float(np.median(means))
    rest = means - slope * at
    rest -= rest.mean()
    n, squares = len(means), float(rest @ rest)
    # The estimate is too low by about 1/n, and of the line that was taken off by as much again.
    follows = float(rest[1:] @ rest[:-1]) / squares + 2 / n if squares else 0.0
    rises = float(sum(np.sign(means[i + 1:] - means[i]).sum() for i in range(n)))
    variance = n * (n - 1) * (2 * n + 5) / 18 * effects.inflation(follows)
    z = max(abs(rises) - 1, 0) / math.sqrt(variance)
    return Trend(level, slope * float(times[-1] - times[0]), float(2 * stats.norm.sf(z)))
