"""Which functions are behind the steps: exact profiles of the two kernels, made on demand, and what is written of them."""
import argparse
import csv
import io
import lzma
import sys
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from analysis import files, outputs
from analysis.script import Unreadable
from lab import explain, orders
from lab.errors import FAILED, OK, USAGE, LabError
from lab.exact import Cost
from lab.history import carry, page, plan, recorded_stacks, steps, table, titles
from lab.history.plan import Job
from lab.history.steps import Step
from lab.history.table import Row
from lab.history.versions import Member
from lab.options import positive
from lab.tree import Tree

FUNCTIONS = "functions.csv.xz"
STEPS = "steps.json"
COLUMNS = ("base", "new", "plan", "by", "case", "phase", "differs", "function", "before", "after")
SHARE = 0.1  # of a step by which it may be another one where it is explained by another build: `unexplained` says what is left
Name = tuple[str, str, str, str]  # of a step
Found = dict[Name, dict[str, tuple[float, float]]]


@dataclass
class Known:
    """What is known of steps: the functions behind them; the plan that each was profiled by; and of those that it does not explain, since
    the step is another one by it, by how much."""

    functions: Found = field(default_factory=dict)
    by: dict[Name, str] = field(default_factory=dict)
    differs: dict[Name, float] = field(default_factory=dict)

    @property
    def names(self) -> set[Name]:
        return self.functions.keys() | self.differs.keys()


def tree_of(stacks: object) -> Tree:
    """The tree of a phase in a job's file."""
    assert isinstance(stacks, dict)
    return {tuple(path.split(";")): Cost(0, float(own)) for path, own in stacks.items()}


def read(path: Path, plans: Mapping[Name, str]) -> tuple[Known, int]:
    """What the file has of each of these steps, of rows that were measured by this plan, nothing where there is no file; and of how many
    other explanations the file is, of another plan or of what is no step. LabError for one that is not whole."""
    known = Known()
    others: set[tuple[str, ...]] = set()
    kinds: files.Kinds = {**dict.fromkeys(COLUMNS, str), "before": float, "after": float, "case": files.CASE,
                          "by": files.Perhaps(str), "differs": files.Perhaps(float)}
    try:
        for row in files.records(path, kinds):
            name = row["base"], row["new"], row["case"], row["phase"]
            if plans.get(name) != row["plan"]:
                others.add((*name, row["plan"]))
                continue
            known.by[name] = row.get("by", row["plan"])
            if row.get("differs"):
                known.differs[name] = float(row["differs"])
                continue
            of = known.functions.setdefault(name, {})
            if row["function"]:
                of[row["function"]] = (float(row["before"]), float(row["after"]))
    except FileNotFoundError:
        pass
    except Unreadable as error:
        raise LabError(str(error), USAGE) from None
    return known, len(others)


def check(folder: Path) -> None:
    """LabError where one of the files that an update goes on from is not whole."""
    read(folder / FUNCTIONS, {})
    recorded_stacks.read(folder / recorded_stacks.FILE)
    titles.read(folder / titles.FILE)


def write(path: Path, known: Known, plans: Mapping[Name, str]) -> None:
    """Makes the file. A step behind which no function changed, or that is not explained, has one line without a function."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(COLUMNS)
    for name in sorted(known.names):
        base, new, case, phase = name
        differs = f"{known.differs[name]:.10g}" if name in known.differs else ""
        for function, (before, after) in sorted((known.functions.get(name) or {"": (0.0, 0.0)}).items()):
            out.writerow([base, new, plans[name], known.by[name], case, phase, differs, function, f"{before:.10g}", f"{after:.10g}"])
    outputs.replace(path, lzma.compress(text.getvalue().encode(), preset=9))


@dataclass(frozen=True)
class Side:
    """A kernel's profile, by case and phase, and the figures that were measured with it."""

    stacks: dict[str, dict[str, object]]
    figures: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)

    def trees(self, key: table.Key, adds: bool) -> tuple[Tree, Tree | None] | None:
        """The row's tree, and that of its base where the row is what the case adds to it."""
        case, phase = key
        own = self.stacks.get(case, {}).get(phase)
        base = self.stacks.get(orders.base_of(case), {}).get(phase) if adds else None
        if own is None or (adds and base is None):
            return None
        return tree_of(own), tree_of(base) if base is not None else None

    def figure(self, key: table.Key, what: table.What) -> float | None:
        """The row's; None where there is none of this kind."""
        return self.figures.get(key[0], {}).get(key[1], {}).get(what.name)


