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
CLOCKS = {"wall": "ns", "instructions": "instructions"}  # what times are counted in by each: kTickClocks in src/core/tick.h
TOTAL = "total"  # the phase that all parts of a sample lie in


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


class _Phase(_Named):
    lies_in: str


class _Operation(_Named):
    planned: bool
    phases: list[str]
    parameters: list[str]


class _Parameter(TypedDict):
    key: str
    type: str  # size, count or choice
    default: str
    default_in_id: bool
    operations: list[str]
    option: str  # empty where it has none of its own


class _Function(_Named):
    kind: str
    path: str


class _Output(TypedDict):
    option: str
    file: str


class Dictionary(TypedDict):
    """What of the dictionary is read here: the tests hold it against nsbench's own."""

    columns: dict[str, list[_Column]]
    phases: list[_Phase]
    kinds: list[_Kind]
    operations: list[_Operation]
    parameters: list[_Parameter]
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
    """The columns of a file, by its name."""
    return tables()[file]


def phases() -> list[str]:
    """All phases, in the order of samples.csv."""
    return [phase["name"] for phase in dictionary()["phases"]]


def operation(name: str) -> _Operation | None:
    """None for one that is not known."""
    return next((one for one in dictionary()["operations"] if one["name"] == name), None)


def has_parameter(name: str, key: str) -> bool:
    """Whether the operation has it."""
    found = operation(name)
    return found is not None and key in found["parameters"]


def segments(name: str) -> list[str]:
    """What an operation's total consists of, one after the other: its phases that lie in no other of its. None of an operation
    that is not known."""
    lies_in = {phase["name"]: phase["lies_in"] for phase in dictionary()["phases"]}
    found = operation(name)
    mine = found["phases"] if found else []

    def is_segment(phase: str) -> bool:
        while phase != TOTAL and (above := lies_in[phase]) != TOTAL:
            if above == phase or above in mine:
                return False
            phase = above
        return phase != TOTAL

    return [phase for phase in mine if is_segment(phase)]


def is_apart(phase: str) -> bool:
    """Whether it is no part of a sample's total."""
    return any(one["name"] == phase == one["lies_in"] != TOTAL for one in dictionary()["phases"])


def making_sets() -> list[str]:
    """The operations that make a set's namespaces by one call and do nothing else: those of the default plan first."""
    made = [one for one in dictionary()["operations"]
            if one["phases"][0] == "create" and set(one["phases"]) <= {"create", "ready", "exit", TOTAL, "drain"}]
    return [one["name"] for one in sorted(made, key=lambda one: not one["planned"])]


def unit_of(clock: str) -> str:
    """What a time of that clock is counted in."""
    return CLOCKS.get(clock, "ns")  # a benchmark of one's own may name another
