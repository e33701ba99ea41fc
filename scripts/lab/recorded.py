"""Recorded runs of the atlas, read back: what results/README.md is made from."""
import contextlib
import gc
import re
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from analysis import files, stacks
from analysis.exact import MEASURED
from analysis.record import Record, Schema
from analysis.script import Unreadable
from lab import explain, tables
from lab.errors import USAGE, LabError
from lab.exact import OWN, Cost
from lab.states import STATES
from lab.tree import Tree

CREATE, DESTROY, ASYNC = "create", "destroy", "async"  # as the stacks name the parts of a profile
Trees = dict[str, dict[str, Tree]]  # by part of the profile and by set

# What a run.json says of a run that can stand on the page, and that of a probed run.
RECORD: Schema = {"allOf": [tables.RECORD], "properties": {
    "kernel": {"pattern": "^[!-~]{1,64}(?!\n)$", "title": "name of a kernel for a page"},  # a command has it, and a table's cell
    "options": {"required": ["samples"], "properties": {"samples": {"type": "integer"}}},
    "lab": {"required": ["machines"], "properties": {"machines": {"additionalProperties": {"required": ["variation"]}}}}}}
PROBED: Schema = {"required": ["probe"], "properties": {"probe": {
    "type": "object", "required": ["cases"], "properties": {"cases": {"items": {"required": ["case", "adds_to_none"]}}}}}}


@dataclass(frozen=True)
class RecordedFigure:
    """A median or a difference to `none`, in instructions. From `low` to `high` meaningless variations of the machine move
    it; where it was measured on one machine, it is the 95% interval from that machine's rounds."""

    value: float
    low: float
    high: float

    def differs(self, other: "RecordedFigure") -> bool:
        """Whether the two are further apart than that."""
        return self.low > other.high or self.high < other.low


def figure_of(row: dict[str, str] | None, name: str, resolution: str, low: str, high: str) -> RecordedFigure | None:
    """The figure in these columns of a row; None where there is none."""
    if row is None or not row[name]:
        return None
    value = float(row[name])
    if row.get(resolution):
        return RecordedFigure(value, value - float(row[resolution]), value + float(row[resolution]))
    return RecordedFigure(value, float(row[low]), float(row[high])) if row[low] else RecordedFigure(value, value, value)


@dataclass(frozen=True)
class Probed:
    """What a kernel's probed run says of clone, by set: the instructions of its own that each traced function adds to
    `none`; those of each function of the asynchronous teardown; the bytes that each allocator gives more than for `none`;
    how often the call calls each; and what the set adds to `none` in the same copies, with the probe loaded, but not attached."""

    adds: dict[str, dict[str, float]]
    later: dict[str, dict[str, float]]
    memory: dict[str, dict[str, float]]
    loaded: dict[str, float]
    calls: dict[str, dict[str, float]]


def named(exact: Trees) -> Trees:
    """The same with functions as explain.named() has them. Of what is no part of the call all belongs, and has no first name that
    says so."""
    return {part: {kinds: explain.named(one if part == CREATE else {(OWN[0], *path): cost for path, cost in one.items()})
                   for kinds, one in trees.items()} for part, trees in exact.items()}


@dataclass(frozen=True)
class Recorded:
    """One kernel's run: run.json, and the measured rows of results.csv by operation, set, phase and `via`. `probed` is
    the run in its folder probe/, `states` those in folders that are called by their state."""

    folder: Path
    record: Record
    rows: dict[tuple[str, str, str], dict[str, str]]
    probed: Probed | None = None
    states: dict[str, "Recorded"] = field(default_factory=dict)
    exact: Trees = field(default_factory=dict)  # what clone executes

    @property
    def name(self) -> str:
        """The version without Debian's suffixes, such as 6.1.192."""
        return self.version.split("-")[0]

    @property
    def version(self) -> str:
        """The package's version, by which the lab finds the kernel; of one's own kernel, its release."""
        package = self.record["lab"]["kernel_package"]
        return package.split()[1] if package else self.record["kernel"]

    @cached_property
    def named(self) -> Trees:
        """As `exact`, with functions by the names of the source."""
        return named(self.exact)

    def median(self, operation: str, kinds: str, phase: str) -> RecordedFigure | None:
        return figure_of(self.rows.get((operation, kinds, phase)), "median", "resolution", "ci_low", "ci_high")

    def added(self, operation: str, kinds: str, phase: str) -> RecordedFigure | None:
        """What the set adds to `none`."""
        return figure_of(self.rows.get((operation, kinds, phase)), "delta", "delta_resolution", "delta_low", "delta_high")

    def sets(self, operation: str, phase: str) -> list[str]:
        return [kinds for one, kinds, other in self.rows if (one, other) == (operation, phase)]

    def adding(self, operation: str, kind: str, phase: str) -> list[float]:
        """The median of each set with this kind less that of the same set without it."""
        found = []
        for kinds in self.sets(operation, phase):
            names = [name for name in kinds.split("-") if name != "none"]
            more = self.median(operation, "-".join(sorted([*names, kind])), phase)
            less = self.median(operation, kinds, phase)
            if kind not in names and more and less:
                found.append(more.value - less.value)
        return found


