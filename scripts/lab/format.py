"""How figures of recorded runs are written on their page. In tables they are in k, a thousand instructions; in sentences each
has its prefix behind it.
"""

import re
import textwrap
from collections.abc import Iterable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import TypeVar

from analysis.kinds import ALL, prefixed
from lab.recorded import Recorded, RecordedFigure

Runs = list[Recorded]
Found = TypeVar("Found")
WIDTH = 120  # columns of what is no table
ITEM = re.compile(r"(- |\d+\. )")


def all_of(found: Iterable[Found | None]) -> list[Found]:
    """All of them, or nothing where one is not there."""
    there = list(found)
    known = [one for one in there if one is not None]
    return known if len(known) == len(there) else []


def k(value: float) -> str:
    """Thousands of instructions, with three digits or whole."""
    return digits(value / 1000)


def digits(value: float) -> str:
    """With three digits or whole. A half is rounded up, as `prefixed` does: the same figure stands in sentences."""
    places = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return str(Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)).replace("-", "−")


def span(values: list[float]) -> str:
    """From the least to the greatest, with their prefixes."""
    return range_of(prefixed(min(values)), prefixed(max(values)))


def cell(figure: RecordedFigure | None) -> str:
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


def paragraphs(lines: list[str]) -> Iterator[tuple[bool, str]]:
    """The lines, those of a paragraph or of an item of a list in one, and whether each is such text: nothing of a table, of a
    block of code, or of HTML."""
    text, in_code = "", False
    for line in lines:
        is_code = in_code or line.startswith("```")
        in_code ^= line.startswith("```")
        is_text = not is_code and line != "" and line[0] not in "|<#"
        if text and (not is_text or ITEM.match(line)):
            yield True, text
            text = ""
        if not is_text:
            yield False, line
        else:
            text = f"{text} {line.strip()}" if text else line
    if text:
        yield True, text


def filled(lines: list[str]) -> list[str]:
    """The lines with their text in lines as long as they may be."""
    found: list[str] = []
    for is_text, line in paragraphs(lines):
        item = ITEM.match(line)
        found += textwrap.wrap(line, WIDTH, subsequent_indent=" " * len(item[0]) if item else "", break_long_words=False,
                               break_on_hyphens=False) if is_text else [line]
    return found
