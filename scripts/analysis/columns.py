"""The dictionary: the result files' columns, and the names in them. `nsbench dictionary --format=json` prints it from its own
tables, and a test compares the copy here with that, so that scripts work where nsbench is not built and there is no second
list to keep in step.

A column with a unit holds numbers, one without holds text.
"""
import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, cast

DICTIONARY = Path(__file__).resolve().parent / "dictionary.json"

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


class _Column(TypedDict):
    name: str
    unit: str
    meaning: str


class _Named(TypedDict):
    name: str


class _Kind(_Named):
    flag: str
    value: int


class _Function(_Named):
    kind: str
    path: str


class _Output(TypedDict):
    option: str
    file: str


class Dictionary(TypedDict):
    """What of the dictionary is read here: the tests hold it against nsbench's own."""

    columns: dict[str, list[_Column]]
    phases: list[_Named]
    kinds: list[_Kind]
    functions: list[_Function]
    outputs: list[_Output]


@functools.cache
def dictionary() -> Dictionary:
    """All of it, as nsbench prints it."""
    return cast(Dictionary, json.loads(DICTIONARY.read_text(encoding="utf-8")))


@functools.cache
def tables() -> dict[str, dict[str, Column]]:
    """File name → column name → Column, in the files' order."""
    return {
        file: {one["name"]: Column(one["name"], one["unit"], one["meaning"]) for one in columns}
        for file, columns in dictionary()["columns"].items()
    }


def of(file: str) -> dict[str, Column]:
    """The columns of results.csv, samples.csv, rounds.csv, probe.csv or memory.csv."""
    return tables()[file]


def phases() -> list[str]:
    """All phases, in the order of samples.csv."""
    return [phase["name"] for phase in dictionary()["phases"]]


def unit_of(clock: str) -> str:
    """What a time of that clock is counted in."""
    return "instructions" if clock == "instructions" else "ns"
