"""Scaling in the report: a small table for each case that was measured with several numbers of samplers at once."""
import html
from itertools import islice

from analysis import columns, scaling, scaling_text
from analysis.read import Run
from analysis.scaling import Family
from analysis.scaling_text import Scaling
from analysis.script import Unreadable

MOST = 12  # cases of a run: their intervals take time


def as_html(runs: list[Run]) -> str:
    """All of it; empty where no run has any."""
    return "".join(_run(run) for run in runs if run.clock == "wall" and scaling.has_levels(run))


def _run(run: Run) -> str:
    if run.samples is None or run.samples["ended"].isna().all():
        return ""
    try:
        found = list(islice(scaling.families(run, columns.TOTAL, None), MOST))
    except Unreadable as error:  # the rest of the report is shown all the same
        return f"<p>{html.escape(str(error).removeprefix(f'{run.path}: '))}</p>"
    families = [one for one in found if not isinstance(one, str)]
    scaling.set_beside(families)
    without = [one for one in found if isinstance(one, str)]
    rest = len(scaling.levels_of(run.samples)) - len(found)
    if rest > 0:
        without.append(f"{rest} more case{'s' if rest > 1 else ''}: nsbench scaling shows all")
    whole = Scaling(run, scaling.placement(run), families, without)
    words = [*scaling_text.place_lines(whole), *scaling_text.WORDS, *without]
    return (f"<article><h3>{html.escape(run.name)}</h3>{''.join(_family(one, whole) for one in families)}"
            f"<ul>{''.join(f'<li>{html.escape(line)}</li>' for line in words)}</ul></article>")


def _family(family: Family, whole: Scaling) -> str:
    head, *rows = scaling_text.rows_of(family, whole.run.clock)
    body = "".join(
        f"<tr><td colspan='{len(head)}'>{html.escape(row[0])}</td></tr>" if len(row) == 1
        else f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    below = scaling_text.below(family, whole.where)
    return (f"<h4>{html.escape(scaling_text.title(family))}</h4><div class='scroll'><table class='changes'>"
            f"<tr>{''.join(f'<th>{html.escape(cell)}</th>' for cell in head)}</tr>{body}</table></div>"
            f"<ul>{''.join(f'<li>{html.escape(line)}</li>' for line in below)}</ul>")
