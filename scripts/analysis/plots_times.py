"""Plots of times: (d) distributions, (e) phases, (f) kernels."""
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from numpy.typing import NDArray

from analysis import columns, kinds, plot_style, tables
from analysis.read import Run


def distributions(run: Run, operation: str) -> Figure | str:
    """(d) for each kind the share of samples that took at most so long, with percentiles."""
    if run.samples is None:
        return "distributions: the run has no samples.csv (nsbench --out writes it)"
    rows = tables.plain(run, operation)
    rows = rows[rows["phase"] == "create"].set_index("namespaces")
    scale, unit = kinds.axis_unit(run.clock)
    times = {
        name: tables.times_of(run, rows.loc[name, "case"], "create") / scale
        for name in tables.chosen_sets(rows.index)
    }
    names = [name for name, of in times.items() if len(of) and of[0] > 0]
    if not names:
        return f"distributions of {operation}: no counted samples, or none above zero"
    times = {name: times[name] for name in names}
    across = min(5, len(names))
    down = -(-len(names) // across)
    figure, axes = plot_style.grid(2.5 * across + 0.6, 2.5 * down + 0.7, down, across, sharex=True, sharey=True)
    low = min(t[0] for t in times.values()) * 0.9
    # A single sample that was interrupted for milliseconds would press all curves together: 99.9% is in the picture.
    high = max(np.percentile(t, 99.9) for t in times.values()) * 1.3
    for axis, name in zip(plot_style.flat(axes), names):
        mine = times[name]
        for of, look in (*((times[other], {"color": "#CCCCCC", "linewidth": 0.7}) for other in names),
                         (mine, {"color": plot_style.colour(name), "linewidth": 1.8})):
            axis.step(of, np.arange(1, len(of) + 1) / len(of) * 100, where="post", **look)
        texts = []
        for percent, shape in ((50, "o"), (90, "s"), (99, "^")):
            value = float(np.percentile(mine, percent))
            axis.plot(value, percent, shape, color=plot_style.colour(name), markersize=4.5, markeredgecolor="white")
            texts.append(f"p{percent} {kinds.three_digits(value)}")
        right = np.median(mine) < np.sqrt(low * high)
        axis.text(
            0.97 if right else 0.03,
            0.06 if right else 0.95,
            "\n".join([*texts, f"max {kinds.three_digits(float(mine[-1]))}", f"n {len(mine)}"]),
            transform=axis.transAxes,
            ha="right" if right else "left",
            va="bottom" if right else "top",
            fontsize=7.5,
            bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1},
        )
        axis.set_title(kinds.label(name), loc="left")
        axis.set_xscale("log")
        axis.set_xlim(low, high)
        axis.xaxis.set_major_locator(LogLocator(subs=(1,) if high / low > 50 else (1, 2, 5)))
        plot_style.plain_ticks(axis.xaxis)
    for axis in plot_style.flat(axes)[len(names) :]:
        axis.set_visible(False)
    plot_style.outer_labels(axes, len(names), f"create in {unit} (logarithmic)", "% of samples")
    plot_style.title(
        figure, f"Share of samples whose create took at most so long, {operation}; grey: the other panels"
    )
    plot_style.identify(figure, [run])
    return figure


def phases(run: Run, operations: list[str]) -> Figure | str:
    """(e) what a sample consists of, for each kind; what its teardown costs afterwards."""
    found = {name: tables.segments(run, name) for name in operations}
    found = {name: table for name, table in found.items() if not table.empty and "total" in table.columns}
    if not found:
        return "phases: no operation with phases that follow one another"
    scale, unit = kinds.axis_unit(run.clock)
    drains = any("drain" in table.columns for table in found.values())
    heights = [len(table) + 1.6 for table in found.values()]
    figure, axes = plot_style.grid(
        11,
        1.2 + 0.27 * sum(heights),
        len(found),
        2 if drains else 1,
        height_ratios=heights,
        width_ratios=[3, 2] if drains else [1],
    )
    for line, (operation, table) in zip(axes, found.items()):
        table = table.iloc[::-1] / scale
        place = np.arange(len(table))
        left = np.zeros(len(table))
        names = [name for name in columns.segments(operation) if name in table.columns]
        for index, name in enumerate(names):
            _bars(line[0], table[name].fillna(0), left, plot_style.SERIES[index], name, plot_style.HATCH[index])
            left += table[name].fillna(0).to_numpy()
        rest = (table["total"] - left).clip(lower=0)
        if (rest > 0.02 * table["total"]).any():
            _bars(line[0], rest, left, "#DDDDDD", "rest of total")
        if "create" in table.columns and "create" not in names:
            line[0].plot(
                table["create"], place, "|", color="black", markersize=10, markeredgewidth=1.6, label="create"
            )
        for y, total in zip(place, table["total"]):
            line[0].annotate(
                kinds.three_digits(total),
                (max(total, left[y]), y),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=7.5,
            )
        line[0].set_yticks(place, [kinds.label(name) for name in table.index])
        line[0].set_title(operation, loc="left")
        line[0].set_xlim(0, float(np.nanmax([table["total"].max(), left.max()])) * 1.1 or 1)
        line[0].set_xlabel(f"medians in {unit}; the figure is the phase total")
        line[0].grid(axis="y", visible=False)
        line[0].legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, borderaxespad=0.1)
        if drains:
            _drain(line[1], table, place, unit)
    plot_style.title(figure, "What a sample consists of, and what its asynchronous teardown costs afterwards")
    plot_style.identify(figure, [run])
    return figure


