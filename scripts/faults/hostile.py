"""nsbench in each of the hostile surroundings: what falls short of what is expected, and the table of it."""
import argparse
import contextlib
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis import programs
from analysis.script import Unreadable
from faults.judge import CRASHES
from faults.stage import HUNG, Ran, Seen, Told, Work, played
from faults.surroundings import BY_NAME, EXEC, LIST, MEASURE, ROOT, SUMMARY, USER, VERIFY, WORKS, Expected, Surrounding
from faults.ways import all_capabilities, user

QUICK = (LIST, MEASURE, VERIFY, EXEC, SUMMARY)  # without the doctor, which measures for 5 s

ABSENT = "absent"


@dataclass(frozen=True)
class Whole:
    """What each job tells as root and as an ordinary user where nothing is hostile, and the folders of such runs."""

    seen: dict[str, dict[str, Seen]]
    given: dict[str, Path]


@contextlib.contextmanager
def whole_runs(program: Path, works: tuple[Work, ...]) -> Iterator[Whole]:
    """Tries the jobs where nothing is hostile. Unreadable where one does not go well even there."""
    with tempfile.TemporaryDirectory(prefix="nsbench-hostile-given-") as kept:
        whole = Whole({}, {})
        for name in (ROOT, USER):
            folder = Path(kept) / name
            made = user() if name == USER else (lambda _: None)
            told = played(program, tuple(work for work in works if not work.given), made, keep=folder)
            if isinstance(told, str):
                if name == USER:  # surroundings of an ordinary user's cannot be made either
                    continue
                raise Unreadable(f"surroundings: {told}")
            seen = {work.name: work.told(told[work.name]) for work in works if not work.given}
            for work in works:
                if not work.given and (told[work.name].code != work.own or not seen[work.name]):
                    raise Unreadable(f"surroundings: {work.name} does not go well even as {name} alone: exit code "
                                     f"{told[work.name].code}: {told[work.name].err.strip()[-300:]}")
            whole.given[name] = folder / MEASURE.name
            whole.seen[name] = seen | {SUMMARY.name: seen[MEASURE.name]}
        yield whole


def lacking(seen: Seen, whole: Seen) -> Seen:
    """What has a figure or verdict elsewhere, and none here: with its reason, or `absent`."""
    return {name: why for name, there in whole.items() if not there and (why := seen.get(name, ABSENT))}


def _said_wrongly(expected: Expected, ran: Ran, reasons: Sequence[str]) -> str | None:
    """What is wrong with the words."""
    if crash := next((word for word in CRASHES if word in ran.out + ran.err), None):
        return f"a crash: {crash}"
    if not expected.says:
        return f"it says {ran.err.strip()[-200:]!r}" if ran.err else None
    if ran.code == 1 and ran.err:  # its own line says it; rows may be those of an earlier checkpoint
        reasons = ()
    if ran.err.count("\n") > 1:
        return f"it says more than one line: {ran.err[-300:]!r}"
    if not ran.err and not reasons:
        return "it does not say why"
    wrong = next((text for text in [*([ran.err] if ran.err else []), *reasons] if not re.search(expected.says, text)), None)
    return f"it says {wrong.strip()[-200:]!r}, without {expected.says!r}" if wrong else None


def shortfalls(work: Work, expected: Expected, ran: Ran, whole: Seen) -> list[str]:
    """All that is wrong with a run."""
    if ran.code == HUNG:
        return [f"it had not ended after {ran.seconds:.0f} s"]
    found: list[str | None] = []
    code = work.own if expected.code is None else expected.code
    if ran.code != code:
        found.append(f"exit code {ran.code}, not {code}: {ran.err.strip()[-200:]!r}")
    try:
        lacks = lacking(work.told(ran), whole)
    except Unreadable as unreadable:
        return [str(unreadable)]
    if expected.code is None:
        if wrong := next((f"{name}: {why}" for name, why in lacks.items() if not re.fullmatch(expected.lacks or "$.", name)), None):
            found.append(f"lacking: {wrong}")
        if expected.lacks and not lacks:
            found.append(f"nothing is lacking, though {expected.lacks!r} should")
    found.append(_said_wrongly(expected, ran, sorted({why for why in lacks.values() if why != ABSENT and ran.code == code})))
    found += [f"left {one}" for one in ran.left]
    return [one for one in found if one]


