"""Models of sets as text, as Markdown, as CSV and as JSON."""
import csv
import json
import math
import sys
from collections import Counter
from dataclasses import asdict
from typing import TextIO

from analysis import columns, kinds, tables
from analysis.model import ALPHA, LEVEL, Estimate, Model
from analysis.model_terms import name_of, what_of
from analysis.read import Run

HEADER = ("term", "adds", f"its {LEVEL:.0%} interval", "")
LISTED = 5  # of the sets that do not follow, and of those that stand out
FIELDS = ("operation", "phase", "term", "what", "unit", "value", "low", "high")
SUM = ("a set adds the sum of its kinds, what any but NEWUSER adds once, and each term whose kinds it has all;",
       "the figure for a single set is its own delta, and not this sum")


def added(value: float, clock: str) -> str:
    """+8.58 µs."""
    return f"{'+' if value > 0 else ''}{kinds.time_text(value, clock)}"


def _cells(one: Estimate, clock: str) -> list[str]:
    cells = [name_of(one.term), added(one.value, clock)]
    if math.isnan(one.low):
        return [*cells, "", ""]
    said = "" if tables.is_told_from_zero(one.low, one.high) else "not told from 0"
    return [*cells, f"{added(one.low, clock)} … {added(one.high, clock)}", said]


def _title(model: Model) -> str:
    return (f"{model.operation}, {model.phase}: what {model.sets} sets add to {model.base} "
            f"({kinds.time_text(model.level, model.clock)}), by {len(model.terms)} terms")


def scatter(model: Model) -> str:
    """What the intervals are of."""
    if model.is_exact:
        return "counts are exact and have no intervals: what the terms miss is in the residuals"
    if model.runs == 1:
        return "one run: the intervals are of its residuals; how runs scatter is not in them (nsbench --repeat=5, or several RUNs)"
    return f"{model.runs} runs: the intervals are Student's, of how the runs' own fits scatter"


def _more(count: int) -> list[str]:
    rest = count - LISTED
    return [f"so {'do' if rest > 1 else 'does'} {rest} more (--format=json has all)"] if rest > 0 else []


def _below(model: Model) -> list[str]:
    """What is said below a table."""
    lines = [f"residuals: median {model.median_residual:.2%} of what the call takes, 90% of the sets within {model.p90_residual:.2%}"]
    for follows_not in model.deviating[:LISTED]:
        lines.append(f"does not follow: {follows_not.namespaces}: {added(follows_not.measured, model.clock)} measured, "
                     f"{added(follows_not.modelled, model.clock)} by the terms ({abs(follows_not.studentised):.1f} standard "
                     f"deviations, p {follows_not.p:.2g})")
    lines += _more(len(model.deviating))
    for one in model.outside[:LISTED]:
        of = f"{one.runs} of {model.runs} runs" if model.runs > 1 else "its run"
        lines.append(f"stands out of {of}, and is not in the fit: {one.namespaces}: {added(one.measured, model.clock)} measured, "
                     f"{added(one.modelled, model.clock)} by the terms")
    lines += _more(len(model.outside))
    if not model.deviating and not model.outside:
        lines.append(f"no set stands out of the residuals (of {model.sets}, chance of a false one {ALPHA:g})")
    for why, count in Counter(model.left_out.values()).items():
        names = [name for name, said in model.left_out.items() if said == why]
        some = f"{', '.join(names[:3])}{', …' if count > 3 else ''}"
        lines.append(f"left out: {count} set{'s' if count > 1 else ''}: {why or 'not measured'}: {some}")
    return lines + model.notes


def _text(models: list[Model], out: TextIO) -> None:
    for model in models:
        cells = [list(HEADER), *(_cells(one, model.clock) for one in model.terms)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(HEADER))]
        if model.is_exact:
            cells = [row[:2] for row in cells]
        print("", _title(model), sep="\n", file=out)
        for row in cells:
            print("  ".join(cell.ljust(width) if i in (0, 3) else cell.rjust(width)
                            for i, (cell, width) in enumerate(zip(row, widths))).rstrip(), file=out)
        print(*_below(model), file=out, sep="\n")
    print("", scatter(models[0]), *SUM, sep="\n", file=out)


def _markdown(models: list[Model], out: TextIO) -> None:
    for model in models:
        print(f"\n**{_title(model)}**\n\n| {' | '.join(HEADER)} |\n|---|--:|--:|---|", file=out)
        for one in model.terms:
            print(f"| {' | '.join(_cells(one, model.clock))} |", file=out)
        print("", *(f"- {line}" for line in _below(model)), sep="\n", file=out)
    print("", f"{scatter(models[0])}; {' '.join(SUM)}", sep="\n", file=out)


def _csv(models: list[Model], out: TextIO) -> None:
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(FIELDS)
    for model in models:
        for one in model.terms:
            figures = ("" if math.isnan(value) else f"{value:.6g}" for value in (one.value, one.low, one.high))
            rows.writerow([model.operation, model.phase, name_of(one.term), what_of(one.term), columns.unit_of(model.clock), *figures])


def _json(runs: list[Run], models: list[Model], out: TextIO) -> None:
    def of(model: Model) -> dict[str, object]:
        terms = [{"term": name_of(one.term), "what": what_of(one.term), "kinds": list(one.term), "value": one.value,
                  **{name: None if math.isnan(value) else value for name, value in (("low", one.low), ("high", one.high))}}
                 for one in model.terms]
        return asdict(model) | {"terms": terms, "unit": columns.unit_of(model.clock), "intervals": scatter(model)}

    whole = {"runs": [run.identity() for run in runs], "kernel": runs[0].kernel, "state": runs[0].state,
             "models": [of(model) for model in models]}
    print(json.dumps(whole, indent=1, ensure_ascii=False), file=out)


def render(runs: list[Run], models: list[Model], form: str) -> None:
    """Prints them. What is no row goes to standard error for csv, so that standard output is the rows alone."""
    if form == "json":
        _json(runs, models, sys.stdout)
        return
    words = sys.stderr if form == "csv" else sys.stdout
    for run in runs:
        print(f"{'- ' if form == 'markdown' else ''}{run.identity()}", file=words)
    if form == "csv":
        _csv(models, sys.stdout)
        for model in models:
            print(_title(model), *_below(model), sep="\n", file=words)
        print(scatter(models[0]), file=words)
    else:
        {"text": _text, "markdown": _markdown}[form](models, sys.stdout)