def read(folder: Path) -> Recorded:
    """The run in this folder. LabError for one that cannot stand on the page."""
    record = tables.record(folder / "run.json", RECORD, USAGE)
    if record["clock"] != "instructions":
        raise LabError(f"{folder}/run.json: clock is {files.shown(record['clock'])}: the page is of the instruction clock", USAGE)
    if not record["lab"]["machines"]:
        raise LabError(f"{folder}/run.json: lab: machines has none: the page is of copies of saved machines, not of cases measured "
                       "together", USAGE)
    rows = {}
    for row in tables.rows(folder / "results.csv", tables.COMPLETE, USAGE):
        if row["status"] in MEASURED:
            operation, kinds, *parameters = row["case"].split("/")
            via = next((":" + part[4:] for part in parameters if part.startswith("via:")), "")
            rows[operation + via, kinds, row["phase"]] = row
    beside = {name: read(folder / name) for name in STATES if name != "fresh" and (folder / name).exists()}
    for name, other in beside.items():
        if other.record.get("state") != name:
            raise LabError(f"{other.folder}/run.json: its state is {files.shown(other.record.get('state'))}, not what its folder is "
                           "called", USAGE)
    return Recorded(folder, record, rows, read_probed(folder / "probe"), beside, read_exact(folder / "exact"))


def read_exact(folder: Path) -> Trees:
    """What clone executes, by part of the profile and by set; nothing where there is no profile. LabError for one that is not
    whole."""
    found: Trees = {}
    path = folder / f"{stacks.FILE}.xz"
    if not path.exists():
        return found
    try:
        by_case = stacks.by_case(stacks.read(path))
    except Unreadable as error:
        raise LabError(f"{path} is not whole{str(error).removeprefix(str(path))}", USAGE) from None
    for case, rows in by_case.items():
        if not files.CASE.fullmatch(case):
            raise LabError(f"{path} is not whole: {files.shown(case)} is no case's id", USAGE)
        operation, kinds = case.split("/")[:2]
        for (part, *functions), own in rows if operation == "clone" else ():
            if not functions:
                raise LabError(f"{path} is not whole: {case} has a stack of {part} without a function", USAGE)
            frames = tuple(map(sys.intern, functions))  # each name once: there are some hundred thousand paths
            found.setdefault(part, {}).setdefault(kinds, {})[frames] = Cost(0, own)
    return found


def read_probed(folder: Path) -> Probed | None:
    """The probed run in this folder, if there is one. LabError for one that is not whole."""
    if not folder.exists():
        return None
    probed = Probed({}, {}, {}, {}, {})
    try:
        cases = [case for case in tables.probe(folder / "run.json", PROBED, USAGE)["cases"]
                 if case["case"].startswith("clone/") and not case.get("error")]
        none = next((case.get("unprobed_median") for case in cases if case["case"].split("/")[1] == "none"), None)
        for case in cases:
            kinds = case["case"].split("/")[1]
            probed.adds[kinds] = {row["function"]: row["self"] for row in case["adds_to_none"] if row["self"] is not None}
            if none and (own := case.get("unprobed_median")):
                probed.loaded[kinds] = own - none
        for row in tables.rows(folder / "probe.csv", tables.PROBE, USAGE):
            operation, kinds = row["case"].split("/")[:2]
            if operation == "clone" and row["path"] == "async" and row["self"]:
                probed.later.setdefault(kinds, {})[row["function"]] = float(row["self"])
            if operation == "clone" and row["path"] == "create" and row["calls_per_op"]:
                probed.calls.setdefault(kinds, {})[row["function"]] = float(row["calls_per_op"])
        for row in tables.rows(folder / "memory.csv", tables.MEMORY, USAGE):
            operation, kinds = row["case"].split("/")[:2]
            if operation == "clone":
                of = probed.memory.setdefault(kinds, {})
                of[row["allocator"]] = of.get(row["allocator"], 0) + float(row["bytes_per_op"] or 0)
    except LabError as error:
        raise LabError(f"{folder} is no whole run with the probe: {error}", USAGE) from None
    return probed


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """What is made meanwhile is not looked through for cycles, of which it has none: with a million objects that takes a quarter
    of the time."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


def read_all(directory: Path) -> list[Recorded]:
    """The runs in a directory, oldest kernel first. LabError where there is none."""
    with kept():
        found = [read(path.parent) for path in sorted(directory.glob("*/run.json"))]
    if not found:
        raise LabError(f"{directory}: no runs in it: scripts/lab.py atlas makes them", USAGE)
    return sorted(found, key=lambda run: [int(part) for part in re.findall(r"\d{1,9}", run.name.split("~")[0], re.ASCII)])


def middle(values: list[float]) -> RecordedFigure:
    """Median and quartiles."""
    low, value, high = statistics.quantiles(values, n=4, method="inclusive")
    return RecordedFigure(value, low, high)
