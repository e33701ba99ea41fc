"""Are change points found, and none where nothing changed? On synthetic series."""
from collections.abc import Callable

import numpy as np

from analysis.change_points import Floats, change_points
from analysis.running import standard_error

RUNS = 30
NOISE = 0.02
STEP = 0.05
START = 100_000.0  # ns
BESIDE = 5  # runs on each side of a step, at least
NEAR = 2  # runs by which a step may be found too early or too late
ALARMS_LIMIT, FOUND_LIMIT = 0.05, 0.9

Random = np.random.Generator
# Noise of one run, as a multiple of NOISE: what wall time has beside a normal distribution is a tail of slow runs.
NOISES: dict[str, Callable[[Random], Floats]] = {
    "normal": lambda random: random.standard_normal(RUNS),
    "with a slow tail": lambda random: (random.gamma(4.0, 0.5, RUNS) - 2.0),
}


def series(random: Random, noise: str, step: float, at: int) -> Floats:
    """Figures that grow by this share at that run."""
    level = np.where(np.arange(RUNS) < at, 1.0, 1.0 + step)
    return np.asarray(START * level * (1 + NOISE * NOISES[noise](random)))


def check(trials: int, seed: int, say: Callable[[str], None]) -> bool:
    """Whether false alarms are as rare, and steps found as often, as they have to be."""
    say(f"{trials} series of {RUNS} runs, {NOISE:.0%} noise; a step of {STEP:.0%} counts as found within {NEAR} runs of its place")
    say(f"{'noise':<18} {'false alarms':>13} {'steps found':>12} {'found, and nothing else':>24}")
    good = True
    for number, noise in enumerate(NOISES):
        random = np.random.default_rng((seed, number))
        alarms = found = alone = 0
        for _ in range(trials):
            alarms += bool(change_points(series(random, noise, 0, 0)))
            at = int(random.integers(BESIDE, RUNS - BESIDE + 1))
            points = change_points(series(random, noise, STEP * random.choice((-1, 1)), at))
            near = [point for point in points if abs(point.at - at) <= NEAR]
            found += bool(near)
            alone += bool(near) and len(points) == 1
        shares = [count / trials for count in (alarms, found, alone)]
        # A limit is a truth; what so few trials find lies beside it by chance.
        good = good and shares[0] <= ALARMS_LIMIT + 2 * standard_error(ALARMS_LIMIT, trials) and shares[1] >= FOUND_LIMIT
        say(f"{noise:<18} {shares[0]:>13.1%} {shares[1]:>12.1%} {shares[2]:>24.1%}")
    say(f"at most {ALARMS_LIMIT:.0%} may be false alarms, at least {FOUND_LIMIT:.0%} must be found; standard errors: "
        f"{standard_error(ALARMS_LIMIT, trials):.1%} and {standard_error(FOUND_LIMIT, trials):.1%}")
    return good