def differs(step: Step, base: Side, new: Side) -> float | None:
    """By how much the step is another one by these profiles than the recorded one: 0 within its resolution, or a part of it that leaves no
    doubt. None where a side has no figure."""
    before, after = base.figure(step.key, step.before.what), new.figure(step.key, step.after.what)
    if before is None or after is None:
        return None
    left = after - before - step.size
    return left if abs(left) > max(step.resolution, SHARE * abs(step.size)) else 0.0


def changes(step: Step, base: Side, new: Side, adds: bool) -> dict[str, tuple[float, float]] | None:
    """Each function's own instructions before and after; None where a profile has not this phase."""
    one, other = base.trees(step.key, adds), new.trees(step.key, adds)
    if one is None or other is None:
        return None
    found = explain.of_trees(one, other)
    return {name: (found.parts[0].get(name, 0.0), found.parts[1].get(name, 0.0)) for name in found.changes()}


def wanted(every: Iterable[Step], known: Known, digest: str, least: float, most: int) -> list[Step]:
    """The steps to explain: those of at least that size that are not explained yet, nor differ by this plan, the page's tables in
    turn, then the largest first; those of so many cases between two kernels at most (0: all), since a profile has all phases of one."""
    waiting = [step for step in every if abs(step.size) >= least and step.name not in known.functions
               and not (step.name in known.differs and known.by[step.name] == digest)]
    on_page = [step.name for one in page.in_turn(steps.entries(every, known.functions)) for step in one.steps]
    place = {name: number for number, name in reversed(list(enumerate(on_page)))}
    waiting.sort(key=lambda step: (place.get(step.name, len(place)), step.is_waiting, -abs(step.size), step.name))
    cases = list(dict.fromkeys((step.edge, step.key[0]) for step in waiting))
    chosen = set(cases[:most] if most else cases)
    return [step for step in waiting if (step.edge, step.key[0]) in chosen]


def look_behind(waiting: list[Step], sides: Mapping[Member, Side], known: Known, digest: str, adds: Container[table.Key]) -> None:
    """Adds what the profiles say of these steps."""
    for step in waiting:
        base, new = sides.get(step.edge.base), sides.get(step.edge.new)
        if not base or not new:
            continue
        left = differs(step, base, new)
        found = changes(step, base, new, step.key in adds)
        if found is None or left is None:
            continue
        known.by[step.name] = digest
        if left:
            known.differs[step.name] = left
        else:
            known.differs.pop(step.name, None)
            known.functions[step.name] = found


def profiles(waiting: list[Step], kernels: Mapping[table.Kernel, Job], files_of: Mapping[Member, str], chosen: plan.Plan, digest: str,
             options: argparse.Namespace) -> tuple[dict[Member, Side], int]:
    """Of each kernel of these steps, by its file as the rows have it; and the exit code."""
    cases: dict[Member, set[str]] = {}
    for step in waiting:
        for member in (step.edge.base, step.edge.new):
            cases.setdefault(member, set()).add(step.key[0])
    jobs = {member: replace(kernels[member.name, member.version], cases=tuple(sorted(of)), profile=True) for member, of in cases.items()}
    print(f"lab: {len(waiting)} steps to explain on {len(jobs)} kernels", file=sys.stderr)
    done = carry.carry_out(list(jobs.values()), chosen, digest, options)
    sides = {}
    for member, one in jobs.items():
        if one not in done:
            continue
        content = done[one]
        if content["kernel"] != files_of[member]:
            print(f"lab: {member.name}: the rows are of another file of this name: its steps are not explained", file=sys.stderr)
            continue
        stacks, figures = content["stacks"], content["figures"]
        assert isinstance(stacks, dict) and isinstance(figures, dict)
        sides[member] = Side(stacks, figures)
    return sides, FAILED if len(done) < len(jobs) else OK


