"""Titles of patches between the two kernels of a step that name its functions, or their file. None of them need be its cause: a title
says what a patch is about, and the changelog does not list all patches.

A title names a function if its name stands in it: one that could be a word, such as "schedule", only before a bracket. It names a
function's file if what stands before a colon is the file without its ending, with its folder or without: "mm/percpu: …", "percpu: …",
"mm: percpu: …". Without its folder it stands first, or behind a folder of its path: "ext4: namei: …" does not name fs/namei.c.
"""
import argparse
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from analysis import files
from analysis.script import Unreadable
from lab import changelogs, definitions, packages
from lab.changelogs import Entry
from lab.errors import IMPOSSIBLE, OK, USAGE, LabError
from lab.history.steps import Entry as Step
from lab.history.steps import Explained, named
from lab.history.versions import Edge
from lab.packages import Kernel

FILE = "titles.json"
MOST = 12  # titles that are kept of a function
REBUILT = re.compile(r"~(?:bpo|deb)(\d+)(?:[+u]\d+)+$")


@dataclass(frozen=True)
class Between:
    """What the newer kernel's changelog has that the older one's has not."""

    titles: tuple[str, ...]
    unlisted: tuple[str, ...]  # upstream releases of which it lists no patch, oldest first


Known = dict[str, dict[str, object]]  # as in the file: by edge


def name_of(edge: Edge) -> str:
    return f"{edge.base.version} → {edge.new.version}"


def between(older: Iterable[Entry], newer: Iterable[Entry]) -> Between:
    """The newer ones down to the first version that both have, but for titles that the older kernel has, too. LabError where they have no
    version in common."""
    there = list(older)
    versions = {one.version for one in there}
    had = {title for one in there for title in one.titles}
    found: list[Entry] = []
    for one in newer:
        if one.version in versions:
            titles = dict.fromkeys(title for entry in found for title in entry.titles if title not in had)
            return Between(tuple(titles), tuple(sorted({name for entry in found for name in entry.unlisted}, key=definitions.order_of)))
        found.append(one)
    raise LabError("the two changelogs have no version in common", IMPOSSIBLE)


def from_version(entries: Iterable[Entry], version: str) -> list[Entry]:
    """Those of this version and of all before it; none where the changelog has not this version."""
    every = list(entries)
    place = next((at for at, one in enumerate(every) if one.version == version), None)
    return [] if place is None else every[place:]


def prefixes(title: str) -> list[tuple[str, str]]:
    """What stands before colons, each behind the one before it: "mm: slub: fix" has mm behind nothing, and slub behind mm."""
    parts = [part.strip().lower().replace("-", "_") for part in title.split(": ")[:-1]]
    return list(zip(["", *parts], parts))


def names_file(title: str, file: str) -> bool:
    path = Path(file.lower().replace("-", "_")).with_suffix("")
    whole = {str(path), "/".join(path.parts[-2:])}
    folders = {"", *path.parts[:-1], str(path.parent)}
    return any(one in whole or f"{before}/{one}" in whole or (one == path.name and before in folders) for before, one in prefixes(title))


def naming(titles: Iterable[str], function: str, file: str | None) -> list[str]:
    """The titles that name the function, then those that name its file."""
    behind = r"(?!\w)" if re.search(r"[_0-9]", function) else r"\("  # "number" and "schedule" are words, too
    word = re.compile(rf"(?<![\w.]){re.escape(function)}{behind}")
    every = list(titles)
    by_name = [one for one in every if word.search(one)]
    by_file = [one for one in every if file and one not in by_name and names_file(one, file)]
    return [*by_name, *by_file]


def line_of(version: str) -> tuple[str, str]:
    """The series, and for which of Debian's releases it was rebuilt."""
    rebuilt = REBUILT.search(version)
    return ".".join(re.split(r"[.-]", version)[:2]), rebuilt[1] if rebuilt else ""


