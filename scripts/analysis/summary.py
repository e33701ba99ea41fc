"""What a run says, in sentences: each figure is computed from the run's rows, and what it does not hold is
not said."""
import math
from collections import Counter

import numpy as np

from analysis import kinds, tables
from analysis.read import Run


def summary(run: Run) -> list[str]:
    """The sentences on one run, the most important first."""
    found = [coverage(run), *repeats(run)]
    for operation in tables.set_operations(run)[:2]:
        found += of_operation(run, operation)
    found += [*stack(run), *setns(run), *teardown(run), *tails(run), *probe(run), *memory(run)]
    return found


def comparison(first: Run, second: Run) -> list[str]:
    """How the second run's medians are to the first's, without a judgement: that takes compare.py and more runs."""
    if first.clock != second.clock:
        return [
            f"{first.name} has the {first.clock} clock, {second.name} {second.clock}: they are never compared."
        ]
    medians = [run.measured.set_index(["case", "phase"])["median"] for run in (first, second)]
    both = medians[0].index.intersection(medians[1].index)
    if both.empty:
        return [f"{first.name} and {second.name} have no case and phase in common."]
    ratios = medians[1][both] / medians[0][both]
    ratios = ratios[np.isfinite(ratios) & (ratios > 0)]
    if ratios.empty:
        return [f"{first.name} and {second.name} have no figures that a ratio could be made of."]
    mean = math.exp(float(np.log(ratios).mean()))
    worst, best = ratios.idxmax(), ratios.idxmin()
    lone = [len(medians[0]) - len(both), len(medians[1]) - len(both)]
    rest = (
        f" {lone[0]} rows are in {first.name} alone, {lone[1]} in {second.name} alone." if any(lone) else ""
    )
    return [
        f"From {first.name} to {second.name} the medians of {len(ratios)} rows change by "
        f"{kinds.change(mean)} on the geometric mean; "
        f"most upwards {worst[0]} ({worst[1]}) by {kinds.change(ratios[worst])}, "
        f"most downwards {best[0]} ({best[1]}) by "
        f"{kinds.change(ratios[best])}.{rest} Whether that is more than noise, two runs cannot say: "
        "compare.py with several "
        "runs a side can."
    ]


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def coverage(run: Run) -> str:
    """How much was measured, how precisely, and what was not."""
    rows = run.results
    states = rows.groupby("case")["status"].agg(set)
    ok = sum(status == {"ok"} for status in states)
    lacking = [case for case, status in states.items() if status & {"skipped", "failed"}]
    seconds = run.info.get("measuring", {}).get("seconds")
    aim = run.info.get("options", {}).get("precision")
    text = f"{_many(len(states), 'case')} in {_many(len(rows), 'row')}" + (
        f", measured in {seconds:.0f} s" if seconds and run.clock == "wall" else ""
    )
    text += (
        f": {ok} of them reached the precision that was asked for"
        + (f" ({aim * 100:g}%)" if aim else "")
        + " in every phase."
    )
    if lacking:
        reasons = Counter(
            reason
            for case in lacking
            for reason in rows[(rows["case"] == case) & rows["status"].isin(["skipped", "failed"])][
                "reason"
            ].unique()
        )
        text += (
            f" {len(lacking)} were not to be had or failed: "
            + "; ".join(f"{reason} ({count})" for reason, count in reasons.most_common(3))
            + "."
        )
    return text


def repeats(run: Run) -> list[str]:
    """How often it was measured, and which scatter rules."""
    if not run.is_of_repeats:
        return []
    rows = run.measured
    known = rows[rows["scatter"] != ""]
    between = int((known["scatter"] == "between").sum())
    text = f"All of it was measured {_many(len(run.repeats), 'time')}"
    if known.empty:
        return [text + "."]
    return [
        f"{text}, and intervals are of how that came out: the scatter between repeats rules in {between} of "
        f"{len(known)} rows, that within them in the others."
    ]


def of_operation(run: Run, operation: str) -> list[str]:
    """What the operation costs without namespaces, with all, what each kind adds, and whether kinds add up."""
    table = tables.of_sets(run, operation, "create")
    found = []
    if kinds.NONE in table.index:
        base = table.loc[kinds.NONE, "median"]
        text = (
            f"{operation} without namespaces takes {kinds.time_text(base, run.clock)} "
            "until the caller returns (create)"
        )
        if kinds.ALL in table.index and not math.isnan(whole := table.loc[kinds.ALL, "delta"]):
            text += f"; all eight kinds add {kinds.time_text(whole, run.clock)}"
            if base > 0:
                text += f", {kinds.three_digits((base + whole) / base)} times as much in all"
        found.append(text + ".")
    alone = tables.singles(table)
    if len(alone) >= 2:
        parts = [
            f"{kinds.label(name)} {kinds.time_text(row['delta'], run.clock)}"
            for name, row in alone.iterrows()
        ]
        unknown = [name for name, row in alone.iterrows() if not tables.has_interval(row, "delta")]
        unresolved = [
            name
            for name, row in alone.drop(unknown).iterrows()
            if not tables.is_told_from_zero(row["delta_low"], row["delta_high"])
        ]
        found.append(
            f"Alone, the kinds add to {operation}: {', '.join(parts)}."
            + (f" Not told from zero: {', '.join(map(kinds.label, unresolved))}." if unresolved else "")
            + (
                f" Without an interval, so that nothing tells them from zero: {', '.join(map(kinds.label, unknown))}."
                if unknown
                else ""
            )
        )
    sums = tables.sums(table)
    if len(sums) >= 3:
        off = (sums["interaction"] / sums["expected"]).abs().replace(np.inf, np.nan)
        known, away = int(sums["known"].sum()), int(sums["resolved"].sum())
        most = sums["interaction"].abs().idxmax()
        row = sums.loc[most]
        within = f"within {off.median() * 100:.0f}%" if off.notna().any() else "at zero"
        found.append(
            f"Beside the sum of its kinds' deltas, half of {len(sums)} sets of {operation} are {within}; "
            + (f"the interval of {known - away} holds the sum, that of {away} does not" if known else "")
            + (", and " if 0 < known < len(sums) else "")
            + (f"{len(sums) - known} have no interval" if known < len(sums) else "")
            + f". Farthest off is {kinds.label(most)}: "
            f"{kinds.time_text(row['measured'], run.clock)} rather than {kinds.time_text(row['expected'], run.clock)}."
        )
    return found


