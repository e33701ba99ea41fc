"""A history's rows: what each case costs on each kernel. In one compressed CSV file, of which equal rows make equal bytes."""
import csv
import io
import lzma
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from enum import Enum
from pathlib import Path

from analysis import files, outputs
from analysis.exact import MEASURED
from analysis.script import Unreadable
from lab import tables
from lab.errors import USAGE, LabError
from lab.history.versions import Member, ordered

FILE = "history.csv.xz"
DRAIN = "drain"  # the phase in which nothing but the kernel's workers is waited for
Key = tuple[str, str]  # case and phase
Kernel = tuple[str, str]  # name and version


class What(Enum):
    """What a figure is."""

    delta = "adds to none"
    median = "median"


@dataclass(frozen=True)
class Value:
    """A figure in instructions, by how much meaningless variations of the machine move it, and what it is: a delta and a median are not
    held against each other."""

    value: float
    resolution: float
    what: What


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
    def of(self) -> Kernel:
        return self.kernel, self.version

    @property
    def identity(self) -> tuple[str, ...]:
        """What two rows of the same have in common."""
        return *self.of, self.plan, *self.key

    @property
    def figures(self) -> dict[str, float]:
        """What was measured, without the resolutions; nothing where the case failed."""
        figures = {What.median.name: self.median, What.delta.name: self.delta} if self.status in MEASURED else {}
        return {name: float(text) for name, text in figures.items() if text}

    @property
    def shown(self) -> Value | None:
        """What the case adds to `none`, or the median where there is no `none`; None where the case failed."""
        value, resolution = (self.delta, self.delta_resolution) if self.delta else (self.median, self.resolution)
        what = What.delta if self.delta else What.median
        return Value(float(value), float(resolution), what) if self.status in MEASURED and value and resolution else None


COLUMNS = tuple(field.name for field in fields(Row))
FIGURES = ("status", "errno", "median", "resolution", "delta", "delta_resolution")
KINDS: files.Kinds = {**dict.fromkeys(COLUMNS, str), "case": files.CASE, **dict.fromkeys(FIGURES[2:], float)}


def of_run(results: Path, member: Member, kernel_sha256: str, plan: str) -> list[Row]:
    """The rows of a run's results.csv. LabError for one that is not whole."""
    return [Row(member.name, member.version, member.order, kernel_sha256, member.compiler, plan,
                *(row[name] for name in ("case", "phase", *FIGURES)))
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


def differing(one: Row, other: Row) -> str:
    """What is not the same in two rows: empty where all is but the place in the list of files."""
    names = [name for name in COLUMNS if name != "order" and getattr(one, name) != getattr(other, name)]
    return ", ".join(f"{name} {getattr(one, name) or '(nothing)'} and {getattr(other, name) or '(nothing)'}" for name in names)


@dataclass(frozen=True)
class Merged:
    """The rows of both, and what is held back: of these kernels the new plan has not all cases yet that the old one has."""

    rows: list[Row]
    held_back: list[Kernel]


def merged(old: Iterable[Row], new: Mapping[str, Iterable[Row]], replaces: bool = False) -> Merged:
    """The old rows and those of results, by where each is. Of a kernel that was measured by another plan, the old rows go when all their
    cases are there by the new one, or at once with `replaces`. LabError where two rows of the same plan differ, or two of a kernel's
    compiler or file: one of the two machines does not count right, or two kernels have one name. `replaces` takes the new one for
    what the history has."""
    fresh: dict[tuple[str, ...], tuple[str, Row]] = {}
    for where, rows in new.items():
        for row in rows:
            before, one = fresh.setdefault(row.identity, (where, row))
            if said := differing(one, row):
                raise LabError(f"{row.kernel}, {row.case} {row.phase}: two results differ: {said}: see which machine is wrong, and remove "
                               f"its result: {before} or {where}")
    there = list(old)
    for row in there:
        where, one = fresh.get(row.identity, ("", row))
        if (said := differing(row, one)) and not replaces:
            raise LabError(f"{row.kernel}, {row.case} {row.phase}: the history and {where} differ: {said}: remove that file where its "
                           "machine is wrong; --replace takes it in place of what the history has")
    plans = {row.of: row.plan for _, row in fresh.values()}
    cases: dict[tuple[Kernel, str], set[str]] = {}
    for row in (*there, *(row for _, row in fresh.values())):
        cases.setdefault((row.of, row.plan), set()).add(row.case)
    waiting = {of for of, plan in cases if plans.get(of, plan) != plan and not replaces and not cases[of, plan] <= cases[of, plans[of]]}
    kept = [row for row in there if row.of in waiting or (row.identity not in fresh and plans.get(row.of, row.plan) == row.plan)]
    found = [*kept, *(row for _, row in fresh.values() if row.of not in waiting)]
    one_file(found)
    return Merged(found, sorted(waiting))


def one_file(rows: Iterable[Row]) -> None:
    """LabError where two rows of a kernel say that it is another file, or that another compiler made it."""
    seen: dict[Kernel, Row] = {}
    for row in rows:
        one = seen.setdefault(row.of, row)
        if (one.kernel_sha256, one.compiler) != (row.kernel_sha256, row.compiler):
            raise LabError(f"{row.kernel} {row.version}: two kernels of that name: SHA-256 {one.kernel_sha256[:12]} by "
                           f"{one.compiler or '?'} and {row.kernel_sha256[:12]} by {row.compiler or '?'}: give another --out")


def refuse_another_plan(old: Iterable[Row], kernels: Iterable[Kernel], plan: str, cases: Iterable[str]) -> None:
    """LabError where these cases by this plan would take the place of more of these kernels' rows by another."""
    wanted, measured = set(kernels), set(cases)
    row = next((row for row in old if row.of in wanted and row.plan != plan and row.case not in measured), None)
    if row:
        raise LabError(f"{row.kernel}: the history has {row.case}, and more, by another plan: give another --out, or --replace", USAGE)


def in_order(rows: Iterable[Row], files: Iterable[str]) -> list[Row]:
    """The rows with files of one's own in this order, behind those that an earlier list had and this one has not."""
    every, names = list(rows), list(files)
    if not names:
        return every
    earlier = sorted({(row.order, row.kernel) for row in every if not row.version and row.kernel not in names})
    places = {name: number for number, name in enumerate([*dict.fromkeys(name for _, name in earlier), *names], 1)}
    return [row if row.version else replace(row, order=places[row.kernel]) for row in every]


def by_member(rows: Iterable[Row]) -> dict[Member, dict[Key, Row]]:
    """Each kernel's rows, by case and phase."""
    found: dict[Member, dict[Key, Row]] = {}
    for row in rows:
        found.setdefault(row.member, {})[row.key] = row
    return found


def what_of(rows: Iterable[Row]) -> dict[Key, What]:
    """What is shown of each case and phase over all kernels: where one of them has a delta, deltas alone."""
    found: dict[Key, What] = {}
    for row in rows:
        if row.shown and found.get(row.key) is not What.delta:
            found[row.key] = row.shown.what
    return found
