"""Tests of change points, and of a machine's history."""
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis import change_points as change_points_module
from analysis import change_points_check, wall_history
from analysis.change_points import ENOUGH, change_points, energy
from analysis.script import Unreadable
from analysis.sources import Source
from analysis.wall_history import Point


def noisy(levels, seed=1):
    return np.array(levels) * (1 + 0.02 * np.random.default_rng(seed).standard_normal(len(levels)))


def test_the_energy_distance_is_that_of_the_definition():
    series = noisy([1.0] * 6 + [1.2] * 5)
    far = np.abs(series[:, None] - series)[None, :, :]
    whole = energy(far, np.ones((1, 11), bool), np.arange(11)[None, :])[0, :, 0]
    assert np.isneginf(whole[[0, 1, 8, 9, 10]]).all()
    for at, found in enumerate(whole[2:8], 3):
        one, other = series[:at], series[at:]
        across = np.abs(one[:, None] - other).mean()
        within = [np.abs(side[:, None] - side).sum() / (len(side) * (len(side) - 1)) for side in (one, other)]
        assert found == pytest.approx((2 * across - sum(within)) * len(one) * len(other) / len(series))


def points_in(series):
    return change_points(np.array(series)[None, :])[0]


def test_a_step_is_found_where_it_is():
    found = points_in(noisy([100.0] * 12 + [110.0] * 9))
    assert [point.at for point in found] == [12]
    assert found[0].ratio == pytest.approx(1.1, abs=0.02) and found[0].p <= 0.03


def test_two_steps_are_found():
    assert [point.at for point in points_in(noisy([100.0] * 10 + [110.0] * 10 + [95.0] * 10))] == [10, 20]


@pytest.mark.parametrize("levels", [[], [100.0], [100.0] * 5, [100.0] * 30])
def test_where_nothing_changes_nothing_is_found(levels):
    assert points_in(levels) == []
    assert points_in(noisy(levels)) == []
    assert change_points(np.empty((0, 0))) == []


def many(rows, runs=20, seed=3):
    """Rows whose noise is half that of the run."""
    random = np.random.default_rng(seed)
    return 100 * (1 + 0.014 * (random.standard_normal(runs) + random.standard_normal((rows, runs))))


def test_a_step_is_found_in_one_of_many_rows_and_in_no_other():
    figures = many(120)
    assert not any(change_points(figures))
    figures[7, 10:] *= 1.12
    found = change_points(figures)
    assert [point.at for point in found[7]] == [10] and not any(found[:7] + found[8:])


def test_rows_that_lack_runs_are_judged_by_those_that_they_have():
    figures = many(3, 24)
    figures[1, 12:] *= 1.2
    figures[1, [2, 5, 12, 13]] = np.nan
    figures[2, :20] = np.nan
    assert [[point.at for point in row] for row in change_points(figures)] == [[], [14], []]


def test_rows_a_few_at_a_time_give_the_same(monkeypatch):
    figures = many(9)
    figures[7, 10:] *= 1.12
    monkeypatch.setattr(change_points_module, "ORDERS", 199)
    whole = change_points(figures)
    monkeypatch.setattr(change_points_module, "MEMORY", 8 * 4 * 20**2 * 2)
    parts = change_points(figures)
    assert change_points_module.at_once(figures) == 2
    assert [[point.at for point in row] for row in parts] == [[point.at for point in row] for row in whole] and whole[7]


def test_so_many_runs_can_show_a_change():
    plain = [100.0, 101, 100.5, 101.5, 200, 201, 200.5, 201.5, 200.2]
    assert points_in(plain[:ENOUGH - 2]) == [] and [point.at for point in points_in(plain)] == [4] and len(plain) == ENOUGH


def test_the_check_says_what_it_saw(monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(change_points_check, "ROWS", 20)
    assert change_points_check.check(3, 1, said.append)
    assert "normal" in said[3] and "slow tail" in said[4] and said[5].startswith("20 rows") and "one look" in said[7]


def source(run, figure, clock="wall", started="2026-03-0{}T00:00:00Z", cpu="a CPU"):
    medians = pd.Series([figure], index=pd.MultiIndex.from_tuples([("clone/NEWPID/stack:1M", "create")], names=["case", "phase"]))
    return Source(f"run{run}", "", clock, medians, medians, {}, {"cpu_model": cpu, "cpus": "2", "kernel": "6.1"}, f"id{run}",
                  started.format(run))


def test_runs_are_added_and_read_back(tmp_path: Path):
    path = tmp_path / "h.csv"
    points: list[Point] = []
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
    one = Point("", "", "m", "6.1", "0.1", "{}", "1", "median", "clone/NEWPID/stack:1M", "create", 0.0)
    figures = noisy([100.0] * 8 + [120.0] * 8)
    points = [replace(one, started=f"2026-03-{at:02}T00:00:00Z", kernel="6.1" if at < 9 else "6.2",
                      run_id=f"{at}", figure=figure) for at, figure in enumerate(figures, 1)]
    found, long, rows = wall_history.changes([*points, replace(one, phase="exit", figure=5.0, started="2026-03-01")])
    assert [(change.before.run_id, change.after.run_id) for change in found] == [("8", "9")]
    assert (long, rows) == (1, 2)
    assert found[0].beside == ["kernel 6.1 → 6.2"]
    sides = (replace(found[0].before, options=options) for options in ("a=1 b=3", "a=1 b=2"))
    assert replace(found[0], **dict(zip(("before", "after"), sides))).beside == ["options b=3 → b=2"]


def test_runs_are_in_the_order_of_time_and_not_of_text():
    one = Point("", "", "m", "6.1", "0.1", "{}", "1", "median", "clone/NEWPID/stack:1M", "create", 1.0)
    times = ["2026-03-01T23:30:00-02:00", "2026-03-02T00:30:00+00:00", "2026-03-02T01:00:00+00:00"]
    found = wall_history.in_order([replace(one, started=time) for time in times])
    assert [point.started for point in found] == [times[1], times[2], times[0]]


def test_what_is_no_time_is_refused(tmp_path: Path):
    one = Point("yesterday", "", "m", "6.1", "0.1", "{}", "1", "median", "clone/NEWPID/stack:1M", "create", 1.0)
    assert "no time" in (wall_history.wrong_with({**asdict(one), "figure": "1"}) or "")


def test_one_kind_of_figure_is_in_a_history():
    points = wall_history.points_of(source(1, 1.0))
    with pytest.raises(Unreadable, match="has the 5% quantile"):
        wall_history.added(points, [replace(points[0], run_id="other", what="5% quantile")])
