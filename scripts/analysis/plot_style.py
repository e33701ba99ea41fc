"""The look that all plots share: colours and marks that also people tell apart who do not see all colours, and that
survive a grey print; units; the run's identity in a corner."""
import io
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import matplotlib
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from analysis import kinds, outputs

matplotlib.use("Agg")

Panels = list[list[Axes]]  # the axes of a figure, by row and column

# Okabe and Ito's palette, without its yellow, which is lost on paper; the marks tell the same apart without colour.
COLOUR = {
    "NEWNET": "#D55E00",
    "NEWNS": "#0072B2",
    "NEWIPC": "#009E73",
    "NEWUSER": "#CC79A7",
    "NEWPID": "#E69F00",
    "NEWTIME": "#56B4E9",
    "NEWCGROUP": "#7F7F7F",
    "NEWUTS": "#882255",
    kinds.NONE: "#000000",
    kinds.ALL: "#332288",
}
MARK = {
    "NEWNET": "s",
    "NEWNS": "^",
    "NEWIPC": "D",
    "NEWUSER": "v",
    "NEWPID": "o",
    "NEWTIME": "P",
    "NEWCGROUP": "X",
    "NEWUTS": "p",
    kinds.NONE: ".",
    kinds.ALL: "*",
}
SERIES = [
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#882255",
    "#999933",
    "#332288",
    "#BBBBBB",
]
HATCH = ["", "///", "...", "\\\\\\", "xxx", "---", "ooo", "+++", "||", ""]
SEQUENTIAL = "cividis"  # reads the same for all who see colours and in grey
DIVERGING = "PuOr"

STYLE = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "figure.dpi": 110,
    "savefig.dpi": 110,
    "hatch.linewidth": 0.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "nsbench",
    "legend.frameon": False,
}


def colour(name: str, index: int = 0) -> str:
    """Of a set; sets without a colour of their own take one by their place."""
    return COLOUR.get(name, SERIES[index % len(SERIES)])


def mark(name: str) -> str:
    return MARK.get(name, "o")


def new(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure with axes, in inches; room is left below for the identity."""
    figure, axes = grid(width, height, 1, 1)
    return figure, axes[0][0]


def grid(width: float, height: float, down: int, across: int, **more: object) -> tuple[Figure, Panels]:
    """A figure with so many rows and columns of axes."""
    plt.rcParams.update(STYLE)
    figure, axes = plt.subplots(down, across, figsize=(width, height), layout="constrained", squeeze=False, **more)
    return figure, axes.tolist()


def flat(axes: Panels) -> list[Axes]:
    """Row by row."""
    return [one for line in axes for one in line]


def title(figure: Figure, text: str) -> None:
    """What the figure shows."""
    figure.suptitle(text, fontsize=11, fontweight="bold", x=0.01, ha="left")


class Identified(Protocol):
    """What a plot is of: a run, or a load."""

    def identity(self) -> str: ...


def identify(figure: Figure, runs: Sequence[Identified]) -> None:
    """Which runs these are, in the lower left corner."""
    lines = [run.identity() for run in runs[:4]] + (
        [f"and {len(runs) - 4} more runs"] if len(runs) > 4 else []
    )
    width = int(figure.get_figwidth() * 17)
    text = "\n".join(line for one in lines for line in textwrap.wrap(one, width))
    count = text.count("\n") + 1
    bottom = (count * 0.135 + 0.08) / figure.get_figheight()
    figure.get_layout_engine().set(rect=(0, bottom, 1, 1 - bottom))
    figure.text(
        0.01, 0.04 / figure.get_figheight(), text, fontsize=7, color="#555555", va="bottom", ha="left"
    )


def number(value: float, _place: object = None) -> str:
    """A tick's label: without an exponent or needless zeros."""
    return f"{value:,.10g}".replace(",", "\u2009").replace("-", "−")


def plain_ticks(axis: Axis) -> None:
    """Of a logarithmic axis: numbers rather than powers."""
    axis.set_major_formatter(FuncFormatter(number))
    axis.set_minor_formatter(NullFormatter())


def outer_labels(axes: Panels, count: int, below: str, beside: str) -> None:
    """Labels the axes of a grid of `count` panels once for each column and row."""
    across = len(axes[0])
    for index, axis in enumerate(flat(axes)[:count]):
        if index + across >= count:
            axis.set_xlabel(below)
            axis.tick_params(labelbottom=True)
        if index % across == 0:
            axis.set_ylabel(beside)


def save(figure: Figure, folder: Path, name: str, formats: list[str]) -> list[Path]:
    """Writes the figure in each format; a file appears under its name whole or not at all. The same input makes the
    same bytes."""
    made = []
    for kind in formats:
        path = folder / f"{name}.{kind}"
        metadata = {
            "png": {"Software": None},
            "svg": {"Date": None, "Creator": None},
            "pdf": {"CreationDate": None, "Producer": None},
        }[kind]
        drawn = io.BytesIO()
        figure.savefig(drawn, format=kind, metadata=metadata)
        outputs.replace(path, drawn.getvalue())
        made.append(path)
    plt.close(figure)
    return made
