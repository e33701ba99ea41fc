"""The history of one machine's runs: a figure for each row of each run, in one file, and the change points among them."""
import csv
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from analysis import files, outputs
from analysis.change_points import LEAST, ChangePoint, change_points
from analysis.exact import Key
from analysis.script import Unreadable
from analysis.sources import Source

QUANTILE = 0.05  # as nsbench compare has it: the fast end scatters least, since other work only makes samples slower


@dataclass(frozen=True)
class Point:
    """A row of one run: the time in ns that 5% of its samples do not exceed, or its median where there are no samples."""

    started: str
    run_id: str
    machine: str
    kernel: str
    case: str
    phase: str
    figure: float


COLUMNS = tuple(field.name for field in fields(Point))
KINDS: files.Kinds = {**dict.fromkeys(COLUMNS, str), "case": files.CASE, "figure": float}


@dataclass(frozen=True)
class Change:
    """A change point of a row: the last run before it and the first run of it."""

    key: Key
    point: ChangePoint
    before: Point
    after: Point


def machine_of(source: Source) -> str:
    """What must be the same for figures to belong together."""
    environment = source.environment
    parts = [environment.get("cpu_model"), environment.get("cpus") and f"{environment['cpus']} CPUs", environment.get("virtualisation")]
    return ", ".join(part for part in parts if part) or "unknown"


def points_of(source: Source) -> list[Point]:
    """A run's. Unreadable for one that has no place in such a history."""
    if source.clock != "wall":
        raise Unreadable(f"{source.name}: its clock is {source.clock}: counts have no noise, and nsbench lab history is for them")
    if not source.started or math.isnan(source.time):
        raise Unreadable(f"{source.name}: it does not say when it was made")
    found = source.quantile(QUANTILE)
    figures = source.medians if found is None else found.reindex(source.medians.index)
    machine, kernel = machine_of(source), source.environment.get("kernel", "")
    return [Point(source.started, source.run_id, machine, kernel, str(case), str(phase), float(figure))
            for (case, phase), figure in figures.items() if figure > 0]


def read(path: Path) -> list[Point]:
    """What is in the file; nothing where there is none. Unreadable for one that is not whole."""
    try:
        found = files.records(path, KINDS, lambda row: None if row["figure"] else "it has no figure")
        return [Point(*(row[name] for name in COLUMNS[:-1]), figure=float(row["figure"])) for row in found]
    except FileNotFoundError:
        return []


def write(path: Path, points: Iterable[Point]) -> None:
    """Makes the file: by time, whatever the order in which runs were added."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(COLUMNS)
    for point in sorted(points, key=lambda one: (one.started, one.run_id, one.case, one.phase)):
        out.writerow([*(getattr(point, name) for name in COLUMNS[:-1]), f"{point.figure:.10g}"])
    outputs.replace(path, text.getvalue().encode())


def added(old: list[Point], new: list[Point]) -> list[Point]:
    """Both. Unreadable for a run that is there already, or was made on another machine."""
    there = {point.run_id for point in old}
    for point in new:
        if point.run_id in there:
            raise Unreadable(f"run {point.run_id} is in the history already")
        if old and point.machine != old[0].machine:
            raise Unreadable(f"run {point.run_id} is of {point.machine}, the history of {old[0].machine}: give another --file")
    return [*old, *new]


def changes(points: Iterable[Point]) -> tuple[list[Change], int, int]:
    """The change points of all rows, the largest first; how many rows have runs enough for one, and how many there are."""
    by_row: dict[Key, list[Point]] = {}
    for point in points:
        by_row.setdefault((point.case, point.phase), []).append(point)
    long = {key: sorted(of, key=lambda one: (one.started, one.run_id)) for key, of in by_row.items() if len(of) >= 2 * LEAST}
    found = [Change(key, point, of[point.at - 1], of[point.at]) for key, of in long.items()
             for point in change_points(np.array([one.figure for one in of]), len(long))]
    return sorted(found, key=lambda one: (-abs(math.log(one.point.ratio)), one.key)), len(long), len(by_row)
