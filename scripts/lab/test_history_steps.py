"""Tests of what is said of a history's steps: what made them, what moved, their ranks, and which go back."""
from dataclasses import replace

import pytest

from lab.history import page, steps
from lab.test_history import kernel, row, series_of, steps_of


def test_a_step_that_other_tasks_made_is_no_function_s() -> None:
    every = steps_of(series_of([1000, 41000], phase="exit"))
    changes = {"[other tasks]": (3000.0, 41000.0), "[interrupts]": (0.0, 50.0), "dequeue": (0.0, 200.0), "free_ipc": (0.0, 2100.0)}
    known = {one.name: changes for one in every}
    found = steps.entries(every, known)[0]
    assert (found.function, steps.named(found, known)) == ("", ["free_ipc"])
    assert page.functions_of(found, known, {}) == "[other tasks] +38.0 k, free_ipc +2.10 k; unexplained −300"


@pytest.mark.parametrize(("change", "function"), [(50, "kfree"), (49, ""), (-200, "")])
def test_a_function_that_makes_an_entry_has_a_quarter_of_the_step(change: float, function: str) -> None:
    assert steps.main_function({"kfree": (0.0, change)}, 200) == (function, change if function else 0.0)


def test_beside_a_delta_s_factor_stands_what_moved() -> None:
    base = [row(kernel(f"6.1.{at}-1"), value, "clone/none/stack:1M") for at, value in enumerate([1000, 5800], 170)]
    case = [replace(one, median=median) for one, median in zip(series_of([3400, -100]), ["5400", "6700"])]
    found = steps.entries(steps_of([*case, *base]), {})
    assert page.factor_of(next(one for one in found if "UTS" in one.steps[0].key[0])) == \
        "clone/NEWUTS create 3400 → −100, below none (the case +1.30 k, none +4.80 k)"


def test_steps_are_ranked_by_what_is_beyond_their_resolutions() -> None:
    rows = [*series_of([1000, 9000], resolution=3900), *series_of([1000, 3000], case="clone/NEWPID/stack:1M")]
    found = steps.entries(steps_of(rows), {})
    assert [(one.size, one.beyond) for one in found] == [(2000, 1996), (8000, 200)]
    assert [one.size for one in page.by_factor(found)] == [2000, 8000]


def test_a_step_that_a_later_update_takes_back_is_marked() -> None:
    every = steps_of(series_of([1000, 3000, 3100, 1300, 1200]))
    assert [(one.size, one.back, one.undoes) for one in every] == [
        (2000, "6.1.173-1", ""), (100, "6.1.174-1", ""), (-1800, "", "6.1.171-1"), (-100, "", "6.1.172-1")]
    assert page.rows_of(steps.entries(every[:1], {})[0]) == "clone/NEWUTS create +2.00 k (goes back in 6.1.173-1)"
    assert page.rows_of(steps.entries(every[2:3], {})[0]) == "clone/NEWUTS create −1.80 k (takes back 6.1.171-1's)"
    other = [row(kernel(f"6.12.{at}-1"), value) for at, value in enumerate([3000, 1000])]
    found = steps_of([*series_of([1000, 3000]), *other])  # of another series
    assert [(one.size, one.back) for one in found] == [(2000, ""), (2000, "6.12.1-1"), (-2000, "")]
