"""Recorded curves, read back: what results/curves/README.md is made from. Needs pandas and statsmodels."""
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from analysis import curves, growth, stacks, tables
from analysis.curves import Curve
from analysis.read import Run, read_run
from analysis.script import Unreadable
from lab.curves import EXACT, RECORDINGS
from lab.errors import USAGE, LabError
from lab.explain import name_of
from lab.recorded import ASYNC, CREATE

Stacks = list[tuple[list[str], int]]  # functions, the outermost first, and the innermost's own instructions


@dataclass(frozen=True)
class Profile:
    """The stacks of the profiled cases, by case and by part of the profile."""

    parts: dict[str, dict[str, Stacks]]

    def of(self, case: str, part: str) -> Stacks:
        return self.parts.get(case, {}).get(part, [])

    def whole(self, case: str, part: str) -> float:
        """Instructions of the part."""
        return sum(own for _, own in self.of(case, part))

    def below(self, case: str, part: str, is_one: Callable[[str], bool]) -> float:
        """Of these functions, with all that they call."""
        return sum(own for frames, own in self.of(case, part) if any(map(is_one, frames)))

    def own(self, case: str, part: str) -> dict[str, float]:
        """Of each function alone."""
        found: dict[str, float] = {}
        for frames, own in self.of(case, part):
            name = name_of(frames[-1])
            found[name] = found.get(name, 0) + own
        return found


@dataclass(frozen=True)
class Kernel:
    """One kernel's curves and profiles, by the recording's name."""

    folder: Path
    runs: dict[str, Run]
    profiles: dict[str, Profile] = field(default_factory=dict)

    @cached_property
    def name(self) -> str:
        """The version without Debian's suffixes, such as 6.1.192."""
        run = next(iter(self.runs.values()))
        package = run.info["lab"]["kernel_package"]
        return (package.split()[1] if package else run.kernel).split("-")[0]

    def curves(self, recording: str, phase: str | None = None) -> list[Curve]:
        """Of the phase, or of the operation's first."""
        run = self.runs.get(recording)
        return curves.curves_of(run, phases=[phase] if phase else None) if run else []


def split(one: Curve, kernel: Kernel, recording: str, is_part: Callable[[str], bool]) -> dict[str, Curve] | None:
    """A curve of the profiled levels taken apart: into what these functions take with all that they call, and the rest. None
    where there are too few levels for a law."""
    profile = kernel.profiles.get(recording)
    at = [place for place, case in enumerate(one.cases) if profile and profile.of(case, CREATE)]
    if profile is None or len(at) < growth.LEAST_LEVELS:
        return None
    cases, levels = [one.cases[place] for place in at], [one.levels[place] for place in at]
    whole = np.array([profile.whole(case, CREATE) for case in cases])
    part = np.array([profile.below(case, CREATE, is_part) for case in cases])
    found = {}
    for name, figures in (("part", part), ("rest", whole - part)):
        points = growth.Points(np.array(levels), figures.astype(float), np.full(len(levels), np.nan), is_exact=True)
        found[name] = Curve(one.run, one.case, one.operation, one.phase, one.parameter, levels, cases, list(map(float, figures)),
                            growth.growth_of(points) if (figures > 0).all() else None)
    return found


def _profile(folder: Path) -> Profile | None:
    path = folder / f"{stacks.FILE}.xz"
    if not path.exists():
        return None
    parts: dict[str, dict[str, Stacks]] = {}
    for case, rows in stacks.by_case(stacks.read(path)).items():
        for (part, *frames), own in rows:
            parts.setdefault(case, {}).setdefault(part, []).append((frames, own))
    return Profile(parts)


def _read(folder: Path) -> Kernel:
    kernel = Kernel(folder, {}, {})
    for recording in RECORDINGS:
        place = folder / recording.name
        if not (place / "run.json").exists():
            continue
        kernel.runs[recording.name] = read_run(place)
        if (profile := _profile(place / EXACT if recording.levels else place)) is not None:
            kernel.profiles[recording.name] = profile
    for run in kernel.runs.values():
        run.name = kernel.name
    return kernel


def folders(directory: Path) -> Iterator[Path]:
    return (path for path in sorted(directory.glob("*")) if any(path.glob("*/run.json")))


def read_all(directory: Path) -> list[Kernel]:
    """The kernels in a directory, oldest first. LabError where there is none, or a file is not as nsbench writes it."""
    try:
        found = [_read(folder) for folder in folders(directory)]
    except Unreadable as error:
        raise LabError(str(error), USAGE) from None
    if not found:
        raise LabError(f"{directory}: no curves in it: scripts/lab.py curves makes them", USAGE)
    return sorted(found, key=lambda kernel: tables.version_key(next(iter(kernel.runs.values())).kernel))


def level_of(case: str, key: str) -> int:
    """clone/NEWNET/stack:1M/dying:16, dying → 16."""
    match = re.search(rf"/{key}:(\d+)", case)
    return int(match[1]) if match else 0


def per_execution(kernel: Kernel, recording: str, case: str) -> float:
    """What workers execute for each execution of the case."""
    return kernel.profiles[recording].whole(case, ASYNC)
