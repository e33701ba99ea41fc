"""Plots over sets of kinds: (a) all sets as a heat map, (b) what each kind adds and whether sets cost their sum,
(c) over the stack's size."""
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator
from numpy.typing import NDArray

from analysis import kinds, plot_style, tables
from analysis.read import Run


def _masked(grid: NDArray[np.float64]) -> np.ma.MaskedArray[tuple[int, int], np.dtype[np.float64]]:
    """Without the cells that nothing is known of, which stay empty in a picture."""
    return np.ma.masked_invalid(grid)  # type: ignore[no-untyped-call,no-any-return]  # numpy's stubs leave it out


def heat_map(run: Run, operation: str) -> Figure | str:
    """(a) delta of all 256 sets, create phase."""
    table = tables.of_sets(run, operation, "create")["delta"].dropna()
    if len(table) < 16:
        return f"heat map of {operation}: {len(table)} sets with a delta; it takes 16"
    scale, unit = kinds.axis_unit(run.clock)
    rows, columns = tables.subsets(tables.MAP_ROWS), tables.subsets(tables.MAP_COLUMNS)
    grid = (
        np.array([[table.get(kinds.set_id(row + column), np.nan) for column in columns] for row in rows])
        / scale
    )
    positive = grid[grid > 0]
    if not positive.size:
        return f"heat map of {operation}: no delta is above zero, which its logarithmic scale takes"
    figure, axes = plot_style.new(10.5, 7.4)
    norm = LogNorm(
        max(float(np.nanpercentile(positive, 2)), float(positive.max()) / 1e4), float(positive.max())
    )
    image = axes.imshow(np.where(grid > 0, grid, norm.vmin), norm=norm, cmap=plot_style.SEQUENTIAL, aspect="auto")
    image.set_data(_masked(np.where(np.isnan(grid), np.nan, np.maximum(grid, norm.vmin))))
    for y, x in np.ndindex(grid.shape):
        value = grid[y, x]
        name = kinds.set_id(rows[y] + columns[x])
        text = (
            "none"
            if name == kinds.NONE
            else "–"
            if np.isnan(value)
            else kinds.three_digits(value)
        )
        dark = np.isnan(value) or norm(max(value, norm.vmin)) > 0.5
        axes.text(x, y, text, ha="center", va="center", fontsize=7.5, color="black" if dark else "white")
    axes.set_xticks(range(16), ["\n".join(kinds.KINDS[flag] for flag in one) or "–" for one in columns])
    axes.set_yticks(range(16), [" ".join(kinds.KINDS[flag] for flag in one) or "–" for one in rows])
    axes.set_xlabel("… and of these")
    axes.set_ylabel("the set consists of these …")
    axes.grid(False)
    axes.set_xticks(np.arange(17) - 0.5, minor=True)
    axes.set_yticks(np.arange(17) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=0.8)
    axes.tick_params(which="both", length=0)
    bar = figure.colorbar(image, ax=axes, pad=0.01, fraction=0.03)
    below = "; not above zero: the darkest" if (grid <= 0).any() else ""
    bar.set_label(f"delta in {unit} (logarithmic{below})")
    plot_style.plain_ticks(bar.ax.yaxis)
    plot_style.title(
        figure,
        f"What each of {len(table) + 1} sets adds to {operation} without namespaces, in {unit} (phase create)",
    )
    plot_style.identify(figure, [run])
    return figure


