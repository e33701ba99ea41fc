"""The page of a history of kernels: each case over the kernels as small multiples, the steps and the functions behind them."""
import html
import json
import re
from pathlib import Path

from analysis import files, libraries
from analysis.libraries import SOURCES
from analysis.script import Unreadable
from lab.errors import LabError
from lab.history import table
from lab.history.versions import ordered

STEPS = "steps.json"
LIBRARY = "echarts"


def is_history(path: Path) -> bool:
    """Whether it is a history's folder, and no run's."""
    return (path / table.FILE).is_file()


def payload(folder: Path) -> dict[str, object]:
    """What history.js draws: the kernels in order, by phase and case the figure of each, and the steps. Unreadable for no whole
    history."""
    try:
        rows = table.read(folder / table.FILE)
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
    return {"kernels": [{"name": one.name, "short": one.short, "series": one.series, "compiler": one.compiler} for one in members],
            "rows": found, "steps": steps}


def build(folder: Path) -> bytes:
    """The whole page."""
    drawn = payload(folder)
    libraries.vendored()
    code, _, licence = libraries.library(LIBRARY)
    kernels = drawn["kernels"]
    assert isinstance(kernels, list)
    filled = {
        "title": html.escape(f"nsbench: the history of {len(kernels)} kernels"),
        "style": (SOURCES / "page.css").read_text(encoding="utf-8"), "licences": licence, "libraries": f"<script>{code}</script>",
        "data": json.dumps(drawn, separators=(",", ":"), allow_nan=False).replace("</", "<\\/"),
        "scripts": f"<script>{(SOURCES / 'history.js').read_text(encoding='utf-8')}</script>",
    }
    template = (SOURCES / "history.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: filled[match[1]], template).encode()
