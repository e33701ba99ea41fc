"""Is the law that figures follow found again? On synthetic figures of known laws."""
from collections import Counter
from collections.abc import Callable

import numpy as np

from analysis import growth
from analysis.growth import Floats, Points
from analysis.running import standard_error

LOW, HIGH = 10, 10_000  # levels between them, on a logarithmic scale
NOISE = 0.02  # of a figure
START = 100_000.0  # ns
GROWN = (2.0, 30.0)  # what the highest level adds, as a multiple of the start
BEFORE = (0.5, 4.0)  # what levels up to a bend add, as a multiple of the start
BENT = (4.0, 30.0)  # by so much the slope behind a bend is steeper, or less steep
BEHIND = 0.5  # what levels behind a bend add at least, as a multiple of the figure there
ROUNDS = 20  # that an interval is of: it is known to 1 in √(2·20)
LEVELS = (7, 8, 9, 10)
LEAST_FOR_A_BEND = 9  # levels: it has four coefficients and its scatter
FOUND_LIMIT = 0.95

Random = np.random.Generator


def _between(random: Random, ends: tuple[float, float]) -> float:
    return float(np.exp(random.uniform(*np.log(ends))))


def _bent(random: Random, x: Floats) -> Floats:
    while True:
        bend = x[random.integers(growth.BESIDE_A_BEND, len(x) - growth.BESIDE_A_BEND)]
        before = _between(random, BEFORE)
        slope = before / bend * _between(random, BENT) ** random.choice((-1, 1))
        if slope * (x[-1] - bend) >= BEHIND * (1 + before):
            return np.asarray(before * np.minimum(x, bend) / bend + slope * np.maximum(x - bend, 0))


def _grown(shape: Callable[[Floats], Floats]) -> Callable[[Random, Floats], Floats]:
    return lambda random, x: np.asarray(_between(random, GROWN) * shape(x) / shape(x)[-1])


# Law → what levels add to the start, as a multiple of it.
TRUTHS: dict[str, Callable[[Random, Floats], Floats]] = {
    "constant": lambda _, x: np.zeros_like(x), "log": _grown(np.log2), "linear": _grown(lambda x: x),
    "n log n": _grown(lambda x: np.asarray(x * np.log2(x))), "quadratic": _grown(np.square), growth.BEND: _bent}


def points(random: Random, law: str, levels: int) -> Points:
    """Figures of the law at so many levels, with intervals."""
    x = np.round(np.geomspace(LOW, HIGH, levels))
    y = START * (1 + TRUTHS[law](random, x)) * (1 + NOISE * random.standard_normal(levels))
    return Points(x, y, NOISE * y * np.sqrt(random.chisquare(ROUNDS, levels) / ROUNDS))


def found(random: Random, law: str, levels: int, trials: int) -> Counter[str]:
    """How often which law was found."""
    grown = (growth.growth_of(points(random, law, levels)) for _ in range(trials))
    return Counter(one.best.law if one else "" for one in grown)


def is_identifiable(law: str, levels: int) -> bool:
    return law != growth.BEND or levels >= LEAST_FOR_A_BEND


def check(trials: int, seed: int, say: Callable[[str], None]) -> bool:
    """Whether each law is found as often as it has to be."""
    say(f"{'law':<10} " + " ".join(f"{f'{levels} levels':>9}" for levels in LEVELS) + "  most often taken for")
    good = True
    for law in TRUTHS:
        cells, mistaken = [], Counter[str]()
        for levels in LEVELS:
            counts = found(np.random.default_rng((seed, levels)), law, levels, trials)
            share = counts.pop(law, 0) / trials
            mistaken += counts
            is_held = is_identifiable(law, levels)
            good = good and (share >= FOUND_LIMIT or not is_held)
            cells.append(f"{share:.1%}{'' if is_held else ' *'}")
        rival = mistaken.most_common(1)
        say(f"{law:<10} " + " ".join(f"{cell:>9}" for cell in cells) + f"  {rival[0][0] if rival else ''}".rstrip())
    say(f"levels from {LOW} to {HIGH}, noise {NOISE:.0%} of the figure; the highest level adds {GROWN[0]:g} to {GROWN[1]:g} times the "
        f"start; levels\nup to a bend add {BEFORE[0]:g} to {BEFORE[1]:g} times the start; behind it the slope is {BENT[0]:g} to "
        f"{BENT[1]:g} times as steep, or less steep by that, and\nadds {BEHIND:.0%} of the figure at least. {trials} trials; at least "
        f"{FOUND_LIMIT:.0%} must (*: is not held to it: too few levels for so many\ncoefficients); standard error: "
        f"{standard_error(FOUND_LIMIT, trials):.1%}")
    return good