def added(run: Run, operation: str) -> Figure | str:
    """(b) what each kind adds; whether sets cost the sum of their kinds."""
    table = tables.of_sets(run, operation, "create")
    alone, sums, pairs = tables.singles(table), tables.sums(table), tables.pairs(table)
    if len(alone) < 2:
        return f"kinds of {operation}: {len(alone)} single kinds with a delta; it takes 2"
    if not (alone[["delta", "delta_low", "delta_high"]] > 0).any(axis=None):
        return f"kinds of {operation}: no delta is above zero, which its logarithmic scale takes"
    scale, unit = kinds.axis_unit(run.clock)
    have_sums = ((sums["measured"] > 0) & (sums["expected"] > 0)).sum() >= 3
    figure, axes = plot_style.grid(11.5 if have_sums else 5, 4.3, 1, 3 if have_sums else 1)
    bars = axes[0][0]
    values = alone[["delta", "delta_low", "delta_high"]].iloc[::-1] / scale
    floor = float(values[values > 0].min().min()) / 2
    for place, (name, row) in enumerate(values.iterrows()):
        low, high = max(row["delta_low"], floor), max(row["delta_high"], floor)
        if not np.isnan(low):
            bars.plot([low, high], [place, place], color=plot_style.colour(name), linewidth=2)
        resolved = tables.is_told_from_zero(row["delta_low"], row["delta_high"])
        bars.plot(
            max(row["delta"], floor),
            place,
            plot_style.mark(name),
            color=plot_style.colour(name),
            markersize=7,
            fillstyle="full" if resolved else "none",
        )
        bars.annotate(
            kinds.three_digits(row["delta"]),
            (max(row["delta"], high, floor), place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    bars.set_yticks(range(len(values)), [kinds.label(name) for name in values.index])
    bars.set_xscale("log")
    bars.set_xlim(floor * 0.9, float(values.max().max()) * 3)
    plot_style.plain_ticks(bars.xaxis)
    below = "\nat the left edge: not above zero" if (values["delta"] <= 0).any() else ""
    bars.set_xlabel(f"delta in {unit}, 95% interval (logarithmic){below}")
    unknown = " or no interval" if values.isna().any(axis=None) else ""
    bars.set_title(f"One kind alone (hollow: not told from zero{unknown})", loc="left")
    if have_sums:
        _sums(
            axes[0][1],
            sums / {"kinds": 1, "measured": scale, "expected": scale, "interaction": scale, "known": 1, "resolved": 1},
            unit,
        )
        _pairs(figure, axes[0][2], pairs / scale, unit)
    plot_style.title(
        figure,
        f"What each kind adds to {operation}, and whether sets cost the sum of their kinds (phase create)",
    )
    plot_style.identify(figure, [run])
    return figure


def _sums(axes: Axes, sums: pd.DataFrame, unit: str) -> None:
    shown = sums[(sums["measured"] > 0) & (sums["expected"] > 0)]
    known, away = shown["known"].astype(bool), shown["resolved"].astype(bool)
    for rows, filled, colour, text in (
        (shown[known & ~away], False, plot_style.SERIES[0], "the interval holds the sum"),
        (shown[away], True, plot_style.SERIES[5], "it does not"),
        *([(shown[~known], False, "#777777", "no interval")] if not known.all() else []),
    ):
        axes.plot(
            rows["expected"],
            rows["measured"],
            "o",
            color=colour,
            markersize=3.5,
            fillstyle="full" if filled else "none",
            label=f"{text}: {len(rows)}",
            linestyle="none",
        )
    ends = [
        float(shown[["measured", "expected"]].min().min()) * 0.8,
        float(shown[["measured", "expected"]].max().max()) * 1.25,
    ]
    axes.plot(ends, ends, color="black", linewidth=1, linestyle="--", label="the sum")
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    plot_style.plain_ticks(axes.xaxis)
    plot_style.plain_ticks(axes.yaxis)
    axes.set_xlabel(f"sum of the kinds' deltas in {unit}")
    axes.set_ylabel(f"measured delta in {unit}")
    few = len(sums) - len(shown)
    axes.set_title("Sets of two to eight kinds" + (f"\n{few} not above zero left out" if few else ""), loc="left")
    axes.legend(loc="upper left")


def _pairs(figure: Figure, axes: Axes, pairs: pd.DataFrame, unit: str) -> None:
    order = [*tables.MAP_ROWS, *tables.MAP_COLUMNS]
    grid = np.array(pairs.loc[order, order])
    sizes = np.abs(grid[np.isfinite(grid)])
    limit = float(sizes.max(initial=0)) or 1.0
    image = axes.imshow(_masked(grid), cmap=plot_style.DIVERGING, norm=TwoSlopeNorm(0, -limit, limit))
    for y, x in np.ndindex(grid.shape):
        if not np.isnan(grid[y, x]):
            strong = abs(grid[y, x]) > 0.6 * limit
            rounded = round(float(grid[y, x]), 0 if limit >= 100 else 1)
            text = f"{rounded:+g}" if rounded else "0"
            axes.text(
                x,
                y,
                text.replace("-", "−"),
                ha="center",
                va="center",
                fontsize=6.5,
                color="white" if strong else "black",
            )
    names = [kinds.KINDS[flag] for flag in order]
    axes.set_xticks(range(8), names, rotation=45)
    axes.set_yticks(range(8), names)
    axes.grid(False)
    axes.set_title("Pairs: beside the sum", loc="left")
    bar = figure.colorbar(image, ax=axes, fraction=0.045, pad=0.02)
    bar.set_label(f"measured − sum in {unit}")


def stack_sizes(run: Run, operation: str) -> Figure | str:
    """(c) create and total over the stack's size."""
    sweeps = {
        phase: tables.stack_sweep(run, operation, phase) for phase in ("create", "total", "mount", "unmount")
    }
    sweeps = {
        phase: {name: rows for name, rows in sweep.items() if (rows["median"] > 0).all()}
        for phase, sweep in sweeps.items()
    }
    sweeps = {phase: sweep for phase, sweep in sweeps.items() if sweep}
    if not sweeps:
        return f"stack sizes of {operation}: no set with times above zero at three sizes or more"
    scale, unit = kinds.axis_unit(run.clock)
    figure, axes = plot_style.grid(2 + 4.2 * len(sweeps), 5, 1, len(sweeps))
    for axis, (phase, sweep) in zip(axes[0], sweeps.items()):
        for index, (name, rows) in enumerate(sweep.items()):
            medians = rows["median"] / scale
            low, high = rows["ci_low"] / scale, rows["ci_high"] / scale
            axis.errorbar(
                rows.index,
                medians,
                yerr=[side.clip(lower=0).fillna(0) for side in (medians - low, high - medians)],
                marker=plot_style.mark(name),
                markersize=5,
                color=plot_style.colour(name, index),
                label=kinds.label(name),
                linewidth=1.2,
                elinewidth=0.8,
                capsize=2,
            )
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        sizes = sorted({size for rows in sweep.values() for size in rows.index})
        axis.set_xticks(sizes, [kinds.size_text(size) for size in sizes])
        axis.xaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        plot_style.plain_ticks(axis.yaxis)
        axis.set_xlabel("the child's stack in bytes (mapped, not touched)")
        axis.set_ylabel(f"{phase} in {unit}, median and its 95% interval")
        axis.set_title(f"phase {phase}", loc="left")
    handles, labels = axes[0][0].get_legend_handles_labels()
    axes[0][-1].legend(handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1, 0.5))
    plot_style.title(figure, f"{operation} over the size of the child's stack")
    plot_style.identify(figure, [run])
    return figure