def stack(run: Run) -> list[str]:
    """Whether the size of the child's stack matters."""
    sweep = tables.stack_sweep(run, "clone", "create").get(kinds.NONE)
    if sweep is None:
        return []
    low, high = sweep.iloc[0], sweep.iloc[-1]
    apart = low["ci_high"] < high["ci_low"] or high["ci_high"] < low["ci_low"]
    known = tables.has_interval(low, "ci") and tables.has_interval(high, "ci")
    return [
        f"With a stack of {kinds.size_text(sweep.index[-1])} instead of {kinds.size_text(sweep.index[0])} clone takes "
        f"{kinds.time_text(high['median'], run.clock)} instead of "
        f"{kinds.time_text(low['median'], run.clock)}: "
        + (f"their intervals {'lie apart' if apart else 'overlap'}." if known else "without intervals nothing tells them apart.")
    ]


def setns(run: Run) -> list[str]:
    rows = run.measured[(run.measured["operation"] == "setns") & (run.measured["phase"] == "switch")]
    if len(rows) < 2:
        return []
    low, high = rows.loc[rows["median"].idxmin()], rows.loc[rows["median"].idxmax()]
    return [
        f"Entering namespaces that exist takes from {kinds.time_text(low['median'], run.clock)} ({low['case']}) to "
        f"{kinds.time_text(high['median'], run.clock)} ({high['case']})."
    ]


def teardown(run: Run) -> list[str]:
    """What the kernel's workers do afterwards, beside what creation takes."""
    found = []
    for operation in tables.set_operations(run)[:1]:
        drain, create = tables.of_sets(run, operation, "drain"), tables.of_sets(run, operation, "create")
        parts = [
            f"{kinds.label(name)} {kinds.time_text(row['median'], run.clock)} "
            f"({kinds.three_digits(row['median'] / create.loc[name, 'median'])} times its create)"
            for name, row in drain[drain.index.isin(list(kinds.KINDS))]
            .sort_values("median", ascending=False)
            .iterrows()
            if name in create.index and create.loc[name, "median"] > 0
        ]
        if parts:
            found.append(
                f"Afterwards the kernel's workers take per namespace, waits included: {', '.join(parts)}."
            )
    return found


def tails(run: Run) -> list[str]:
    """How far the tail is from the median."""
    rows = run.measured[run.measured["phase"].isin(["create", "switch"]) & (run.measured["median"] > 0)]
    if rows.empty:
        return []
    ratio = rows["p99"] / rows["median"]
    worst = rows.loc[ratio.idxmax()]
    return [
        f"The 99th percentile is {kinds.three_digits(float(ratio.median()))} times the median in the middle case, and "
        f"{kinds.three_digits(float(ratio.max()))} times in {worst['case']} "
        f"({worst['phase']}, {int(worst['samples'])} samples)."
    ]


def probe(run: Run) -> list[str]:
    """Where the kernel spends most of the dearest case's creation."""
    table = tables.functions(run, "create", 3)
    if run.probe is None or table.empty:
        return []
    case = table.sum(axis=1).idxmax()
    row = table.loc[case]
    parts = [
        f"{name} {kinds.time_text(row[name], run.clock)} ({row[name] / row.sum() * 100:.0f}%)"
        for name in row[[name for name in row.index if not name.startswith("other ")]]
        .sort_values(ascending=False)
        .index
        if row[name] > 0
    ]
    means = run.probe[run.probe["case"] == case]["backend"].mode().iloc[0]
    return [
        f"Of what {case} spends in traced functions when it creates, most is in "
        f"{', '.join(parts)} (mostly seen by {means})."
    ]


def memory(run: Run) -> list[str]:
    table = tables.memory(run).sum(axis=1) if run.memory is not None else None
    if table is None or table.empty:
        return []
    parts = [
        f"{case.split('/')[1] and kinds.label(case.split('/')[1])} {kinds.bytes_text(value)}"
        for case, value in table.sort_values(ascending=False).items()
        if case.split("/")[1] in kinds.KINDS
    ]
    return (
        [f"Kernel memory beyond that of none: {', '.join(parts)} (percpu memory counted once)."]
        if parts
        else []
    )


def warnings(run: Run) -> list[str]:
    """What the run warned of, and what the machine's check found that spoils figures."""
    found = [
        f"{item['id']}: {item['observed']}: {item['effect']}"
        + (f" → {item['remedy']}" if item.get("remedy") else "")
        for item in run.info.get("findings", [])
        if item.get("severity") not in ("ok", "note")
    ]
    return [*run.info.get("warnings", []), *found]


def notes(run: Run) -> list[str]:
    """What the machine's check found that belongs beside the figures."""
    return [
        f"{item['id']}: {item['observed']}: {item['effect']}"
        for item in run.info.get("findings", [])
        if item.get("severity") == "note"
    ]
