"""Where recordings of the same call differ: by the state of the machine that they were made in, and by the run that was profiled."""
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.curves import Curve
from analysis.growth import MISFIT
from analysis.kinds import prefixed
from lab.curves_profile import Levels
from lab.recorded import CREATE

if TYPE_CHECKING:  # which uses this module
    from lab.curves_recorded import Kernel

# The same call, by recordings that differ in what their machines did before it: recording → its case.
SAME = {"mounts": "clone/NEWNS/stack:1M", "mount_ns": "mount_ns/NEWNS/via:clone"}


@dataclass(frozen=True)
class Figure:
    """At a level: the median over the machines, and the lowest of them."""

    recording: str
    value: float
    lowest: float
    machines: int

    @property
    def text(self) -> str:
        """809 k in `mount_ns` (machines: 3; lowest 712 k)."""
        lowest = f"; lowest {prefixed(self.lowest)}" if self.machines > 1 else ""
        return f"{prefixed(self.value)} in `{self.recording}` (machines: {self.machines}{lowest})"


def _figures(kernel: "Kernel", recording: str) -> dict[float, Figure]:
    """By level."""
    found = {}
    for one in (one for one in kernel.curves(recording) if one.case == SAME[recording]):
        rows = one.run.results[one.run.results["phase"] == one.phase].set_index("case")
        for level, case, value in zip(one.levels, one.cases, one.figures):
            machines = rows.loc[case, "machines"]
            found[level] = Figure(recording, value, float(rows.loc[case, "min"]), int(machines) if machines == machines else 1)
    return found


def states(kernels: "Sequence[Kernel]") -> list[str]:
    """The level at which two recordings of the same call differ most, where that is more than MISFIT."""
    lines = []
    for kernel in kernels:
        one, other = (_figures(kernel, recording) for recording in SAME)
        away = {level: abs(other[level].value / one[level].value - 1) for level in one if level in other}
        level = max(away, key=lambda level: away[level], default=None)
        if level is not None and away[level] > MISFIT:
            lines.append(f"- The same clone/NEWNS on {kernel.name} costs at {level:g} mounts {one[level].text}, and "
                         f"{other[level].text}.")
    return ["The place of a bend is no property of a kernel alone. Bends depend on the state of percpu's chunks, and with it on what a "
            "machine did before:", "", *lines, ""] if lines else []


@dataclass(frozen=True)
class Unlike:
    """A level whose profile is not of what the curve has there: what both execute in all."""

    recording: str
    case: str
    profiled: float
    figure: float


def drop_unlike(profile: Levels, recording: str, curves: Sequence[Curve]) -> list[Unlike]:
    """Takes the call out of a profile at those levels where it differs by more than MISFIT from the curve's figure."""
    found = []
    for one in curves:
        for case, figure in zip(one.cases, one.figures):
            whole = profile.whole(case, CREATE)
            if whole and abs(whole - figure) > MISFIT * figure:
                found.append(Unlike(recording, case, whole, figure))
                del profile.parts[case][CREATE]
    return found


def unlike(kernels: "Sequence[Kernel]") -> list[str]:
    """Those that were dropped."""
    lines = [f"- {kernel.name}, {one.recording}: {one.case} {prefixed(one.profiled)}, and the figure {prefixed(one.figure)}"
             for kernel in kernels for one in kernel.unlike]
    return [f"A profile is a run of its own. Where it has over {MISFIT:.0%} more or less than the curve's figure, it is not that of the "
            "curve, and is used neither for shares nor for bends:", "", *lines, ""] if lines else []
