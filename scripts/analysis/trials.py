"""Comparisons whose truth is known: synthetic runs, compared as compare.py compares real ones.

Each sample's time is its row's, times what disturbs it: noise with a heavy tail; the luck of its block, which all its
samples share; the luck of its run, for all rows and for each; and a steady drift of the machine over the session, in
which runs of both sides come in random order, or one side after the other.
"""
from dataclasses import dataclass

import numpy as np

from analysis import effects, judging
from analysis.comparison import SHARE, verdict
from analysis.effects import Floats, Pair

ROUNDS, PER_BLOCK = 12, 8


@dataclass(frozen=True)
class Truth:
    """What the runs are like; the sizes are standard deviations of a time's logarithm, so 0.01 is about 1%."""

    name: str
    noise: float = 0.05
    spikes: float = 0.0  # share of samples that are slower by a Pareto-distributed factor
    block: float = 0.01
    run: float = 0.005  # of a whole run
    row_in_run: float = 0.005
    disturbed: float = 0.0  # share of runs that something made slower by 5% to 30%
    drift: float = 0.0  # over the session, from its first run to its last
    wander: float = 0.0  # of the machine, from run to run: each begins where the last one ended
    is_interleaved: bool = True
    a_side: int = 10  # runs


TRUTHS = (
    Truth("quiet"),
    Truth("heavy tails", spikes=0.05, disturbed=0.03),
    Truth("correlated samples", block=0.03),
    Truth("drift", drift=0.06),
    Truth("drift, one side first", drift=0.06, is_interleaved=False),
    Truth("all of these", spikes=0.05, block=0.03, disturbed=0.03, drift=0.06),
    Truth("5 runs, wandering, one side first", wander=0.01, is_interleaved=False, a_side=5),
    Truth("5 runs, some disturbed", disturbed=0.1, wander=0.01, is_interleaved=False, a_side=5),
)


def runs(truth: Truth, random: np.random.Generator, trials: int, rows: int, count: int) -> Floats:
    """Logarithms of samples of `count` runs in the order of measuring: trial × row × run × round × sample."""
    shape = (trials, rows, count, ROUNDS, PER_BLOCK)
    log = random.normal(0, truth.noise, shape)
    if truth.spikes:
        hit = random.random(shape) < truth.spikes
        log[hit] += np.log1p(random.pareto(1.5, int(hit.sum())))
    log += random.normal(0, truth.block, (*shape[:4], 1))
    log += random.normal(0, truth.row_in_run, (*shape[:3], 1, 1))
    of_run = random.normal(0, truth.run, (trials, 1, count, 1, 1))
    of_run += (random.random(of_run.shape) < truth.disturbed) * np.log1p(random.uniform(0.05, 0.3, of_run.shape))
    way = random.choice([-1, 1], (trials, 1, 1, 1, 1))
    of_run += np.cumsum(random.normal(0, truth.wander, of_run.shape), axis=2)
    of_run += way * truth.drift * np.linspace(0, 1, count).reshape(1, 1, count, 1, 1)
    return log + of_run


def outcomes(truth: Truth, random: np.random.Generator, trials: int, rows: int, change: float, threshold: float,
             alpha: float) -> tuple[int, int, int]:
    """In how many A/A comparisons anything was called a change; in how many the test alone, without the threshold, saw
    one; and in how many a true change of one row was found."""
    alarms = resolved = found = 0
    a_side = truth.a_side
    for done in range(0, trials, 10):
        some = min(10, trials - done)
        figures = np.quantile(runs(truth, random, some, rows, 2 * a_side), SHARE, axis=(3, 4))
        for trial in figures:
            order = random.permutation(2 * a_side) if truth.is_interleaved else np.arange(2 * a_side)
            times = order[:a_side].astype(float), order[a_side:].astype(float)
            base, new = trial[:, order[:a_side]], trial[:, order[a_side:]]
            words = verdicts(base, new, times, threshold, alpha)
            alarms += "slower" in words or "faster" in words
            resolved += not {"slower", "faster", "small"}.isdisjoint(words)
            row = random.integers(rows)
            new[row] += np.log1p(change)
            found += verdicts(base, new, times, threshold, alpha)[row] == "slower"
    return alarms, resolved, found


def verdicts(base: Floats, new: Floats, times: Pair, threshold: float, alpha: float) -> list[str]:
    """Of matrices of runs' figures, as compare.py gives them."""
    kept = effects.kept(base, new, times)
    of = judging.judge((base, new), ["create"] * len(base), times, None, alpha, kept=kept)
    figures = zip(np.exp(of.found.log), np.exp(of.low), np.exp(of.high), of.corrected)
    return [verdict(*values, threshold, alpha) for values in figures]


def single_alarms(truth: Truth, random: np.random.Generator, trials: int, rows: int, threshold: float, alpha: float) -> int:
    """In how many A/A comparisons of one run a side anything was called a change: by rounds, as compare.py does then."""
    alarms = 0
    for done in range(0, trials, 10):
        for base, new in np.median(runs(truth, random, min(10, trials - done), rows, 2), axis=4).swapaxes(1, 2):
            of = effects.effects(base, new, inflate=(effects.follow(base), effects.follow(new)), level=1 - alpha,
                                 trim=effects.TRIM_ROUNDS, between=effects.BETWEEN_RUNS)
            figures = zip(np.exp(of.log), np.exp(of.low), np.exp(of.high), effects.holm(of.p))
            alarms += any(verdict(*values, threshold, alpha) in ("slower", "faster") for values in figures)
    return alarms
