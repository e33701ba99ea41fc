"""Tests of p that is corrected for the number of rows by all ways to divide the runs."""
import itertools

import pytest

np = pytest.importorskip("numpy", reason="python3-numpy is missing")
stats = pytest.importorskip("scipy.stats", reason="python3-scipy is missing")
from analysis import effects, permuted


def alike(seed: int, own: float, rows: int = 36, common: int = 9) -> effects.Floats:
    """Ten runs of rows of which each four are nearly the same."""
    random = np.random.default_rng(seed)
    return np.repeat(random.normal(size=(common, 10)), rows // common, axis=0) + random.normal(0, own, (rows, 10))


def by_hand(base: effects.Floats, new: effects.Floats) -> list[float]:
    """As Westfall and Young have it, one division after the other."""
    runs = np.concatenate([base, new], axis=1)

    def t(chosen: tuple[int, ...]) -> effects.Floats:
        others = [run for run in range(runs.shape[1]) if run not in chosen]
        return np.abs(stats.ttest_ind(runs[:, list(chosen)], runs[:, others], axis=1, equal_var=False).statistic)
    found = t(tuple(range(base.shape[1])))
    every = [t(chosen) for chosen in itertools.combinations(range(runs.shape[1]), base.shape[1])]
    p: dict[int, float] = {}
    left, highest = list(np.argsort(-found)), 0.0
    while left:
        row = int(left[0])
        highest = max(highest, float(np.mean([of[left].max() >= found[row] * (1 - 1e-9) for of in every])))
        p[row] = highest
        left.pop(0)
    return [p[row] for row in range(len(runs))]


@pytest.mark.parametrize("new", [5, 4])
def test_it_is_the_step_down_procedure(new: int) -> None:
    runs = alike(1, 0.5, rows=9, common=3)[:, :5 + new]
    runs[4, 5:] += 4
    base, other = runs[:, :5], runs[:, 5:]
    p = permuted.corrected(base, other)
    assert p == pytest.approx(by_hand(base, other)) and p.argmin() == 4
    assert permuted.divisions(5, new) == {5: 252, 4: 126}[new] and min(p) >= 1 / permuted.divisions(5, new)


def test_rows_that_go_together_are_few_chances_of_a_false_alarm() -> None:
    """And a change that Holm's correction, which takes all rows for different ones, does not find is found."""
    alarms = found = by_holm = 0
    for seed in range(100):
        runs = alike(seed, 0.1)
        alarms += bool((permuted.corrected(runs[:, :5], runs[:, 5:]) <= 0.05).any())
        runs[7, 5:] += 3
        found += permuted.corrected(runs[:, :5], runs[:, 5:])[7] <= 0.05
        by_holm += effects.holm(effects.effects(runs[:, :5], runs[:, 5:]).p)[7] <= 0.05
    assert alarms <= 10 and found > by_holm + 20


def test_what_does_not_scatter() -> None:
    """The same everywhere is no difference; the same on each side is the largest there is."""
    runs = np.zeros((3, 10))
    runs[0, 5:] = 1
    runs[1] = np.random.default_rng(1).normal(size=10)
    p = permuted.corrected(runs[:, :5], runs[:, 5:])
    assert p[0] == pytest.approx(2 / 252) and p[2] == 1
