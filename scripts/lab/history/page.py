"""results/history/README.md: the largest steps, and every kind over the kernels as small multiples."""
import io
import re
import sys
from collections.abc import Container, Mapping, Sequence
from pathlib import Path

from analysis import outputs
from analysis.kinds import KINDS, label
from lab.explain import thousands
from lab.history import titles
from lab.history.steps import Entry, Explained, functions_in, named, unexplained
from lab.history.table import Row, by_member, what_of
from lab.history.titles import Known as Titles
from lab.history.versions import Edge, Kind, ordered

README = "README.md"
PICTURE = "kinds.svg"
LARGEST = 20
CASES = 3  # rows of a step
FILES = {
    "history.csv.xz": "each row of each kernel",
    "functions.csv.xz": "for each explained step its functions, before and after",
    "stacks.csv.xz": "of some kernels the whole tree of calls of cases, for flame graphs: a function a line, and its level",
    "steps.json": "all steps, the largest first; `also`: the same step in another line of kernels; `unexplained`: what the functions do "
                  "not have of it, where that exceeds the resolution (of `drain`: waiting)",
    "titles.json": "of the largest steps' functions, the titles in Debian's changelogs that name them or their files",
    "plans.json": "how each row was measured"}
WORDS = {Kind.update: "", Kind.series: "series", Kind.compiler: "compiler only", Kind.both: "series and compiler"}


def kernel(name: str, version: str) -> str:
    return f"{version}" if version else name


def functions_of(one: Entry, explained: Explained) -> str:
    """Those that changed most in the row that moved most."""
    changes = explained.get(one.steps[0].name)
    if changes is None:
        return "not profiled"
    sizes = functions_in(changes)
    said = ", ".join(f"{name} {thousands(sizes[name])}" for name in named(one, explained)) or "no function differs"
    left = unexplained(one.steps[0], changes)
    return said if left is None else f"{said}; unexplained {thousands(left)}"


def shortened(case: str) -> str:
    """A case's id with the short name of a set of several kinds."""
    operation, name, *rest = case.removesuffix("/stack:1M").split("/")
    return "/".join([operation, label(name) if "-" in name else name, *rest])


def rows_of(one: Entry) -> str:
    """The rows that moved most."""
    said = [f"{shortened(step.key[0])} {step.key[1]} {thousands(step.size)}" for step in one.steps[:CASES]]
    left = len(one.steps) - CASES
    return ", ".join(said) + (f" and {left} more" if left > 0 else "")


def table_of(entries: list[Entry], explained: Explained, count: int = LARGEST) -> list[str]:
    """The largest steps, a line each."""
    lines = ["| from | to | what else differs | rows that moved most | functions that changed most |", "|---|---|---|---|---|"]
    for one in entries[:count]:
        lines.append(f"| {kernel(one.edge.base.name, one.edge.base.version)} | {kernel(one.edge.new.name, one.edge.new.version)} "
                     f"| {WORDS[one.edge.kind]} | {rows_of(one)} | {functions_of(one, explained)} |")
    return lines


