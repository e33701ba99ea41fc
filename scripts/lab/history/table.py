"""A history's rows: what each case costs on each kernel. In one compressed CSV file, of which equal rows make equal bytes."""
import csv
import io
import lzma
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from analysis import files, outputs
from analysis.exact import MEASURED
from analysis.script import Unreadable
from lab import tables
from lab.errors import USAGE, LabError
from lab.history.versions import Member, ordered

FILE = "history.csv.xz"
Key = tuple[str, str]  # case and phase


@dataclass(frozen=True)
class Value:
    """A figure in instructions, and by how much meaningless variations of the machine move it."""

    value: float
    resolution: float


@dataclass(frozen=True)
class Row:
    """A line of the file. `plan` is the digest of how it was measured; figures of two plans are not held against each other."""

    kernel: str  # what uname -r says, or the file's name
    version: str  # the package's, empty for a file
    order: int  # of a file: its place in the list that was given
    kernel_sha256: str
    compiler: str
    plan: str
    case: str
    phase: str
    status: str
    errno: str
    median: str
    resolution: str
    delta: str  # what the case adds to `none`
    delta_resolution: str

    @property
    def member(self) -> Member:
        return Member(self.kernel, self.version, self.compiler, self.order)

    @property
    def key(self) -> Key:
        return self.case, self.phase

    @property
    def shown(self) -> Value | None:
        """What the case adds to `none`, or the median where there is no `none`; None where the case failed."""
        value, resolution = (self.delta, self.delta_resolution) if self.delta else (self.median, self.resolution)
        return Value(float(value), float(resolution)) if self.status in MEASURED and value and resolution else None


COLUMNS = tuple(field.name for field in fields(Row))
KINDS: files.Kinds = {**dict.fromkeys(COLUMNS, str), "case": files.CASE,
                      **dict.fromkeys(("median", "resolution", "delta", "delta_resolution"), float)}


def of_run(results: Path, member: Member, kernel_sha256: str, plan: str) -> list[Row]:
    """The rows of a run's results.csv. LabError for one that is not whole."""
    return [Row(member.name, member.version, member.order, kernel_sha256, member.compiler, plan,
                *(row[name] for name in ("case", "phase", "status", "errno", "median", "resolution", "delta", "delta_resolution")))
            for row in tables.rows(results, tables.COMPLETE, USAGE)]


def text_of(rows: Iterable[Row]) -> str:
    """The CSV text: kernels oldest first, each kernel's rows by case and phase, so that the order in which they came says
    nothing."""
    every = list(rows)
    place = {member: number for number, member in enumerate(ordered({row.member for row in every}))}
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(COLUMNS)
    for row in sorted(every, key=lambda row: (place[row.member], row.plan, row.case, row.phase)):
        out.writerow([getattr(row, name) for name in COLUMNS])
    return text.getvalue()


def write(path: Path, rows: Iterable[Row]) -> None:
    """Makes the file, whole or not at all."""
    outputs.replace(path, lzma.compress(text_of(rows).encode(), preset=9))


def read(path: Path) -> list[Row]:
    """The rows of the file; none where there is no file. LabError for one that is not whole."""
    try:
        found = list(files.records(path, KINDS, lambda _: None))
    except FileNotFoundError:
        return []
    except Unreadable as error:
        raise LabError(str(error), USAGE) from None
    return [Row(row["kernel"], row["version"], int(row["order"]), *(row[name] for name in COLUMNS[3:])) for row in found]


def merged(old: Iterable[Row], new: Iterable[Row]) -> list[Row]:
    """Both, with the new row where both have one of the same kernel, plan, case and phase; of a kernel that was measured by another
    plan, the old rows go. LabError where two new rows of the same differ: one of the two machines does not count right."""
    fresh: dict[tuple[str, ...], Row] = {}
    for row in new:
        key = (row.kernel, row.version, row.plan, *row.key)
        if fresh.setdefault(key, row) != row:
            raise LabError(f"{row.kernel}, {row.case} {row.phase}: two results differ: {fresh[key].median} and {row.median}")
    plans = {(row.kernel, row.version): row.plan for row in fresh.values()}
    kept = [row for row in old if plans.get((row.kernel, row.version), row.plan) == row.plan
            and (row.kernel, row.version, row.plan, *row.key) not in fresh]
    return [*kept, *fresh.values()]


def by_member(rows: Iterable[Row]) -> dict[Member, dict[Key, Row]]:
    """Each kernel's rows, by case and phase."""
    found: dict[Member, dict[Key, Row]] = {}
    for row in rows:
        found.setdefault(row.member, {})[row.key] = row
    return found
