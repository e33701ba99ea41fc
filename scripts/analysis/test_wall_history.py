"""Tests of change points, and of a machine's history."""
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis import change_points_check, wall_history
from analysis.change_points import change_points, energy
from analysis.script import Unreadable
from analysis.sources import Source
from analysis.wall_history import Point


def noisy(levels, seed=1):
    return np.array(levels) * (1 + 0.02 * np.random.default_rng(seed).standard_normal(len(levels)))


def test_the_energy_distance_is_that_of_the_definition():
    series = noisy([1.0] * 6 + [1.2] * 5)
    for at, found in enumerate(energy(series), 3):
        one, other = series[:at], series[at:]
        across = np.abs(one[:, None] - other).mean()
        within = [np.abs(side[:, None] - side).sum() / (len(side) * (len(side) - 1)) for side in (one, other)]
        assert found == pytest.approx((2 * across - sum(within)) * len(one) * len(other) / len(series))


def test_a_step_is_found_where_it_is():
    found = change_points(noisy([100.0] * 12 + [110.0] * 9))
    assert [point.at for point in found] == [12]
    assert found[0].ratio == pytest.approx(1.1, abs=0.02) and found[0].p <= 0.03


def test_two_steps_are_found():
    assert [point.at for point in change_points(noisy([100.0] * 10 + [110.0] * 10 + [95.0] * 10))] == [10, 20]


@pytest.mark.parametrize("levels", [[], [100.0], [100.0] * 5, [100.0] * 30])
def test_where_nothing_changes_nothing_is_found(levels):
    assert change_points(np.array(levels)) == []
    assert change_points(noisy(levels)) == []


def test_a_step_in_one_of_many_rows_must_be_plainer():
    series, plain = noisy([100.0] * 10 + [103.0] * 10), noisy([100.0] * 10 + [106.0] * 10)
    assert change_points(series) and not change_points(series, rows=100)
    assert change_points(plain, rows=100)


def test_the_check_says_what_it_saw():
    said = []
    assert change_points_check.check(3, 1, said.append)
    assert "normal" in said[2] and "slow tail" in said[3]


def source(run, figure, clock="wall", started="2026-03-0{}T00:00:00Z", cpu="a CPU"):
    medians = pd.Series([figure], index=pd.MultiIndex.from_tuples([("clone/NEWPID/stack:1M", "create")], names=["case", "phase"]))
    return Source(f"run{run}", "", clock, medians, medians, {}, {"cpu_model": cpu, "cpus": "2", "kernel": "6.1"}, f"id{run}",
                  started.format(run))


def test_runs_are_added_and_read_back(tmp_path: Path):
    path = tmp_path / "h.csv"
    points = []
    for run in (3, 1, 2):
        points = wall_history.added(points, wall_history.points_of(source(run, 100.0 + run)))
    wall_history.write(path, points)
    assert [point.figure for point in wall_history.read(path)] == [101, 102, 103]
    assert sorted(wall_history.read(path), key=str) == sorted(points, key=str)
    assert wall_history.read(tmp_path / "none") == []


@pytest.mark.parametrize(("one", "says"), [
    (source(1, 1.0), "in the history already"), (source(2, 1.0, cpu="another"), "another --file"),
    (source(2, 1.0, clock="instructions"), "lab history"), (source(2, 1.0, started=""), "when it was made"),
])
def test_what_does_not_belong_is_refused(one, says):
    with pytest.raises(Unreadable, match=says):
        wall_history.added(wall_history.points_of(source(1, 1.0)), wall_history.points_of(one))


def test_a_change_names_its_runs():
    one = Point("", "", "m", "6.1", "clone/NEWPID/stack:1M", "create", 0.0)
    figures = noisy([100.0] * 8 + [120.0] * 8)
    points = [replace(one, started=f"2026-03-{at:02}", run_id=f"{at}", figure=figure) for at, figure in enumerate(figures, 1)]
    found, long, rows = wall_history.changes([*points, replace(one, phase="exit", figure=5.0, started="x")])
    assert [(change.before.run_id, change.after.run_id) for change in found] == [("8", "9")]
    assert (long, rows) == (1, 2)
