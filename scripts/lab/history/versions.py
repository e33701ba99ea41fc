"""Kernels in order: which one comes before which.

A series (6.1, 6.12) is a line of updates. Debian builds some updates twice, for two of its releases and by two compilers, and a
compiler changes figures, too: a line is therefore the kernels of one series by one compiler. An edge leads from a kernel to the
next of its line; from the oldest of a series to the oldest of the next series, by the same compiler where there are two such; and
from one line of a series to another, where two compilers made nearly the same source.
"""
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?-(\d+)(?:\.\d+)?(~[\w.+~]+)?", re.ASCII)
COMPILER = re.compile(r"\b(gcc|clang)[ -](?:version )?(\d+)")
OLDEST_FIRST = tuple[int, ...]


@dataclass(frozen=True)
class Member:
    """A kernel of a history, told from others by its name and version: `version` is its package's, empty for a file of one's own, whose
    `order` is its place in the list that was given; `compiler` as in "gcc-12", empty where the kernel does not say."""

    name: str
    version: str = ""
    compiler: str = field(default="", compare=False)
    order: int = field(default=0, compare=False)

    @property
    def upstream(self) -> tuple[int, int, int] | None:
        """The numbers of the version that kernel.org gives it; None for a file of one's own."""
        match = VERSION.match(self.version)
        return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else None

    @property
    def series(self) -> str:
        """Such as 6.12; empty for a file of one's own."""
        return ".".join(map(str, self.upstream[:2])) if self.upstream else ""

    @property
    def short(self) -> str:
        """The version without Debian's part, or the file's name."""
        return ".".join(map(str, self.upstream)) if self.upstream else self.name

    @property
    def key(self) -> OLDEST_FIRST:
        """Oldest first. What stands behind ~ is Debian's rebuild of the same source, which comes before the source itself."""
        match = VERSION.match(self.version)
        if not match:
            return (self.order,)
        rebuilt = match[5] or ""
        return (int(match[1]), int(match[2]), int(match[3] or 0), int(match[4]), 0 if rebuilt else 1,
                *map(int, re.findall(r"\d+", rebuilt)))


def compiler_of(banner: str) -> str:
    """Such as "gcc-12" of what a kernel says of itself ("Linux version …"); empty where it says nothing of the kind."""
    match = COMPILER.search(banner)
    return f"{match[1]}-{match[2]}" if match else ""


class Kind(Enum):
    """What two kernels of an edge have in common."""

    update = "update"  # of the same series, by the same compiler
    series = "series"  # the next series, by the same compiler
    compiler = "compiler"  # nearly the same source, by another compiler
    both = "series and compiler"


@dataclass(frozen=True)
class Edge:
    """A kernel and the one that comes after it."""

    base: Member
    new: Member
    kind: Kind


def ordered(members: Iterable[Member]) -> list[Member]:
    """Files of one's own in the order given, then packages, oldest first."""
    return sorted(members, key=lambda one: (one.series != "", one.key, one.compiler, one.name))


def lines(members: Iterable[Member]) -> dict[tuple[str, str], list[Member]]:
    """By series and compiler, oldest first. Files of one's own are one line, whatever made them."""
    found: dict[tuple[str, str], list[Member]] = {}
    for one in ordered(members):
        found.setdefault((one.series, one.compiler if one.series else ""), []).append(one)
    return found


def _across(older: list[list[Member]], newer: list[list[Member]]) -> Edge:
    """From a series to the next, of each its lines: the oldest of two lines by the same compiler, or of the oldest lines."""
    pairs = [(one[0], other[0]) for one in older for other in newer if one[0].compiler == other[0].compiler]
    base, new = min(pairs, key=lambda pair: (pair[0].key, pair[1].key)) if pairs else (older[0][0], newer[0][0])
    return Edge(base, new, Kind.series if base.compiler == new.compiler else Kind.both)


def _between(one: list[Member], other: list[Member]) -> Edge:
    """From one line of a series to another: the same source, or the two that are nearest to each other."""
    def distance(pair: tuple[Member, Member]) -> tuple[int, ...]:
        left, right = (kernel.upstream or (0, 0, 0) for kernel in pair)
        return (abs(left[2] - right[2]), *(-part for part in pair[0].key), *(-part for part in pair[1].key))
    base, new = min(((a, b) for a in one for b in other), key=distance)
    return Edge(base, new, Kind.compiler)


def edges(members: Iterable[Member]) -> list[Edge]:
    """All of them, in the order of the newer kernel. They make one tree: between any two kernels is one way."""
    every = lines(members)
    by_series: dict[str, list[list[Member]]] = {}
    for (series, _), line in every.items():
        by_series.setdefault(series, []).append(line)
    found: list[Edge] = []
    for of_series in by_series.values():
        for line in of_series:
            found += [Edge(base, new, Kind.update) for base, new in zip(line, line[1:])]
        found += [_between(one, other) for one, other in zip(of_series, of_series[1:])]
    named = [lines for series, lines in by_series.items() if series]
    found += [_across(older, newer) for older, newer in zip(named, named[1:])]
    return sorted(found, key=lambda edge: (edge.new.key, edge.new.compiler, edge.base.key))


def way(members: Iterable[Member], first: Member, last: Member) -> list[Member]:
    """The kernels from the one to the other along the edges, both included; only these two where no edges lead there."""
    neighbours: dict[Member, list[Member]] = {}
    for edge in edges(members):
        neighbours.setdefault(edge.base, []).append(edge.new)
        neighbours.setdefault(edge.new, []).append(edge.base)
    before: dict[Member, Member | None] = {first: None}
    waiting = [first]
    while waiting:
        here = waiting.pop(0)
        for there in neighbours.get(here, []):
            if there not in before:
                before[there] = here
                waiting.append(there)
    if last not in before:
        return [first, last]
    found: list[Member] = []
    at: Member | None = last
    while at is not None:
        found.append(at)
        at = before[at]
    return found[::-1]


def segments(line: Iterable[Member]) -> list[list[Member]]:
    """A way taken apart where it crosses from one line to another: by series or compiler."""
    return [list(of) for _, of in itertools.groupby(line, lambda one: (one.series, one.compiler if one.series else ""))]
