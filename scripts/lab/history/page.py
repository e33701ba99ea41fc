"""results/history/README.md: the largest steps, and every kind over the kernels as small multiples."""
import io
import itertools
import math
import re
import sys
import textwrap
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis import outputs
from analysis.kinds import KINDS, label, prefixed
from lab.explain import thousands
from lab.history import titles
from lab.history.steps import LEAST, LEAST_OF_FACTOR, Entry, Explained, Step, functions_in, named, others_in, unexplained
from lab.history.table import DRAIN, Row, by_member, what_of
from lab.history.titles import Known as Titles
from lab.history.versions import Edge, Kind, ordered

README = "README.md"
PICTURE = "kinds.svg"
PLANS = "plans.json"
LARGEST = 20
OF_KINDS = 30
PAGE = 120  # letters of a line
WIDE = 9  # inches of the picture
PLOT = 8.2  # of what is drawn in it
LETTER = 0.07
LEGEND = 0.3  # its height
TWICE = 5  # steps by a compiler
CASES = 3  # rows of a step
TITLES = 2  # of a function
FOREIGN = "†"  # of functions that were looked for by another plan than the figures'
FILES = {
    "history.csv.xz": "each row of each kernel",
    "functions.csv.xz": "for each explained step its functions, before and after",
    "stacks.csv.xz": "of some kernels the whole tree of calls of cases, for flame graphs: a function a line, and its level",
    "steps.json": "all steps, the largest first; `back` and `undoes`: the kernel in which it goes back, or whose step it takes back; "
                  "`also`: the same step in another line of kernels; `unexplained`: what the functions, and "
                  "other tasks that are named with them, do not have of it, where that exceeds the resolution (of `drain`: waiting)",
    "titles.json": "of the largest steps' functions, the titles in Debian's changelogs that name them or their files",
    PLANS: "how each row was measured"}
Name = tuple[str, str, str, str]  # of a step
Differs = Mapping[Name, float]
WORDS = {Kind.update: "", Kind.series: "series", Kind.compiler: "compiler only", Kind.both: "series and compiler"}


def kernel(name: str, version: str) -> str:
    return f"{version}" if version else name


def functions_of(one: Entry, explained: Explained, differs: Differs, step: Step | None = None, foreign: Container[Name] = ()) -> str:
    """Those that changed most in this row, behind other tasks that are a large part of it; without a row in the one that moved most."""
    step = step or one.steps[0]
    changes = explained.get(step.name)
    mark = f" {FOREIGN}" if step.name in foreign else ""
    if changes is None:
        left = differs.get(step.name)
        return "not profiled" if left is None else f"not explained: the step differs by {thousands(left)}{mark}"
    sizes, others = functions_in(changes), others_in(changes, step.size)
    names = named(one, explained, step)
    said = ", ".join([*(f"{name} {thousands(change)}" for name, change in others.items()),
                      *(f"{name} {thousands(sizes[name])}" for name in names)]) or "no function differs"
    left = unexplained(step, changes)
    return (said if left is None else f"{said}; unexplained {thousands(left)}") + mark


def shortened(case: str) -> str:
    """A case's id with the short name of a set of several kinds."""
    operation, name, *rest = case.removesuffix("/stack:1M").split("/")
    return "/".join([operation, label(name) if "-" in name else name, *rest])


def way_back(step: Step) -> list[str]:
    """Whether a later update takes it back, and whether it takes back an earlier one."""
    return [*([f"goes back in {step.back}"] if step.back else []), *([f"takes back {step.undoes}'s"] if step.undoes else [])]


def in_brackets(said: Sequence[str]) -> str:
    return f" ({'; '.join(said)})" if said else ""


def rows_of(one: Entry) -> str:
    """The rows that moved most."""
    said = [f"{shortened(step.key[0])} {step.key[1]} {thousands(step.size)}{in_brackets(way_back(step))}" for step in one.steps[:CASES]]
    left = len(one.steps) - CASES
    return ", ".join(said) + (f" and {left} more" if left > 0 else "")


def amount(value: float) -> str:
    """A figure of a row."""
    text = f"{abs(value):.0f}" if abs(value) < 99999.5 else prefixed(abs(value))
    return f"{'−' if value < 0 else ''}{text}"


