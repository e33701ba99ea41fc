"""The page of a history of kernels: each case over the kernels as small multiples, the steps and the functions behind them."""
import html
import json
import re
from pathlib import Path

from analysis import files, libraries, stacks
from analysis.libraries import SOURCES
from analysis.script import Unreadable
from analysis.stacks import Frame
from lab.errors import LabError
from lab.history import recorded_stacks, table
from lab.history.versions import ordered

STEPS = "steps.json"
LIBRARIES = ("echarts", "d3", "d3-flame-graph")
SCRIPTS = ("figures.js", "look.js", "frames.js", "history.js", "history_flame.js")
MOST_BYTES = 4_000_000  # of flame graphs


def is_history(path: Path) -> bool:
    """Whether it is a history's folder, and no run's."""
    return (path / table.FILE).is_file()


def payload(folder: Path) -> dict[str, object]:
    """What history.js draws: the kernels in order, by phase and case the figure of each, the steps, and the stacks. Unreadable
    for no whole history."""
    try:
        rows = table.read(folder / table.FILE)
        least, trees = flame_graphs(folder)
        steps = files.json_of(folder / STEPS)
    except LabError as error:
        raise Unreadable(str(error)) from None
    except FileNotFoundError:
        raise Unreadable(f"{folder}: no {STEPS} in it: nsbench lab history writes it") from None
    by = table.by_member(rows)
    members = ordered(by)
    found: dict[str, dict[str, list[float | None]]] = {}
    for (case, phase), what in table.what_of(rows).items():
        shown = [row.shown if (row := by[member].get((case, phase))) else None for member in members]
        values = [one.value if one and one.what is what else None for one in shown]
        if any(value is not None for value in values):
            found.setdefault(phase, {})[case] = values
    kernels = [{"name": one.name, "version": one.version, "short": one.short, "series": one.series, "compiler": one.compiler}
               for one in members]
    return {"kernels": kernels, "rows": found, "steps": steps, "stacks": trees, "least": least}


def flame_graphs(folder: Path) -> tuple[float, dict[str, dict[str, dict[str, object]]]]:
    """By kernel, case and phase the plan and the tree of calls, of frames of a share of it at least; and that share, the smallest with
    which the page does not become too large."""
    trees = recorded_stacks.read(folder / recorded_stacks.FILE)
    whole: dict[str, dict[str, Frame]] = {}
    for of, tree in trees.items():
        whole.setdefault(of.kernel, {})[tree["name"]] = tree
    for least in stacks.LEAST_SHARES:
        shown = dict(zip(whole, stacks.shown(list(whole.values()), least)))
        found: dict[str, dict[str, dict[str, object]]] = {}
        for of, tree in trees.items():
            found.setdefault(of.kernel, {}).setdefault(of.case, {})[of.phase] = {
                "plan": of.plan, "tree": shown[of.kernel][tree["name"]]}
        if len(json.dumps(found, separators=(",", ":"))) <= MOST_BYTES:
            break
    return least, found


def build(folder: Path) -> bytes:
    """The whole page."""
    drawn = payload(folder)
    libraries.vendored()
    found = [libraries.library(name) for name in LIBRARIES]
    kernels = drawn["kernels"]
    assert isinstance(kernels, list)
    filled = {
        "title": html.escape(f"nsbench: the history of {len(kernels)} kernels"),
        "style": (SOURCES / "page.css").read_text(encoding="utf-8"), "licences": "\n".join(licence for _, _, licence in found),
        "libraries": "\n".join(f"<script>{code}</script>" for code, _, _ in found),
        "data": json.dumps(drawn, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"),
        "scripts": "\n".join(f"<script>\n{(SOURCES / name).read_text(encoding='utf-8')}</script>" for name in SCRIPTS),
    }
    template = (SOURCES / "history.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: filled[match[1]], template).encode()
