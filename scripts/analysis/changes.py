"""What changed from kernel to kernel, as HTML: judged by comparison.py, as compare.py and `lab.py compare` do, and by nothing
else. Runs of one kernel are one side."""
import html
import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from analysis import comparison, kinds, render, sources, summary, tables
from analysis.comparison import Comparison, Row
from analysis.read import Run
from analysis.script import Unreadable

ALPHA = 0.05
LISTED = 8  # of the rows that changed, from one kernel to the next
Sides = list[tuple[str, list[Run]]]  # kernel and its runs, the oldest first


def groups(runs: list[Run]) -> list[Sides]:
    """The kernels that can be compared: of one clock and state, two at least."""
    found: dict[tuple[str, str], dict[str, list[Run]]] = {}
    for run in sorted(runs, key=lambda one: tables.version_key(one.kernel)):
        found.setdefault((run.clock, run.state), {}).setdefault(run.kernel, []).append(run)
    return [list(kernels.items()) for kernels in found.values() if len(kernels) > 1]


def as_html(runs: list[Run]) -> str:
    """All of it; empty for runs of one kernel."""
    return "".join(_group(sides) for sides in groups(runs))


def _judged(base: list[Run], new: list[Run]) -> Comparison | str:
    """The comparison, or why there is none."""
    one, other = sources.of_runs(base), sources.of_runs(new)
    if comparison.is_single(one, other):
        return "; ".join(summary.comparison(base[0], new[0]))
    try:
        return comparison.compare(one, other, None, ALPHA)
    except Unreadable as error:
        return f"{error}."


def _group(sides: Sides) -> str:
    first = sides[0][1][0]
    names = [kernel for kernel, _ in sides]
    steps = [(*pair, _judged(dict(sides)[pair[0]], dict(sides)[pair[1]])) for pair in pairwise(names)]
    if len(steps) > 1:
        steps.insert(0, (names[0], names[-1], _judged(sides[0][1], sides[-1][1])))
    state = f", state {first.state}" if first.state else ""
    return (f"<article><h3>{html.escape(first.clock)} clock{html.escape(state)}: {len(sides)} kernels</h3>"
            + _overview(first, steps) + "".join(_step(*step) for step in steps) + "</article>")


Step = tuple[str, str, Comparison | str]


def _overview(run: Run, steps: Sequence[Step]) -> str:
    """`create` of the single sets over all steps, the whole way first."""
    judged = [(base, new, {(row.case, row.phase): row for row in one.rows})
              for base, new, one in steps if isinstance(one, Comparison)]
    operations = tables.set_operations(run)
    if not judged or not operations:
        return ""
    names = tables.kernel_names(list(dict.fromkeys(kernel for base, new, _ in judged for kernel in (base, new))))
    head = "".join(f"<th>{html.escape(' → '.join(names[kernel] for kernel in step))}</th>" for *step, _ in judged)
    body = "".join(_line(label, [rows.get((case, "create")) for *_, rows in judged])
                   for operation in operations[:2] for label, case in _cases(run, operation))
    return ("<p>By how much <i>create</i> changed, from a doubling on as a factor; bold where it is more than chance and than "
            "what rows vary by.</p>"
            f"<div class='scroll'><table class='changes'><tr><th></th>{head}</tr>{body}</table></div>")


def _cases(run: Run, operation: str) -> Iterator[tuple[str, str]]:
    table = tables.of_sets(run, operation, "create")
    for name in tables.chosen_sets(table.index):
        yield f"{operation} {kinds.label(name)}", table.loc[name, "case"]


def _line(label: str, rows: Sequence[Row | None]) -> str:
    return f"<tr><th>{html.escape(label)}</th>{''.join(map(_cell, rows))}</tr>"


def _cell(row: Row | None) -> str:
    if row is None:
        return "<td>–</td>"
    text = kinds.change(row.ratio)
    if row.verdict not in ("slower", "faster"):
        return f"<td class='unchanged' title='{html.escape(said(row))}'>{text}</td>"
    return f"<td class='{row.verdict}' title='{html.escape(said(row))}'><b>{text}</b></td>"


def said(row: Row) -> str:
    """The row in words."""
    clock = "wall" if row.unit == "ns" else "instructions"
    verdict = {"~": "not resolved", "small": "within the threshold"}.get(row.verdict, row.verdict)
    return f"{kinds.time_text(row.base, clock)} → {kinds.time_text(row.new, clock)}: {verdict}"


def _step(base: str, new: str, judged: Comparison | str) -> str:
    """What changed on one step: the counts, and the largest."""
    heading = f"{html.escape(base)} → {html.escape(new)}"
    if isinstance(judged, str):
        return f"<p><b>{heading}</b>: {html.escape(judged)}</p>"
    changed = [row for row in judged.rows if row.verdict in ("slower", "faster")]
    changed.sort(key=lambda row: -abs(math.log(row.ratio)) if 0 < row.ratio < math.inf else -math.inf)
    lines = "".join(
        f"<tr><td>{html.escape(row.case.replace(kinds.ALL, 'all eight'))}</td><td>{html.escape(row.phase)}</td>"
        f"<td class='{row.verdict}'><b>{kinds.change(row.ratio)}</b></td><td>{html.escape(said(row))}</td></tr>"
        for row in changed[:LISTED]
    )
    count = f"{judged.count('slower')} slower, {judged.count('faster')} faster of {len(judged.rows)} rows"
    notes = "".join(f"<li>{html.escape(line)}</li>" for line in (*render.summary(judged), *judged.notes))
    return (f"<details><summary><b>{heading}</b>: {count}</summary><div class='scroll'><table class='changes'>{lines}</table></div>"
            f"<ul>{notes}</ul></details>")
