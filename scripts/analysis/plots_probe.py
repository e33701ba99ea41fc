"""Plots of the probe: (g) the kernel's functions as bars and sampled stacks as an icicle, (h) memory per kind."""
from collections.abc import Collection

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from analysis import kinds, plot_style, stacks, tables
from analysis.read import Run

NO_PROBE = "the run has no probe.csv (nsbench --probe --out writes it)"


def _names(cases: Collection[str]) -> list[str]:
    """The cases' shortest telling names: the set where they share the rest."""
    same = len({(case.split("/")[0], *case.split("/")[2:]) for case in cases}) == 1
    if same and len(cases) > 1:
        return [kinds.label(case.split("/")[1]) for case in cases]
    return [
        "/".join([case.split("/")[0], kinds.label(case.split("/")[1]), *case.split("/")[2:]])
        for case in cases
    ]


def functions(run: Run) -> Figure | str:
    """(g) where in the kernel the time goes: self of each traced function per execution."""
    if run.probe is None:
        return f"functions: {NO_PROBE}"
    found = {path: tables.functions(run, path, 8) for path in ("create", "destroy", "async")}
    found = {path: table for path, table in found.items() if not table.empty and table.to_numpy().max() > 0}
    if not found:
        return "functions: the probe saw no time of any"
    scale, unit = kinds.axis_unit(run.clock)
    looks = _looks(list(found.values()))
    heights = [max(len(table), 6) + 2 for table in found.values()]
    figure, axes = plot_style.grid(11, 1 + 0.27 * sum(heights), len(found), 1, height_ratios=heights)
    words = {
        "create": "creation",
        "destroy": "destruction by the caller",
        "async": "teardown by the kernel's workers, waits included",
    }
    for axis, (path, table) in zip(plot_style.flat(axes), found.items()):
        table = table.iloc[::-1] / scale
        place = np.arange(len(table))
        left = np.zeros(len(table))
        for name in table.columns:
            colour, hatch = looks[name]
            axis.barh(
                place,
                table[name].clip(lower=0),
                left=left,
                color=colour,
                hatch=hatch,
                edgecolor="white",
                linewidth=0.3,
                label=name,
            )
            left += table[name].clip(lower=0).to_numpy()
        for y, total in zip(place, left):
            axis.annotate(
                kinds.three_digits(total),
                (total, y),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=7.5,
            )
        axis.set_yticks(place, _names(table.index))
        axis.set_xlim(0, left.max() * 1.1)
        axis.set_title(words[path], loc="left")
        axis.set_xlabel(f"self time per execution in {unit}")
        axis.grid(axis="y", visible=False)
        axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    seen = run.probe[run.probe["self"].notna()]["backend"].value_counts()
    plot_style.title(
        figure, f"Where in the kernel the time goes, by traced function (seen by {', '.join(seen.index)})"
    )
    plot_style.identify(figure, [run])
    return figure


