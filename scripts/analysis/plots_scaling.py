"""Plot (j): how throughput and latency grow with the samplers that work at once."""
from itertools import islice

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from analysis import columns, kinds, plot_style, scaling
from analysis.read import Run
from analysis.scaling import PERCENTILES, Family, Placement
from analysis.scaling_law import Range
from analysis.script import Unreadable

MOST = 6  # cases in a picture


def scaled(run: Run) -> list[Family] | str:
    """The first cases of the kind that a run has, or why it has none."""
    try:
        found = list(islice(scaling.families(run, columns.TOTAL, None), MOST))
    except Unreadable as error:
        return f"scaling: {str(error).removeprefix(f'{run.path}: ')}"
    return [one for one in found if not isinstance(one, str)] or f"scaling: {found[0]}"


def throughput(run: Run) -> Figure | str:
    """(j) operations a second and latency over the number of samplers, with the ideal; a line of panels for each case."""
    shown = scaled(run)
    if isinstance(shown, str):
        return shown
    where = scaling.placement(run)
    figure, axes = plot_style.grid(9, 2.6 * len(shown) + 0.9, len(shown), 2)
    for family, (left, right) in zip(shown, axes):
        _operations(left, family)
        _latency(right, family, run.clock)
        for axis in (left, right):
            _counts(axis, family, where)
    for axis in axes[-1]:
        axis.set_xlabel("N: samplers at once (logarithmic)")
    rest = 0 if run.samples is None else len(scaling.levels_of(run.samples)) - MOST
    more = f"; {rest} more cases are not shown" if rest > 0 else ""
    plot_style.title(figure, f"Throughput and latency of N samplers at once; grey: more samplers than the {where.cpus} CPUs{more}")
    plot_style.identify(figure, [run])
    return figure


def _sides(values: list[Range], scale: float) -> list[list[float]]:
    """The arms of error bars; none where there is no interval."""
    return [[0.0 if np.isnan(end) else max(0.0, end) / scale for end in ends]
            for ends in ([one.value - one.low for one in values], [one.high - one.value for one in values])]


def _operations(axis: Axes, family: Family) -> None:
    counts = [level.count for level in family.levels]
    rates = [level.throughput for level in family.levels]
    if counts[0] == 1:
        within = [level.count for level in family.levels if level.is_within]
        axis.plot(within, [rates[0].value * count for count in within], "--", color="#777777", linewidth=1.2, label="ideal: N times N=1")
    if family.law:
        along = np.geomspace(1, max(family.law.counts), 100)
        axis.plot(along, [family.law.at(count) for count in along], color=plot_style.SERIES[5], linewidth=1.2,
                  label=f"law: α {family.law.contention.value:.3f}, β {family.law.coherency.value:.4f}")
    axis.errorbar(counts, [one.value for one in rates], yerr=_sides(rates, 1), marker="o", color=plot_style.SERIES[0], linewidth=1.6,
                  markersize=5, elinewidth=0.8, capsize=3, label="measured, with its 95% interval")
    axis.set_ylim(bottom=0)
    axis.set_ylabel("operations/s")
    axis.yaxis.set_major_formatter(lambda value, _place: kinds.prefixed(value))
    axis.set_title(family.name, loc="left")
    axis.legend(loc="lower right")


def _latency(axis: Axes, family: Family, clock: str) -> None:
    scale, unit = kinds.axis_unit(clock)
    for index, percent in enumerate(PERCENTILES):
        found = [level.percentiles[percent] for level in family.levels]
        axis.errorbar([level.count for level in family.levels], [one.value / scale for one in found], yerr=_sides(found, scale),
                      marker="os^"[index], color=plot_style.SERIES[index], linewidth=1.6, markersize=5, elinewidth=0.8, capsize=3,
                      label=f"p{percent}")
    axis.set_yscale("log")
    plot_style.plain_ticks(axis.yaxis)
    axis.set_ylabel(f"{family.phase} in {unit} (logarithmic)")
    axis.set_title("latency", loc="left")
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, borderaxespad=0.1)


def _counts(axis: Axes, family: Family, where: Placement) -> None:
    """The axis of N, with what lies beyond the CPUs in grey."""
    counts = [level.count for level in family.levels]
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(FixedLocator(counts))
    axis.xaxis.set_minor_locator(NullLocator())
    plot_style.plain_ticks(axis.xaxis)
    axis.set_xlim(counts[0] / 1.15, counts[-1] * 1.15)
    if counts[-1] > where.cpus:
        axis.axvspan(where.cpus * 1.08, counts[-1] * 1.15, color="#EEEEEE", zorder=0)
