"""A comparison as a table, as Markdown, as CSV and as JSON."""
import csv
import json
import math
import os
import sys
from collections import Counter
from dataclasses import asdict, fields
from typing import TextIO

from analysis import kinds
from analysis.comparison import VERDICTS, Comparison, Row
from analysis.exact import INSTEAD

FORMATS = ("table", "markdown", "csv", "json")
LISTED = 40  # rows of a table, of those that are neither slower nor faster
NAMES = {"~": "unresolved"}
COLOURS = {"slower": "31", "faster": "32"}


def ticks(value: float, unit: str) -> str:
    """A time as everywhere; counts as they are, because one instruction more is a difference."""
    if unit != "ns":
        return f"{value:.12g}"
    if math.isnan(value):
        return "?"
    return kinds.time_text(value, "wall")


def change(ratio: float) -> str:
    """As everywhere; with the terminal's own minus."""
    return kinds.change(ratio).replace("−", "-")


def _p(p: float) -> str:
    return "" if math.isnan(p) else "<0.0001" if p < 0.0001 else f"{p:.4f}"


HEADER = ("case", "phase", "base", "new", "change", "its interval", "p", "")


def _cells(row: Row, figures: str) -> list[str]:
    interval = "" if figures == "exact" or math.isnan(row.low) else f"{change(row.low)} … {change(row.high)}"
    what = row.verdict
    if not math.isnan(row.need):
        what += f" need about {row.need:.0f} {figures}"
    return [row.case, row.phase, ticks(row.base, row.unit), ticks(row.new, row.unit), change(row.ratio), interval,
            _p(row.corrected), what]


def _ordered(comparison: Comparison, everything: bool) -> tuple[list[Row], list[Row]]:
    """The rows of a table, what changed first, and the others, which are left out."""
    order = {name: i for i, name in enumerate(VERDICTS)}
    rows = sorted(comparison.rows,
                  key=lambda r: (order[r.verdict], -abs(math.log(r.ratio)) if 0 < r.ratio < math.inf else 0))
    changed = [row for row in rows if row.verdict in ("slower", "faster")]
    others = rows[len(changed):]
    if everything or len(others) <= LISTED:
        return rows, []
    # Of the rest what changed by less, and what would matter if more runs resolved it.
    listed = [row for row in others if row.verdict == "small" or
              (row.verdict == "~" and abs(row.ratio - 1) > comparison.threshold)][:LISTED]
    shown = set(listed)
    return changed + listed, [row for row in others if row not in shown]


def summary(comparison: Comparison) -> list[str]:
    """The result in words."""
    of, total = comparison.count, len(comparison.rows)
    limit = f"{comparison.threshold * 100:g}%"
    lines = [f"{of('slower')} of {total} rows slower by more than {limit}, {of('faster')} faster; "
             f"{of('small')} changed by less, {of('same', 'identical')} the same, {of('~')} not resolved (~)"]
    if comparison.figures == "exact":
        more = f" and {limit}" if comparison.threshold else ""
        lines = [f"{of('slower')} of {total} rows slower by more than their resolution{more}, {of('faster')} faster; "
                 f"{of('small')} changed by less, {of('same')} with the same median, {of('identical')} identical in every figure, "
                 f"{of('~')} not resolved (~)"]
    return [*lines, comparison.geometric_mean()]


def explanation(comparison: Comparison) -> str:
    """What the columns are."""
    if comparison.figures == "exact":
        return f"median, instructions executed, not time; a row without a resolution has {INSTEAD:.0%} instead"
    names = {"runs": f"middle of the runs' {comparison.measure}", "pairs": "medians of the sides"}
    what = names.get(comparison.figures, "middle of the run")
    return (f"{what}; interval: {1 - comparison.alpha:.4g}, for the row alone; p: corrected for {len(comparison.rows)} rows "
            f"({comparison.correction}), changed below {comparison.alpha:g}; scatter of {comparison.figures}")


def _markdown(comparison: Comparison, everything: bool, out: TextIO) -> None:
    rows, left = _ordered(comparison, everything)
    for name, identities in zip(("base", "new"), comparison.identities):
        print(f"- **{name}**: {'; '.join(identities)}", file=out)
    for line in comparison.notes + comparison.only:
        print(f"- {line}", file=out)
    print(f"\n| {' | '.join(HEADER)} |\n|---|---|--:|--:|--:|--:|--:|---|", file=out)
    for row in rows:
        print(f"| {' | '.join(_cells(row, comparison.figures))} |", file=out)
    print("", *summary(comparison), *_left(left), explanation(comparison), sep="\n", file=out)


def _left(left: list[Row]) -> list[str]:
    of = Counter(NAMES.get(row.verdict, row.verdict) for row in left)
    return [f"{len(left)} rows ({', '.join(f'{count} {name}' for name, count in of.items())}) not shown: --all"] if left else []


def _table(comparison: Comparison, everything: bool, out: TextIO) -> None:
    rows, left = _ordered(comparison, everything)
    cells = [list(HEADER)] + [_cells(row, comparison.figures) for row in rows]
    if comparison.figures == "exact":
        cells = [row[:5] + row[7:] for row in cells]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    colour = out.isatty() and not os.environ.get("NO_COLOR")
    if rows:
        print(file=out)
        for row, verdict in zip(cells, ["", *(row.verdict for row in rows)]):
            line = "  ".join(c.ljust(w) if i < 2 or i == len(row) - 1 else c.rjust(w)
                             for i, (c, w) in enumerate(zip(row, widths))).rstrip()
            code = COLOURS.get(verdict) if colour else None
            print(f"\x1b[{code}m{line}\x1b[0m" if code else line, file=out)
        print(file=out)
    print(*summary(comparison), *_left(left), explanation(comparison), sep="\n", file=out)


def _field(value: object) -> object:
    """Of CSV: six digits, and nothing for NaN."""
    if not isinstance(value, float):
        return value
    return "" if math.isnan(value) else f"{value:.6g}"


def _identities(comparison: Comparison) -> list[str]:
    lines = []
    for name, identities in zip(("base", "new"), comparison.identities):
        more = f", and {len(identities) - 1} more" if len(identities) > 1 else ""
        lines.append(f"{name + ':':5} {identities[0]}{more}")
    return lines


def render(comparison: Comparison, form: str, everything: bool = False, out: TextIO | None = None) -> None:
    """Prints it. What is not rows goes to standard error for csv, so that standard output is the rows alone."""
    out = out or sys.stdout
    if form == "markdown":
        _markdown(comparison, everything, out)
    elif form == "json":
        whole = {name: value for name, value in asdict(comparison).items() if name != "identities"}
        whole |= {"base": comparison.identities[0], "new": comparison.identities[1], "exit_code": comparison.code,
                  "geometric_mean": comparison.geometric_mean()}
        whole["rows"] = [{k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
                         for row in whole["rows"]]
        print(json.dumps(whole, indent=1), file=out)
    else:
        words = sys.stderr if form == "csv" else out
        print(*_identities(comparison), *comparison.notes, *comparison.only, sep="\n", file=words)
        if form == "table":
            _table(comparison, everything, out)
            return
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow([f.name for f in fields(Row)])
        for row in comparison.rows:
            rows.writerow([_field(value) for value in asdict(row).values()])
        print(*summary(comparison), sep="\n", file=words)
