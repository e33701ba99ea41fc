"""Recorded curves, read back: what results/curves/README.md is made from. Needs pandas and statsmodels."""
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from analysis import curves, growth, tables
from analysis.curves import Curve
from analysis.read import Run, read_run
from analysis.script import Unreadable
from lab import curves_profile, folders
from lab.curves import EXACT, RECORDINGS
from lab.curves_profile import Levels
from lab.curves_states import Unlike, drop_unlike
from lab.errors import USAGE, LabError
from lab.folders import FUNCTIONS
from lab.recorded import CREATE


@dataclass(frozen=True)
class Kernel:
    """One kernel's curves and profiles, by the recording's name."""

    folder: Path
    runs: dict[str, Run]
    profiles: dict[str, Levels] = field(default_factory=dict)
    builds: dict[str, list[str]] = field(default_factory=dict)  # the build of nsbench that recorded it → the recordings
    unlike: list[Unlike] = field(default_factory=list)  # levels whose profile is not used

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


PERCPU, PAGES, REST, MEANWHILE = "percpu's allocator", "pages cleared", "all else of the call", "what ran meanwhile"
PARTS = (PERCPU, PAGES, REST, MEANWHILE)


def split(one: Curve, kernel: Kernel, recording: str) -> dict[str, Curve]:
    """A curve of the profiled levels taken apart, by PARTS; nothing where there are too few levels for a law."""
    profile = kernel.profiles.get(recording)
    at = [place for place, case in enumerate(one.cases) if profile and profile.of(case, CREATE)]
    if profile is None or len(at) < growth.LEAST_LEVELS:
        return {}
    cases, levels = [one.cases[place] for place in at], [one.levels[place] for place in at]
    splits = np.array([profile.split(case) for case in cases])
    page = curves.PAGE if one.parameter.is_size else 1
    found = {}
    for name, figures in zip(PARTS, splits.T):
        points = growth.Points(np.array(levels) / page, figures, np.full(len(levels), np.nan), is_exact=True)
        found[name] = replace(one, levels=levels, cases=cases, figures=list(map(float, figures)), without={},
                              growth=growth.growth_of(points) if (figures > 0).all() else None)
    return found


def note_build(kernel: Kernel, place: Path, what: str) -> None:
    """By the first digits of the SHA-256 of nsbench's program, as the lab notes it; nothing of what has none."""
    lab = folders.lab_of(place) or {}
    if digest := str(lab.get("nsbench_sha256", ""))[:8]:
        kernel.builds.setdefault(digest, []).append(what)


def _read(folder: Path) -> Kernel:
    kernel = Kernel(folder, {}, {})
    for recording in RECORDINGS:
        place = folder / recording.name
        if not (place / "run.json").exists():
            continue
        kernel.runs[recording.name] = read_run(place)
        note_build(kernel, place, recording.name)
        path = (place / EXACT if recording.levels else place) / f"{FUNCTIONS}.xz"
        if path.exists():
            kernel.profiles[recording.name] = curves_profile.read(path)
            if recording.levels:
                note_build(kernel, path.parent, f"the profile of {recording.name}")
    for run in kernel.runs.values():
        run.name = kernel.name
    for name, profile in kernel.profiles.items():
        kernel.unlike.extend(drop_unlike(profile, name, kernel.curves(name)))
    return kernel


def kernel_folders(directory: Path) -> Iterator[Path]:
    return (path for path in sorted(directory.glob("*")) if any(path.glob("*/run.json")))


def read_all(directory: Path) -> list[Kernel]:
    """The kernels in a directory, oldest first. LabError where there is none, or a file is not as nsbench writes it."""
    try:
        found = [_read(folder) for folder in kernel_folders(directory)]
    except Unreadable as error:
        raise LabError(str(error), USAGE) from None
    if not found:
        raise LabError(f"{directory}: no curves in it: scripts/lab.py curves makes them", USAGE)
    return sorted(found, key=lambda kernel: tables.version_key(next(iter(kernel.runs.values())).kernel))


def level_of(case: str, key: str) -> int:
    """clone/NEWNET/stack:1M/dying:16, dying → 16."""
    match = re.search(rf"/{key}:(\d+)", case)
    return int(match[1]) if match else 0
