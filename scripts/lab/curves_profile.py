"""The exact profile of a curve's levels as it is recorded: what each function executes in the call and in the workers' teardown, in
functions.csv. Stacks of so many levels would take ten times the room.

case, part (create: the call; async: the workers'), owner (create: [call], or [child], [other tasks], [interrupts], which ran
meanwhile), under (pcpu_alloc, where percpu's allocator called it, or is it), function, and its own instructions for each execution.
In a curve functions with less than LEAST of their part are one, OTHERS.
"""
import csv
import io
import lzma
import re
from dataclasses import dataclass, field
from pathlib import Path

from analysis import files
from lab import profile
from lab.errors import USAGE, LabError
from lab.exact import OWN
from lab.explain import name_of
from lab.recorded import ASYNC, CREATE
from lab.tree import Tree

COLUMNS = ("case", "part", "owner", "under", "function", "self")
LEAST = 0.001
OTHERS = "[others]"
PERCPU = re.compile(r"pcpu_alloc(_noprof)?")
UNDER = "pcpu_alloc"
PAGES = ("clear_page_erms", "clear_page_rep", "clear_page_orig", "kernel_init_pages", "clear_highpages_kasan_tagged")
Key = tuple[str, str, str]  # owner, under, function


def functions(tree: Tree, has_owners: bool, least: float) -> dict[Key, float]:
    """Each function's own instructions; the small ones together."""
    found: dict[Key, float] = {}
    for path, cost in tree.items():
        names = [name_of(name) for name in (path[1:] if has_owners else path)]
        under = UNDER if any(map(PERCPU.fullmatch, names)) else ""
        key = (path[0] if has_owners else "", under, names[-1] if names else OTHERS)
        found[key] = found.get(key, 0) + cost.self
    whole = sum(found.values())
    kept: dict[Key, float] = {}
    for (owner, under, name), own in found.items():
        key = (owner, under, name if own >= least * whole else OTHERS)
        kept[key] = kept.get(key, 0) + own
    return kept


def text_of(profiled: profile.Profiled, least: float) -> str:
    """functions.csv."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for case, own in profiled.books.items():
        for part, tree in ((CREATE, own.phases[own.first].tree), (ASYNC, own.later)):
            found = functions(tree, part == CREATE, least)
            for key, value in sorted(found.items(), key=lambda item: (-item[1], item[0])):
                rows.writerow([case, part, *key, f"{value:.10g}"])
    return text.getvalue()


def owners_of(case: str) -> tuple[str, ...]:
    """Whose the call is: a clone's child is another one, other operations make their calls in a child."""
    return OWN[:1] if case.startswith("clone") else OWN


@dataclass(frozen=True)
class Levels:
    """The profile of some levels: own instructions, by case and part."""

    parts: dict[str, dict[str, dict[Key, float]]] = field(default_factory=dict)

    def of(self, case: str, part: str) -> dict[Key, float]:
        return self.parts.get(case, {}).get(part, {})

    def whole(self, case: str, part: str) -> float:
        return sum(self.of(case, part).values())

    def own(self, case: str, part: str) -> dict[str, float]:
        """Of each function alone; of what ran meanwhile, of each owner."""
        found: dict[str, float] = {}
        for (owner, _, function), value in self.of(case, part).items():
            name = function if owner in ("", *owners_of(case)) else owner
            found[name] = found.get(name, 0) + value
        return found

    def most_of_percpu(self, case: str) -> str:
        """The function with most of what percpu's allocator takes."""
        own = {name: value for (_, under, name), value in self.of(case, CREATE).items() if under}
        return max(own, key=lambda name: own[name])

    def split(self, case: str) -> tuple[float, float, float, float]:
        """The call: in percpu's allocator, clearing pages, elsewhere; and what ran meanwhile."""
        percpu = pages = rest = meanwhile = 0.0
        for (owner, under, function), value in self.of(case, CREATE).items():
            if owner not in owners_of(case):
                meanwhile += value
            elif under:
                percpu += value
            elif function in PAGES:
                pages += value
            else:
                rest += value
        return percpu, pages, rest, meanwhile


def read(path: Path) -> Levels:
    """LabError for what is no such file."""
    try:
        rows = csv.DictReader(io.StringIO(lzma.decompress(path.read_bytes()).decode()))
        found = Levels()
        for row in rows:
            of = found.parts.setdefault(row["case"], {}).setdefault(row["part"], {})
            of[row["owner"], row["under"], row["function"]] = float(row["self"])
    except (lzma.LZMAError, EOFError, UnicodeDecodeError, KeyError, ValueError, TypeError) as error:
        raise LabError(f"{path} is not as lab.py curves writes it: {files.shown(str(error))}", USAGE) from None
    return found