def update(options: argparse.Namespace, rows: list[Row], kernels: dict[table.Kernel, Job], chosen: plan.Plan, digest: str
           ) -> tuple[int, set[str]]:
    """Writes the steps of these rows, and their page; with --explain also looks for the functions behind them, where both kernels are
    still to be had. The exit code, and the plans that the files are of."""
    by = table.by_member(rows)
    compared = steps.compared(rows)
    every = compared.steps
    plans = {step.name: by[step.edge.new][step.key].plan for step in every}
    known, gone = read(options.out / FUNCTIONS, plans)
    if gone:
        print(f"lab: {FUNCTIONS}: {gone} explanations go: they are of another plan, or of what is no step any more", file=sys.stderr)
    code = OK
    if options.explain is not None:
        here = [step for step in every if (options.as_recorded or plans[step.name] == digest)
                and {(one.name, one.version) for one in (step.edge.base, step.edge.new)} <= kernels.keys()]
        waiting = wanted(here, known, digest, options.least, options.explain)
        files_of = {member: next(iter(of.values())).kernel_sha256 for member, of in by.items()}
        sides, code = profiles(waiting, kernels, files_of, chosen, digest, options)
        look_behind(waiting, sides, known, digest, {step.key for step in every if by[step.edge.new][step.key].delta != ""})
    write(options.out / FUNCTIONS, known, plans)
    found_entries = steps.entries(every, known.functions)
    of_page = page.shown(found_entries)
    others = {*known.by.values(), *([digest] if options.as_recorded else [])}
    looked_behind = [one for one in of_page if one.steps[0].name in known.functions]
    code = max(code, recorded_stacks.update(options, rows, kernels, looked_behind, chosen, digest, others))
    said_of = titles_of(options, of_page, known.functions)
    code = max(code, said_of[1])
    carry.write_json(options.out / STEPS, titles.added(steps.json_of(found_entries, known.functions), found_entries, said_of[0],
                                                       known.functions))
    page.write(options.out, rows, found_entries, known.functions, compared.left_out, said_of[0], known.differs,
               builds_of(known, plans), {name for name, by in known.by.items() if by != plans[name]})
    for said in compared.left_out:
        print(f"lab: {said}", file=sys.stderr)
    stacked = {of.plan for of in recorded_stacks.read(options.out / recorded_stacks.FILE)}
    return code, {row.plan for row in rows} | set(known.by.values()) | stacked


def builds_of(known: Known, plans: Mapping[Name, str]) -> list[str]:
    """A sentence where steps are explained by another plan than their rows'."""
    foreign = [name for name, by in known.by.items() if by != plans[name]]
    if not foreign:
        return []
    differ = len([name for name in foreign if name in known.differs])
    return [f"the functions behind {len(foreign)} steps were looked for by another plan than that of the figures, such as another build of "
            "nsbench (plans.json has both). They stand here where the step by it is the recorded one, within its resolution or a "
            f"tenth of it; of {differ} it is not. The tables mark all of them with {page.FOREIGN}"]


def titles_of(options: argparse.Namespace, of_page: list[steps.Entry], functions: Found) -> tuple[titles.Known, int]:
    """Writes the titles; with --titles also those that are not known yet. What there is, and the exit code."""
    path = options.out / titles.FILE
    said_of = titles.read(path)
    code = titles.update(said_of, of_page, functions) if options.titles else OK
    said_of = titles.kept(said_of, of_page, functions)
    if said_of:
        carry.write_json(path, said_of)
    else:
        path.unlink(missing_ok=True)
    return said_of, code


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those of the steps."""
    parser.add_argument("--explain", type=positive, nargs="?", const=0, default=None, metavar="N",
                        help="find the functions behind the N largest steps (all), and the other phases of their cases, by exact profiles "
                        "of both kernels")
    parser.add_argument("--least", type=positive, default=steps.LEAST, metavar="N",
                        help="instructions of a step that is explained (%(default)s)")
    titles.add_options(parser)
    recorded_stacks.add_options(parser)
