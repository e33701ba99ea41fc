"""Pairs of runs, measured one right after the other: each gives a ratio for each row, in which what the machine was doing
just then cancels. Nothing is assumed of how the ratios scatter: the test counts on which side of 1 they are."""
import math
import re

import numpy as np
import pandas as pd
from scipy import stats

from analysis import effects
from analysis.comparison import Comparison, Row, batch_notes, compare, environment_notes, verdict
from analysis.script import Unreadable
from analysis.sources import INDEX, Source


def needed(rows: int, alpha: float, contrary: int = 0) -> int:
    """The fewest pairs with which a row among so many can be told, if all pairs but `contrary` point the same way."""
    n = contrary + 1
    while 2 * effects.at_most(contrary, n) > alpha / max(rows, 1):
        n += 1
    return n


def more(above: int, below: int, alpha: float, rows: int) -> float:
    """About how many pairs would tell, if they go on to fall as these did; NaN where they fall evenly."""
    share = (max(above, below) + 0.5) / (above + below + 1)
    if share <= 0.5:
        return math.nan
    z, power = stats.norm.isf(alpha / max(rows, 1) / 2), stats.norm.isf(1 - effects.POWER)
    wanted = float(((z * 0.5 + power * math.sqrt(share * (1 - share))) / (share - 0.5))**2)
    return max(math.ceil(wanted), needed(rows, alpha)) if wanted <= effects.MOST_RUNS else math.nan


def compare_pairs(a: list[Source], b: list[Source], threshold: float | None, alpha: float, phases: list[str] | None = None,
                  pattern: re.Pattern[str] | None = None) -> Comparison:
    """a[i] and b[i] are a pair. Unreadable where there is nothing to compare."""
    result = compare(a, b, threshold, alpha, phases, pattern, None)  # which rows, and what differs
    if result.figures == "exact":
        return result
    both = pd.MultiIndex.from_tuples([(row.case, row.phase) for row in result.rows], names=INDEX)
    medians = [pd.concat([s.medians for s in side], axis=1).reindex(both) for side in (a, b)]
    logs = [np.log(m.where(m > 0)).to_numpy() for m in medians]
    ratios = logs[1] - logs[0]
    found = [effects.sign_interval(of, 1 - alpha) for of in ratios]
    corrected = effects.holm(np.array([of[3] for of in found]))
    tested = int((~np.isnan(corrected)).sum())
    result.figures, result.correction = "pairs", effects.HOLM
    result.notes = environment_notes(a, b) + batch_notes(a, b, list(both))
    middle = [m.median(axis=1).tolist() for m in medians]
    rows = []
    for i, (row, (log, low, high, p, level)) in enumerate(zip(result.rows, found)):
        ratio, lower, upper = (float(np.exp(v)) for v in (log, low, high))
        word = verdict(ratio, lower, upper, corrected[i], result.threshold, alpha)
        if word == "same" and level < 1 - alpha:  # too few pairs: of one, the interval is that pair
            word = "~"
        above, below = int((ratios[i] > 0).sum()), int((ratios[i] < 0).sum())
        need = more(above, below, alpha, tested) if word == "~" and abs(ratio - 1) > result.threshold else math.nan
        count = int(np.isfinite(ratios[i]).sum())
        rows.append(Row(row.case, row.phase, row.unit, middle[0][i], middle[1][i], count, count, ratio, lower, upper, p,
                        float(corrected[i]), word, need))
    result.rows = rows
    fewest = needed(tested, alpha)
    if len(a) < fewest:
        result.notes.append(f"{len(a)} pairs cannot tell any of {tested} rows: --pairs={needed(tested, alpha, 1)}, "
                            "or fewer rows")
    levels = [of[4] for of in found if np.isfinite(of[4])]
    if levels and min(levels) < 1 - alpha:
        result.notes.append(f"the interval is one of {min(levels):.0%}: there are too few pairs for {1 - alpha:.0%}")
    return result


def usable(side: str, source: Source) -> Source:
    """The source, if it has figures. Unreadable if it has none."""
    if source.medians.empty:
        why = next((f": {row['errno']} {row['reason']}" for row in source.rows.values()), "")
        raise Unreadable(f"{side} has measured no case{why}")
    return source
