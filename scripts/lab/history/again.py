"""A history held against another one: kernels chosen at random that are measured a second time, and whether their rows are the same."""
import argparse
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.errors import FAILED, OK, USAGE, LabError
from lab.explain import thousands
from lab.history import table
from lab.history.plan import Job
from lab.history.table import Kernel, Row
from lab.history.versions import ordered
from lab.options import positive

NAMED = 3  # rows of a kernel that differ


def of_random(every: Sequence[Job], count: int, seed: int, among: Iterable[Kernel] | None = None) -> list[Job]:
    """So many of them, in their order; only of those named where such are given. LabError where there are not so many."""
    names = None if among is None else set(among)
    there = [one for one in every if names is None or one.of in names]
    if count > len(there):
        raise LabError(f"--random={count}: there are {len(there)} kernels", USAGE)
    chosen = set(random.Random(seed).sample(range(len(there)), count))
    return [one for place, one in enumerate(there) if place in chosen]


@dataclass(frozen=True)
class Held:
    """A kernel's rows of two histories: how many both have, those of them with the same status and figures, with figures that differ by no
    more than the resolutions of both, and all others by how much, or from which status to which; and how many only one of them has."""

    of: Kernel
    same_plan: bool
    both: int
    same: int
    within: int
    beyond: dict[table.Key, float]
    statuses: dict[table.Key, str]
    only_here: int
    only_there: int

    @property
    def is_wrong(self) -> bool:
        """The same plan gives the same rows, with the same figures."""
        return self.same_plan and (self.same < self.both or self.only_here + self.only_there > 0)

    def said(self) -> str:
        by = "by the same plan" if self.same_plan else "by another plan"
        text = f"{self.of[1] or self.of[0]}: {self.same} of {self.both} rows are the same {by}"
        if self.within:
            text += f"; {self.within} within their resolutions"
        if self.beyond:
            names = sorted(self.beyond, key=lambda key: (-abs(self.beyond[key]), key))
            largest = ", ".join(f"{case} {phase} {thousands(self.beyond[case, phase])}" for case, phase in names[:NAMED])
            text += f"; {len(names)} beyond: {largest}{' and more' if len(names) > NAMED else ''}"
        if self.statuses:
            first = ", ".join(f"{case} {phase} {change}" for (case, phase), change in sorted(self.statuses.items())[:NAMED])
            text += f"; {len(self.statuses)} of another kind: {first}{' and more' if len(self.statuses) > NAMED else ''}"
        for count, where in ((self.only_here, "here"), (self.only_there, "there")):
            text += f"; {count} only {where}" if count else ""
        return text


def kind_of(one: Row) -> str:
    """What a row is: its status, and of which kind its figure is."""
    return " ".join(filter(None, (one.status, one.errno, one.shown.what.name if one.shown else "")))


def held(here: Iterable[Row], there: Iterable[Row]) -> list[Held]:
    """The kernels of the one that the other has too. LabError where a name stands for two files."""
    others = table.by_member(there)
    by = table.by_member(here)
    found = []
    for member in ordered(by.keys() & others.keys()):
        one, other = by[member], others[member]
        keys = sorted(one.keys() & other.keys())
        table.one_file([row for side in (one, other) for row in side.values()])
        same, within, beyond, statuses = 0, 0, dict[table.Key, float](), dict[table.Key, str]()
        for key in keys:
            left, right = one[key], other[key]
            if all(getattr(left, name) == getattr(right, name) for name in table.FIGURES):
                same += 1
            elif left.shown and right.shown and left.shown.what is right.shown.what:
                change = left.shown.value - right.shown.value
                if abs(change) <= left.shown.resolution + right.shown.resolution:
                    within += 1
                else:
                    beyond[key] = change
            elif kind_of(left) != kind_of(right):
                statuses[key] = f"{kind_of(right)} → {kind_of(left)}"
            else:
                statuses[key] = f"{kind_of(left)}, with other figures"
        plans = {row.plan for side in (one, other) for key, row in side.items() if key in keys or not keys}
        found.append(Held((member.name, member.version), len(plans) == 1, len(keys), same, within, beyond, statuses,
                          len(one.keys() - other.keys()), len(other.keys() - one.keys())))
    return found


def rows_of(folder: Path) -> list[Row]:
    """The other history's. LabError where there is none."""
    found = table.read(folder / table.FILE)
    if not found:
        raise LabError(f"--against={folder}: there is no history in it ({table.FILE})", USAGE)
    return found


def against(rows: Iterable[Row], folder: Path) -> int:
    """Prints how these rows stand to those of another history. The exit code: 1 where rows by the same plan differ, or one of the two has
    rows by it that the other has not."""
    found = held(rows, rows_of(folder))
    if not found:
        raise LabError(f"--against={folder}: it has none of these kernels", USAGE)
    for one in found:
        print(one.said())
    print(f"{len(found)} kernels: {sum(one.same for one in found)} of {sum(one.both for one in found)} rows are the same, "
          f"{sum(one.within for one in found)} within their resolutions, {sum(len(one.beyond) for one in found)} beyond, "
          f"{sum(len(one.statuses) for one in found)} of another kind, {sum(one.only_here + one.only_there for one in found)} in one alone")
    return FAILED if any(one.is_wrong for one in found) else OK


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those of a second run."""
    parser.add_argument("--random", type=positive, default=0, metavar="N",
                        help="so many of these kernels, chosen at random (with --against: of those that it has)")
    parser.add_argument("--seed", type=positive, default=1, metavar="N", help="of --random (%(default)s)")
    parser.add_argument("--against", type=Path, metavar="DIR",
                        help="say how the rows stand to another history's: those by the same plan must be the same")
