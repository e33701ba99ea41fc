"""Tests of what is said of rows beside the level that a run's cases have in common."""
import pytest

np = pytest.importorskip("numpy", reason="python3-numpy is missing")
pytest.importorskip("scipy.stats", reason="python3-scipy is missing")
from analysis import effects, judging

TURNS = np.arange(0.0, 20, 2), np.arange(1.0, 20, 2)  # ten runs a side, in turn
APART = np.arange(0.0, 10), np.arange(10.0, 20)


def sides(seed: int, rows: int = 8, level: float = 0.03, own: float = 0.003, runs: int = 10) -> tuple:
    """Logarithms of rows that go up and down together by `level`, and each for itself by `own`."""
    random = np.random.default_rng(seed)
    return tuple(random.normal(0, own, (rows, runs)) + random.normal(0, level, runs) for _ in range(2))


def test_a_row_is_judged_beside_what_all_have_in_common() -> None:
    base, new = sides(1)
    new[3] += 0.02
    whole = effects.holm(effects.effects(base, new).p)
    found = judging.judge((base, new), ["create"] * 8, TURNS, None, 0.05)
    assert (whole > 0.05).all() and np.flatnonzero(found.corrected <= 0.05).tolist() == [3]
    assert found.found.log[3] == pytest.approx(0.02, abs=0.005) and [level.phase for level, _ in found.levels] == ["create"]
    assert found.low[3] < found.found.low[3] and found.high[3] > found.found.high[3]  # the whole change is less certain


def test_a_change_of_all_is_told_of_each() -> None:
    base, new = sides(2, level=0.01)
    found = judging.judge((base, new + 0.05), ["create"] * 8, TURNS, None, 0.05)
    assert (found.corrected <= 0.05).all() and found.levels == []
    assert found.found.log == pytest.approx([0.05] * 8, abs=0.015)


def test_what_half_of_the_rows_do_is_no_level() -> None:
    """Else the other half would be called faster."""
    base, new = sides(3, level=0.1)
    new[:4] += 0.05
    assert judging.judge((base, new), ["create"] * 8, TURNS, None, 0.05).levels == []


def test_a_phase_of_few_cases_has_no_level() -> None:
    base, new = sides(4)
    found = judging.judge((base, new), ["create"] * 4 + ["total"] * 4, TURNS, None, 0.05)
    assert found.levels == [] and found.found.p == pytest.approx(effects.effects(base, new, drift=effects.trend(base, new, TURNS)).p)


def test_rows_that_are_not_asked_for_tell_the_level_and_are_not_corrected_for() -> None:
    base, new = sides(1)
    new[3] += 0.02
    asked = np.arange(8) == 3
    found = judging.judge((base, new), ["create"] * 8, TURNS, None, 0.05, asked)
    assert found.corrected[3] == pytest.approx(2 * found.found.p[3])  # the row, and the level
    assert np.isnan(found.corrected[~asked]).all()


def test_sides_that_are_apart_may_have_moved() -> None:
    base, new = sides(5, level=0.01)
    random = np.random.default_rng(5)
    walk = np.cumsum(random.normal(0, 0.02, 20))
    moved = base + walk[:10], new + walk[10:]
    times = [judging.judge(moved, ["create"] * 4 + ["total"] * 4, of, None, 0.05).found for of in (TURNS, APART)]
    assert (times[1].high - times[1].low > times[0].high - times[0].low).all()
    assert judging.wander(moved, APART, None) > 3 > judging.wander((base, new), APART, None) >= 1


def test_machines_that_wander_raise_few_alarms() -> None:
    """One side first, as it is measured by whoever changes something in between: 5% are allowed."""
    alarms = 0
    for trial in range(100):
        base, new = sides(trial, level=0.01, runs=5)
        walk = np.cumsum(np.random.default_rng(trial).normal(0, 0.01, 10))
        times = np.arange(5.0), np.arange(5.0, 10)
        found = judging.judge((base + walk[:5], new + walk[5:]), ["create"] * 8, times, None, 0.05)
        alarms += bool((found.corrected <= 0.05).any())
    assert alarms <= 10


@pytest.mark.parametrize("times", [(np.full(10, np.nan), np.full(10, np.nan)), TURNS])
def test_only_known_times_are_apart(times: effects.Pair) -> None:
    assert not judging.are_apart(times) and judging.are_apart(APART) and judging.are_apart(APART[::-1])