class Archive:
    """The changelogs of the archive's kernels, and the source's definitions."""

    def __init__(self) -> None:
        with packages.locked():
            apt = packages.Apt()
            apt.refresh()
            self.kernels = apt.known()
        self.read: dict[str, list[Entry]] = {}
        self.defined: dict[str, dict[str, list[str]]] = {}

    def of(self, kernel: Kernel) -> list[Entry]:
        """As changelogs.entries; none, which is said, where the archive has it no more."""
        if kernel.version not in self.read:
            try:
                self.read[kernel.version] = changelogs.entries(changelogs.of_kernel(kernel))
            except LabError as error:
                print(f"lab: {kernel.version}: no changelog: {error}", file=sys.stderr)
                self.read[kernel.version] = []
        return self.read[kernel.version]

    def asked(self, version: str) -> list[Kernel]:
        """Whose changelogs may have this version, which need not be in the archive any more: the newest of its line, its own, the newest of
        its series and of all later ones."""
        line = line_of(version)
        first = [one for one in self.kernels if line_of(one.version) == line][-1:] + [one for one in self.kernels if one.version == version]
        of_series = {line_of(one.version)[0]: one for one in self.kernels}
        later = [one for series, one in of_series.items() if definitions.order_of(series) >= definitions.order_of(line[0])]
        return list(dict.fromkeys([*first, *later]))

    def of_version(self, version: str) -> list[Entry]:
        """Of this version and of all before it; of one that was rebuilt for another release, also of what it was made from. LabError where
        none can be had."""
        for kernel in self.asked(version):
            for name in (version, REBUILT.sub("", version)):
                if found := from_version(self.of(kernel), name):
                    return found
        raise LabError(f"no changelog in the archive has {version}", IMPOSSIBLE)

    def definitions(self, series: str) -> dict[str, list[str]]:
        """As definitions.of_series."""
        if series not in self.defined:
            self.defined[series] = definitions.of_series(series)
        return self.defined[series]


def looked_for(step: Step, archive: Archive, names: Iterable[str]) -> dict[str, object]:
    """What there is on these functions between the two kernels of a step. LabError where a changelog cannot be had, or
    where the functions are defined."""
    found = between(archive.of_version(step.edge.base.version), archive.of_version(step.edge.new.version))
    of_series = archive.definitions(step.edge.new.series)
    functions: dict[str, dict[str, object]] = {}
    for name in names:
        file = definitions.file_of(name, of_series)
        titles = naming(found.titles, name, file)
        functions[name] = {"file": file, "titles": titles[:MOST], **({"more": len(titles) - MOST} if len(titles) > MOST else {})}
    return {"titles_between": len(found.titles), "unlisted": list(found.unlisted), "functions": functions}


def of_edge(known: Known, edge: Edge) -> Mapping[str, object]:
    of = known.get(name_of(edge), {}).get("functions", {})
    return of if isinstance(of, dict) else {}


def update(known: Known, chosen: Iterable[Step], explained: Explained) -> int:
    """Adds what is not known yet of these steps. The exit code: 3 where a changelog or the source could not be had,
    which is said."""
    code = OK
    archive: Archive | None = None
    for step in chosen:
        there = of_edge(known, step.edge)
        names = [name for name in named(step, explained) if name not in there]
        if not names or not (step.edge.base.version and step.edge.new.version):
            continue
        try:
            archive = archive or Archive()
            found = looked_for(step, archive, names)
        except LabError as error:
            print(f"lab: {name_of(step.edge)}: no titles: {error}", file=sys.stderr)
            code = max(code, error.code)
            continue
        functions = found["functions"]
        assert isinstance(functions, dict)
        known[name_of(step.edge)] = {**found, "functions": {**there, **functions}}
    return code


def read(path: Path) -> Known:
    """The file; nothing where there is none. LabError for one that is not whole."""
    try:
        found = files.json_of(path)
    except FileNotFoundError:
        return {}
    except Unreadable as error:
        raise LabError(str(error), USAGE) from None
    if not isinstance(found, dict) or not all(isinstance(one, dict) and isinstance(one.get("functions"), dict) for one in found.values()):
        raise LabError(f"{path}: no titles as lab.py history --titles writes them", USAGE)
    return found


def kept(known: Known, every: Iterable[Step], explained: Explained) -> Known:
    """What is of the functions that stand with these steps."""
    names: dict[Edge, list[str]] = {}
    for step in every:
        names.setdefault(step.edge, []).extend(named(step, explained))
    return {name_of(edge): found for edge, of in names.items() if (found := of_functions(edge, dict.fromkeys(of), known))}


def of_functions(edge: Edge, names: Iterable[str], known: Known) -> dict[str, object] | None:
    """What there is on these functions, and on what the changelog does not list. None where it was not looked for."""
    there = of_edge(known, edge)
    found = {name: there[name] for name in names if name in there}
    return {**known[name_of(edge)], "functions": found} if found else None


def added(content: list[dict[str, object]], entries: Iterable[Step], known: Known, explained: Explained) -> list[dict[str, object]]:
    """What steps.json says of the entries, with the titles."""
    return [{**one, "titles": found} if (found := of_functions(step.edge, named(step, explained), known))
            else one for one, step in zip(content, entries)]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those of the titles."""
    parser.add_argument("--titles", action="store_true",
                        help="look in Debian's changelogs for titles of patches that name the functions of the largest steps")
