"""The kernel functions behind a change: what the probe or the exact profile attributed on each side, function by function."""
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from analysis import stacks
from analysis.record import ANY, Schema
from analysis.script import Unreadable
from lab import explain, tables, tree
from lab.errors import UNMEASURED, LabError
from lab.exact import OWN, Cost, Path_
from lab.tree import Tree

SHOWN = 5  # functions of a case
# Teardown by the kernel's workers is left out: it depends on how many namespaces a worker finds.
LATER = "async"
DESTROY = "destroy"
SUMS = "probe.csv"
# What a probed run must have.
CASE = {"required": ["case", "calls"],
        "properties": {"calls": {"items": {"required": ["caller", "function", "stage", "self"]}}}}
TRACED: Schema = {"required": ["probe"], "properties": {
    "probe": {"type": "object", "required": ["cases"], "properties": {"cases": {"items": CASE}}}}}
Trees = dict[str, Tree]  # by case
Part = tuple[str, str]  # a case, and create, a step, or destroy


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


def profiled(folder: Path, settles: bool) -> Trees:
    """All functions, from the folded stacks; `settles`: with the sums of probe.csv. LabError where they are not whole."""
    path = next((path for name in (stacks.FILE, f"{stacks.FILE}.xz") if (path := folder / name).exists()), None)
    if path is None:
        return {}
    try:
        by_case = stacks.by_case(stacks.read(path))
    except Unreadable as error:
        raise LabError(str(error), UNMEASURED) from None
    parts: dict[Part, Tree] = defaultdict(dict)
    for case, rows in by_case.items():
        for (part, *frames), weight in rows:
            if inside := own_frames(part, frames):
                parts[case, part].setdefault(inside, Cost()).add(0, weight)
    if settles:
        settle(parts, folder)
    found: Trees = {case: {} for case in by_case}
    for (case, _), own in parts.items():
        for inside, cost in own.items():
            found[case].setdefault(inside, Cost()).add(0, cost.self)
    return found


def own_frames(part: str, frames: list[str]) -> Path_:
    """The functions of a stack; none where it is later, or does not belong to the call. What a child's exit executes has no owner
    in front: it begins with the exit itself."""
    if part == LATER:
        return ()
    if frames and frames[0] in OWN:
        return tuple(frames[1:])
    return tuple(frames) if part == DESTROY else ()


def settle(parts: dict[Part, Tree], folder: Path) -> None:
    """A stack's weight is rounded; each function's sum in a part becomes that of probe.csv."""
    sums: dict[tuple[Part, str], float] = {}
    for row in tables.rows(folder / SUMS, tables.PROBE, UNMEASURED):
        if row["path"] != LATER and row["self"]:
            key = (row["case"], row["path"]), row["function"]
            sums[key] = sums.get(key, 0) + float(row["self"])
    cases = {case for case, _ in parts}
    rounded = {part: tree.own(own) for part, own in parts.items()}
    for (part, name), own in sums.items():
        if part[0] in cases:
            there = parts[part]
            largest = max((path for path in there if path[-1] == name), key=lambda path: there[path].self, default=(name,))
            there.setdefault(largest, Cost()).add(0, own - rounded.get(part, {}).get(name, 0))


def trees(folder: Path, settles: bool) -> tuple[bool, Trees]:
    """Whether it is a profile, and the trees of its cases; none where there was neither profile nor probe."""
    record = tables.record(folder / "run.json", ANY, UNMEASURED)
    is_profile = "profile" in record.get("lab", {})
    if is_profile:
        return True, profiled(folder, settles)
    return False, probed(folder) if isinstance(record.get("probe"), dict) else {}


def behind(base: Path, new: Path, cases: Iterable[str]) -> list[str]:
    """A paragraph for each case that both sides probed, or both profiled: its functions by how much they changed, as explain has
    them."""
    settles = all((folder / SUMS).exists() for folder in (base, new))  # of one side alone, what was rounded would be a change
    (one_is_profile, one), (other_is_profile, other) = trees(base, settles), trees(new, settles)
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