def with_a_disturbed_run(times: effects.Pair) -> tuple[judging.Judgement, judging.Judgement]:
    """All of 12 rows are slower by 10% in the new side, and one by 3% more. As it is, and where something had the machine in a run of the
    base."""
    base, new = sides(6, rows=12, level=0.005, runs=6)
    new += 0.1
    new[3] += 0.03
    disturbed = base + np.where(np.arange(6) == 2, 0.15, 0)
    found = []
    for one in (base, disturbed):
        kept = effects.kept(one, new, times)
        assert kept[0].sum() == 6 - (one is disturbed) and kept[1].all()
        found.append(judging.judge((one, new), ["create"] * 12, times, None, 0.05, kept=kept))
    return found[0], found[1]


def test_apart_a_run_that_stands_out_says_how_far_the_level_moves() -> None:
    """What is common to all rows may be the machine's; what one row has beside it is not."""
    quiet, disturbed = with_a_disturbed_run((np.arange(6.0), np.arange(6.0, 12)))
    assert quiet.levels == [] and (quiet.corrected <= 0.05).all()
    (level, of), = disturbed.levels
    assert level.phase == "create" and of.log[0] == pytest.approx(0.1, abs=0.01) and of.low[0] < 0 < of.high[0]
    assert np.flatnonzero(disturbed.corrected <= 0.05).tolist() == [3]


def test_in_turn_a_run_that_stands_out_hides_no_change_of_all() -> None:
    for found in with_a_disturbed_run((np.arange(0.0, 12, 2), np.arange(1.0, 12, 2))):
        assert found.levels == [] and (found.corrected <= 0.05).all()


def test_a_run_that_is_left_out_may_lack_rows() -> None:
    base, new = sides(7, runs=6)
    base[:5, 1] = np.nan
    kept = np.arange(6) != 1, np.full(6, True)
    found = judging.judge((base, new), ["create"] * 8, (np.arange(6.0), np.arange(6.0, 12)), None, 0.05, kept=kept)
    assert [level.rows.all() for level, _ in found.levels] == [True]


@pytest.mark.parametrize("runs, counts", [(3, True), (4, False)])
def test_what_a_figure_varies_by_itself_counts_for_few_runs_only(runs: int, counts: bool) -> None:
    base, new = sides(7, runs=runs)
    own = np.full(8, 0.1**2), np.full(8, 0.1**2)
    times = np.arange(float(runs)), np.arange(float(runs)) + 0.5
    wide, narrow = (judging.judge((base, new), ["create"] * 8, times, of, 0.05).found for of in (own, None))
    if counts:
        assert (wide.high - wide.low > narrow.high - narrow.low).all()
    else:
        assert wide.high - wide.low == pytest.approx(narrow.high - narrow.low)


def corrected_by(rows: int, scatter: float = 1.0, runs: tuple[int, int] = (5, 5), alone: int = 0, alpha: float = 0.05) -> str:
    """Whose correction rows beside their level get, where the new side scatters so many times as much and others have no level."""
    base, new = sides(8, rows=rows + alone, runs=max(runs))
    logs = base[:, :runs[0]], new[:, :runs[1]] * scatter
    phases = ["create"] * rows + [f"phase {number}" for number in range(alone)]
    return judging.judge(logs, phases, (np.arange(0.0, 2 * runs[0], 2), np.arange(1.0, 2 * runs[1], 2)), None, alpha).correction


def test_runs_change_sides_only_where_that_says_something() -> None:
    assert corrected_by(12) == "Westfall and Young" and corrected_by(12, runs=(5, 4)) == "Westfall and Young"
    assert corrected_by(12, alone=3) == "Westfall and Young; Holm for 3"
    assert corrected_by(12, scatter=3) == corrected_by(12, scatter=1 / 3) == "Holm"  # one side scatters more
    assert corrected_by(12, runs=(4, 4)) == corrected_by(12, alone=60) == corrected_by(12, alpha=0.01) == "Holm"  # no p is small enough
    assert corrected_by(12, runs=(10, 10)) == corrected_by(12, runs=(7, 5)) == "Holm"


def test_no_correction_makes_a_row_likelier() -> None:
    base, new = sides(9, runs=5)
    new[3] += 0.02
    found = judging.judge((base, new), ["create"] * 8, (np.arange(0.0, 10, 2), np.arange(1.0, 10, 2)), None, 0.05)
    assert found.correction == "Westfall and Young" and (found.corrected >= found.found.p).all()
    assert found.corrected[3] == pytest.approx(2 / 252 * 9 / 8)  # the smallest there is; the level has its part of the limit


def test_apart_rows_without_a_level_are_no_surer_either() -> None:
    base, new = sides(10, rows=12, level=0.005, runs=6)
    base[:, 2] += 0.15
    new += 0.1
    phases = [f"phase {number // 3}" for number in range(12)]  # three cases of each: no level
    times = np.arange(6.0), np.arange(6.0, 12)
    kept = np.arange(6) != 2, np.full(6, True)
    assert (judging.judge((base, new), phases, times, None, 0.05, kept=kept).corrected > 0.05).all()