def largest(entries: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
    """The entries of the page's tables: between updates of a series, and from one series to the next."""
    updates = [one for one in entries if one.edge.kind is Kind.update]
    others = [one for one in entries if one.edge.kind in (Kind.series, Kind.both)]
    return updates[:LARGEST], others[:LARGEST]


def code_span(text: str) -> str:
    """The text as it is, behind more backticks than follow each other in it."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence, space = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{space}{text}{space}{fence}"


def one_of(functions: Mapping[str, Mapping[str, object]]) -> str:
    """What a title was looked for by: the functions' names, and the files that define them where these are known."""
    some = "one of " if len(functions) > 1 else ""
    filed = [name for name, of in functions.items() if of["file"]]
    unfiled = [name for name in functions if name not in filed]
    said = f"{some}{', '.join(functions)}"
    if filed:
        said += f", or the file of {'one of them' if not unfiled and some else ' or '.join(filed)}"
    return said + (f" (of {', '.join(unfiled)} the file is not known: only the name was looked for)" if unfiled else "")


def titles_of(edge: Edge, names: Sequence[str], known: Titles) -> list[str]:
    """What the changelog says between two kernels that may have to do with these functions: a line, and one for each title; none
    where it was not looked for."""
    found = titles.of_functions(edge, names, known)
    if found is None:
        return []
    functions, unlisted = found["functions"], found["unlisted"]
    assert isinstance(functions, dict) and isinstance(unlisted, list)
    by_title: dict[str, list[str]] = {}
    for name, of in functions.items():
        for title in of["titles"]:
            by_title.setdefault(title, []).append(name)
    more = sum(of.get("more", 0) for of in functions.values())
    said = f"{len(by_title)} of {found['titles_between']} titles{f', and {more} more,' if more else ''}" if by_title else \
        f"none of {found['titles_between']} titles"
    gap = "" if not unlisted else f"; of upstream {unlisted[0]} it lists no patch" if len(unlisted) == 1 else \
        f"; of {len(unlisted)} upstream releases ({unlisted[0]} to {unlisted[-1]}) it lists no patch"
    verb = "name" if len(by_title) > 1 else "names"
    return [f"- {edge.base.version} → {edge.new.version}: {said} {verb} {one_of(functions)}{gap}",
            *(f"  - {code_span(title)} ({', '.join(of)})" for title, of in by_title.items())]


def titles_section(entries: Sequence[Entry], explained: Explained, known: Titles) -> list[str]:
    """The titles of all these steps, by the kernels that they are between."""
    names: dict[Edge, list[str]] = {}
    for one in entries:
        names.setdefault(one.edge, []).extend(named(one, explained))
    said = [line for edge, of in names.items() for line in titles_of(edge, list(dict.fromkeys(of)), known)]
    return ["## What Debian's changelogs have that may have to do with them", "",
            "Titles of patches that the newer kernel has and the older one has not, and that name a function above, or its file. A title",
            "does not say that its patch is the cause of a step.", "", *said, ""] if said else []


def text(rows: list[Row], entries: list[Entry], explained: Explained, picture: str | None, left_out: Sequence[str] = (),
         known: Titles | None = None, there: Container[str] = ()) -> str:
    """The whole page; `left_out` are sentences on what was not held against each other, and `there` the files beside it."""
    by = by_member(rows)
    members = ordered(by)
    packaged = [one for one in members if one.version]
    series = list(dict.fromkeys(one.series for one in packaged))
    span = f"{packaged[0].short} to {packaged[-1].short}" if packaged else "files"
    updates, others = largest(entries)
    lines = [
        "# The history: what kernels cost, and when that changed", "",
        "Made by `scripts/lab.py history`; [the lab's README](../../scripts/lab/README.md#the-history) says how. Figures are instructions",
        "that the guest executes (path length, not time): what a case adds to a clone without namespaces, or the median where there is",
        "nothing to compare with. A step is a change from one kernel to the next that exceeds both kernels' resolutions.", "",
        f"{len(members)} kernels ({span}; {', '.join(series)}), {len({row.key for row in rows})} rows each at most, {len(entries)} entries "
        f"of {sum(len(one.steps) for one in entries)} steps.", *(f"{said[0].upper()}{said[1:]}." for said in left_out), ""]
    if picture:
        lines += [f"![Each kind over the kernels]({picture})", ""]
    lines += [f"## The {len(updates)} largest steps between updates of a series", "", *table_of(updates, explained), "",
              f"## The {len(others)} largest steps from one series to the next", "", *table_of(others, explained), ""]
    lines += titles_section([*updates, *others], explained, known or {})
    twice = [one for one in entries if one.edge.kind is Kind.compiler]
    if twice:
        lines += ["## What a compiler changes", "", "The same series, nearly the same source, by two compilers.", "",
                  *table_of(twice, explained, 5), ""]
    lines += ["## Files", "", "| file | what is in it |", "|---|---|",
              *(f"| {name} | {what} |" for name, what in FILES.items() if name in there), ""]
    return "\n".join(lines)


def points(rows: list[Row], case: str, phase: str) -> dict[tuple[str, str], list[tuple[int, float]]]:
    """By series and compiler the figures over the kernels' places."""
    found: dict[tuple[str, str], list[tuple[int, float]]] = {}
    by = by_member(rows)
    what = what_of(rows).get((case, phase))
    for place, member in enumerate(ordered(by)):
        row = by[member].get((case, phase))
        if row and row.shown and row.shown.what is what:
            found.setdefault((member.series, member.compiler), []).append((place, row.shown.value))
    return found


def picture_of(rows: list[Row]) -> bytes | None:
    """Small multiples as SVG; None where there is nothing to draw. ImportError where matplotlib is missing."""
    cases = [f"clone/{kind}/stack:1M" for kind in ("none", *KINDS)]
    drawn = [(case, points(rows, case, "create")) for case in cases]
    drawn = [(case, found) for case, found in drawn if found]
    if not drawn:
        return None
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    members = ordered(by_member(rows))
    starts = [at for at, one in enumerate(members) if at == 0 or one.series != members[at - 1].series]
    with matplotlib.rc_context({"svg.hashsalt": "nsbench", "svg.fonttype": "none", "font.size": 8}):
        figure, axes = pyplot.subplots(len(drawn), 1, sharex=True, figsize=(9, 1.1 * len(drawn) + 0.6), squeeze=False)
        for (case, found), axis in zip(drawn, axes[:, 0]):
            for (_, compiler), line in found.items():
                axis.plot([x for x, _ in line], [y / 1000 for _, y in line], marker=".", linewidth=0.8,
                          color=f"C{sorted({one.compiler for one in members}).index(compiler)}")
            for at in starts[1:]:
                axis.axvline(at - 0.5, color="0.85", linewidth=0.8, zorder=0)
            axis.set_ylabel(case.split("/")[1].removeprefix("NEW"), rotation=0, ha="right", va="center")
            axis.spines[["top", "right"]].set_visible(False)
        axes[-1, 0].set_xticks(starts, [members[at].series or members[at].name for at in starts])
        figure.suptitle("create of clone, thousand instructions: none, and what each kind adds; a colour for each compiler")
        figure.tight_layout()
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
        pyplot.close(figure)
    return out.getvalue()


def write(folder: Path, rows: list[Row], entries: list[Entry], explained: Explained, left_out: Sequence[str] = (),
          known: Titles | None = None) -> None:
    """Makes the page and its picture; without matplotlib a picture that is there already stays, and is of the history before."""
    path = folder / PICTURE
    try:
        picture = picture_of(rows)
    except ImportError:
        stays = f"; {path} is the one of before" if path.exists() else ""
        print(f"lab: no picture of the history: matplotlib is missing: apt-get install python3-matplotlib{stays}", file=sys.stderr)
    else:
        if picture:
            outputs.replace(path, picture)
        else:
            path.unlink(missing_ok=True)
    outputs.replace(folder / README, text(rows, entries, explained, PICTURE if path.exists() else None, left_out, known,
                                          {one.name for one in folder.iterdir()}).encode())
