"""Curves as text, as Markdown, as CSV and as JSON."""
import csv
import json
import math
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

import numpy as np

from analysis import columns, curves, growth, kinds
from analysis.curves import Curve, Parameter
from analysis.growth import Coefficient, Fit, Growth
from analysis.read import Run

# What one more of a parameter is, for `41.0 ns a mount`.
ONE_MORE = {"mounts": "mount", "peers": "peer", "netns": "net namespace", "dying": "dying namespace", "pidns": "pid namespace",
            "procs": "process", "fds": "descriptor", "depth": "level", "cgroups": "cgroup", "parallel": "sampler"}
KIB, MIB = 2**10, 2**20
PLOT_WIDTH, PLOT_HEIGHT = 60, 12
MOST_RATIO = 8  # of what an axis from zero shows
HEADER = ("", "run", "law", "slope", f"its {growth.LEVEL:.0%} interval", "starts at", "weight", "rival", "residuals")
LEFT = (0, 1, 2, 7)  # columns of words
FIELDS = ("run", "kernel", "clock", "unit", "parameter", "case", "phase", "levels", "law", "weight", "rival", "rival_weight", "of", "each",
          "value", "low", "high", "bend", "median_residual", "largest_residual")
NOT_ENOUGH = f"not enough levels: {{}} of {growth.LEAST_LEVELS}"
NO_LAW = "no law of these fits"


def level_text(parameter: Parameter, level: float) -> str:
    """As an option takes it."""
    return kinds.size_text(level) if parameter.is_size else f"{level:g}"


def time_text(value: float, clock: str) -> str:
    """With its unit, below 1 ns in ps; small shares of an instruction as they are."""
    is_below = clock != "instructions" and 0 < abs(value) < 0.9995
    return f"{kinds.three_digits(value * 1000)} ps" if is_below else kinds.time_text(value, clock)


def _unit(curve: Curve) -> tuple[str, float]:
    """What one more is called, and how many of what levels are counted in it has."""
    if not curve.parameter.is_size:
        return ONE_MORE.get(curve.parameter.key, curve.parameter.key), 1
    return ("KiB", KIB / curves.PAGE) if max(curve.levels) < MIB else ("MiB", MIB / curves.PAGE)


def _each(curve: Curve, of: str) -> tuple[str, float]:
    """` a mount`, and what a coefficient of such a term is multiplied with then."""
    name, factor = _unit(curve)
    return {"start": ("", 1.0), "log": (" a doubling", 1.0), "n log n": (f" a {name} and doubling", factor),
            "n²": (f" a {name}²", factor**2)}.get(of, (f" a {name}", factor))


def _slope_text(curve: Curve, one: Coefficient) -> str:
    each, factor = _each(curve, one.of)
    return f"{time_text(one.value * factor, curve.run.clock)}{each}"


def _interval_text(curve: Curve, one: Coefficient | None) -> str:
    if one is None or math.isnan(one.low):
        return ""
    factor = _each(curve, one.of)[1]
    return " … ".join(time_text(end * factor, curve.run.clock) for end in (one.low, one.high))


def bend_text(curve: Curve, fit: Fit) -> str:
    """The level from which another slope holds."""
    return level_text(curve.parameter, fit.bend * (curves.PAGE if curve.parameter.is_size else 1))


def law_text(curve: Curve, fit: Fit) -> str:
    """linear; bend at 1000."""
    return f"bend at {bend_text(curve, fit)}" if fit.law == growth.BEND else fit.law


def _joined(fit: Fit, texts: Iterable[str]) -> str:
    """Those of a bend follow each other; those of another law add up."""
    return (", then " if fit.law == growth.BEND else " and ").join(filter(None, texts))


def slope_text(curve: Curve, fit: Fit) -> str:
    """What one more costs: 41.0 ns a mount; on both sides of a bend."""
    return _joined(fit, (_slope_text(curve, one) for one in fit.coefficients[1:]))


def share_text(share: float) -> str:
    """0.995 → 99.5%: a weight is never rounded to certainty."""
    if share < 0.001 or share > 0.999:
        return "<0.1%" if share < 0.5 else ">99.9%"
    return f"{share:.1%}" if share > 0.99 or share < 0.01 else f"{share:.0%}"


def residuals_text(fit: Fit) -> str:
    """Median and largest."""
    return f"{fit.median_residual:.2%}, {fit.largest_residual:.2%}"


def cells(curve: Curve) -> list[str]:
    """Its line of the table."""
    found = curve.growth
    if found is None:
        return [curve.case, curve.run.name, NOT_ENOUGH.format(len(curve.levels)), *[""] * 6]
    best, clock = found.best, curve.run.clock
    law = law_text(curve, best)
    named = f"{NO_LAW}; likeliest: {law}" if found.is_misfit else law
    intervals = _joined(best, (_interval_text(curve, one) for one in best.coefficients[1:]))
    start = best.coefficients[0]
    starts = time_text(start.value, clock) + (f" ({_interval_text(curve, start)})" if not math.isnan(start.low) else "")
    return [curve.case, curve.run.name, named, slope_text(curve, best), intervals, starts,
            share_text(best.weight), f"{law_text(curve, found.rival)} {share_text(found.rival.weight)}", residuals_text(best)]


