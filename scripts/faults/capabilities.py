"""What cannot be measured, verified or used without which capability: tried, each dropped in turn, and the table of it in
bench/README.md."""
from collections.abc import Container, Iterable
from dataclasses import dataclass
from pathlib import Path

from analysis.script import Unreadable
from faults.hostile import ABSENT, lacking
from faults.judge import NOT_PERMITTED
from faults.stage import Ran, Seen, Work, played, rows_of
from faults.surroundings import EXEC, TWO, VERIFY
from faults.ways import all_capabilities, without

KINDS = ("none", "mnt", "uts", "ipc", "pid", "net", "user", "cgroup", "time", "mnt,pid")
EVERY = Work("every", ("--op=clone,clone3,unshare,setns,proc_remount,userns_map,container,mount_ns,cgroup,veth,mountinfo",
                       *(f"--ns={name}" for name in KINDS), *TWO), rows_of)
WORKS = (EVERY, VERIFY, EXEC)
OTHERS = "all others"
HEADING = "| without | nsbench does not measure | `verify` skips | `exec --ns=all --map-root` |"
THROUGH_USERNS = "any set without NEWUSER"
WELL = "goes well"


@dataclass(frozen=True)
class Lacking:
    """Without a capability: cases by operation and set, checks, and how exec ends."""

    cases: frozenset[str]
    checks: frozenset[str]
    ending: str

    def row(self, name: str) -> str:
        """Of the table."""
        cells = [", ".join(f"`{one}`" if "/" in one else one for one in sorted(self.cases)),
                 ", ".join(f"`{one}`" for one in sorted(self.checks)), self.ending]
        return f"| {name} | " + " | ".join(cell or "–" for cell in cells) + " |"


NOTHING = Lacking(frozenset(), frozenset(), WELL)
Rows = dict[str, Lacking]


def _cases(names: Iterable[str]) -> frozenset[str]:
    """By operation and set alone."""
    return frozenset("/".join(name.split()[0].split("/")[:2]) for name in names)


def _lacking(told: dict[str, Ran], whole: dict[str, Seen]) -> Lacking:
    """Unreadable where it is not said why something is lacking, or a run does not go well otherwise."""
    lacks: dict[str, Seen] = {}
    for work in WORKS:
        ran = told[work.name]
        lacks[work.name] = lacking(work.told(ran), whole[work.name])
        if ran.code not in (work.own, NOT_PERMITTED):
            raise Unreadable(f"{work.name}: exit code {ran.code}: {ran.err.strip() or lacks[work.name]}")
        if wrong := next((f"{name}: {why}" for name, why in lacks[work.name].items() if not why.startswith(("skipped: ", ABSENT))), None):
            raise Unreadable(f"{work.name}: {wrong}")
    cases = _cases(lacks[EVERY.name])
    if any(why == ABSENT for why in lacks[EVERY.name].values()):  # other cases were measured, each with NEWUSER
        cases = frozenset({THROUGH_USERNS})
    ending = told[EXEC.name].err.strip().rpartition(": ")[2] if told[EXEC.name].code == NOT_PERMITTED else WELL
    return Lacking(cases, frozenset(lacks[VERIFY.name]), ending)


@dataclass(frozen=True)
class Tried:
    """What is lacking without each, and what there is to lack on this machine."""

    rows: Rows
    possible: frozenset[str]


def tried(program: Path, names: Iterable[str], named: Container[str] = ()) -> Tried | str:
    """Of each of these that this process has; OTHERS is all but those that are `named` at once. Or why it cannot be tried here."""
    told = played(program, WORKS)
    if isinstance(told, str):
        return told
    whole = {work.name: work.told(told[work.name]) for work in WORKS}
    rows = {}
    for name in names:
        dropped = [one for one in all_capabilities() if f"CAP_{one.upper()}" not in named] if name == OTHERS else [name[4:].lower()]
        made = played(program, WORKS, without(*dropped, lenient=name == OTHERS))
        if not isinstance(made, str):  # this process has it
            rows[name] = _lacking(made, whole)
    there = {name for name, why in whole[EVERY.name].items() if not why}
    return Tried(rows, _cases(there) | {name for name, why in whole[VERIFY.name].items() if not why} | {THROUGH_USERNS})


def documented(text: str) -> Rows:
    """The table's rows."""
    lines = text.splitlines()
    rows = {}
    for line in lines[lines.index(HEADING) + 2:]:
        if not line.startswith("| "):
            break
        name, cases, checks, ending = (cell.strip() for cell in line.strip("|").split("|"))
        listed = [frozenset(one.strip("`") for one in cell.split(", ") if one != "–") for cell in (cases, checks)]
        rows[name] = Lacking(listed[0], listed[1], ending)
    return rows


def differing(documents: Rows, seen: Tried) -> dict[str, tuple[Lacking, Lacking]]:
    """Where the table is not true of this machine: what it says of what is there, and what was seen."""
    found = {}
    for name, row in seen.rows.items():
        document = documents.get(name, NOTHING)
        said = Lacking(document.cases & seen.possible, document.checks & seen.possible, document.ending)
        if said != row:
            found[name] = said, row
    return found
