"""The folder of --keep: which faults were drawn, what came of those that were tried, and in which programs, so that a later call can
go on with the others."""
import argparse
import contextlib
import csv
import fcntl
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path

from analysis import outputs
from analysis.script import Unreadable
from faults.drawing import Fault
from faults.outcomes import OUTCOMES, Outcome
from faults.place import LIBRARY

TABLE, CAMPAIGN = "faults.csv", "campaign.json"
ASKED = ("command", "job", "role", "call", "error", "when", "each", "most")  # options by which faults are drawn, but for the seed
PROGRAMS = ("nsbench", "nsbench-sampler", LIBRARY)
OF_FAULT = tuple(one.name for one in fields(Fault))
COLUMNS = (*OF_FAULT, "outcome", "code", "seconds", "shortfall")


def _campaign(options: argparse.Namespace) -> dict[str, object]:
    """What has to be the same for a call to go on."""
    paths = [options.build / name for name in PROGRAMS]
    return {"asked": {name: getattr(options, name, None) for name in ASKED},
            "programs": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths if path.exists()}}


def _row(fault: Fault, outcome: Outcome | None) -> dict[str, object]:
    """Of the table: a fault that was not tried yet has no outcome."""
    tried = {"outcome": outcome.outcome, "code": outcome.code, "seconds": f"{outcome.seconds:.2f}",
             "shortfall": outcome.shortfall} if outcome else {}
    return asdict(fault) | tried


def _read(text: str) -> tuple[list[Fault], list[Outcome]]:
    """Those that were drawn, and what came of those that were tried. ValueError for another table."""
    reader = csv.DictReader(io.StringIO(text), strict=True)
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise ValueError(f"its columns are not {', '.join(COLUMNS)}")
    drawn, outcomes = [], []
    for row in reader:
        if None in row or None in row.values():
            raise ValueError(f"line {reader.line_num} has not a field for each column")
        fault = Fault(row["job"], row["role"], row["call"], row["error"], int(row["occurrence"]))
        drawn.append(fault)
        if row["outcome"]:
            if row["outcome"] not in OUTCOMES:
                raise ValueError(f"line {reader.line_num}: no outcome is called {row['outcome']}")
            outcomes.append(Outcome(fault, row["outcome"], int(row["code"]), float(row["seconds"]), row["shortfall"]))
    return drawn, outcomes


class Keeping:
    """A folder. Unreadable where it is of another campaign. `drawn` is empty in a new one."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder = folder
        self.drawn: list[Fault] = []
        self.outcomes: list[Outcome] = []
        wanted, told = json.dumps(_campaign(options), indent=2), folder / CAMPAIGN
        if (table := folder / TABLE).exists():
            if not told.exists() or told.read_text() != wanted:
                raise Unreadable(f"{folder}: was begun with other options, or by another nsbench: --keep another folder")
            try:
                self.drawn, self.outcomes = _read(table.read_text())
            except (ValueError, csv.Error) as error:
                raise Unreadable(f"{table}: no table of faults: {error}") from error
        outputs.replace(told, wanted.encode())

    def write(self, outcomes: Iterable[Outcome]) -> None:
        """The table, with what came of them until now."""
        by_fault = {one.fault: one for one in outcomes}
        text = io.StringIO()
        out = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        out.writeheader()
        out.writerows(_row(fault, by_fault.get(fault)) for fault in self.drawn)
        outputs.replace(self.folder / TABLE, text.getvalue().encode())


def untried(drawn: Sequence[Fault], outcomes: Iterable[Outcome]) -> list[Fault]:
    """Of those that were drawn, in their order."""
    tried = {one.fault for one in outcomes}
    return [fault for fault in drawn if fault not in tried]


@contextlib.contextmanager
def kept(folder: Path, options: argparse.Namespace) -> Iterator[Keeping]:
    """A folder for this process alone, made if need be. Unreadable where another one has it."""
    outputs.own_folder(folder)
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unreadable(f"{folder}: another campaign is writing to it: --keep another folder") from None
        yield Keeping(folder, options)
    finally:
        os.close(lock)
