"""What plots, page and sentences show of a run: tables of numbers, no drawing. Each has only what the run measured."""
import itertools
import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis import columns, kinds
from analysis.read import Run

# A case that has no parameter but its stack's size; its figures stand for its set.
PLAIN = re.compile(r"^\w+/[\w-]+(/stack:\w+)?$")
REFERENCE_STACK = 1 << 20
TIMES = ["median", "ci_low", "ci_high", "p90", "p99", "max", "delta", "delta_low", "delta_high", "resolution",
         "delta_resolution"]

# The kinds that cost most are the rows of a map of all sets, so that its structure shows: rows differ much, columns
# little.
MAP_ROWS = ["NEWNET", "NEWNS", "NEWIPC", "NEWUSER"]
MAP_COLUMNS = ["NEWPID", "NEWTIME", "NEWCGROUP", "NEWUTS"]


def subsets(members: list[str]) -> list[tuple[str, ...]]:
    """All subsets in the order of a binary count whose highest bit is the first kind."""
    size = len(members)
    return [
        tuple(flag for bit, flag in enumerate(members) if value >> (size - 1 - bit) & 1)
        for value in range(2**size)
    ]


def plain(run: Run, operation: str) -> pd.DataFrame:
    """The measured rows of the operation's plain cases at the reference stack: 1M, or what most cases have."""
    rows = run.measured
    rows = rows[(rows["operation"] == operation) & rows["case"].str.match(PLAIN)]
    if rows["stack_bytes"].nunique() > 1:
        sizes = rows.groupby("stack_bytes")["case"].nunique()
        best = REFERENCE_STACK if sizes.get(REFERENCE_STACK, 0) == sizes.max() else sizes.idxmax()
        rows = rows[rows["stack_bytes"] == best]
    return rows[~rows.duplicated(["namespaces", "phase"])]  # where stack_bytes is empty nothing tells them apart


def of_sets(run: Run, operation: str, phase: str) -> pd.DataFrame:
    """Set → its times in that phase."""
    rows = plain(run, operation)
    return rows[rows["phase"] == phase].set_index("namespaces")[["case", *TIMES, "samples"]]


def set_operations(run: Run, at_least: int = 1) -> list[str]:
    """The operations of which so many sets were measured with a create phase."""
    return [name for name in columns.making_sets() if len(of_sets(run, name, "create")) >= at_least]


def has_interval(row: pd.Series, of: str) -> bool:
    """Whether the row says between what its figure lies (`of`: ci or delta): with few rounds none does, and no test can be made."""
    return bool(np.isfinite(row[f"{of}_low"]) and np.isfinite(row[f"{of}_high"]))


def is_told_from_zero(low: float, high: float) -> bool:
    """Whether an interval leaves out zero, on either side of it; one with ends that are not known does not."""
    return low > 0 or high < 0


def singles(table: pd.DataFrame) -> pd.DataFrame:
    """Of a table over sets: the rows of single kinds that have a delta, the dearest first."""
    return (
        table[table.index.isin(list(kinds.KINDS))]
        .dropna(subset=["delta"])
        .sort_values("delta", ascending=False)
    )


def sums(table: pd.DataFrame) -> pd.DataFrame:
    """Sets of two kinds or more → `measured` delta, `expected`: the sum of their kinds' deltas, `interaction`: the
    difference, `known`: whether the set has an interval, which takes some rounds, and `resolved`: whether that leaves the sum out."""
    alone = singles(table)["delta"].to_dict()
    rows = []
    for name, row in table.dropna(subset=["delta"]).iterrows():
        members = kinds.flags(name)
        if len(members) >= 2 and all(flag in alone for flag in members):
            expected = sum(alone[flag] for flag in members)
            known = has_interval(row, "delta")
            resolved = known and not row["delta_low"] <= expected <= row["delta_high"]
            rows.append((name, len(members), row["delta"], expected, row["delta"] - expected, known, resolved))
    return pd.DataFrame(
        rows, columns=["set", "kinds", "measured", "expected", "interaction", "known", "resolved"]
    ).set_index("set")