def _bars(axes: Axes, values: pd.Series, left: NDArray[np.float64], colour: str, label: str, hatch: str = "") -> None:
    """Behind one another, a line for each set."""
    axes.barh(
        range(len(values)), values, left=left, color=colour, hatch=hatch, label=label, edgecolor="white", linewidth=0.3
    )


def _drain(axes: Axes, table: pd.DataFrame, place: NDArray[np.int_], unit: str) -> None:
    if "drain" not in table.columns or table["drain"].dropna().empty:
        axes.set_visible(False)
        return
    axes.barh(
        place,
        table["drain"].fillna(0),
        color=plot_style.SERIES[1],
        hatch=plot_style.HATCH[1],
        edgecolor="white",
        linewidth=0.3,
    )
    for y, value in zip(place, table["drain"]):
        text = "–" if np.isnan(value) else kinds.three_digits(value)
        axes.annotate(
            text,
            (0 if np.isnan(value) else value, y),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            color="#777777" if np.isnan(value) else "black",
        )
    axes.set_yticks(place, [""] * len(place))
    axes.set_xlim(0, float(table["drain"].max()) * 1.2 or 1)
    axes.set_title("drain: afterwards, by the kernel's workers", loc="left")
    axes.set_xlabel(f"amortised per namespace, in {unit}")
    axes.grid(axis="y", visible=False)


FEW = 6  # kernels whose points have all their labels
BESIDE = 8  # characters of a kernel's name; longer names are turned, since they would overlap
ALIKE = 0.08  # of a panel's height


def kernels(runs: list[Run], operation: str) -> Figure | str:
    """(f) what each kind costs from kernel to kernel; a panel each, as their sizes differ a hundredfold."""
    if len({run.clock for run in runs}) > 1:
        return "kernels: runs of both clocks, which are never compared"
    if len({run.state for run in runs}) > 1:
        return "kernels: runs in different states, which are never compared"
    if len({run.kernel for run in runs}) < 2:
        return "kernels: fewer than two kernels"
    found = {
        name: table
        for name, table in tables.versions(runs, operation, "create").items()
        if table["kernel"].nunique() > 1
    }
    if not found:
        return f"kernels: {operation} of fewer than two"
    scale, unit = kinds.axis_unit(runs[0].clock)
    order = sorted({run.kernel for run in runs}, key=tables.version_key)
    shown = list(tables.kernel_names(order).values())
    is_long = max(map(len, shown)) > BESIDE
    across = min(5, len(found))
    down = -(-len(found) // across)
    figure, axes = plot_style.grid(2.5 * across + 0.5, 2.5 * down + 0.6, down, across)
    for axis, (name, table) in zip(plot_style.flat(axes), found.items()):
        place = [order.index(kernel) for kernel in table["kernel"]]
        values, low, high = (table[column] / scale for column in ("value", "low", "high"))
        if values.isna().all():
            axis.set_title(f"{kinds.label(name)}: no delta", loc="left")
            continue
        axis.errorbar(
            place,
            values,
            yerr=[side.clip(lower=0).fillna(0) for side in (values - low, high - values)],
            marker=plot_style.mark(name),
            color=plot_style.colour(name),
            linewidth=1.6,
            markersize=6,
            elinewidth=0.8,
            capsize=3,
        )
        axis.axhline(0, color="black", linewidth=0.6)
        top = float(np.nanmax([values.max(), high.max()]))
        bottom = min(0.0, float(np.nanmin([values.min(), low.min()])))
        axis.set_ylim(bottom * 1.15, top * 1.22 or 1)
        axis.set_xlim(-0.3, len(order) - 0.35)
        _label(axis, place, list(values), top, len(order) > FEW)
        axis.set_xticks(
            range(len(order)),
            shown,
            rotation=30 if is_long or len(order) > 5 else 0,
            ha="right" if is_long else "center",
        )
        axis.set_title(
            "none: the whole create" if name == kinds.NONE else f"{kinds.label(name)}: adds", loc="left"
        )
    for axis in plot_style.flat(axes)[len(found) :]:
        axis.set_visible(False)
    plot_style.outer_labels(axes, len(found), "kernel", unit)
    plot_style.title(
        figure,
        f"{operation}'s create from kernel to kernel, and what it varies by; each panel has its own scale",
    )
    plot_style.identify(figure, runs)
    return figure


def _label(axis: Axes, place: list[int], values: list[float], top: float, many: bool) -> None:
    """The points' figures. Of many kernels those that differ: labels of neighbours that are alike would cover each other."""
    labelled = -np.inf
    for x, value, then in zip(place, values, [*values[1:], -np.inf]):
        if many and x != place[-1] and abs(value - labelled) < ALIKE * top:
            continue
        labelled = value
        axis.annotate(
            kinds.three_digits(value),
            (x, value),
            xytext=(5, -11 if then > value > 0.2 * top else 4),
            textcoords="offset points",
            ha="left",
            fontsize=7.5,
        )