def _groups(found: Sequence[Curve]) -> list[list[Curve]]:
    """Those of one parameter and phase, which are a table."""
    groups: dict[tuple[str, str], list[Curve]] = {}
    for one in found:
        groups.setdefault((one.parameter.key, one.phase), []).append(one)
    return list(groups.values())


def title(group: Sequence[Curve]) -> str:
    """create over stack, 12 levels from 16K to 64M."""
    first = group[0]
    most = max(group, key=lambda one: len(one.levels))
    ends = [level_text(first.parameter, one) for one in (min(most.levels), max(most.levels))] if most.levels else ["", ""]
    return f"{first.phase} over {first.parameter.key}: {len(most.levels)} levels from {ends[0]} to {ends[1]}"


def _table(group: Sequence[Curve]) -> list[list[str]]:
    """Without the columns that say nothing here: the run where there is one, intervals where figures are exact."""
    rows = [list(HEADER), *map(cells, group)]
    names = {one.run.name for one in group}
    kept = [at for at in range(len(HEADER)) if at == 0 or (len(names) > 1 if at == 1 else any(row[at] for row in rows[1:]))]
    return [[row[at] for at in kept] for row in rows]


def notes(found: Sequence[Curve]) -> list[str]:
    """What is said below the tables."""
    lines = []
    for one in found:
        for level, why in one.without.items():
            lines.append(f"left out: {one.case} at {one.parameter.key}:{level_text(one.parameter, level)}, {one.phase}: {why}")
        if one.growth and (at := one.growth.far_off()) is not None:
            points, best = one.growth.points, one.growth.best
            lines.append(f"{one.case}, {one.phase}: at {one.parameter.key}:{level_text(one.parameter, one.levels[at])} the figure is "
                         f"{abs(best.residuals[at]):.1%} off the law, and its interval "
                         f"±{growth.Z95 * points.error[at] / points.y[at]:.1%}: over all levels the law is a coarse one")
    fitted = [one.growth for one in found if one.growth]
    if any(one.points.is_exact for one in fitted):
        lines.append("counts are exact: their slopes have no intervals, and what a law misses is in the residuals (median, largest)")
    elif fitted:
        lines.append("residuals: median and largest, of the figure")
    if any(one.best.weight < one.rival.weight for one in fitted):
        lines.append(f"a law with more coefficients than another has to be e^{growth.MARGIN / 2:g} times as likely, "
                     "with a slope told from 0")
    if any(one.best.law == "log" for one in fitted):
        lines.append("log: starts at the lowest level, and each doubling adds the slope")
    return lines


def phases_note(found: Sequence[Curve]) -> list[str]:
    """Which phases there are besides."""
    shown = {one.phase for one in found}
    there = [phase for phase in columns.phases() if any((one.run.measured["phase"] == phase).any() for one in found)]
    others = [phase for phase in there if phase not in shown]
    return [f"--phase=all, or of these, has also {', '.join(others)}"] if others else []


def plot(curve: Curve) -> list[str]:
    """The figures (o) and the law (.) over a logarithmic axis of levels: from zero up, or logarithmic where they span much."""
    found = curve.growth
    if found is None:
        return []
    x, y = found.points.x, found.points.y
    scale = np.log(np.maximum(x, x[x > 0][0] / 2))
    place = np.round((scale - scale[0]) / (scale[-1] - scale[0]) * (PLOT_WIDTH - 1)).astype(int)
    across = np.exp(scale[0] + np.arange(PLOT_WIDTH) / (PLOT_WIDTH - 1) * (scale[-1] - scale[0]))
    drawn = found.best.at(across)
    top, low = float(max(y.max(), drawn.max())), float(min(y.min(), drawn.min()))
    bottom, is_log = (low, True) if 0 < low * MOST_RATIO < top else (min(low, 0.0), False)
    grid = [[" "] * PLOT_WIDTH for _ in range(PLOT_HEIGHT)]

    def line_of(value: float) -> int:
        share = math.log(value / bottom) / math.log(top / bottom) if is_log else (value - bottom) / (top - bottom)
        return PLOT_HEIGHT - 1 - round(share * (PLOT_HEIGHT - 1))

    for at, value in enumerate(drawn):
        grid[line_of(float(value))][at] = "."
    for at, value in zip(place, y):
        grid[line_of(float(value))][at] = "o"
    marks = {0: time_text(top, curve.run.clock), PLOT_HEIGHT - 1: time_text(bottom, curve.run.clock)}
    width = max(map(len, marks.values()))
    lines = [f"{marks.get(number, ''):>{width}} |{''.join(row).rstrip()}" for number, row in enumerate(grid)]
    first, last = (level_text(curve.parameter, one) for one in (curve.levels[0], curve.levels[-1]))
    return ["", f"{curve.case}, {curve.phase}: {law_text(curve, found.best)}", *lines, f"{'':>{width}} +{'-' * PLOT_WIDTH}",
            f"{'':>{width}}  {first}{last:>{PLOT_WIDTH - len(first)}}"]