def pairs(table: pd.DataFrame) -> pd.DataFrame:
    """Kind × kind → what the pair costs beside the sum of both, by flag; NaN where it was not measured."""
    interaction = sums(table)["interaction"]
    found = pd.DataFrame(np.nan, index=list(kinds.KINDS), columns=list(kinds.KINDS))
    for first, second in itertools.permutations(kinds.KINDS, 2):
        found.loc[first, second] = interaction.get(kinds.set_id((first, second)), np.nan)
    return found


def stack_sweep(run: Run, operation: str, phase: str) -> dict[str, pd.DataFrame]:
    """Set → its times at each stack size, for sets measured at three sizes or more."""
    rows = run.measured
    rows = rows[(rows["operation"] == operation) & (rows["phase"] == phase) & rows["case"].str.match(PLAIN)]
    rows = rows[rows["stack_bytes"].notna()]
    found = {}
    for name, group in rows.groupby("namespaces"):
        if len(group) >= 3:
            found[name] = group.set_index("stack_bytes")[TIMES].sort_index()
    return {name: found[name] for name in sorted(found, key=lambda n: float(found[n]["median"].iloc[0]))}


def chosen_sets(available: Iterable[str]) -> list[str]:
    """none, the single kinds and all eight, as far as they are there; if none of these is, the first ten."""
    there = list(available)
    return [name for name in (kinds.NONE, *kinds.KINDS, kinds.ALL) if name in there] or there[:10]


def segments(run: Run, operation: str) -> pd.DataFrame:
    """Set → the medians of what follows one another in a sample, its total, and drain; of chosen_sets."""
    rows = plain(run, operation)
    table = rows.pivot(index="namespaces", columns="phase", values="median")
    wanted = [name for name in columns.segments(operation) if name in table.columns]
    extra = [name for name in ("create", "total", "drain") if name in table.columns and name not in wanted]
    return table.loc[chosen_sets(table.index), wanted + extra] if wanted else pd.DataFrame()


def times_of(run: Run, case: str, phase: str) -> NDArray[np.float64]:
    """The counted samples of a case's phase, sorted; empty where the run keeps none."""
    samples = run.samples
    if samples is None:
        return np.array([])
    mine = samples[(samples["case"] == case) & (samples["counted"].astype(float) == 1)]
    return np.sort(mine[phase].dropna().to_numpy())


# How parts of a version follow one another at one place: a candidate comes before the version that ends there.
CANDIDATE, END, TEXT, NUMBER = range(4)


def version_key(kernel: str) -> tuple[list[tuple[int, int, str]], str]:
    """Sorts 5.10 before 6.1 before 6.12, 6.12.0-rc9 before 6.12.0-rc10 before 6.12.0, and 6.1.0-9 before 6.1.0-56."""
    parts: list[tuple[int, int, str]] = []
    for part in re.findall(r"[0-9]+|[^0-9]+", kernel):
        if part[0] in "0123456789":
            digits = part.lstrip("0")  # of any length, which int() does not take
            parts.append((NUMBER, len(digits), digits))
        else:
            parts.append((CANDIDATE if re.fullmatch(r"[-.~_]?rc", part) else TEXT, 0, part))
    return [*parts, (END, 0, "")], kernel


def short_version(kernel: str) -> str:
    """6.1.0-56-cloud-amd64 → 6.1: what tells kernels apart on an axis."""
    parts = kernel.split(".")
    return ".".join(parts[:2]).split("-")[0] if len(parts) > 1 else kernel


def kernel_names(kernels: Sequence[str]) -> dict[str, str]:
    """What each is called beside the others: the short version where that tells them all apart, else all of it."""
    short = {kernel: short_version(kernel) for kernel in kernels}
    return short if len(set(short.values())) == len(short) else dict(zip(kernels, kernels))


