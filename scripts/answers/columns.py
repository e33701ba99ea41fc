"""The columns of a run's files, from the dictionary in results/README.md, which `nsbench dictionary` prints and a test
compares with it: there is no second list to keep in step.

A column with a unit holds numbers, one without holds text.
"""
import functools
import re
from dataclasses import dataclass
from pathlib import Path

DICTIONARY = Path(__file__).resolve().parents[2] / "results/README.md"
TITLE = re.compile(r"### (\w+\.csv)\b")
ROW = re.compile(r"\| (\w+) \| ([^|]*) \| (.*) \|$")

# The unit of times: of the row's clock.
TICKS = "ns or instructions"


@dataclass(frozen=True)
class Column:
    """One column: `unit` is empty for text."""

    name: str
    unit: str
    meaning: str

    @property
    def is_number(self) -> bool:
        return bool(self.unit)


@functools.cache
def tables(dictionary: Path = DICTIONARY) -> dict[str, dict[str, Column]]:
    """File name → column name → Column, in the files' order."""
    found: dict[str, dict[str, Column]] = {}
    table: dict[str, Column] | None = None
    for line in dictionary.read_text().splitlines():
        if title := TITLE.match(line):
            table = found.setdefault(title[1], {})
        elif line.startswith("#"):
            table = None
        elif table is not None and (row := ROW.match(line)) and row[1] != "column":
            table[row[1]] = Column(row[1], row[2].strip(), row[3])
    return found


def of(file: str) -> dict[str, Column]:
    """The columns of results.csv, samples.csv, probe.csv or memory.csv."""
    return tables()[file]


def phases() -> list[str]:
    """All phases, in the order of samples.csv."""
    return [c.name for c in of("samples.csv").values() if c.unit == TICKS]


def unit_of(clock: str) -> str:
    """What a time of that clock is counted in."""
    return "instructions" if clock == "instructions" else "ns"
