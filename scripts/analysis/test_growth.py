"""Tests of growth laws: known ones are found again, with what they cost."""
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("statsmodels", reason="python3-statsmodels is missing")

from analysis import curves, growth, growth_check  # noqa: E402
from analysis.curves_text import share_text, time_text  # noqa: E402
from analysis.fixtures import call, result_row, write_run  # noqa: E402
from analysis.growth import Points  # noqa: E402

SCRIPTS = Path(__file__).resolve().parents[1]
SCRIPT = SCRIPTS / "curves.py"
LEVELS = np.round(np.geomspace(10, 10_000, 10))
NOISE = 0.01 * np.array([1, -1, 0.5, -0.5, 1, -1, 0.5, -1, 1, -0.5])


def exact(y: "growth.Floats", x: "growth.Floats" = LEVELS) -> growth.Growth:
    found = growth.growth_of(Points(x, y, np.full(len(x), np.nan), is_exact=True))
    assert found
    return found


# the laws

@pytest.mark.parametrize("law", growth.LAWS)
@pytest.mark.parametrize("levels", growth_check.LEVELS)
def test_a_law_is_found_again(law: str, levels: int) -> None:
    if not growth_check.is_identifiable(law, levels):
        pytest.skip(f"{levels} levels are too few for a bend")
    counts = growth_check.found(np.random.default_rng((1, levels)), law, levels, 25)
    assert counts[law] >= 22, counts


def test_fewer_than_six_levels_have_no_law() -> None:
    x = LEVELS[:5]
    assert growth.growth_of(Points(x, 100 + x, np.ones(5))) is None
    assert growth.growth_of(Points(LEVELS[:6], 100 + LEVELS[:6], np.ones(6)))


def test_coefficients_hold_the_truth() -> None:
    y = (120_000 + 41 * LEVELS) * (1 + NOISE)
    found = growth.growth_of(Points(LEVELS, y, 0.01 * y))
    assert found and found.best.law == "linear" and len(found.others) == len(growth.LAWS) - 1
    start, slope = found.best.coefficients
    assert start.low < 120_000 < start.high and slope.low < 41 < slope.high
    assert slope.high - slope.low < 4 and found.best.largest_residual < 0.02
    assert sum(one.weight for one in (found.best, *found.others)) == pytest.approx(1)


def test_an_interval_is_not_narrower_than_the_figures_allow() -> None:
    """Figures that lie on the law by chance are not known any better."""
    y = 120_000 + 41 * LEVELS
    lucky = growth.growth_of(Points(LEVELS, y * (1 + NOISE / 1000), 0.01 * y))
    assert lucky
    slope = lucky.best.of("n")
    assert slope and slope.high - slope.low > 0.5


def test_a_bend_is_at_a_level_with_both_slopes() -> None:
    y = 1000 + 10 * np.minimum(LEVELS, LEVELS[5]) + 100 * np.maximum(LEVELS - LEVELS[5], 0)
    found = exact(y).best
    assert (found.law, found.bend) == (growth.BEND, LEVELS[5])
    assert [one.value for one in found.coefficients] == pytest.approx([1000, 10, 100])


def test_a_quadratic_may_have_a_linear_part() -> None:
    found = exact(1000 + 10 * LEVELS + 0.02 * LEVELS**2).best
    assert (found.law, len(found.coefficients)) == ("quadratic", 3)
    assert exact(1e6 + 1000 * LEVELS - 0.01 * LEVELS**2).best.law != "quadratic"  # bends downwards


def test_counts_have_residuals_and_no_intervals() -> None:
    found = exact(5000 + 3 * LEVELS)
    assert found.best.law == "linear" and np.isnan(found.best.coefficients[1].low) and not found.is_misfit
    assert found.best.largest_residual < 1e-9


def test_what_is_below_a_tenth_of_a_percent_is_no_law() -> None:
    assert exact(5000 + 1e-4 * LEVELS).best.law == "constant"


@pytest.mark.parametrize("figure", [40_961.0, 2021.0, 1999.5, 1e9 / 7])
def test_rounding_decides_nothing_where_all_figures_are_the_same(figure: float) -> None:
    """The sign of a slope of 1e-13 took a law out, or not, by the processor."""
    found = exact(np.full_like(LEVELS, figure))
    assert found.best.law == "constant" and {one.law for one in found.others} == {*growth.LAWS} - {"constant"}
    weights = [one.weight for one in exact(np.full_like(LEVELS, 1.0)).others]
    assert [one.weight for one in found.others] == pytest.approx(weights)