def factor_of(one: Entry) -> str:
    """The row that moved by the largest factor: from which figure to which; of a delta also what moved, the case or its base."""
    step = one.by_factor
    factor = max(step.factor, 1 / step.factor)
    said = f"{'×' if step.factor > 1 else '÷'}{factor:.{0 if factor >= 100 else 2}f}"
    if step.after.value < LEAST:
        said = "below none" if step.is_below_none else "gone"
    elif step.before.value < LEAST:
        said = "new"
    beside = way_back(step)
    if step.medians:
        beside.insert(0, f"the case {thousands(step.medians[0])}, none {thousands(step.medians[1])}")
    more = f"; {len(one.steps) - 1} more rows" if len(one.steps) > 2 else "; 1 more row" if len(one.steps) == 2 else ""
    figures = f"{amount(step.before.value)} → {amount(step.after.value)}"
    return f"{shortened(step.key[0])} {step.key[1]} {figures}, {said}{in_brackets(beside)}{more}"


def table_of(entries: list[Entry], explained: Explained, differs: Differs, what: Callable[[Entry], str] = rows_of,
             foreign: Container[Name] = ()) -> list[str]:
    """Steps, a line each."""
    lines = ["| from | to | what else differs | rows that moved most | functions that changed most |", "|---|---|---|---|---|"]
    for one in entries:
        step = one.by_factor if what is factor_of else one.steps[0]
        lines.append(f"| {kernel(one.edge.base.name, one.edge.base.version)} | {kernel(one.edge.new.name, one.edge.new.version)} "
                     f"| {WORDS[one.edge.kind]} | {what(one)} | {functions_of(one, explained, differs, step, foreign)} |")
    return lines


def by_factor(entries: Iterable[Entry]) -> list[Entry]:
    """Those that have a factor, the largest first, up or down, less the resolution; of two alike the larger in instructions."""
    found = [one for one in entries if one.factor != 1.0]
    return sorted(found, key=lambda one: (-one.by_factor.sure_factor, -abs(math.log(one.factor)), -one.beyond))


def is_of_a_kind(one: Entry) -> bool:
    """Whether the row that moved by the largest factor is of one kind of namespace."""
    return one.by_factor.key[0].split("/")[1] in KINDS


@dataclass(frozen=True)
class Section:
    """A table of the page: its heading, what stands below it, the entries, and what of an entry is shown."""

    heading: str
    about: str
    entries: list[Entry]
    what: Callable[[Entry], str] = rows_of


def sections(entries: Sequence[Entry]) -> list[Section]:
    """The page's tables, without empty ones. What a compiler changes is in none but its own."""
    work = [one for one in entries if not one.is_waiting]
    real = [one for one in work if one.edge.kind is not Kind.compiler]
    updates = [one for one in work if one.edge.kind is Kind.update][:LARGEST]
    others = [one for one in work if one.edge.kind in (Kind.series, Kind.both)][:LARGEST]
    factors = by_factor(filter(is_of_a_kind, real))[:OF_KINDS]
    waiting = by_factor(one for one in entries if one.is_waiting and one.edge.kind is not Kind.compiler)[:LARGEST]
    twice = [one for one in work if one.edge.kind is Kind.compiler][:TWICE]
    every = [
        Section(f"The {len(factors)} largest steps of one kind, as a factor",
                "What a kind costs after the step for what it cost before it, of steps of at least "
                f"{LEAST_OF_FACTOR} instructions. What is less than {LEAST} instructions counts as {LEAST}, and is called gone, or new. In "
                "brackets by how much the case's own median moved, and that of none, which is taken off: a kind that is 'below none' need "
                "not cost less than before; none may cost more.",
                factors, factor_of),
        Section(f"Waiting: the {len(waiting)} largest steps of drain as a factor",
                f"`{DRAIN}` is how long the kernel's workers need after a sample, and most of that is waiting: for a grace period of RCU, "
                "or for the next tick. An idle guest's clock jumps there, so that steps are mostly of whole ticks (4 M instructions in "
                "Debian's kernels, half of it for each of a batch of two), or of parts of one where the next timer is another one; and a "
                "meaningless change can move it by one. Functions are what the "
                "workers execute, which is a small part.", waiting, factor_of),
        Section(f"The {len(updates)} largest steps between updates of a series, in instructions", "", updates),
        Section(f"The {len(others)} largest steps from one series to the next, in instructions",
                "From the oldest kernel that the archive has of a series to the oldest of the next one: fixes that later updates of the "
                "older series have, too, may be a part of the step.", others),
        Section("What a compiler changes", "The same series, nearly the same source, by two compilers.", twice)]
    return [one for one in every if one.entries]


