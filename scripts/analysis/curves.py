"""The curves of runs: cases that differ by the level of one parameter alone, and the law that each phase of theirs follows."""
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from analysis import columns, growth, tables
from analysis.exact import MEASURED
from analysis.options import nearest
from analysis.read import Run
from analysis.script import Unreadable

PAGE = 4096  # sizes are counted in it, so that n log n does not depend on a unit
LEAST_TO_NAME = 3  # levels: cases with fewer are no curve that somebody meant
SIZES = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


@dataclass(frozen=True)
class Parameter:
    """One that is a number, of an operation. `default` is its value where an id does not have it; None where each id has it."""

    key: str
    is_size: bool
    default: float | None


@dataclass(frozen=True)
class Curve:
    """A phase of the cases with one id but for the parameter. `growth` is None where there are too few `levels`."""

    run: Run
    case: str
    operation: str
    phase: str
    parameter: Parameter
    levels: list[float]
    cases: list[str]  # of each level
    figures: list[float]
    growth: growth.Growth | None
    without: dict[float, str] = field(default_factory=dict)  # levels that have no figure, and why


def value_of(text: str) -> float:
    """16K → 16384. KeyError or ValueError for what is no such number."""
    letter = text[-1:] if text[-1:].isalpha() else ""
    return float(text.removesuffix(letter)) * SIZES[letter]


def parameters_of(operation: str) -> list[Parameter]:
    """Those of an operation that are numbers."""
    return [Parameter(one["key"], one["type"] == "size", None if one["default_in_id"] else value_of(one["default"]))
            for one in columns.dictionary()["parameters"] if one["type"] != "choice" and operation in one["operations"]]


def keys() -> list[str]:
    """Of all parameters that are numbers."""
    return [one["key"] for one in columns.dictionary()["parameters"] if one["type"] != "choice"]


def _split(case: str, parameter: Parameter) -> tuple[str, float] | None:
    """An id without the parameter, and the parameter's value."""
    parts = case.split("/")
    own = [part for part in parts[2:] if part.startswith(f"{parameter.key}:")]
    rest = "/".join(part for part in parts if part not in own)
    if own:
        try:
            return rest, value_of(own[0].partition(":")[2])
        except (KeyError, ValueError):
            return None
    return None if parameter.default is None else (rest, parameter.default)


def _families(rows: pd.DataFrame, operation: str, key: str | None) -> Iterator[tuple[Parameter, str, dict[str, float]]]:
    """Parameter, id without it, and the level of each case."""
    cases = rows["case"][rows["operation"] == operation].unique()
    for parameter in parameters_of(operation):
        if key not in (None, parameter.key):
            continue
        found: dict[str, dict[str, float]] = {}
        for case in cases:
            if split := _split(case, parameter):
                found.setdefault(split[0], {})[case] = split[1]
        for rest, levels in found.items():
            if len(set(levels.values())) >= LEAST_TO_NAME:
                yield parameter, rest, levels


def _points(table: pd.DataFrame, parameter: Parameter, is_exact: bool) -> growth.Points:
    """Those of measured rows."""
    half = (table["ci_high"] - table["ci_low"]) / 2 / growth.Z95
    return growth.Points(table["level"].to_numpy(float) / (PAGE if parameter.is_size else 1), table["median"].to_numpy(float),
                         half.to_numpy(float), is_exact)


def _phases(rows: pd.DataFrame, operation: str, wanted: Sequence[str] | None) -> list[str]:
    """Of the operation: those that are wanted, or its first."""
    found = columns.operation(operation)
    there = [phase for phase in (found["phases"] if found else []) if (rows["phase"] == phase).any()]
    return there[:1] if wanted is None else [phase for phase in there if phase in wanted]


def curves_of(run: Run, key: str | None = None, phases: Sequence[str] | None = None) -> list[Curve]:
    """All of a run: of the parameter and the phases, or of all parameters with several levels and each operation's first phase."""
    found = []
    for operation in dict.fromkeys(run.results["operation"]):
        mine = run.results[run.results["operation"] == operation]
        for parameter, rest, levels in _families(mine, operation, key):
            of_family = mine[mine["case"].isin(list(levels))]
            for phase in _phases(of_family, operation, phases):
                found.append(_curve(run, of_family[of_family["phase"] == phase], rest, phase, parameter, levels))
    return found


def _why_not(row: dict[Hashable, Any]) -> str:
    """Why a row has no figure that counts."""
    if row["status"] in MEASURED:
        return "no time above 0"
    return ": ".join(filter(None, (f"{row['status']} {row['errno']}".strip(), row["reason"])))


def _curve(run: Run, rows: pd.DataFrame, case: str, phase: str, parameter: Parameter, levels: dict[str, float]) -> Curve:
    is_measured = rows["status"].isin(MEASURED) & (rows["median"] > 0)
    without = {levels[row["case"]]: _why_not(row) for row in rows[~is_measured].to_dict("records")}
    measured = rows[is_measured]
    table = measured.assign(level=measured["case"].map(levels)).sort_values("level")
    points = _points(table, parameter, run.clock == "instructions")
    return Curve(run, case, str(rows["operation"].iloc[0]), phase, parameter, list(map(float, table["level"])), list(table["case"]),
                 list(map(float, table["median"])), growth.growth_of(points), dict(sorted(without.items())))


def together(runs: Sequence[Run], key: str | None = None, phases: Sequence[str] | None = None) -> list[Curve]:
    """Of all runs, the same curve of each beside one another, in the order of kernels. Unreadable where there is none."""
    if key is not None and key not in keys():
        raise Unreadable(f"--of={key}: not a parameter that is a number; these are {', '.join(keys())}{nearest(key, keys())}")
    found: dict[tuple[str, str, str], list[Curve]] = {}
    for run in sorted(runs, key=lambda one: tables.version_key(one.kernel)):
        for one in curves_of(run, key, phases):
            found.setdefault((one.parameter.key, one.case, one.phase), []).append(one)
    if not found:
        what = f"levels of {key}" if key else "levels of a parameter"
        of = f" in {', '.join(phases)}" if phases else ""
        raise Unreadable(f"{runs[0].path}: no case was measured at {LEAST_TO_NAME} {what} or more{of}: "
                         f"nsbench --curve={key or 'stack'}:LOW..HIGH measures a curve")
    return [one for group in found.values() for one in group]
