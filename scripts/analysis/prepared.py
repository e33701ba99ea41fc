"""What `nsbench doctor --prepare` wins: how runs scatter with it and without it, made in turn."""
import math
import statistics
from collections.abc import Callable, Mapping, Sequence

from scipy import stats

Row = Mapping[str, str]
Run = Sequence[Row]


def scatter(values: Sequence[float]) -> float:
    """The standard deviation of the logarithms: a share of the value."""
    return statistics.stdev(math.log(value) for value in values)


def medians(runs: Sequence[Run]) -> dict[tuple[str, str], list[float]]:
    """Of each row that all runs have, in µs."""
    rows: dict[tuple[str, str], list[float]] = {}
    for run in runs:
        for row in run:
            rows.setdefault((row["case"], row["phase"]), []).append(float(row["median"]) / 1000)
    return {key: values for key, values in rows.items() if len(values) == len(runs) and min(values) > 0}


def compare(plain: Sequence[Run], prepared: Sequence[Run], say: Callable[[str], None]) -> bool:
    """Prints each row's median and scatter of both; whether there is one. The interval of a ratio of scatters is that of
    normal logarithms (F)."""
    without, with_ = medians(plain), medians(prepared)
    quantile = stats.f.ppf(0.975, len(prepared) - 1, len(plain) - 1) ** 0.5
    say(f"{'':<32} {'without':>18} {'prepared':>18}")
    say(f"{'case':<24} {'phase':<7} {'median':>9} {'scatter':>8} {'median':>9} {'scatter':>8} {'ratio':>6}  its interval")
    ratios = []
    for key in without.keys() & with_.keys():
        pair = scatter(without[key]), scatter(with_[key])
        if min(pair) > 0:
            ratios.append((key, pair, pair[1] / pair[0]))
    for (case, phase), (before, after), ratio in sorted(ratios):
        low, high = ratio / quantile, ratio * quantile
        say(f"{case:<24} {phase:<7} {statistics.median(without[case, phase]):>6.2f} µs {before:>8.1%} "
            f"{statistics.median(with_[case, phase]):>6.2f} µs {after:>8.1%} {ratio:>6.2f}  {low:.2f} … {high:.2f}")
    if not ratios:
        say("no row scatters in all runs")
        return False
    middle = statistics.geometric_mean(ratio for *_, ratio in ratios)
    say(f"{len(prepared)} runs prepared and {len(plain)} without, in turn: scatters ×{middle:.2f} (geometric mean of {len(ratios)} "
        "rows, which are of the same runs)")
    return True
