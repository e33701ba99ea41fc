"""Which functions are behind the steps: exact profiles of the two kernels, made on demand, and what is written of them."""
import argparse
import csv
import io
import lzma
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
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
COLUMNS = ("base", "new", "plan", "case", "phase", "function", "before", "after")
LEAST = 100  # instructions by which a row must have moved for its functions to be looked for
Name = tuple[str, str, str, str]  # of a step
Found = dict[Name, dict[str, tuple[float, float]]]


def tree_of(stacks: object) -> Tree:
    """The tree of a phase in a job's file."""
    assert isinstance(stacks, dict)
    return {tuple(path.split(";")): Cost(0, float(own)) for path, own in stacks.items()}


def read(path: Path, plans: Mapping[Name, str]) -> tuple[Found, int]:
    """The functions behind each of these steps, of rows that were measured by this plan, none where there is no file; and of how many
    other explanations the file is, of another plan or of what is no step. LabError for one that is not whole."""
    found: Found = {}
    others: set[tuple[str, ...]] = set()
    try:
        for row in files.records(path, {**dict.fromkeys(COLUMNS, str), "before": float, "after": float, "case": files.CASE}):
            name = row["base"], row["new"], row["case"], row["phase"]
            if plans.get(name) != row["plan"]:
                others.add((*name, row["plan"]))
                continue
            of = found.setdefault(name, {})
            if row["function"]:
                of[row["function"]] = (float(row["before"]), float(row["after"]))
    except FileNotFoundError:
        pass
    except Unreadable as error:
        raise LabError(str(error), USAGE) from None
    return found, len(others)


def check(folder: Path) -> None:
    """LabError where one of the files that an update goes on from is not whole."""
    read(folder / FUNCTIONS, {})
    recorded_stacks.read(folder / recorded_stacks.FILE)
    titles.read(folder / titles.FILE)


def write(path: Path, found: Found, plans: Mapping[Name, str]) -> None:
    """Makes the file. A step behind which no function changed has one line without a function."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(COLUMNS)
    for name, changes in sorted(found.items()):
        base, new, case, phase = name
        for function, (before, after) in sorted((changes or {"": (0.0, 0.0)}).items()):
            out.writerow([base, new, plans[name], case, phase, function, f"{before:.10g}", f"{after:.10g}"])
    outputs.replace(path, lzma.compress(text.getvalue().encode(), preset=9))


@dataclass(frozen=True)
class Side:
    """A kernel's profile, by case and phase."""

    stacks: dict[str, dict[str, object]]

    def trees(self, key: table.Key, adds: bool) -> tuple[Tree, Tree | None] | None:
        """The row's tree, and that of its base where the row is what the case adds to it."""
        case, phase = key
        own = self.stacks.get(case, {}).get(phase)
        base = self.stacks.get(orders.base_of(case), {}).get(phase) if adds else None
        if own is None or (adds and base is None):
            return None
        return tree_of(own), tree_of(base) if base is not None else None


def changes(step: Step, base: Side, new: Side, adds: bool) -> dict[str, tuple[float, float]] | None:
    """Each function's own instructions before and after; None where a profile has not this phase."""
    one, other = base.trees(step.key, adds), new.trees(step.key, adds)
    if one is None or other is None:
        return None
    found = explain.of_trees(one, other)
    return {name: (found.parts[0].get(name, 0.0), found.parts[1].get(name, 0.0)) for name in found.changes()}


def wanted(every: Iterable[Step], known: Found, least: float, most: int) -> list[Step]:
    """The steps to explain: those of at least that size that are not explained yet, the largest first; so many at most (0: all)."""
    waiting = [step for step in every if abs(step.size) >= least and step.name not in known]
    waiting.sort(key=lambda step: (-abs(step.size), step.name))
    return waiting[:most] if most else waiting


def update(options: argparse.Namespace, rows: list[Row], kernels: dict[tuple[str, str], Job], chosen: plan.Plan, digest: str) -> int:
    """Writes the steps of these rows, and their page; with --explain also looks for the functions behind them, where both kernels are
    still to be had. The exit code."""
    by = table.by_member(rows)
    compared = steps.compared(rows)
    every = compared.steps
    plans = {step.name: by[step.edge.new][step.key].plan for step in every}
    known, gone = read(options.out / FUNCTIONS, plans)
    if gone:
        print(f"lab: {FUNCTIONS}: {gone} explanations go: they are of another plan, or of what is no step any more", file=sys.stderr)
    code = OK
    if options.explain is not None:
        here = [step for step in every if by[step.edge.base][step.key].plan == digest
                and {(one.name, one.version) for one in (step.edge.base, step.edge.new)} <= kernels.keys()]
        waiting = wanted(here, known, options.least, options.explain)
        cases: dict[Member, set[str]] = {}
        for step in waiting:
            for member in (step.edge.base, step.edge.new):
                cases.setdefault(member, set()).add(step.key[0])
        jobs = {member: replace(kernels[member.name, member.version], cases=tuple(sorted(of)), profile=True)
                for member, of in cases.items()}
        print(f"lab: {len(waiting)} steps to explain on {len(jobs)} kernels", file=sys.stderr)
        done = carry.carry_out(list(jobs.values()), chosen, digest, options)
        code = FAILED if len(done) < len(jobs) else OK
        sides = {member: Side(stacks) for member, one in jobs.items() if one in done and isinstance(stacks := done[one]["stacks"], dict)}
        for step in waiting:
            base, new = sides.get(step.edge.base), sides.get(step.edge.new)
            if base and new and (found := changes(step, base, new, by[step.edge.new][step.key].delta != "")) is not None:
                known[step.name] = found
    write(options.out / FUNCTIONS, known, plans)
    found_entries = steps.entries(every, known)
    updates, others = page.largest(found_entries)
    of_page = [*updates, *others]
    code = max(code, recorded_stacks.update(options, rows, kernels, [one for one in of_page if one.function], chosen, digest))
    path = options.out / titles.FILE
    said_of = titles.read(path)
    if options.titles:
        code = max(code, titles.update(said_of, of_page, known))
    said_of = titles.kept(said_of, of_page, known)
    if said_of:
        carry.write_json(path, said_of)
    else:
        path.unlink(missing_ok=True)
    carry.write_json(options.out / STEPS, titles.added(steps.json_of(found_entries, known), found_entries, said_of, known))
    page.write(options.out, rows, found_entries, known, compared.left_out, said_of)
    for said in compared.left_out:
        print(f"lab: {said}", file=sys.stderr)
    return code


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those of the steps."""
    parser.add_argument("--explain", type=positive, nargs="?", const=0, default=None, metavar="N",
                        help="find the functions behind the N largest steps (all) by exact profiles of both kernels")
    parser.add_argument("--least", type=positive, default=LEAST, metavar="N", help="instructions of a step that is explained (%(default)s)")
    titles.add_options(parser)
    recorded_stacks.add_options(parser)
