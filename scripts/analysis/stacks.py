"""Folded stacks, as nsbench --folded and the lab's exact profile write them: CASE;caller;…;function WEIGHT."""
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from analysis.files import text_of
from analysis.script import Unreadable

if TYPE_CHECKING:  # not before pandas is needed
    from analysis.read import Run

WEIGHT = re.compile(r"\d{1,19}", re.ASCII)
MOST_FRAMES = 250  # of a stack: the deepest recorded has 37; a page and a plot go down a tree of them by recursion
FILE = "stacks.folded"  # within a run's folder it is found without being named, compressed by xz, too


def read(path: Path) -> str:
    """The text of a file of folded stacks. Unreadable for what is none."""
    try:
        text = text_of(path)
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from None
    if text and not text.endswith("\n"):
        raise Unreadable(f"{path}: ends within a line: it was cut, or is still being written")
    for number, line in enumerate(text[:-1].split("\n") if text else (), 1):
        stack, _, weight = line.rpartition(" ")
        if ";" not in stack or not WEIGHT.fullmatch(weight):
            raise Unreadable(f"{path}, line {number}: not a folded stack (CASE;function;… WEIGHT)")
        if stack.count(";") > MOST_FRAMES:
            raise Unreadable(f"{path}, line {number}: a stack of {stack.count(';')} functions: at most {MOST_FRAMES} can be shown")
    return text


def of_run(run: "Run", named: Path | None) -> str | None:
    """The run's folded stacks: of the named file, or of the run's folder; None without."""
    if named:
        return read(named) or None
    paths = [run.folder / name for name in (FILE, f"{FILE}.xz")] if run.folder else []
    return next((read(path) or None for path in paths if path.exists()), None)


def by_case(text: str) -> dict[str, list[tuple[list[str], int]]]:
    """Case → its stacks, outermost function first, with their weights."""
    found: dict[str, list[tuple[list[str], int]]] = {}
    for line in text[:-1].split("\n") if text else ():
        stack, _, weight = line.rpartition(" ")
        case, *frames = stack.split(";")
        found.setdefault(case, []).append((frames, int(weight)))
    return found


def weight(rows: list[tuple[list[str], int]]) -> int:
    return sum(value for _, value in rows)


class Frame(TypedDict):
    """A function of stacks, and those that it calls, by name; its value holds theirs."""

    name: str
    value: int
    children: list["Frame"]


def tree(rows: list[tuple[list[str], int]], name: str = "all") -> Frame:
    """The frame that all stacks are below."""
    root = _Node(name)
    for frames, value in rows:
        node = root
        node.value += value
        for frame in frames:
            node = node.children.setdefault(frame, _Node(frame))
            node.value += value
    return _listed(root)


@dataclass
class _Node:
    name: str
    value: int = 0
    children: dict[str, "_Node"] = field(default_factory=dict)


def _listed(node: _Node) -> Frame:
    return {"name": node.name, "value": node.value, "children": [_listed(child) for _, child in sorted(node.children.items())]}
