"""The judge of compare on figures that are made up: what must hold of any verdict."""
import numpy as np
import pytest

pytest.importorskip("scipy", reason="python3-scipy is missing")
pytest.importorskip("hypothesis", reason="python3-hypothesis is missing")
from hypothesis import given

from analysis import effects, judging
from analysis.comparison import VERDICTS, verdict
from analysis.effects import Floats, Pair
from fuzzing.strategies import sides

ALPHA, THRESHOLD = 0.05, 0.02
Sides = tuple[Pair, list[str], Pair]


def judged(logs: Pair, phases: list[str], times: Pair) -> judging.Judgement:
    """With those left out that compare leaves out."""
    with np.errstate(all="ignore"):
        return judging.judge(logs, phases, times, None, ALPHA, kept=effects.kept(*logs, times))


def words(of: judging.Judgement) -> list[str]:
    with np.errstate(all="ignore"):
        ratios, lows, highs = map(np.exp, (of.found.log, of.low, of.high))
        return [verdict(ratio, low, high, p, THRESHOLD, ALPHA) for ratio, low, high, p in zip(ratios, lows, highs, of.corrected)]


def same(one: Floats, other: Floats) -> bool:
    return np.allclose(one, other, rtol=1e-6, atol=1e-9, equal_nan=True)


@given(sides())
def test_a_judgement_is_of_numbers_that_there_are(made: Sides) -> None:
    of = judged(*made)
    for p in (of.found.p, of.corrected):
        known = p[~np.isnan(p)]
        assert ((known >= 0) & (known <= 1)).all(), "a probability is one"
    assert not (of.low > of.high + 1e-9).any(), "an interval has its ends in order"
    assert not (of.corrected < of.found.p - 1e-12).any(), "a correction makes nothing likelier"
    assert set(words(of)) <= set(VERDICTS)


@given(sides())
def test_the_sides_can_be_swapped(made: Sides) -> None:
    (base, new), phases, (base_times, new_times) = made
    one, other = judged(*made), judged((new, base), phases, (new_times, base_times))
    assert same(one.found.log, -other.found.log) and same(one.corrected, other.corrected)
    turned = {"slower": "faster", "faster": "slower"}
    for mine, theirs, ratio in zip(words(one), words(other), np.exp(one.found.log)):
        if abs(abs(ratio - 1) - THRESHOLD) > 0.001:  # 2% more is not 2% less the other way
            assert {mine, turned.get(theirs, theirs)} in ({mine}, {"~", "same"})


@given(sides())
def test_the_order_of_runs_and_rows_says_nothing(made: Sides) -> None:
    (base, new), phases, (base_times, new_times) = made
    one = judged(*made)
    other = judged((base[:, ::-1], new[:, ::-1]), phases, (base_times[::-1], new_times[::-1]))
    assert same(one.found.log, other.found.log) and same(one.corrected, other.corrected)
    turned = judged((base[::-1], new[::-1]), phases[::-1], (base_times, new_times))
    assert same(one.found.log, turned.found.log[::-1])


@given(sides())
def test_what_is_the_same_has_not_changed(made: Sides) -> None:
    (base, _), phases, (times, _) = made
    assert not set(words(judged((base, base.copy()), phases, (times, times)))) & {"slower", "faster", "small"}
