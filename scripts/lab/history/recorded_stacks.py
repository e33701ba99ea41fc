"""The stacks of some kernels, from which a page draws how any two of them differ: exact profiles of cases, kept whole in one file.

A line of stacks.csv.xz is a function in the tree of calls, callers before what they call, one level deeper each; the first line of
a tree, at level 0, names whose it is. Instructions are whole: each stack's own are rounded.
"""
import argparse
import csv
import io
import lzma
import re
import sys
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from analysis import files, outputs, stacks
from analysis.script import Unreadable
from analysis.stacks import Frame
from lab import orders
from lab.errors import FAILED, OK, USAGE, LabError
from lab.history import carry, plan, table
from lab.history.plan import Job
from lab.history.steps import Entry
from lab.history.table import Row
from lab.history.versions import Member, ordered

FILE = "stacks.csv.xz"
KINDS = re.compile(r"clone/(none|NEW[A-Z]+)/stack:1M")
WHOLE = re.compile("-?[0-9]{1,18}")
COLUMNS = ("kernel", "version", "plan", "case", "phase", "level", "function", "own")


@dataclass(frozen=True, order=True)
class Of:
    """Whose a tree is."""

    kernel: str
    version: str
    plan: str
    case: str
    phase: str


Trees = dict[Of, Frame]


def lines(frame: Frame, level: int = 0) -> list[tuple[int, str, int]]:
    """A tree's functions, each with its level and its own instructions."""
    own = frame["value"] - sum(child["value"] for child in frame["children"])
    return [(level, frame["name"], own), *(line for child in frame["children"] for line in lines(child, level + 1))]


def write(path: Path, trees: Trees) -> None:
    """Makes the file; none where there is nothing."""
    if not trees:
        path.unlink(missing_ok=True)
        return
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(COLUMNS)
    for of, tree in sorted(trees.items()):
        for level, name, own in lines(tree):
            whose = ["", "", "", "", ""] if level else [of.kernel, of.version, of.plan, of.case, of.phase]
            out.writerow([*whose, level, name if level else "", own])
    outputs.replace(path, lzma.compress(text.getvalue().encode(), preset=9))


def not_whole(row: Mapping[str, str]) -> str | None:
    """Which of a line's numbers is none without a fraction."""
    return next((f"{name} is {row[name]!r}, not a whole number" for name in ("level", "own") if not WHOLE.fullmatch(row[name])), None)


def read(path: Path) -> Trees:
    """The file's trees; none where there is no file. LabError for one that is not whole."""
    try:
        rows = list(files.records(path, {**dict.fromkeys(COLUMNS, str), "level": float, "own": float}, not_whole))
    except FileNotFoundError:
        return {}
    except Unreadable as error:
        raise LabError(str(error), USAGE) from None
    found: dict[Of, list[tuple[list[str], int]]] = {}
    at: list[str] = []
    for row in rows:
        level, own = int(row["level"]), int(row["own"])
        if level == 0:
            of = found.setdefault(Of(*(row[name] for name in COLUMNS[:5])), [])
            at = []
        elif not found or not 0 < level <= min(len(at) + 1, stacks.MOST_FRAMES):
            raise LabError(f"{path}: no tree of calls: a function at level {level} below one at {len(at)}", USAGE)
        else:
            at = [*at[:level - 1], row["function"]]
        of.append((list(at), own))
    return {of: stacks.tree(rows_of, named(of)) for of, rows_of in found.items()}


def named(of: Of) -> str:
    return f"{of.case} {of.phase}"


def of_job(one: Job, digest: str, content: Mapping[str, object]) -> Trees:
    """The trees in a job's file."""
    found: Trees = {}
    by_case = content["stacks"]
    assert isinstance(by_case, dict)
    for case, phases in by_case.items():
        for phase, own in phases.items():
            of = Of(*one.of, digest, case, phase)
            found[of] = stacks.tree([(path.split(";"), round(value)) for path, value in own.items() if round(value)], named(of))
    return found


