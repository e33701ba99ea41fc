"""The search for the place where a row moved: over a line of kernels, or over the commits of a git tree, which git bisect chooses."""
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from lab import packages
from lab.errors import FAILED, IMPOSSIBLE, USAGE, LabError

Place = TypeVar("Place")
FIRST_BAD = re.compile(r"^([0-9a-f]{40}) is the first bad commit", re.MULTILINE)
BISECTING = "BISECT_START"


@dataclass
class Ended(Generic[Place]):
    """Between which two the row moved: neighbours, but for what was left out between them."""

    before: Place
    after: Place
    figures: tuple[float, float]
    tried: int
    left_out: list[Place] = field(default_factory=list)


def is_bad(figure: float, good: float, bad: float) -> bool:
    """Whether it is nearer to that of BAD."""
    return abs(figure - bad) < abs(figure - good)


def search(line: Sequence[Place], measure: Callable[[Place], float | None]) -> Ended[Place]:
    """Where the row moved in a line of kernels from GOOD to BAD. `measure` gives None for one that cannot be measured. LabError where
    the ends cannot, or do not differ."""
    ends = measure(line[0]), measure(line[-1])
    good, bad = ends
    if good is None or bad is None:
        raise LabError(f"{line[0] if good is None else line[-1]}: it cannot be measured, so that there is nothing to look for", FAILED)
    if good == bad:
        raise LabError(f"the row is the same in both: {good:.10g} instructions", USAGE)
    figures: dict[int, float | None] = {0: good, len(line) - 1: bad}
    low, high = 0, len(line) - 1
    while between := [at for at in range(low + 1, high) if at not in figures]:
        at = min(between, key=lambda one: abs(2 * one - low - high))
        figures[at] = figure = measure(line[at])
        if figure is not None:
            low, high = (low, at) if is_bad(figure, good, bad) else (at, high)
    before, after = figures[low], figures[high]
    assert before is not None and after is not None
    return Ended(line[low], line[high], (before, after), len(figures), [line[at] for at in range(low + 1, high)])


def git(tree: Path, *words: str) -> str:
    """What git says. LabError where it fails."""
    if not shutil.which("git"):
        raise LabError("git is missing: apt-get install git", IMPOSSIBLE)
    done = packages.call("git", "-C", tree, *words)
    if done.returncode:
        raise LabError(f"git {words[0]}: {packages.complaint(done)}", USAGE)
    return done.stdout


def is_bisecting(tree: Path) -> bool:
    return (tree / git(tree, "rev-parse", "--git-path", BISECTING).strip()).exists()


def search_tree(tree: Path, good: str, bad: str, measure: Callable[[str], float | None]) -> Ended[str]:
    """The same over the commits of a git tree, which git bisect chooses; `measure` finds the commit checked out. The tree is as before
    afterwards."""
    if git(tree, "status", "--porcelain", "--untracked-files=no").strip():
        raise LabError(f"{tree}: it has changes that are not committed, which a checkout of other commits could lose", USAGE)
    if is_bisecting(tree):
        raise LabError(f"{tree}: git is bisecting there already: git bisect reset ends that", USAGE)
    branch = packages.call("git", "-C", tree, "symbolic-ref", "--short", "-q", "HEAD").stdout.strip()
    before = branch or git(tree, "rev-parse", "HEAD").strip()
    commits = [git(tree, "rev-parse", "--verify", f"{name}^{{commit}}").strip() for name in (good, bad)]
    figures: dict[str, float | None] = {}
    try:
        for commit in commits:
            git(tree, "checkout", "-q", "--detach", commit)
            figures[commit] = measure(commit)
        first, last = (figures[commit] for commit in commits)
        if first is None or last is None:
            raise LabError(f"{commits[0] if first is None else commits[1]}: it cannot be measured, so that there is nothing to look for")
        if first == last:
            raise LabError(f"the row is the same in both: {first:.10g} instructions", USAGE)
        said = git(tree, "bisect", "start", commits[1], commits[0])
        while not (match := FIRST_BAD.search(said)):
            here = git(tree, "rev-parse", "HEAD").strip()
            figures[here] = figure = measure(here)
            word = "skip" if figure is None else "bad" if is_bad(figure, first, last) else "good"
            done = packages.call("git", "-C", tree, "bisect", word)
            said = done.stdout
            if done.returncode and "first bad commit could be any of" in said:  # only commits that were left out are between
                return between_skipped(tree, commits, figures, first, last)
            if done.returncode:
                raise LabError(f"git bisect {word}: {packages.complaint(done)}")
        after = match[1]
        known = [parent for parent in git(tree, "rev-parse", f"{after}^@").split() if figures.get(parent) is not None]
        if not known:  # a merge, whose parents git found good by their children
            parent = git(tree, "rev-parse", f"{after}^").strip()
            git(tree, "checkout", "-q", "--detach", parent)
            figures[parent] = measure(parent)
            known = [parent]
        return Ended(known[0], after, (figures[known[0]] or first, figures[after] or last), len(figures))
    finally:
        if is_bisecting(tree):
            git(tree, "bisect", "reset", before)
        else:
            git(tree, "checkout", "-q", before)


def between_skipped(tree: Path, ends: list[str], figures: dict[str, float | None], good: float, bad: float) -> Ended[str]:
    """The last good and the first bad of a history in one line, with the commits between them, which were left out."""
    line = [ends[0], *git(tree, "rev-list", "--reverse", f"{ends[0]}..{ends[1]}").split()]
    seen = [(at, figure) for at, one in enumerate(line) if (figure := figures.get(one)) is not None]
    low = max(at for at, figure in seen if not is_bad(figure, good, bad))
    high = min(at for at, figure in seen if is_bad(figure, good, bad))
    of = dict(seen)
    return Ended(line[low], line[high], (of[low], of[high]), len(figures), line[low + 1:high])