Outcome = dict[str, tuple[int, list[str]]]  # by the jobs' names: the exit code, and what is wrong


def tried(program: Path, row: Surrounding, works: tuple[Work, ...], whole: Whole) -> str | Outcome:
    """Each job in a surrounding: its exit code, and what is wrong. Or why the surrounding cannot be made here."""
    if row.than not in whole.given:
        return "an ordinary user cannot make user namespaces here"
    these = tuple(work for work in works if work not in row.without)
    told: Told = played(program, these, row.make, whole.given[row.than])
    if isinstance(told, str):
        return told
    return {work.name: (told[work.name].code, shortfalls(work, row.expected.get(work.name, Expected()), told[work.name],
                                                         whole.seen[row.than][work.name])) for work in these}


def _capabilities(program: Path) -> bool:
    """Each dropped in turn: the table of bench/README.md."""
    from faults import capabilities
    names = [f"CAP_{name.upper()}" for name in all_capabilities()]
    seen = capabilities.tried(program, names)
    if isinstance(seen, str):
        raise Unreadable(f"surroundings: {seen}")
    telling = {name: row for name, row in seen.rows.items() if row != capabilities.NOTHING}
    print(capabilities.HEADING, "|---|---|---|---|", *(row.row(name) for name, row in telling.items()), sep="\n")
    print(f"{len(seen.rows)} of {len(names)} dropped in turn; of {len(seen.rows) - len(telling)} nothing is missed; not had here: "
          f"{', '.join(sorted(set(names) - seen.rows.keys())) or 'none'}")
    page = programs.SCRIPTS.parent / "bench/README.md"  # not where nsbench is installed
    wrong = capabilities.differing(capabilities.documented(page.read_text(encoding="utf-8")), seen) if page.exists() else {}
    for name, (said, row) in wrong.items():
        print(f"bench/README.md says otherwise:\n{said.row(name)}\n{row.row(name)}")
    return not wrong


def run(options: argparse.Namespace) -> bool:
    """Tries what the options ask for, and prints the table."""
    program = (options.build / "nsbench").resolve()
    if options.capabilities:
        return _capabilities(program)
    from faults import guest_rows, guests
    wanted = options.row or [*BY_NAME, *guest_rows.BY_NAME]
    rows = [BY_NAME[name] for name in wanted if name in BY_NAME]
    in_guests = [row for row in guest_rows.GUESTS if row.name in wanted]
    works = QUICK if options.quick else WORKS
    table = Table(works)
    if rows:
        with whole_runs(program, works) as whole:
            for row in rows:
                table.add(row.name, tried(program, row, works, whole))
    for name, outcome in guests.tried(program, in_guests, works).items():
        table.add(name, outcome)
    return table.ended()


class Table:
    """What is printed of it, a row as soon as it has been tried."""

    def __init__(self, works: Sequence[Work]) -> None:
        self.works, self.rows, self.skipped, self.runs, self.short = works, 0, 0, 0, 0
        print(f"{'surrounding':<20}", *(f"{work.name:>8}" for work in works), flush=True)

    def add(self, name: str, outcome: str | Outcome) -> None:
        """A row, and below it what fell short."""
        if isinstance(outcome, str):
            self.skipped += 1
            print(f"{name:<20} skipped: {outcome}", flush=True)
            return
        self.rows += 1
        cells = [f"{outcome[work.name][0]:>7}{'!' if outcome[work.name][1] else ' '}" if work.name in outcome else f"{'-':>7} "
                 for work in self.works]
        print(f"{name:<20}", *cells, flush=True)
        for job, (_, wrong) in outcome.items():
            self.runs += 1
            self.short += bool(wrong)
            for one in wrong:
                print(f"    {job}: {one}", flush=True)

    def ended(self) -> bool:
        """The last line, and whether all went well."""
        print(f"{self.rows} surroundings, {self.runs} runs: {self.short} fell short (!); {self.skipped} surroundings skipped")
        return self.short == 0 and self.runs > 0