def _text(found: Sequence[Curve], out: TextIO, is_plotted: bool, below: Sequence[str]) -> None:
    for group in _groups(found):
        rows = _table(group)
        widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
        left = {rows[0].index(HEADER[at]) for at in LEFT if HEADER[at] in rows[0]}
        print("", title(group), sep="\n", file=out)
        for row in rows:
            print("  ".join(cell.ljust(width) if at in left else cell.rjust(width)
                            for at, (cell, width) in enumerate(zip(row, widths))).rstrip(), file=out)
        for one in group if is_plotted else ():
            print(*plot(one), sep="\n", file=out)
    print(*below, sep="\n", file=out)


def _markdown(found: Sequence[Curve], out: TextIO, is_plotted: bool, below: Sequence[str]) -> None:
    for group in _groups(found):
        rows = _table(group)
        rule = "|".join("---" if name in [HEADER[at] for at in LEFT] else "--:" for name in rows[0])
        print(f"\n**{title(group)}**\n\n| {' | '.join(rows[0])} |\n|{rule}|", file=out)
        for row in rows[1:]:
            print(f"| {' | '.join(row)} |", file=out)
        if is_plotted:
            print("\n```", *(line for one in group for line in plot(one)), "```", sep="\n", file=out)
    print("", *(f"- {line}" for line in below), sep="\n", file=out)


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"


def _csv(found: Sequence[Curve], out: TextIO) -> None:
    """A line for each coefficient; of a curve without a law one without it."""
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(FIELDS)
    for curve in found:
        head = [curve.run.name, curve.run.kernel, curve.run.clock, curve.run.unit, curve.parameter.key, curve.case, curve.phase,
                len(curve.levels)]
        if curve.growth is None:
            lines.writerow([*head, *[""] * (len(FIELDS) - len(head))])
            continue
        best, rival = curve.growth.best, curve.growth.rival
        law = "" if curve.growth.is_misfit else best.law
        for one in best.coefficients:
            each, factor = _each(curve, one.of)
            lines.writerow([*head, law, f"{best.weight:.4g}", rival.law, f"{rival.weight:.4g}", one.of, each.removeprefix(" a "),
                            *(_number(value * factor) for value in (one.value, one.low, one.high)),
                            "" if math.isnan(best.bend) else bend_text(curve, best), f"{best.median_residual:.4g}",
                            f"{best.largest_residual:.4g}"])


def fit_json(curve: Curve, fit: Fit) -> dict[str, object]:
    """One law of a curve."""
    terms: list[dict[str, object]] = []
    for one in fit.coefficients:
        each, factor = _each(curve, one.of)
        numbers = {"value": one.value, "low": one.low, "high": one.high}
        terms.append({"of": one.of, "each": each.removeprefix(" a "),
                      **{name: None if math.isnan(value) else value * factor for name, value in numbers.items()}})
    return {"law": fit.law, "weight": fit.weight, "aicc": fit.aicc, "bend": None if math.isnan(fit.bend) else bend_text(curve, fit),
            "coefficients": terms, "median_residual": fit.median_residual, "largest_residual": fit.largest_residual}


def _growth_json(curve: Curve, found: Growth) -> dict[str, object]:
    points = [{"level": level, "figure": float(y), "standard_error": None if math.isnan(error) else float(error),
               "residual": float(residual)}
              for level, y, error, residual in zip(curve.levels, found.points.y, found.points.error, found.best.residuals)]
    return {"fits": not found.is_misfit, "best": fit_json(curve, found.best), "others": [fit_json(curve, one) for one in found.others],
            "points": points}


def _json(runs: Sequence[Run], found: Sequence[Curve], out: TextIO) -> None:
    all_of_them = [{"run": curve.run.name, "kernel": curve.run.kernel, "parameter": curve.parameter.key, "case": curve.case,
                    "phase": curve.phase, "clock": curve.run.clock, "unit": curve.run.unit, "levels": curve.levels,
                    "left_out": {level_text(curve.parameter, level): why for level, why in curve.without.items()},
                    "growth": None if curve.growth is None else _growth_json(curve, curve.growth)} for curve in found]
    print(json.dumps({"runs": [run.identity() for run in runs], "least_levels": growth.LEAST_LEVELS, "curves": all_of_them}, indent=1,
                     ensure_ascii=False), file=out)


def render(runs: Sequence[Run], found: Sequence[Curve], form: str, is_plotted: bool = False, are_named: bool = True) -> None:
    """Prints them. What is no row goes to standard error for csv, so that standard output is the rows alone."""
    if form == "json":
        _json(runs, found, sys.stdout)
        return
    words = sys.stderr if form == "csv" else sys.stdout
    for run in runs if are_named else ():
        print(f"{'- ' if form == 'markdown' else ''}{run.identity()}", file=words)
    if form == "csv":
        _csv(found, sys.stdout)
        print(*notes(found), sep="\n", file=words)
    else:
        below = [*notes(found), *(phases_note(found) if are_named else [])]
        {"text": _text, "markdown": _markdown}[form](found, sys.stdout, is_plotted, below)