def kept(trees: Trees, rows: Iterable[Row], others: Container[str] = ()) -> Trees:
    """Those of kernels that have rows by the same plan, or of these other plans, by which steps are explained: others are of a kernel that
    has gone, or was measured otherwise since."""
    there = {(*row.of, row.plan) for row in rows}
    kernels = {one[:2] for one in there}
    return {of: tree for of, tree in trees.items() if (of.kernel, of.version, of.plan) in there
            or (of.plan in others and (of.kernel, of.version) in kernels)}


def names(given: str) -> list[str]:
    return [name for name in given.split(",") if name]


def is_named(kernel: tuple[str, str], given: Iterable[str]) -> bool:
    """Whether a kernel, by its name and version, is one of those."""
    return not {*kernel, kernel[0].removesuffix("-cloud-amd64")}.isdisjoint(given)


def check(given: str, kernels: Iterable[tuple[str, str]]) -> None:
    """LabError for a name that none of these kernels has."""
    every = list(kernels)
    for name in names(given):
        if not any(is_named(kernel, [name]) for kernel in every):
            raise LabError(f"--stacks={name}: there is no kernel of this name", USAGE)


def wanted(given: str, cases: Iterable[str], rows: list[Row], entries: Iterable[Entry], plans: Container[str]) -> dict[Member, set[str]]:
    """Which cases of which kernels: of those that are named; else of the newest of each series, and of both sides of these steps the
    case that moved most. LabError for a name that no kernel has that was measured by one of these plans."""
    by = table.by_member(rows)
    members = [one for one in ordered(by) if any(row.plan in plans for row in by[one].values())]
    found: dict[Member, set[str]] = {}
    if given:
        for name in names(given):
            member = next((one for one in members if is_named((one.name, one.version), [name])), None)
            if member is None:
                raise LabError(f"--stacks={name}: no kernel of this name was measured by this plan", USAGE)
            found[member] = set(cases)
        return found
    for member in {one.series: one for one in members}.values():
        found[member] = set(cases)
    for entry in entries:
        for member in (entry.edge.base, entry.edge.new):
            if member in members:
                found.setdefault(member, set()).add(entry.steps[0].key[0])
    return found


def cases_of(options: argparse.Namespace, chosen: plan.Plan) -> list[str]:
    """Those that were asked for behind --; else the kinds by clone."""
    given = any(word.split("=")[0] in orders.SELECT for word in orders.joined(list(options.nsbench)))
    return [case for case in chosen.cases if given or KINDS.fullmatch(case)]


def update(options: argparse.Namespace, rows: list[Row], kernels: Mapping[tuple[str, str], Job], entries: Iterable[Entry],
           chosen: plan.Plan, digest: str, others: Container[str] = ()) -> int:
    """Writes the stacks; with --stacks also those that are missing. The exit code."""
    trees = kept(read(options.out / FILE), rows, others)
    code = OK
    if options.stacks is not None:
        there = {(of.kernel, of.version, of.case) for of in trees if of.plan == digest}
        jobs = []
        plans = {row.plan for row in rows} if options.as_recorded else {digest}
        for member, cases in wanted(options.stacks, cases_of(options, chosen), rows, entries, plans).items():
            job = kernels.get((member.name, member.version))
            missing = tuple(sorted(case for case in cases if (member.name, member.version, case) not in there))
            if job is None:
                print(f"lab: {member.name}: no stacks: it cannot be had any more", file=sys.stderr)
            elif missing:
                jobs.append(replace(job, cases=missing, profile=True))
        print(f"lab: stacks of {len(jobs)} kernels are missing", file=sys.stderr)
        done = carry.carry_out(jobs, chosen, digest, options)
        code = FAILED if len(done) < len(jobs) else OK
        for one, content in done.items():
            trees |= of_job(one, digest, content)
    write(options.out / FILE, trees)
    return code


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those of the stacks."""
    parser.add_argument("--stacks", nargs="?", const="", default=None, metavar="KERNEL,...",
                        help="keep the stacks of these kernels for flame graphs (the newest of each series, and both sides of the "
                        "largest steps); behind -- the cases (the kinds by clone)")
