"""Plots of curves: (i) what a case costs over a parameter, with the law that it follows; of several kernels, all in one."""
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from analysis import curves, curves_text, growth, kinds, plot_style, tables
from analysis.curves import Curve, Parameter
from analysis.read import Run

DRAWN = 200  # points of a law
MARKS = "o^sDvPX"  # of kernels
ACROSS = 4  # panels


def pictures(run: Run) -> list[tuple[str, str, str]]:
    """Parameter, operation and phase of each: those that have a law."""
    found = [one for one in curves.curves_of(run) if one.growth]
    return list(dict.fromkeys((one.parameter.key, one.operation, one.phase) for one in found))


def curve(run: Run, key: str, operation: str, phase: str) -> Figure | str:
    """(i) the phase over the parameter: figures with their intervals, and the law of each case."""
    found = [one for one in curves.curves_of(run, key, [phase]) if one.operation == operation and one.growth]
    if not found:
        return f"curve of {operation} over {key}: no case with {growth.LEAST_LEVELS} levels"
    scale, unit = kinds.axis_unit(run.clock)
    figure, axes = plot_style.new(10.5, 5)
    for index, one in enumerate(found):
        _draw(axes, one, scale, index)
    _scale_axes(axes, found)
    axes.set_xlabel(f"{key} (logarithmic)")
    axes.set_ylabel(f"{phase} in {unit}, median and its 95% interval (logarithmic)")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    plot_style.title(figure, f"How {operation} grows with {key} (phase {phase})")
    plot_style.identify(figure, [run])
    return figure


def by_kernel(runs: Sequence[Run]) -> list[tuple[str, str, str]]:
    """Parameter, operation and phase of each that several kernels have, by one clock and in one state."""
    if len({(run.clock, run.state) for run in runs}) != 1:
        return []
    kernels: dict[tuple[str, str, str], set[str]] = {}
    for run in runs:
        for one in (one for one in curves.curves_of(run) if one.growth):
            kernels.setdefault((one.parameter.key, one.operation, one.phase), set()).add(run.kernel)
    return [picture for picture, names in kernels.items() if len(names) > 1]


def kernels(runs: Sequence[Run], key: str, operation: str, phase: str) -> Figure | str:
    """(i) the phase over the parameter: a panel for each of the operation's cases, and in it a line for each kernel."""
    found: dict[str, list[Curve]] = {}
    for run in sorted(runs, key=lambda run: tables.version_key(run.kernel)):
        for one in curves.curves_of(run, key, [phase]):
            if one.operation == operation and one.growth:
                found.setdefault(one.case, []).append(one)
    if not found:
        return f"curves of {operation} over {key}: no case with {growth.LEAST_LEVELS} levels"
    every = [one for group in found.values() for one in group]
    names = list(dict.fromkeys(one.run.kernel for one in every))
    shown = tables.kernel_names(names)
    scale, unit = kinds.axis_unit(runs[0].clock)
    across = min(ACROSS, len(found))
    down = -(-len(found) // across)
    figure, panels = plot_style.grid(max(3.6 * across + 2, 7.5), 3.2 * down + 1, down, across)
    for axes, (case, group) in zip(plot_style.flat(panels), found.items()):
        for one in group:
            at = names.index(one.run.kernel)
            axes.plot(one.levels, np.array(one.figures) / scale, marker=MARKS[at % len(MARKS)], markersize=4, linewidth=1.2,
                      color=plot_style.SERIES[at % len(plot_style.SERIES)], label=shown[one.run.kernel])
        _scale_axes(axes, group)
        axes.set_title(_rest(case), loc="left")
    for axes in plot_style.flat(panels)[len(found):]:
        axes.set_visible(False)
    plot_style.outer_labels(panels, len(found), f"{key} (logarithmic)", f"{unit} (logarithmic)")
    lines = {line.get_label(): line for axes in plot_style.flat(panels)[:len(found)] for line in axes.get_lines()}
    panels[0][-1].legend(lines.values(), lines.keys(), loc="center left", bbox_to_anchor=(1, 0.5))
    plot_style.title(figure, f"How {operation} grows with {key}, kernel by kernel (phase {phase})")
    plot_style.identify(figure, list({one.run.kernel: one.run for one in every}.values()))
    return figure


def _rest(case: str) -> str:
    """A case for people: clone NEWNS spawn:vm."""
    operation, namespaces, *others = case.split("/")
    return " ".join([operation, kinds.label(namespaces), *(one for one in others if not one.startswith("stack:"))])


def _scale_axes(axes: Axes, found: Sequence[Curve]) -> None:
    """Logarithmic, with the levels as ticks."""
    parameter: Parameter = found[0].parameter
    has_zero = any(one.levels[0] == 0 for one in found)
    axes.set_xscale("symlog", linthresh=1) if has_zero else axes.set_xscale("log", base=2 if parameter.is_size else 10)
    axes.set_yscale("log")
    levels = sorted({level for one in found for level in one.levels})
    axes.set_xticks(levels, [curves_text.level_text(parameter, level) for level in levels], rotation=45 if len(levels) > 8 else 0)
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    plot_style.plain_ticks(axes.yaxis)


def _draw(axes: Axes, one: Curve, scale: float, index: int) -> None:
    found = one.growth
    assert found
    namespaces = one.case.split("/")[1]
    counted = curves.PAGE if one.parameter.is_size else 1
    x, y = np.array(one.levels), found.points.y / scale
    colour = plot_style.colour(namespaces, index)
    error = np.nan_to_num(found.points.error) * growth.Z95 / scale
    axes.errorbar(x, y, yerr=np.minimum(error, y * 0.999), linestyle="none", marker=plot_style.mark(namespaces), markersize=5, color=colour,
                  elinewidth=0.8, capsize=2, label=label(one))
    first = x[x > 0][0]
    across = np.concatenate([x[x <= 0], np.geomspace(first, x[-1], DRAWN)])
    law = found.best.at(across / counted) / scale
    axes.plot(across[law > 0], law[law > 0], color=colour, linewidth=1.1, linestyle=":" if found.is_misfit else "-")


def label(one: Curve) -> str:
    """What the legend says: the set, what else is in the id, and the law with its slope."""
    assert one.growth
    _, namespaces, *others = one.case.split("/")
    best = one.growth.best
    law = curves_text.NO_LAW if one.growth.is_misfit else curves_text.law_text(one, best)
    slope = "" if one.growth.is_misfit else curves_text.slope_text(one, best)
    return f"{' '.join([kinds.label(namespaces), *others])}: {law}{f', {slope}' if slope else ''}"
