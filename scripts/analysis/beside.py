"""What lies beside a run and belongs to it: the probe's figures, and stacks. Figures that are quoted are of a run without the
probe, so that it has a run of its own, in a folder `probe` inside the run's or beside it: RUN/probe, or DIR/wall and DIR/probe.
An exact profile lies likewise in `exact`."""
import functools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from analysis import stacks
from analysis.read import Run, read_run
from analysis.script import Unreadable, one_line

PROBE, EXACT = "probe", "exact"


def probed(run: Run) -> Run | None:
    """The run that has the probe's figures: itself, or that beside it. Unreadable where its own cannot be read."""
    return next((one for one in (run, *_beside(run, PROBE)) if one.probe is not None or one.memory is not None), None)


def folded(run: Run, named: Path | None) -> tuple[Run, str] | None:
    """The run that has stacks, and these: of the named file, its own, or of what lies beside it."""
    if text := stacks.of_run(run, named):
        return run, text
    found = ((one, stacks.of_run(one, None)) for folder in (PROBE, EXACT) for one in _beside(run, folder))
    return next(((one, text) for one, text in found if text), None)


@functools.cache  # so that it is said once, too
def _read(folder: Path, name: str) -> Run | None:
    """With all that is taken of it. None, and a line that says why, for one that cannot be read: nobody has asked for it."""
    try:
        run = read_run(folder)
        _ = run.probe, run.memory, stacks.of_run(run, None)
    except (Unreadable, OSError) as error:
        print(f"left out: what lies in {folder}: {one_line(error)}", file=sys.stderr)
        return None
    run.name = name
    return run


def _told(run: Run) -> tuple[str | None, ...]:
    """What another's functions depend on: its kernel, clock and state, and its machine."""
    return run.kernel, run.clock, run.state, run.environment.get("cpu_model"), run.environment.get("cpus")


def _beside(run: Run, name: str) -> Iterator[Run]:
    """Runs in a folder of that name, of the same kernel and machine: another's functions would not be this run's."""
    if run.folder is None:
        return
    own = Path(os.path.abspath(run.folder))
    for folder, called in ((own / name, f"{run.name}/{name}"), (own.parent / name, f"{own.parent.name}/{name}")):
        if folder == own or not (folder / "run.json").exists() or not (folder / "results.csv").exists():
            continue
        found = _read(folder, called)
        if found and _told(found) == _told(run):
            yield found