def shown(entries: Sequence[Entry]) -> list[Entry]:
    """The entries of all tables but that of compilers, in their order, each once."""
    return list({id(one): one for of in sections(entries) for one in of.entries if one.edge.kind is not Kind.compiler}.values())


def in_turn(entries: Sequence[Entry]) -> list[Entry]:
    """As `shown`, but a table's first, then the next one's, then each one's second: who looks at some sees some of each table."""
    tables = [[one for one in of.entries if one.edge.kind is not Kind.compiler] for of in sections(entries)]
    return list({id(one): one for row in itertools.zip_longest(*tables) for one in row if one is not None}.values())


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
    listed: set[str] = set()
    for name, of in functions.items():
        listed.update(of["titles"][:TITLES])
        for title in of["titles"]:
            by_title.setdefault(title, []).append(name)
    more = sum(of.get("more", 0) for of in functions.values())
    between = found["titles_between"]
    said = f"{len(by_title)} of {between} titles{f', and {more} more, which are not kept,' if more else ''}" if by_title else \
        f"none of {between} titles"
    gap = "" if not unlisted else f"; of upstream {unlisted[0]} it lists no patch" if len(unlisted) == 1 else \
        f"; of {len(unlisted)} upstream releases ({unlisted[0]} to {unlisted[-1]}) it lists no patch"
    verb = "name" if len(by_title) > 1 else "names"
    return [f"- {edge.base.version} → {edge.new.version}: {said} {verb} {one_of(functions)}{gap}",
            *(f"  - {code_span(title)} ({', '.join(of)})" for title, of in by_title.items() if title in listed),
            *([f"  - {len(by_title) - len(listed)} others are in {titles.FILE}"] if len(by_title) > len(listed) else [])]


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
         known: Titles | None = None, there: Container[str] = (), differs: Differs | None = None, foreign: Container[Name] = ()) -> str:
    """The whole page; `left_out` are sentences on what was not held against each other, and `there` the files beside it."""
    by = by_member(rows)
    members = ordered(by)
    packaged = [one for one in members if one.version]
    series = list(dict.fromkeys(one.series for one in packaged))
    span = f"{packaged[0].short} to {packaged[-1].short}" if packaged else "files"
    lines = [
        "# The history: what kernels cost, and when that changed", "",
        "Made by `scripts/lab.py history`; [the lab's README](../../scripts/lab/README.md#the-history) says how. Figures are instructions",
        "that the guest executes (path length, not time): what a case adds to a clone without namespaces, or the median where there is",
        "nothing to compare with. A step is a change from one kernel to the next that exceeds both kernels' resolutions.",
        "The largest are those with the largest part beyond the resolutions. One that 'goes back' in a later kernel of the series, by as",
        "much, may be of where memory lies, and of no source line: some of these rows differ by as much between the saved machines.", "",
        "A name in brackets among the functions is none of the call's: `[other tasks]` ran within the phase, `[interrupts]` too, and",
        "`[child]` is the new task. A step that they lead need not be a cost of the kind: a worker that the kernel runs within the phase",
        "runs after it, in `drain`, on another kernel, and its work goes from the one to the other. Functions are by profiles of one saved",
        "machine, the first; figures and resolutions are of all of them.", "",
        f"{len(members)} kernels ({span}; {', '.join(series)}), {len({row.key for row in rows})} rows each at most, {len(entries)} entries "
        f"of {sum(len(one.steps) for one in entries)} steps.", *(f"{said[0].upper()}{said[1:]}." for said in left_out), ""]
    if picture:
        lines += [f"![Each kind over the kernels]({picture})", ""]
    for one in sections(entries):
        about = [textwrap.fill(one.about, PAGE), ""] if one.about else []
        lines += [f"## {one.heading}", "", *about, *table_of(one.entries, explained, differs or {}, one.what, foreign), ""]
    lines += titles_section(shown(entries), explained, known or {})
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


