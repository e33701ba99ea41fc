"""Tests of the statistics against scipy's own, and of what they must say at the edges."""

import pytest

np = pytest.importorskip("numpy", reason="python3-numpy is missing")
stats = pytest.importorskip("scipy.stats", reason="python3-scipy is missing")
from analysis import effects


@pytest.mark.parametrize(("n_b", "n_n"), [(2, 2), (5, 3), (10, 10), (12, 25), (9, 40)])
def test_it_is_yuens_test(n_b: int, n_n: int) -> None:
    random = np.random.default_rng(1)
    base, new = random.normal(0, 1, (50, n_b)), random.normal(0.5, 2, (50, n_n))
    found = effects.effects(base, new)
    for i in range(50):
        expected = stats.ttest_ind(new[i], base[i], equal_var=False, trim=effects.TRIM)
        assert found.p[i] == pytest.approx(expected.pvalue, rel=1e-9)
        assert found.log[i] == pytest.approx(stats.trim_mean(new[i], effects.TRIM) - stats.trim_mean(base[i], effects.TRIM))
    assert ((found.p < 0.05) == ((found.low > 0) | (found.high < 0))).all()  # the interval and the test say the same


def test_a_row_that_some_runs_lack_is_compared_by_the_others() -> None:
    random = np.random.default_rng(2)
    base, new = random.normal(0, 1, (2, 6)), random.normal(0, 1, (2, 6))
    base[1, 2] = new[1, 0] = np.nan
    found = effects.effects(base, new)
    alone = effects.effects(np.delete(base[1:], 2, axis=1), np.delete(new[1:], 0, axis=1))
    assert (found.p[1], found.low[1]) == (alone.p[0], alone.low[0])
    base[0] = np.nan
    assert np.isnan(effects.effects(base, new).p[0])


def test_runs_that_happen_to_agree_are_no_less_scattered_than_each_is_known_to_be() -> None:
    base, new = np.array([[0.0, 0.0001]]), np.array([[0.02, 0.0201]])
    assert effects.effects(base, new).p[0] < 1e-4
    known = np.array([0.01**2])
    assert effects.effects(base, new, (known, known)).p[0] > 0.1


def test_identical_figures_are_certain() -> None:
    base = np.zeros((2, 3))
    new = np.array([[0.0] * 3, [0.1] * 3])
    found = effects.effects(base, new)
    assert found.p == pytest.approx([1, 0])
    assert (found.low[1], found.high[1]) == pytest.approx((0.1, 0.1))


def test_one_run_against_several_scatters_as_they_do() -> None:
    random = np.random.default_rng(3)
    alarms = sum((effects.effects(random.normal(0, 1, (200, 1)), random.normal(0, 1, (200, 8))).p < 0.05).sum() for _ in range(20))
    assert 140 < alarms < 260  # of 4000, 200 expected


def test_a_single_run_a_side_says_nothing_without_its_own_interval() -> None:
    base, new = np.zeros((1, 1)), np.full((1, 1), 0.5)
    assert np.isnan(effects.effects(base, new).p[0])
    own = np.array([0.02**2])
    assert effects.effects(base, new, (own, own)).p[0] < 1e-6


def test_holm() -> None:
    p = np.array([0.01, np.nan, 0.04, 0.03, 0.005])
    assert effects.holm(p)[[0, 2, 3, 4]] == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert np.isnan(effects.holm(p)[1])
    assert effects.holm(np.array([])).size == 0


def test_need_is_what_it_promises() -> None:
    """Simulated with as many runs as it asked for."""
    random = np.random.default_rng(4)
    runs = int(effects.need(np.array([0.05]), np.array([0.03]), 0.05, 20)[0])
    base, new = random.normal(0, 0.03, (4000, runs)), random.normal(0.05, 0.03, (4000, runs))
    assert 0.7 < (effects.effects(base, new).p < 0.05 / 20).mean() < 0.9
    unknown = effects.need(np.array([0.0, 1e-9, 0.1]), np.array([0.1, 0.1, 0.0]), 0.05, 1)
    assert np.isnan(unknown[:2]).all() and unknown[2] == 2


def test_follow_sees_correlated_rounds_and_no_others() -> None:
    random = np.random.default_rng(5)
    independent = random.normal(0, 1, (40, 30))
    assert effects.follow(independent) < 1.2
    walk = np.zeros((40, 30))
    for i in range(1, 30):
        walk[:, i] = 0.6 * walk[:, i - 1] + independent[:, i]
    assert 2 < effects.follow(walk) < 6  # (1 + 0.6) / (1 - 0.6) = 4
    assert effects.follow(np.zeros((3, 30))) == 1


@pytest.mark.parametrize(("n", "cut"), [(6, 0), (9, 1), (12, 2), (20, 5), (25, 7)])
def test_sign_interval_is_the_tables(n: int, cut: int) -> None:
    """The order statistics that tables of the sign test's 95% interval give."""
    log, low, high, p, level = effects.sign_interval(np.arange(1.0, n + 1))
    assert (low, high) == (cut + 1, n - cut)
    assert level >= 0.95 and p == pytest.approx(2 / 2**n)


def test_sign_interval_says_when_there_are_too_few_pairs() -> None:
    assert effects.sign_interval(np.array([1.0, 2.0, 3.0]))[1:] == (1, 3, 0.25, 0.75)
    assert effects.sign_interval(np.zeros(8))[3] == 1
    assert np.isnan(effects.sign_interval(np.array([np.nan]))[0])


def test_runs_that_stand_out_as_a_whole_do_not_count() -> None:
    random = np.random.default_rng(1)
    base, new = (random.normal(0, 0.01, (30, 10)) + random.normal(0, 0.005, 10) for _ in range(2))
    times = np.arange(10.0), np.arange(10.0) + 0.5
    assert all(of.all() for of in effects.kept(base, new, times))
    new += 0.3  # a change between the sides is none
    base[:, [2, 7]] += 0.2
    new[3] += np.where(np.arange(10) < 2, 0.5, 0)  # one row's own scatter is none of the run's
    assert [np.flatnonzero(~of).tolist() for of in effects.kept(base, new, times)] == [[2, 7], []]
    base[:, 4] -= 0.2  # three of ten: that is how this side is
    assert all(of.all() for of in effects.kept(base, new, times))
    assert all(of.all() for of in effects.kept(base[:9], new[:9], times))  # too few rows
