"""Whether the intervals that single runs state cover what runs differ by."""
import math
import statistics
from collections.abc import Callable, Mapping, Sequence

COVERED_LIMIT = 0.9
# The median of so many figures scatters by this much more than their mean, where they are normal.
OF_A_MEDIAN = math.sqrt(math.pi / 2)

Row = Mapping[str, str]


def half(row: Row) -> float:
    return (float(row["delta_high"]) - float(row["delta_low"])) / 2


def covered(deltas: Sequence[float], halves: Sequence[float]) -> list[bool]:
    """Of each run: whether its figure differs from the median of the others' by no more than both intervals say: the root
    of the sum of squares of its own half width and of that of the others' median, by the middle of their half widths."""
    found = []
    for i, (delta, width) in enumerate(zip(deltas, halves)):
        others = [other for j, other in enumerate(deltas) if j != i]
        of_others = statistics.median(w for j, w in enumerate(halves) if j != i) * OF_A_MEDIAN / math.sqrt(len(others))
        found.append(abs(delta - statistics.median(others)) <= math.hypot(width, of_others))
    return found


def spread(runs: list[list[dict[str, str]]], say: Callable[[str], None]) -> bool:
    """Prints, of each row that has a delta in all runs, how its deltas spread and how many the intervals cover; whether
    enough are."""
    rows: dict[tuple[str, str], list[Row]] = {}
    for run in runs:
        for row in run:
            if row["delta_low"]:
                rows.setdefault((row["case"], row["phase"]), []).append(row)
    say(f"{'case':<24} {'phase':<7} {'delta':>10} {'half of the runs within':>24} {'all':>17} {'stated':>8}  covered")
    good = total = of_rows = 0
    for (case, phase), of in rows.items():
        if len(of) < len(runs):
            say(f"{case:<24} {phase:<7} has a delta in {len(of)} runs only")
            continue
        deltas = [float(row["delta"]) / 1000 for row in of]
        halves = [half(row) / 1000 for row in of]
        inside = covered(deltas, halves)
        low, middle, high = statistics.quantiles(deltas, n=4)
        say(f"{case:<24} {phase:<7} {middle:>7.2f} µs {f'{low:.2f}…{high:.2f} µs':>24} {f'{min(deltas):.2f}…{max(deltas):.2f}':>17} "
            f"{f'±{statistics.median(halves):.2f}':>8}  {sum(inside)} of {len(inside)}")
        good += sum(inside)
        total += len(inside)
        of_rows += 1
    if not total:
        say("no row has a delta in every run")
        return False
    say(f"{good} of {total} intervals of {of_rows} rows cover what their run differs by from the others: {good / total:.1%}; "
        f"at least {COVERED_LIMIT:.0%} must")
    return good / total >= COVERED_LIMIT