def levels(texts: Sequence[tuple[int, str]], inches: float) -> list[int]:
    """Below each other, the lines of labels that each begin at a place so many inches wide, so that none stands in another."""
    ends: list[float] = []
    found = []
    for place, words in texts:
        begin = place * inches
        level = next((number for number, end in enumerate(ends) if end <= begin), len(ends))
        ends[level:level + 1] = [begin + (len(words) + 1) * LETTER]
        found.append(level)
    return found


def picture_of(rows: list[Row], entries: Iterable[Entry] = ()) -> bytes | None:
    """Small multiples as SVG, with a ring around each figure that a step leads to; None where there is nothing to draw. ImportError
    where matplotlib is missing."""
    cases = [f"clone/{kind}/stack:1M" for kind in ("none", *KINDS)]
    drawn = [(case, points(rows, case, "create")) for case in cases]
    drawn = [(case, found) for case, found in drawn if found]
    if not drawn:
        return None
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.lines import Line2D
    members = ordered(by_member(rows))
    starts = [at for at, one in enumerate(members) if at == 0 or one.series != members[at - 1].series]
    compilers = sorted({one.compiler for one in members})
    stepped = {(step.key, step.edge.new) for one in entries for step in one.steps}
    with matplotlib.rc_context({"svg.hashsalt": "nsbench", "svg.fonttype": "none", "font.size": 8}):
        figure, axes = pyplot.subplots(len(drawn), 1, sharex=True, figsize=(WIDE, 1.1 * len(drawn) + 0.6 + LEGEND), squeeze=False)
        for (case, found), axis in zip(drawn, axes[:, 0]):
            for (_, compiler), line in found.items():
                axis.plot([x for x, _ in line], [y / 1000 for _, y in line], marker=".", linewidth=0.8,
                          color=f"C{compilers.index(compiler)}")
                rings = [(x, y / 1000) for x, y in line if ((case, "create"), members[x]) in stepped]
                axis.plot([x for x, _ in rings], [y for _, y in rings], "o", markersize=7, markerfacecolor="none",
                          markeredgecolor="0.35", markeredgewidth=0.7)
            for at in starts[1:]:
                axis.axvline(at - 0.5, color="0.85", linewidth=0.8, zorder=0)
            axis.set_ylabel(case.split("/")[1].removeprefix("NEW"), rotation=0, ha="right", va="center")
            axis.spines[["top", "right"]].set_visible(False)
        labels = [(at, members[at].series or members[at].name) for at in starts]
        below = levels(labels, PLOT / len(members))
        axes[-1, 0].set_xticks(starts, ["\n" * level + name for level, (_, name) in zip(below, labels)], ha="left")
        figure.suptitle("create of clone, thousand instructions: none, and what each kind adds")
        figure.tight_layout()
        marks = [Line2D([], [], marker=".", linewidth=0.8, color=f"C{at}", label=name or "compiler unknown")
                 for at, name in enumerate(compilers)]
        ring = Line2D([], [], marker="o", linewidth=0, markersize=7, markerfacecolor="none", markeredgecolor="0.35", label="after a step")
        handles = [*marks, *([ring] if stepped else [])]
        figure.legend(handles=handles, loc="lower center", ncols=len(handles), frameon=False)
        figure.subplots_adjust(bottom=figure.subplotpars.bottom + LEGEND / figure.get_figheight())
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
        pyplot.close(figure)
    return out.getvalue()


def write(folder: Path, rows: list[Row], entries: list[Entry], explained: Explained, left_out: Sequence[str] = (),
          known: Titles | None = None, differs: Differs | None = None, builds: Sequence[str] = (), foreign: Container[Name] = ()) -> None:
    """Makes the page and its picture; without matplotlib a picture that is there already stays, and is of the history before."""
    path = folder / PICTURE
    try:
        picture = picture_of(rows, entries)
    except ImportError:
        stays = f"; {path} is the one of before" if path.exists() else ""
        print(f"lab: no picture of the history: matplotlib is missing: apt-get install python3-matplotlib{stays}", file=sys.stderr)
    else:
        if picture:
            outputs.replace(path, picture)
        else:
            path.unlink(missing_ok=True)
    there = {PLANS, *(one.name for one in folder.iterdir())}  # the plans are written last, by what the other files use of them
    outputs.replace(folder / README, text(rows, entries, explained, PICTURE if path.exists() else None, [*left_out, *builds], known, there,
                                          differs, foreign).encode())