def _looks(tables_: list[pd.DataFrame]) -> dict[str, tuple[str, str]]:
    """Function → its colour and pattern, the same in all panels: the dearest first. No two that are shown are alike."""
    most = pd.concat([table.max() for table in tables_]).groupby(level=0).max().sort_values(ascending=False, kind="stable")
    colours, hatches = plot_style.SERIES[:-1], plot_style.HATCH[:-1]
    names = [name for name in most.index if not name.startswith("other ")]
    return {name: ("#DDDDDD", "") for name in most.index} | {
        name: (colours[index % len(colours)], hatches[(index + index // len(colours)) % len(hatches)])
        for index, name in enumerate(names)
    }


def icicle(run: Run, folded: str | None) -> Figure | str:
    """(g) sampled stacks of the dearest case as an icicle: callers above, widths are shares of time."""
    if not folded:
        return "icicle: no stacks (nsbench --probe --folded=FILE, where the probe samples; then --folded=FILE here too)"
    cases = {case: rows for case, rows in stacks.by_case(folded).items() if stacks.weight(rows)}
    if not cases:
        return "icicle: all stacks weigh nothing"
    case = max(tables.of_interest(cases), key=lambda name: stacks.weight(cases[name]))
    root = stacks.tree(cases[case])
    figure, axes = plot_style.new(12, 6.5)
    scale, unit = kinds.axis_unit(run.clock)
    depth = _icicle(axes, root, 0.0, 0, root["value"])
    axes.set_xlim(0, root["value"])
    axes.set_ylim(depth + 1, 0)
    axes.xaxis.set_major_formatter(lambda value, _: plot_style.number(round(value / scale)))
    axes.set_yticks([])
    axes.set_xlabel(
        f"{unit} per execution, waits included (callers above, sorted by name; grey: not running)"
    )
    axes.grid(False)
    axes.spines["left"].set_visible(False)
    plot_style.title(figure, f"Where {case} spends its time, by call stack")
    plot_style.identify(figure, [run])
    return figure


def _icicle(axes: Axes, node: stacks.Frame, left: float, depth: int, whole: float) -> int:
    """Draws a node and those below it; the deepest row drawn. What is narrower than 0.2% is left out."""
    share = node["value"] / whole
    tone = (
        "#DDDDDD"
        if depth == 0 or node["name"] == "[waiting]"
        else ["#F6C26B", "#F3A25A", "#F7D488", "#EFB27A", "#FAE0A0"][hash_of(node["name"]) % 5]
    )
    axes.add_patch(
        Rectangle((left, depth), node["value"], 0.94, facecolor=tone, edgecolor="white", linewidth=0.4)
    )
    room = int(share * 165)
    if room >= 4:
        name = node["name"] if len(node["name"]) <= room else node["name"][: room - 1] + "…"
        axes.text(
            left + node["value"] / 2, depth + 0.5, name, ha="center", va="center", fontsize=6.8, clip_on=True
        )
    deepest = depth
    for child in node["children"]:
        if child["value"] / whole >= 0.002:
            deepest = max(deepest, _icicle(axes, child, left, depth + 1, whole))
        left += child["value"]
    return deepest


def hash_of(name: str) -> int:
    """The same for the same name in each process, unlike hash()."""
    return sum(index * ord(letter) for index, letter in enumerate(name, 1))


def memory(run: Run) -> Figure | str:
    """(h) what each kind allocates, and where most of it."""
    table = tables.memory(run)
    if table.empty:
        return "memory: the run has no memory.csv (nsbench --probe --out writes it)"
    if table.sum(axis=1).max() < 1:
        return "memory: the probe saw none that a kind takes beyond none's"
    figure, grid = plot_style.grid(12, 1.6 + 0.36 * max(len(table), 8), 1, 2, width_ratios=[3, 2])
    axes = grid[0]
    shapes = {"kmalloc": "o", "slab": "s", "percpu": "^"}
    place = np.arange(len(table))[::-1]
    for index, (name, shape) in enumerate(shapes.items()):
        shown = table[name].where(table[name] >= 1)
        axes[0].plot(
            shown,
            place,
            shape,
            color=plot_style.SERIES[index if index != 1 else 5],
            markersize=7,
            label=name,
            alpha=0.9,
        )
    highest = float(table.sum(axis=1).max())
    for y, total in zip(place, table.sum(axis=1)):
        axes[0].text(highest * 2.4, y, kinds.bytes_text(total), va="center", ha="left", fontsize=8)
    axes[0].text(
        highest * 2.4, len(table) - 0.35, "in all", fontsize=8, va="bottom", ha="left", fontweight="bold"
    )
    axes[0].set_xscale("log", base=2)
    axes[0].set_xlim(0.7, highest * 24)
    ticks = [2.0**power for power in range(0, int(np.log2(highest)) + 2, 4)]
    axes[0].set_xticks(ticks, [kinds.bytes_text(tick) for tick in ticks])
    axes[0].set_yticks(place, _names(table.index))
    axes[0].set_ylim(-0.7, len(table) + 0.2)
    few = int(((table != 0) & (table < 1)).sum().sum())
    left_out = f"; {few} below 1 B left out" if few else ""
    axes[0].set_xlabel(f"bytes per execution beyond none's (none: its own), logarithmic{left_out}")
    axes[0].legend(loc="lower right", ncols=3, bbox_to_anchor=(1, 1.0))
    _dearest_places(axes[1], run, table.sum(axis=1).idxmax())
    plot_style.title(figure, "Kernel memory that each kind takes (percpu: one copy; not multiplied by the CPUs)")
    plot_style.identify(figure, [run])
    return figure


def _dearest_places(axis: Axes, run: Run, case: str) -> None:
    sites = tables.call_sites(run, case, 12).iloc[::-1] / 1024
    axis.barh(
        range(len(sites)),
        sites,
        color=[
            plot_style.SERIES[{"kmalloc": 0, "slab": 5, "percpu": 2}[allocator]] for _, allocator in sites.index
        ],
    )
    for y, value in enumerate(sites):
        axis.annotate(
            kinds.three_digits(value),
            (value, y),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
        )
    axis.set_yticks(range(len(sites)), [f"{site} ({allocator})" for site, allocator in sites.index])
    axis.set_xlim(0, sites.max() * 1.15)
    axis.set_xlabel("KiB per execution")
    axis.set_title(f"the dearest places of {_names([case])[0]}", loc="left")
    axis.grid(axis="y", visible=False)
