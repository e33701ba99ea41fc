"""The kernel functions behind a change: what the probe or the exact profile attributed on each side, function by function."""
from collections.abc import Iterable
from pathlib import Path

from analysis import stacks
from analysis.record import ANY, Schema
from analysis.script import Unreadable
from lab import explain, tables, tree
from lab.errors import UNMEASURED, LabError
from lab.exact import OWN, Cost
from lab.tree import Tree

SHOWN = 5  # functions of a case
# Teardown by the kernel's workers is left out: it depends on how many namespaces a worker finds.
LATER = "async"
# What a probed run must have.
CASE = {"required": ["case", "calls"],
        "properties": {"calls": {"items": {"required": ["caller", "function", "stage", "self"]}}}}
TRACED: Schema = {"required": ["probe"], "properties": {
    "probe": {"type": "object", "required": ["cases"], "properties": {"cases": {"items": CASE}}}}}
Trees = dict[str, Tree]  # by case


def probed(folder: Path) -> Trees:
    """The traced functions, from run.json. LabError where it is not whole."""
    found: Trees = {}
    for case in tables.probe(folder / "run.json", TRACED, UNMEASURED)["cases"]:
        own: Tree = {}
        paths: list[tuple[str, ...]] = []
        for node in case["calls"]:
            if node["caller"] is not None and node["caller"] not in range(len(paths)):
                raise LabError(f"{folder / 'run.json'} is of no probed run: {case['case']}: no call {node['caller']}", UNMEASURED)
            paths.append((*(() if node["caller"] is None else paths[node["caller"]]), node["function"]))
            if node["stage"] != LATER:
                own.setdefault(paths[-1], Cost()).add(0, node["self"] or 0)
        found[case["case"]] = own
    return found


def profiled(folder: Path) -> Trees:
    """All functions, from the folded stacks. LabError where they are not whole."""
    path = next((path for name in (stacks.FILE, f"{stacks.FILE}.xz") if (path := folder / name).exists()), None)
    if path is None:
        return {}
    try:
        by_case = stacks.by_case(stacks.read(path))
    except Unreadable as error:
        raise LabError(str(error), UNMEASURED) from None
    found: Trees = {}
    for case, rows in by_case.items():
        own = found.setdefault(case, {})
        for frames, weight in rows:
            if frames[0] != LATER and len(frames) > 2 and frames[1] in OWN:
                own.setdefault(tuple(frames[2:]), Cost()).add(0, weight)
    return settled(found, folder)


def settled(found: Trees, folder: Path) -> Trees:
    """A stack's weight is rounded; each function's sum is that of probe.csv, if it is there."""
    sums: dict[tuple[str, str], float] = {}
    path = folder / "probe.csv"
    if not path.exists():
        return found
    for row in tables.rows(path, tables.PROBE, UNMEASURED):
        if row["path"] != LATER and row["self"]:
            key = row["case"], row["function"]
            sums[key] = sums.get(key, 0) + float(row["self"])
    rounded = {case: tree.own(own) for case, own in found.items()}
    for (case, name), own in sums.items():
        if case in found:
            largest = max((path for path in found[case] if path[-1] == name), key=lambda path: found[case][path].self, default=(name,))
            found[case].setdefault(largest, Cost()).add(0, own - rounded[case].get(name, 0))
    return found


def trees(folder: Path) -> tuple[bool, Trees]:
    """Whether it is a profile, and the trees of its cases; none where there was neither profile nor probe."""
    record = tables.record(folder / "run.json", ANY, UNMEASURED)
    is_profile = "profile" in record.get("lab", {})
    if is_profile:
        return True, profiled(folder)
    return False, probed(folder) if isinstance(record.get("probe"), dict) else {}


def behind(base: Path, new: Path, cases: Iterable[str]) -> list[str]:
    """A paragraph for each case that both sides probed, or both profiled: its functions by how much they changed, as explain has
    them."""
    (one_is_profile, one), (other_is_profile, other) = trees(base), trees(new)
    if one and other and one_is_profile != other_is_profile:
        return ["a profile has all functions and the probe some of them: their own times are not held against each other"]
    lines: list[str] = []
    for case in dict.fromkeys(cases):
        if case in one and case in other:
            found = explain.of_trees((explain.plain(one[case]), None), (explain.plain(other[case]), None))
            largest = sorted(found.changes().items(), key=lambda change: -abs(change[1]))[:SHOWN]
            lines.append(f"{case}: functions that changed most, by their own time")
            for name, change in largest:
                was, now = (f"{part[name]:.0f}" if name in part else "not seen" for part in found.parts)
                lines.append(f"  {name:<40} {change:>+12.0f}  {was} to {now}")
            lines += found.with_callers(dict(largest))
    return lines