def versions(runs: list[Run], operation: str, phase: str) -> dict[str, pd.DataFrame]:
    """Set → a row for each run in the order of kernels: the delta of a set, the median of none. What they vary by is the
    row's resolution where it has one, else the 95% interval."""
    found: dict[str, list[tuple[str, str, float, float, float]]] = {}
    for run in sorted(runs, key=lambda one: version_key(one.kernel)):
        table = of_sets(run, operation, phase)
        for name in chosen_sets(table.index):
            row = table.loc[name]
            what, by = ("median", "resolution") if name == kinds.NONE else ("delta", "delta_resolution")
            value, varies = row[what], row[by]
            low, high = ("ci_low", "ci_high") if name == kinds.NONE else ("delta_low", "delta_high")
            ends = (row[low], row[high]) if np.isnan(varies) else (value - varies, value + varies)
            found.setdefault(name, []).append((run.kernel, run.name, value, *ends))
    header = ["kernel", "run", "value", "low", "high"]
    return {name: pd.DataFrame(found[name], columns=header) for name in chosen_sets(found)}


def of_interest(cases: Iterable[str]) -> list[str]:
    """Of the probed cases those that stand for a set each: one operation's single kinds and all; else the first ten."""
    there = list(dict.fromkeys(cases))
    by_operation: dict[str, list[str]] = {}
    for case in there:
        name, namespaces, *rest = case.split("/")
        if namespaces in (kinds.NONE, kinds.ALL, *kinds.KINDS) and rest in ([], ["stack:1M"]):
            by_operation.setdefault(name, []).append(case)
    best: list[str] = max(by_operation.values(), key=len, default=[])
    order = [kinds.NONE, *kinds.KINDS, kinds.ALL]
    return sorted(best, key=lambda case: order.index(case.split("/")[1])) if len(best) > 1 else there[:10]


PATHS = ("create", "destroy", "async")  # of the probe's functions


def functions(run: Run, path: str, top: int) -> pd.DataFrame:
    """Case → self of each function on that path (create, destroy, async), per execution: the columns are
    the `top` dearest over all shown cases, then `other traced functions`. Steps that an exact profile has by their
    own names are creation."""
    probe = run.probe
    if probe is None:
        return pd.DataFrame()
    paths = probe["path"].where(probe["path"].isin(PATHS), PATHS[0])
    rows = probe[
        (paths == path) & probe["self"].notna() & probe["case"].isin(of_interest(probe["case"]))
    ]
    table = rows.pivot_table(index="case", columns="function", values="self", aggfunc="sum").fillna(0)
    table = table.loc[[case for case in of_interest(probe["case"]) if case in table.index]]
    order = table.max().sort_values(ascending=False).index
    shown = table[order[:top]].copy()
    if len(order) > top:
        shown["other traced functions"] = table[order[top:]].sum(axis=1)
    return shown


def memory(run: Run) -> pd.DataFrame:
    """Case → bytes per execution by allocator, for the cases of interest."""
    rows = run.memory
    if rows is None or rows.empty:
        return pd.DataFrame()
    table = rows.pivot_table(index="case", columns="allocator", values="bytes_per_op", aggfunc="sum").fillna(
        0
    )
    return table.reindex(columns=["kmalloc", "slab", "percpu"]).fillna(0).loc[of_interest(rows["case"])]


def call_sites(run: Run, case: str, top: int) -> pd.Series:
    """The places of a case that allocate most: bytes per execution by (call_site, allocator)."""
    rows = run.memory
    if rows is None:
        return pd.Series(dtype=float)
    rows = rows[rows["case"] == case]
    return (
        rows.groupby(["call_site", "allocator"])["bytes_per_op"].sum().sort_values(ascending=False).head(top)
    )


def phases_of(run: Run) -> list[str]:
    """The phases that it measured, in their order."""
    there = set(run.measured["phase"])
    return [name for name in columns.phases() if name in there]
