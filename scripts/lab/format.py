"""How figures of recorded runs are written on their page."""

from collections.abc import Iterable
from typing import TypeVar

from analysis.kinds import ALL
from lab.recorded import Figure, Recorded

Runs = list[Recorded]
Found = TypeVar("Found")


def all_of(found: Iterable[Found | None]) -> list[Found]:
    """All of them, or nothing where one is not there."""
    there = list(found)
    known = [one for one in there if one is not None]
    return known if len(known) == len(there) else []


def k(value: float) -> str:
    """Thousands of instructions, with three digits or whole."""
    return digits(value / 1000)


def digits(value: float) -> str:
    """With three digits or whole."""
    places = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:.{places}f}".replace("-", "−")


def span(values: list[float]) -> str:
    """From the least to the greatest, in thousands."""
    low, high = k(min(values)), k(max(values))
    return low if low == high else f"{low} to {high}"


def cell(figure: Figure | None) -> str:
    """A figure and what it varies between; that is left out where it is within the digits shown."""
    if figure is None:
        return "–"
    low, high, value = k(figure.low), k(figure.high), k(figure.value)
    return value if low == high == value else f"{value} ({low} … {high})"


def table(runs: Runs, head: str, rows: list[tuple[str, list[str]]]) -> list[str]:
    """A column for each kernel."""
    lines = [f"| {head} | " + " | ".join(run.name for run in runs) + " |", "|---" + "|---:" * len(runs) + "|"]
    return lines + [f"| {name} | " + " | ".join(cells) + " |" for name, cells in rows] + [""]


def folded(summary: str, lines: list[str]) -> list[str]:
    """Lines that a reader opens."""
    return ["<details>", f"<summary>{summary}</summary>", "", *lines, *([] if lines[-1:] == [""] else [""]), "</details>", ""]


def name_of(kinds: str) -> str:
    """A set's name in a table."""
    return "all eight" if kinds == ALL else kinds


def range_of(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"
