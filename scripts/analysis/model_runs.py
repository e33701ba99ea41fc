"""Runs whose sets are modelled together, and which operations of theirs have enough sets."""
from collections.abc import Sequence
from pathlib import Path

from analysis import columns, model, shapes, sources, tables
from analysis.read import Run
from analysis.script import Unreadable


def together(paths: list[Path]) -> list[Run]:
    """The runs, each repeat of a folder of repeats being one. Unreadable for runs that are not of the same thing."""
    found = sources.side(paths)
    runs = []
    for source in found:
        if source.run is None:
            raise Unreadable(f"{source.name}: Google Benchmark's JSON does not say what sets add: a run's folder, or its "
                             "results.csv, is needed")
        runs.append(source.run)
    for what in ("clock", "kernel", "state"):
        values = [getattr(run, what) for run in runs]
        if other := next((i for i, value in enumerate(values) if value != values[0]), None):
            raise Unreadable(f"{runs[0].path} and {runs[other].path} are not of one {what}: {values[0] or 'none'} and "
                             f"{values[other] or 'none'}; each is a model of its own")
    shapes.shape_notes(found)
    return runs


def operations(runs: Sequence[Run], phase: str) -> list[str]:
    """Those of which each run has sets of several kinds. Unreadable where there is none."""
    found = [name for name in columns.making_sets() if all(_sets(run, name, phase) for run in runs)]
    if not found:
        raise Unreadable(f"{runs[0].path}: no operation of which sets of several kinds were measured in {phase}: "
                         "nsbench --op=clone,unshare --stack=1M measures them all")
    return found


def models(runs: Sequence[Run], wanted: list[str] | None, phase: str) -> list[model.Model]:
    """Of the operations that are asked for, or of all that have sets."""
    return [model.model_of(runs, name, phase) for name in wanted or operations(runs, phase)]


def _sets(run: Run, operation: str, phase: str) -> bool:
    return bool(tables.of_sets(run, operation, phase).index.str.contains("-").sum() > 1)
