"""How a preset's figure is taken from what nsbench wrote: seconds, or operations each second."""
import csv
import functools
import json
import statistics
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECOND = 1e9  # in ns


class NoFigure(Exception):
    """Why there is none, in one line."""


@dataclass(frozen=True)
class Output:
    """The folder of a run or of a load."""

    folder: Path

    @functools.cached_property
    def record(self) -> dict[str, Any]:
        """run.json or churn.json."""
        for name in ("churn.json", "run.json"):
            if (self.folder / name).exists():
                found: dict[str, Any] = json.loads((self.folder / name).read_text())
                return found
        raise NoFigure("nsbench wrote no result")

    def rows(self, name: str) -> list[dict[str, str]]:
        """Of a CSV file of the folder."""
        try:
            with (self.folder / name).open(newline="") as file:
                return list(csv.DictReader(file))
        except FileNotFoundError:
            raise NoFigure(f"nsbench wrote no {name}") from None


def _load(output: Output) -> dict[str, Any]:
    """What a load came to. NoFigure where it ended before its time: a rate or a time of it would be of something else."""
    if output.record["ended_by"] != "time":
        raise NoFigure(output.record["ended_because"] or "interrupted")
    load: dict[str, Any] = output.record["load"]
    if not load["operations"]:
        raise NoFigure(f"all {load['failed']} operations failed: {', '.join(load['errors'])}")
    return load


def failures(output: Output) -> str:
    """Operations that failed and are in no figure; empty where none did."""
    load = output.record.get("load")
    if load:
        failed, operations, errors = load["failed"], load["failed"] + load["operations"], load["errors"]
    else:
        samples = output.rows("samples.csv") if (output.folder / "samples.csv").exists() else []
        errors = Counter(one["errno"] for one in samples if one["errno"])
        failed, operations = errors.total(), len(samples)
    if not failed:
        return ""
    named = ", ".join(f"{name} {count}" for name, count in errors.items())
    return f"{failed} of {operations} operations failed: {named}"


def rate_at_end(output: Output) -> float:
    return float(_load(output)["rate_at_end"])


def latency(which: str) -> Callable[[Output], float]:
    """A percentile of a load's operations."""
    return lambda output: float(_load(output)["latency"][which]) / SECOND


def _bursts(output: Output, column: str) -> list[float]:
    _load(output)
    found = [float(row[column]) for row in output.rows("bursts.csv") if row[column]]
    if not found:
        raise NoFigure("no burst came to its end")
    return found


def burst_column(column: str, scale: float) -> Callable[[Output], float]:
    """The median of the bursts."""
    return lambda output: statistics.median(_bursts(output, column)) * scale


def best_burst(output: Output) -> float:
    return max(_bursts(output, "rate"))


def _of_the_case(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Those of the case that was asked for: not of its base, which has none itself."""
    case = next((one["case"] for one in rows if one["base"]), rows[0]["case"] if rows else "")
    return [one for one in rows if one["case"] == case]


def row(phase: str, column: str = "median", times: int = 1) -> Callable[[Output], float]:
    """A figure of the phase of a run's one case."""
    def take(output: Output) -> float:
        rows = _of_the_case(output.rows("results.csv"))
        found = next((one for one in rows if one["phase"] == phase and one[column]), None)
        if found:
            return float(found[column]) / SECOND * times
        told = [one for one in rows if one["status"] in ("skipped", "failed")]
        mine = [one for one in told if one["phase"] in (phase, "")]
        failed = (mine or told or [{"errno": "", "reason": f"the run has no {phase}"}])[0]
        raise NoFigure(": ".join(filter(None, (failed["errno"], failed["reason"]))))
    return take


def _ends(output: Output, at_once: int) -> list[list[float]]:
    """Of each burst that was whole, which is a block whose samplers took one sample each: when they were done, from the block's
    begin, which all have in common."""
    blocks: dict[tuple[str, str], list[float]] = {}
    for one in output.rows("samples.csv"):
        if one["counted"] == "1" and one.get("ended"):
            blocks.setdefault((one["round"], one["block"]), []).append(float(one["ended"]) / SECOND)
    whole = [ends for ends in blocks.values() if len(ends) == at_once]
    if not whole:
        row("total")(output)  # says why nothing was measured
        most = max(map(len, blocks.values()), default=0)
        failed = failures(output)
        raise NoFigure(f"no burst was whole: {most} of {at_once} at most{'; ' if failed else ''}{failed}" if most else
                       "samples.csv does not say when samples ended")
    return whole


def until_all(at_once: int, bursts: int = 1) -> Callable[[Output], float]:
    """From a burst's begin until its last one is done: the median of the bursts, times so many of them."""
    return lambda output: bursts * statistics.median(max(ends) for ends in _ends(output, at_once))


def ended_median(at_once: int) -> Callable[[Output], float]:
    """From a burst's begin until one of it is done: the median of all."""
    return lambda output: statistics.median(end for ends in _ends(output, at_once) for end in ends)
