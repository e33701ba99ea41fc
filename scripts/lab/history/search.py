"""The search for the place where a row moved: over a line of kernels, or over the commits of a git tree, which git bisect chooses."""
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from lab import packages
from lab.errors import FAILED, USAGE, LabError
from lab.history.commits import as_before, check_out, commit_of, git
from lab.history.table import Value

Place = TypeVar("Place")
FIRST_BAD = re.compile(r"^([0-9a-f]{40}) is the first bad commit", re.MULTILINE)
ANY_OF = "first bad commit could be any of"
COMMIT = re.compile(r"^[0-9a-f]{40}$", re.MULTILINE)


@dataclass
class Ended(Generic[Place]):
    """Between which two the row moved: neighbours, but for what was left out between them, in which it may have moved as well. `before`
    and the figures are None where a commit has no one parent that was measured; `whole` is what BAD differs from GOOD by."""

    before: Place | None
    after: Place
    figures: tuple[Value, Value] | None
    whole: float
    tried: int
    left_out: list[Place] = field(default_factory=list)


def is_bad(figure: Value, good: Value, bad: Value) -> bool:
    """Whether it is nearer to that of BAD."""
    return abs(figure.value - bad.value) < abs(figure.value - good.value)


def whole_of(ends: tuple[Place, Place], figures: Mapping[Place, Value | None]) -> tuple[Value, Value]:
    """The figures of GOOD and BAD. LabError where one cannot be measured, or they do not differ by more than their resolutions."""
    good, bad = (figures[one] for one in ends)
    if good is None or bad is None:
        raise LabError(f"{ends[0] if good is None else ends[1]}: it cannot be measured, so that there is nothing to look for", FAILED)
    resolution = good.resolution + bad.resolution
    if good.value == bad.value:
        raise LabError(f"the row is the same in both: {good.value:.10g} instructions", USAGE)
    if abs(bad.value - good.value) <= resolution:
        raise LabError(f"the row is the same in both within its resolution of {resolution:.10g}: {good.value:.10g} and "
                       f"{bad.value:.10g} instructions", USAGE)
    return good, bad


def counted(figures: Mapping[Place, Value | None]) -> int:
    """How many were measured."""
    return sum(figure is not None for figure in figures.values())


def search(lines: Sequence[Sequence[Place]], measure: Callable[[Place], Value | None],
           age: Callable[[Place], object] = lambda place: place, few: bool = False) -> Ended[Place]:
    """Where the row moved on the way from GOOD to BAD, which leads through these lines of kernels: in some of them it may lead back in
    time. The ends of each line are measured; between the two ends that differ most in the direction of BAD, the rest is a search in
    one line. With `few` the whole way is one line, of which the ends are GOOD and BAD. The older of the two that are found, by its
    `age`, is before. `measure` gives None for one that cannot be measured. LabError where GOOD or BAD cannot, or do not differ."""
    way = [place for line in lines for place in line]
    figures: dict[Place, Value | None] = {}

    def of(at: int) -> Value | None:
        if way[at] not in figures:
            figures[way[at]] = measure(way[at])
        return figures[way[at]]
    of(0)
    of(len(way) - 1)
    good, bad = whole_of((way[0], way[-1]), figures)
    whole = bad.value - good.value
    seen: list[tuple[int, Value]] = []
    begin = 0
    for line in ([way] if few else lines):
        places = range(begin, begin + len(line))
        first = next(((at, found) for at in places if (found := of(at))), None)
        last = next(((at, found) for at in reversed(places) if (found := of(at))), None)
        seen += [one for one in dict.fromkeys((first, last)) if one]
        begin += len(line)
    (low, before), (high, after) = max(zip(seen, seen[1:]), key=lambda pair: (pair[1][1].value - pair[0][1].value) * whole)
    if age(way[high]) < age(way[low]):  # type: ignore[operator]
        way.reverse()
        low, high = len(way) - 1 - high, len(way) - 1 - low
        before, after = after, before
    ends = before, after
    while between := [at for at in range(low + 1, high) if way[at] not in figures]:
        at = min(between, key=lambda one: abs(2 * one - low - high))
        if figure := of(at):
            if is_bad(figure, *ends):
                high, after = at, figure
            else:
                low, before = at, figure
    left_out = way[low + 1:high]
    if age(way[high]) < age(way[low]):  # type: ignore[operator]  # with `few` the way may turn back between the two
        low, high, before, after = high, low, after, before
    return Ended(way[low], way[high], (before, after), whole, counted(figures), left_out)


def search_tree(tree: Path, good: str, bad: str, measure: Callable[[str], Value | None]) -> Ended[str]:
    """The same over the commits of a git tree, which git bisect chooses; `measure` finds the commit checked out. The tree is as before
    afterwards."""
    commits = [commit_of(tree, name) for name in (good, bad)]
    figures: dict[str, Value | None] = {}

    def measured(commit: str) -> Value | None:
        """What is checked out."""
        figures[commit] = measure(commit)
        return figures[commit]
    with as_before(tree):
        for commit in commits:
            check_out(tree, commit)
            measured(commit)
        ends = whole_of((commits[0], commits[1]), figures)
        said = git(tree, "bisect", "start", commits[1], commits[0])
        while not (match := FIRST_BAD.search(said)):
            here = git(tree, "rev-parse", "HEAD").strip()
            figure = measured(here)
            word = "skip" if figure is None else "bad" if is_bad(figure, *ends) else "good"
            done = packages.call("git", "-C", tree, "bisect", word)
            said = done.stdout
            if done.returncode and ANY_OF in said:  # only commits that were left out are between
                break
            if done.returncode:
                raise LabError(f"git bisect {word}: {packages.complaint(done)}")
        after = match[1] if match else git(tree, "rev-parse", "refs/bisect/bad").strip()
        candidates = {after} if match else set(COMMIT.findall(said.partition(ANY_OF)[2]))
        before = parent_of(tree, after, candidates)
        if match and before and before not in figures:  # git knows it as good by a child
            check_out(tree, before)
            measured(before)
        older, newer = figures.get(before or ""), figures[after]
        pair = (older, newer) if older and newer and not is_bad(older, *ends) else None
        whole = ends[1].value - ends[0].value
        others = [one for one in git(tree, "rev-list", "--topo-order", "--reverse", f"{commits[0]}..{after}").split()
                  if one in candidates and one != after] if len(candidates) > 1 else []
        return Ended(before if pair else None, after, pair, whole, counted(figures), others)


def parent_of(tree: Path, last: str, candidates: set[str]) -> str | None:
    """The commit before all candidates, of which the last is this one; None where they are not in one line, or a merge is among them."""
    at, seen = last, 0
    while at in candidates:
        seen += 1
        parents = git(tree, "rev-parse", f"{at}^@").split()
        if len(parents) != 1:
            return None
        at = parents[0]
    return at if seen == len(candidates) else None