def test_counts_that_no_law_fits_are_called_so() -> None:
    wild = np.array([1.0, 3, 1, 3, 1, 3, 1, 3, 1, 3]) * 1e3
    assert exact(wild).is_misfit
    found = growth.growth_of(Points(LEVELS, wild, wild))
    assert found and not found.is_misfit  # times scatter


def test_of_laws_that_do_not_fit_the_likeliest_is_told() -> None:
    steps = np.array([22.7, 34.0, 68.4, 815.0, 1565.1, 3622.1, 4520.4, 6113.6]) * 1e3
    found = exact(steps, np.array([10.0, 20, 50, 100, 200, 500, 1000, 2000]))
    assert found.is_misfit and found.best.law != "constant" and all(one.weight <= found.best.weight for one in found.others)


def test_a_slope_that_is_not_told_from_zero_is_no_law() -> None:
    y = 20_000 + 10 * np.log2(LEVELS)  # grows by half a percent, where intervals are of 5%
    found = growth.growth_of(Points(LEVELS, y, 0.05 * y))
    assert found and found.best.law == "constant" and found.rival.weight > found.best.weight


def test_the_next_law_with_a_slope_comes_before_constant(monkeypatch: pytest.MonkeyPatch) -> None:
    """The likeliest one's is not told from 0, and constant is far behind."""
    def fit(law: str, aicc: float, low: float) -> growth.Fit:
        slope = () if law == "constant" else (growth.Coefficient("n", 1, low, 2),)
        return growth.Fit(law, (growth.Coefficient("start", 1, 0.5, 1.5), *slope), aicc, np.zeros(10), 10.0)

    made = [fit("constant", 20, 0), fit("linear", 0, -0.1), fit("log", 2, 0.1)]
    monkeypatch.setattr(growth, "_candidates", lambda _: made)
    assert exact(LEVELS).best.law == "log"
    made[2] = fit("log", 5, 0.1)  # too far behind
    assert exact(LEVELS).best.law == "constant"


def test_zero_may_be_a_level() -> None:
    x = np.concatenate([[0.0], LEVELS])
    assert exact(1000 + 7 * x, x).best.law == "linear"
    assert exact(1000 + 700 * np.log2(x + 1), x).best.law == "log"


# the curves of runs

def rows(levels: list[str], case: str = "clone/none", phase: str = "create", **more: object) -> list[dict[str, object]]:
    """A linear curve over stack: 100 µs and 250 ns a KiB."""
    return [result_row(f"{case}/stack:{level}", phase, y := 100_000 + 250 * curves.value_of(level) / 1024, ci_low=y * 0.99,
                       ci_high=y * 1.01, **more) for level in levels]


SIZES = ["16K", "64K", "256K", "1M", "4M", "16M", "64M"]


def shown(*words: object) -> str:
    code, out, err = call(SCRIPT, words)
    assert (code, err) == (0, "")
    return out


def test_curves_names_law_slope_and_rival(tmp_path: Path) -> None:
    out = shown(write_run(tmp_path / "run", [*rows(SIZES), *rows(SIZES, phase="exit"), *rows(["1M"], "clone/NEWPID")]))
    assert "create over stack: 7 levels from 16K to 64M" in out and "NEWPID" not in out
    line = next(line for line in out.splitlines() if line.startswith("clone/none"))
    assert " linear " in line and "256 µs a MiB" in line and "100 µs (" in line and line.endswith("0.00%, 0.00%")
    assert "has also exit" in out and "exit over stack" in shown(tmp_path / "run", "--phase=all")


def test_curves_shows_kernels_side_by_side(tmp_path: Path) -> None:
    old = write_run(tmp_path / "old", rows(SIZES, kernel="5.10.0"))
    new = write_run(tmp_path / "new", rows(SIZES, kernel="6.12.0"))
    lines = [line for line in shown(new, old).splitlines() if line.startswith("clone/none")]
    assert [line.split()[1] for line in lines] == ["old", "new"]


