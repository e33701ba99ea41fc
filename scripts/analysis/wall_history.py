"""The history of one machine's runs: a figure for each row of each run, in one file, and the change points among them."""
import csv
import datetime
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from analysis import files, outputs
from analysis.change_points import ENOUGH, ChangePoint, change_points
from analysis.exact import Key
from analysis.script import Unreadable
from analysis.sources import Source

QUANTILE = 0.05  # as nsbench compare has it: the fast end scatters least, since other work only makes samples slower


@dataclass(frozen=True)
class Point:
    """A row of one run: the time in ns that 5% of its samples do not exceed, or its median where there are no samples; which of the two
    is `what`, and all figures of a history are the same."""

    started: str
    run_id: str
    machine: str
    kernel: str
    nsbench: str
    options: str
    pinned: str
    what: str
    case: str
    phase: str
    figure: float


TOLD = {"kernel": "kernel", "nsbench": "nsbench", "pinned": "pinned to CPU", "options": "options"}
COLUMNS = tuple(field.name for field in fields(Point))
NAMES = COLUMNS[:-1]  # all but the figure
KINDS: files.Kinds = {**dict.fromkeys(COLUMNS, str), "case": files.CASE, "figure": float}


@dataclass(frozen=True)
class Change:
    """A change point of a row: the last run before it and the first run of it."""

    key: Key
    point: ChangePoint
    before: Point
    after: Point

    @property
    def beside(self) -> list[str]:
        """What else is different between the two runs."""
        pairs = {said: (getattr(self.before, name), getattr(self.after, name)) for name, said in TOLD.items()}
        return [f"{said} {only(one, other)} → {only(other, one)}" for said, (one, other) in pairs.items() if one != other]


def only(one: str, other: str) -> str:
    """The words of the one that the other does not have."""
    return " ".join(word for word in one.split() if word not in other.split()) or "–"


def machine_of(source: Source) -> str:
    """What must be the same for figures to belong together."""
    environment = source.environment
    parts = [environment.get("cpu_model"), environment.get("cpus") and f"{environment['cpus']} CPUs", environment.get("virtualisation")]
    return ", ".join(part for part in parts if part) or "unknown"


def options_of(source: Source) -> str:
    """How it was measured: nsbench's options, NAME=VALUE, but for the choice of cases, which the rows say, and what stands by itself."""
    options = source.run.info.get("options", {}) if source.run else {}
    return " ".join(f"{name}={value}".replace(" ", "") for name, value in sorted(options.items())
                    if value is not None and name not in ("cpu", "seed", "clock", "selection"))


def points_of(source: Source) -> list[Point]:
    """A run's. Unreadable for one that has no place in such a history."""
    if source.clock != "wall":
        raise Unreadable(f"{source.name}: its clock is {source.clock}: counts have no noise, and nsbench lab history is for them")
    if not source.started or math.isnan(source.time):
        raise Unreadable(f"{source.name}: it does not say when it was made")
    found = source.quantile(QUANTILE)
    what = "median" if found is None else f"{QUANTILE:.0%} quantile"
    figures = source.medians if found is None else found.reindex(source.medians.index)
    own = source.environment
    about = machine_of(source), own.get("kernel", ""), own.get("nsbench", ""), options_of(source), own.get("pinned to CPU", ""), what
    return [Point(source.started, source.run_id, *about, str(case), str(phase), float(figure))
            for (case, phase), figure in figures.items() if figure > 0]


def wrong_with(row: dict[str, str]) -> str | None:
    """What is wrong with a line of the file."""
    try:
        datetime.datetime.fromisoformat(row["started"])
    except ValueError:
        return f"started is {files.shown(row['started'])}, which is no time"
    return None if row["figure"] else "it has no figure"


def read(path: Path) -> list[Point]:
    """What is in the file; nothing where there is none. Unreadable for one that is not whole."""
    try:
        found = files.records(path, KINDS, wrong_with)
        return [Point(**{name: row[name] for name in NAMES}, figure=float(row["figure"])) for row in found]
    except FileNotFoundError:
        return []


def write(path: Path, points: Iterable[Point]) -> None:
    """Makes the file: by time, whatever the order in which runs were added."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(COLUMNS)
    for point in in_order(points):
        out.writerow([*(getattr(point, name) for name in COLUMNS[:-1]), f"{point.figure:.10g}"])
    outputs.replace(path, text.getvalue().encode())


def added(old: list[Point], new: list[Point]) -> list[Point]:
    """Both. Unreadable for a run that is there already, or was made on another machine, or has another kind of
    figure."""
    there = {point.run_id for point in old}
    for point in new:
        if point.run_id in there:
            raise Unreadable(f"run {point.run_id} is in the history already")
        if old and point.machine != old[0].machine:
            raise Unreadable(f"run {point.run_id} is of {point.machine}, the history of {old[0].machine}: give another --file")
        if old and point.what != old[0].what:
            raise Unreadable(f"run {point.run_id} has the {point.what} (of samples.csv, where there is one), the history the "
                             f"{old[0].what}: give another --file")
    return [*old, *new]


def in_order(points: Iterable[Point]) -> list[Point]:
    """By time, whatever the zone that it is written in."""
    return sorted(points, key=lambda one: (datetime.datetime.fromisoformat(one.started).timestamp(), one.run_id, one.case, one.phase))


def changes(points: Iterable[Point]) -> tuple[list[Change], int, int]:
    """The change points of all rows, the largest first; how many rows have runs enough for one, and how many there are."""
    by_row: dict[Key, dict[str, Point]] = {}
    runs: dict[str, int] = {}
    for point in in_order(points):
        by_row.setdefault((point.case, point.phase), {})[point.run_id] = point
        runs.setdefault(point.run_id, len(runs))
    long = {key: of for key, of in by_row.items() if len(of) >= ENOUGH}
    figures = np.full((len(long), len(runs)), np.nan)
    for row, of in enumerate(long.values()):
        figures[row, [runs[run] for run in of]] = [one.figure for one in of.values()]
    found = []
    for (key, of), those in zip(long.items(), change_points(figures)):
        for change in those:
            at = sorted(of.values(), key=lambda one: runs[one.run_id])
            after = next(number for number, one in enumerate(at) if runs[one.run_id] >= change.at)
            found.append(Change(key, change, at[after - 1], at[after]))
    return sorted(found, key=lambda one: (-abs(math.log(one.point.ratio)), one.key)), len(long), len(by_row)
