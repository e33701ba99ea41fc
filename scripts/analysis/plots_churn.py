"""The plot of a load (k): what nsbench churn has written, over time."""
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import files, kinds, plot_style, read
from analysis.script import Unreadable

CSV = "churn.csv"
BATCHES = "batches.csv"  # beside it, of --probe


@dataclass(frozen=True)
class Load:
    """A load's time line."""

    name: str
    table: pd.DataFrame
    batches: pd.DataFrame | None = None  # those that a load without --probe, or without any, does not have

    def identity(self) -> str:
        first = self.table.iloc[0]
        return f"{self.name} · kernel {first['kernel']} · {first['run_id']}"


def is_load(path: str) -> bool:
    """Whether there is a load in the folder, rather than a run; or it is the file itself."""
    return (Path(path) / CSV).is_file() or Path(path).name == CSV


def read_load(path: str) -> Load:
    """Unreadable for what nsbench churn does not write."""
    file = Path(path) / CSV if Path(path).is_dir() else Path(path)
    table = read.read_table(file, CSV)
    if table.empty:
        raise Unreadable(f"{file}: no interval: the load ended before the first")
    if table["case"].nunique() > 1:
        raise Unreadable(f"{file}: of several loads: {', '.join(map(files.shown, table['case'].unique()[:2]))}")
    beside = file.parent / BATCHES
    batches = read.read_table(beside, BATCHES) if beside.is_file() else None
    if batches is not None and set(batches["run_id"]) - set(table["run_id"]):
        raise Unreadable(f"{beside}: of another load than {file}")
    return Load(file.resolve().parent.name, table, None if batches is None or batches.empty else batches)


def _ended(load: Load) -> tuple[pd.Series, float]:
    """When each interval ended, and when the load did."""
    ends = load.table["begin"] + load.table["seconds"]
    of_load = ends[load.table["part"] == "load"]
    return ends, float(of_load.max()) if len(of_load) else 0.0


def _rates(axis: Axes, load: Load, ends: pd.Series) -> None:
    loaded = load.table["part"] == "load"
    axis.plot(ends[loaded], load.table["rate"][loaded], color=plot_style.SERIES[0], label="operations")
    background = load.table["background_operations"][loaded] / load.table["seconds"][loaded].where(lambda one: one > 0)
    if (background > 0).any():
        axis.plot(ends[loaded], background, color=plot_style.SERIES[1], linestyle="--", label="in the background")
    failed = load.table["failed"][loaded] / load.table["seconds"][loaded].where(lambda one: one > 0)
    if (failed > 0).any():
        axis.plot(ends[loaded], failed, color=plot_style.SERIES[5], linestyle=":", label="failed")
    axis.set_ylim(bottom=0)
    axis.set_ylabel("each second")
    axis.legend(loc="best")


def _latencies(axis: Axes, load: Load, ends: pd.Series) -> None:
    scale, unit = kinds.axis_unit("wall")
    for index, name in enumerate(("p50", "p90", "p99", "max")):
        times = load.table[name] / scale
        axis.plot(ends, times.where(times > 0), color=plot_style.SERIES[index], label=name, linewidth=1,
                  linestyle=("-", "--", "-.", ":")[index])
    axis.set_yscale("log")
    plot_style.plain_ticks(axis.yaxis)
    axis.set_ylabel(f"time in {unit}")
    axis.legend(loc="best", ncols=4)


def _backlogs(axis: Axes, load: Load, ends: pd.Series) -> None:
    for index, (name, label) in enumerate((("backlog", "arrivals that wait"), ("not_freed", "namespaces not freed"))):
        if load.table[name].notna().any():
            axis.plot(ends, load.table[name], color=plot_style.SERIES[index], label=label, linestyle=("-", "--")[index])
    axis.set_ylim(bottom=0)
    axis.set_ylabel("number")
    if axis.lines:
        axis.legend(loc="best")
    else:
        axis.text(0.5, 0.5, "unknown: churn.json says why", transform=axis.transAxes, ha="center", color="#555555")


def _memory(axis: Axes, load: Load, ends: pd.Series) -> None:
    for index, (name, label) in enumerate((("kernel_memory", "sum"), ("slab", "Slab"), ("percpu", "Percpu"),
                                           ("kernel_stack", "KernelStack"))):
        if load.table[name].notna().any():
            axis.plot(ends, load.table[name] / 2**20, color=plot_style.SERIES[index], label=label,
                      linestyle=("-", "--", "-.", ":")[index])
    axis.set_ylim(bottom=0)
    axis.set_ylabel("MiB")
    if axis.lines:
        axis.legend(loc="best", ncols=4)


def _batches(axis: Axes, load: Load, _: pd.Series) -> None:
    """A point for each batch: how long it took, and beside it how many namespaces it had."""
    assert load.batches is not None
    axis.scatter(load.batches["begin"], load.batches["duration"] / 1e6, color=plot_style.SERIES[0], s=6, label="ms that it took")
    counted = load.batches["namespaces"].notna()
    if counted.any():
        axis.scatter(load.batches["begin"][counted], load.batches["namespaces"][counted], color=plot_style.SERIES[1], s=6, marker="x",
                     label="net namespaces in it")
    axis.set_yscale("symlog", linthresh=1)
    axis.set_ylim(bottom=0)
    plot_style.plain_ticks(axis.yaxis)
    axis.set_ylabel("ms, or number, of a batch")
    axis.legend(loc="best", ncols=2)


def over_time(load: Load) -> Figure:
    """(k) rate, times, what waits or is not freed, the kernel's memory, and the batches of teardown where there are any."""
    ends, end = _ended(load)
    draws = [_rates, _latencies, _backlogs, _memory, *([_batches] if load.batches is not None else [])]
    figure, axes = plot_style.grid(9, 2.25 * len(draws), len(draws), 1, sharex=True)
    for axis, draw in zip(plot_style.flat(axes), draws):
        draw(axis, load, ends)
        axis.axvline(end, color="#555555", linewidth=0.8)
    plot_style.flat(axes)[-1].set_xlabel("s since the load began; the line: its end")
    plot_style.title(figure, load.table["case"].iloc[0])
    plot_style.identify(figure, [load])
    return figure