def test_curves_of_several_kernels_are_one_plot(tmp_path: Path) -> None:
    from analysis import plots
    from analysis.read import read_run
    runs = [read_run(write_run(tmp_path / name, [*rows(SIZES, kernel=name), *rows(SIZES, "clone/NEWPID", kernel=name)]))
            for name in ("5.10.0", "6.12.0")]
    made = {plot.name: plot for plot in plots.plots(runs, []) if plot.letter == "i"}
    assert list(made) == ["i-kernels-stack-clone-create"]
    figure = made["i-kernels-stack-clone-create"].make()
    assert not isinstance(figure, str)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["clone none", "clone pid"]
    assert all(len(axes.get_lines()) == 2 for axes in figure.axes)
    assert [plot.name for plot in plots.plots(runs[:1], []) if plot.letter == "i"] == ["i-curve-stack-clone-create"]


def test_curves_says_what_is_missing(tmp_path: Path) -> None:
    failed = result_row("clone/none/stack:256M", "create", None, status="failed", errno="ENOMEM", reason="no memory")
    skipped = result_row("clone/none/stack:512M", "create", None, status="skipped", reason="too large")
    out = shown(write_run(tmp_path / "run", [*rows(SIZES[:5]), failed, skipped]))
    assert "stack:512M, create: skipped: too large" in out
    assert "not enough levels: 5 of 6" in out and "left out: clone/none at stack:256M, create: failed ENOMEM: no memory" in out


def test_a_default_that_no_id_has_is_a_level(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [result_row(f"unshare/NEWPID{f'/parallel:{n}' if n > 1 else ''}", "create", 1000.0 * n)
                                       for n in (1, 2, 4, 8, 16, 32)])
    out = json.loads(shown(run, "--format=json"))
    assert out["curves"][0]["levels"] == [1, 2, 4, 8, 16, 32] and out["curves"][0]["growth"]["best"]["law"] == "linear"
    assert "1.00 µs a sampler" in shown(run)


@pytest.mark.parametrize("form, wanted", [("markdown", "| clone/none | linear | 256 µs a MiB |"), ("csv", ",create,7,linear,0.99"),
                                          ("json", '"law": "linear"')])
def test_curves_has_other_formats(tmp_path: Path, form: str, wanted: str) -> None:
    code, out, err = call(SCRIPT, [write_run(tmp_path / "run", rows(SIZES)), f"--format={form}"])
    assert code == 0 and wanted in out and (form == "csv" or not err)


def test_curves_of_counts_have_no_intervals(tmp_path: Path) -> None:
    out = shown(write_run(tmp_path / "run", rows(SIZES, clock="instructions", unit="instructions")))
    assert "250 k instructions" not in out and "256 k instructions a MiB" in out and "interval" not in out.splitlines()[3]
    assert "counts are exact" in out


def test_a_figure_far_off_the_law_is_named(tmp_path: Path) -> None:
    away = rows(SIZES)
    away[4] |= {"median": 1.6e6, "ci_low": 1.59e6, "ci_high": 1.61e6}
    out = shown(write_run(tmp_path / "run", away))
    assert "clone/none, create: at stack:" in out and "off the law, and its interval ±" in out


def test_curves_can_be_drawn(tmp_path: Path) -> None:
    out = shown(write_run(tmp_path / "run", rows(SIZES)), "--plot")
    assert sum(line.count("o") for line in out.splitlines() if "|" in line) == len(SIZES)


@pytest.mark.parametrize("words, said", [
    (["--of=stak"], "--of=stak: not a parameter that is a number; these are stack"), (["--of=parallel"], "--curve=parallel:LOW..HIGH"),
    (["--phase=creat"], "the nearest is create"),
])
def test_wrong_use_is_one_line(tmp_path: Path, words: list[str], said: str) -> None:
    code, out, err = call(SCRIPT, [write_run(tmp_path / "run", rows(SIZES)), *words])
    assert (code, out, err.count("\n")) == (2, "", 1) and said in err


def test_a_run_without_a_curve_says_what_measures_one(tmp_path: Path) -> None:
    code, out, err = call(SCRIPT, [write_run(tmp_path / "run", rows(["1M"]))])
    assert (code, out) == (2, "") and "nsbench --curve=stack:LOW..HIGH measures a curve" in err


# words

def test_figures_below_a_nanosecond_keep_their_digits() -> None:
    assert [time_text(value, "wall") for value in (0.0412, 41.2, 0.0)] == ["41.2 ps", "41.2 ns", "0 ns"]
    assert time_text(0.5, "instructions") == "0.500 instructions"


def test_a_weight_is_never_certain() -> None:
    assert [share_text(share) for share in (1.0, 0.9994, 0.993, 0.5, 0.0004)] == [">99.9%", ">99.9%", "99.3%", "50%", "<0.1%"]
