"""Folded stacks, as nsbench --folded and the lab's exact profile write them: CASE;caller;…;function WEIGHT."""
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NotRequired, TypedDict

from analysis.files import text_of
from analysis.script import Unreadable

if TYPE_CHECKING:  # not before pandas is needed
    from analysis.read import Run

WEIGHT = re.compile(r"\d{1,19}", re.ASCII)
MOST_FRAMES = 250  # of a stack: the deepest recorded has 37; a page and a plot go down a tree of them by recursion
# Of a case's time: narrower frames of a flame graph are left out, the more where a page would be too large with them.
LEAST_SHARES = (0.001, 0.003, 0.01)
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


class Shown(TypedDict):
    """A frame as it is drawn, which has no empty children."""

    name: str
    value: int
    children: NotRequired[list["Shown"]]


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


def trees(text: str) -> dict[str, Frame]:
    """The tree of each case."""
    return {case: tree(rows, case) for case, rows in by_case(text).items() if weight(rows)}


def shown(every: list[dict[str, Frame]], least: float = LEAST_SHARES[0]) -> list[dict[str, Shown]]:
    """Each run's trees by case, of frames of this share of its time at least. A frame that is wide enough in one run is kept
    in all: else its time would be its caller's in some, and their difference one of what was left out."""
    return [
        {case: _pruned(one, [other[case] for other in every if case in other], least) for case, one in of_run.items()}
        for of_run in every
    ]


def _pruned(one: Frame, all_trees: list[Frame], share: float) -> Shown:
    """The frames of a tree that are wide enough in one of all, which it is one of."""

    def kept(node: Frame, there: Sequence[Frame | None]) -> Shown:
        children = []
        for child in node["children"]:
            others = [_child(other, child["name"]) for other in there]
            if any(other and other["value"] >= least for other, least in zip(others, widths)):
                children.append(kept(child, others))
        shown: Shown = {"name": node["name"], "value": node["value"]}
        if children:
            shown["children"] = children
        return shown

    widths = [other["value"] * share for other in all_trees]
    return kept(one, all_trees)


def _child(node: Frame | None, name: str) -> Frame | None:
    return next((child for child in node["children"] if child["name"] == name), None) if node else None
