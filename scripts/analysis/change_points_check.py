"""Are change points found, and none where nothing changed? On synthetic series."""
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from analysis.change_points import ENOUGH, ChangePoint, Floats, change_points
from analysis.running import standard_error

RUNS = 30
NOISE = 0.02
STEP = 0.05
START = 100_000.0  # ns
BESIDE = 5  # runs on each side of a step, at least
NEAR = 2  # runs by which a step may be found too early or too late
ROWS = 200
COMMON = 0.5  # of their variance
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


@dataclass
class Counts:
    """Of so many histories: those with a false alarm where nothing changed; those in which a step was found, and nothing else; of the rows
    that have a step, the shares found."""

    histories: int
    alarms: int = 0
    found: int = 0
    alone: int = 0
    rows: list[float] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether false alarms are as rare, and steps found as often, as they have to be. A limit is a truth; what so few histories show
        lies beside it by chance."""
        alarms, found = (count / self.histories for count in (self.alarms, self.found))
        return alarms <= ALARMS_LIMIT + 2 * standard_error(ALARMS_LIMIT, self.histories) and \
            found >= FOUND_LIMIT - 2 * standard_error(FOUND_LIMIT, self.histories)

    def line(self, what: str) -> str:
        shares = [count / self.histories for count in (self.alarms, self.found, self.alone)]
        return f"{what:<34}" + "".join(f"{share:>14.1%}" for share in (*shares, float(np.mean(self.rows))))


def of_one_row(random: Random, noise: str, trials: int) -> Counts:
    """Histories of one row."""
    counts = Counts(trials)
    for _ in range(trials):
        counts.alarms += bool(change_points(series(random, noise, 0, 0)[None, :])[0])
        at = int(random.integers(BESIDE, RUNS - BESIDE + 1))
        add(counts, change_points(series(random, noise, STEP * random.choice((-1, 1)), at)[None, :]), 1, at)
    return counts


def add(counts: Counts, points: list[list[ChangePoint]], stepped: int, at: int) -> None:
    """What was found of a step that the first rows have there."""
    near = [any(abs(point.at - at) <= NEAR for point in of) for of in points[:stepped]]
    counts.rows.append(sum(near) / stepped)
    counts.found += any(near)
    counts.alone += any(near) and not any(points[stepped:]) and all(len(of) <= 1 for of in points[:stepped])


def rows_of(random: Random) -> Floats:
    """The figures of many rows, of whose noise the runs have half in common."""
    noise = NOISES["with a slow tail"]
    own = np.array([noise(random) for _ in range(ROWS)])
    return np.asarray(START * (1 + NOISE * (math.sqrt(COMMON) * noise(random) + math.sqrt(1 - COMMON) * own)))


def of_many_rows(random: Random, trials: int) -> Counts:
    """Histories of many rows, a tenth of which have a step."""
    counts, stepped = Counts(trials), ROWS // 10
    for _ in range(trials):
        counts.alarms += any(change_points(rows_of(random)))
        at = int(random.integers(BESIDE, RUNS - BESIDE + 1))
        figures = rows_of(random)
        figures[:stepped, at:] *= 1 + STEP * random.choice((-1, 1))
        add(counts, change_points(figures), stepped, at)
    return counts


def looks(random: Random, trials: int) -> float:
    """How many histories of one row in which nothing changes have a false alarm at any look, where one looks after each run."""
    alarms = 0
    for _ in range(trials):
        figures = series(random, "normal", 0, 0)
        alarms += any(change_points(figures[None, :until])[0] for until in range(ENOUGH, RUNS + 1))
    return alarms / trials


def check(trials: int, seed: int, say: Callable[[str], None]) -> bool:
    """Whether false alarms are as rare, and steps found as often, as they have to be."""
    few = max(trials // 10, 1)
    say(f"{trials} histories of {RUNS} runs, {NOISE:.0%} noise; a step of {STEP:.0%} counts as found within {NEAR} runs of its place")
    say(f"{few} histories of {ROWS} rows, whose noise is {COMMON:.0%} in common, and of which a tenth have the step")
    say(f"{'':<34}{'false alarms':>14}{'step found':>14}{'nothing else':>14}{'rows found':>14}")
    found = {f"one row, noise {noise}": of_one_row(np.random.default_rng((seed, number)), noise, trials)
             for number, noise in enumerate(NOISES)}
    found[f"{ROWS} rows, with a slow tail"] = of_many_rows(np.random.default_rng((seed, len(NOISES))), few)
    for what, counts in found.items():
        say(counts.line(what))
    say(f"at most {ALARMS_LIMIT:.0%} of histories may have a false alarm, in at least {FOUND_LIMIT:.0%} the step must be found; "
        f"standard errors: {standard_error(ALARMS_LIMIT, trials):.1%} and {standard_error(FOUND_LIMIT, trials):.1%}, of {ROWS} rows "
        f"{standard_error(ALARMS_LIMIT, few):.1%} and {standard_error(FOUND_LIMIT, few):.1%}")
    say(f"that holds for one look: after each of {RUNS} runs, a false alarm at any look in "
        f"{looks(np.random.default_rng((seed, len(NOISES) + 1)), few):.1%} of {few} histories of one row")
    return all(counts.is_good for counts in found.values())
