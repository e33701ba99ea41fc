"""One RUN of a comparison, whichever file it came in: its medians by case and phase, and what it was measured on."""
import datetime
import functools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from analysis import columns, google
from analysis.exact import MEASURED, Key
from analysis.read import Run, read_run
from analysis.script import Unreadable

Z95 = 1.959964  # half the width of a normal 95% interval in standard deviations
QUANTUM = 1 / math.sqrt(12)  # the standard deviation of what rounding to one tick takes away
INDEX = ["case", "phase"]


# Columns of results.csv that are a case's name, or a run's.
NAMES = ["run_id", "kernel", "operation", "namespaces", "syscall", "stack_bytes", "spawn", "parallel"]


def _unchanged(key: Key) -> Key:
    return key


@dataclass
class Source:
    """`medians` and `own`, the variance that a median's logarithm is known to have by itself, have the same index of
    (case, phase). `rows` says of each row, also of one that was not measured, its status, errno and reason."""

    name: str
    identity: str
    clock: str
    medians: pd.Series
    own: pd.Series
    rows: dict[Key, dict[str, str]]
    environment: dict[str, str]
    run_id: str = ""
    started: str = ""
    run: Run | None = None
    repetitions: dict[Key, list[float]] = field(default_factory=dict)
    shorten: Callable[[Key], Key] = _unchanged

    @functools.cached_property
    def series(self) -> pd.DataFrame | None:
        """Logarithms of the medians of rounds, or of repetitions, in their order; None where there are none."""
        if self.repetitions:
            return _frame({self.shorten(key): pd.Series(times) for key, times in self.repetitions.items()})
        if self.run is None or self.run.samples is None:
            return None
        samples = self.run.samples
        samples = samples[(samples["counted"] == 1) & (samples["errno"] == "")]
        medians = samples.groupby(["case", "round"])[columns.phases()].median()
        table = medians.stack().unstack("round")
        table.index = pd.MultiIndex.from_tuples([self.shorten(key) for key in table.index], names=INDEX)
        return np.log(table.where(table > 0))

    def quantile(self, share: float) -> pd.Series | None:
        """The time that this share of each row's counted samples do not exceed; None where there are no samples."""
        found = self.run.quantile(share) if self.run else None
        if found is not None:
            found.index = pd.MultiIndex.from_tuples([self.shorten(key) for key in found.index], names=INDEX)
        return found

    @property
    def figures(self) -> pd.DataFrame | None:
        """All that results.csv says of each row but its names; None where there is no such file."""
        if self.run is None:
            return None
        table = self.run.results.drop(columns=NAMES).set_index(INDEX)
        table.index = pd.MultiIndex.from_tuples([self.shorten(key) for key in table.index], names=INDEX)
        return table

    @property
    def time(self) -> float:
        """Seconds since the epoch at its start; NaN where it does not say."""
        try:
            return datetime.datetime.fromisoformat(self.started).timestamp()
        except ValueError:
            return math.nan

    @property
    def has_repetitions(self) -> bool:
        """Whether it repeats its rows in itself: Google Benchmark's JSON of a program of one's own. What nsbench writes as
        such are the rounds of one run."""
        return not self.run_id and any(len(times) > 1 for times in self.repetitions.values())

    @property
    def batch(self) -> float:
        """How many namespaces a batch of its drains had on average; NaN where it does not say."""
        measuring = self.run.info.get("measuring", {}) if self.run else {}
        drains, samples = measuring.get("drains"), measuring.get("drained_samples")
        return float(samples / drains) if drains and samples is not None else math.nan

    @property
    def sampler_bytes(self) -> float:
        """Of the sampler, resident; NaN where it does not say."""
        of = self.run.info.get("sampler", {}).get("resident_bytes") if self.run else None
        return math.nan if of is None else float(of)

    @property
    def unit(self) -> str:
        return columns.unit_of(self.clock)


def _frame(series: dict[Key, pd.Series]) -> pd.DataFrame:
    table = pd.DataFrame(series.values(), index=pd.MultiIndex.from_tuples(series.keys(), names=INDEX))
    return np.log(table.where(table > 0))


def _own(medians: pd.Series, half: pd.Series) -> pd.Series:
    """The variance of a median's logarithm: of the interval's half width, and of a clock that counts whole ticks. NaN
    where the row has no interval."""
    return ((half / Z95)**2 + QUANTUM**2) / medians**2


def _name(run: Run) -> str:
    """A repeat's has that of the folder which they are in before it: both sides have a repeat-1."""
    return "/".join(run.path.absolute().parts[-2:]) if run.info.get("repeat") and not run.is_of_repeats else run.name


def _of_run(run: Run) -> Source:
    table = run.results.set_index(INDEX)
    measured = table[table["status"].isin(MEASURED)]
    status = table[["status", "errno", "reason"]]
    info = run.info
    environment = {"kernel": run.kernel} | {key: str(value) for key, value in run.environment.items()}
    if info:
        options = info.get("options", {})
        environment |= {"pinned to CPU": str(options.get("cpu")), "nsbench": str(info.get("nsbench_version")),
                        "without root": str(info.get("in_userns", False))}
        if (mappings := info.get("sampler", {}).get("mappings")) is not None:
            environment["the sampler's mappings"] = str(mappings)
        environment |= {f"lab {key}": str(value) for key, value in info.get("lab", {}).items()}
    half = (measured["ci_high"] - measured["ci_low"]) / 2
    return Source(_name(run), run.identity(), run.clock, measured["median"], _own(measured["median"], half),
                  dict(zip(status.index, status.to_dict("records"))), environment, run.run_id, info.get("started", ""),
                  run)


def _of_google(path: Path) -> Source:
    times = google.read(path)
    index = pd.MultiIndex.from_tuples(times.repetitions, names=INDEX) if times.repetitions else None
    medians = pd.Series([float(np.median(of)) for of in times.repetitions.values()], index=index, dtype=float)
    rows = {key: {"status": "ok", "errno": "", "reason": ""} for key in times.repetitions}
    rows |= {key: {"status": "failed", "errno": "", "reason": why} for key, why in times.errors.items()}
    identity = f"{path.stem} · Google Benchmark's JSON · {times.context.get('date', 'no date')}"
    return Source(path.stem, identity, times.clock, medians, _own(medians, medians * np.nan), rows, times.environment,
                  str(times.context.get("run_id", "")), str(times.context.get("date", "")), None, times.repetitions)


def load(path: Path, ignore: list[str] | None = None) -> Source:
    """A run's folder, its results.csv, or Google Benchmark's JSON, its ids without the parameters to ignore. Unreadable
    for all else."""
    source = _of_google(path) if google.is_google(path) else _of_run(read_run(path))
    return _without(source, ignore) if ignore else source


def _without(source: Source, ignore: list[str]) -> Source:
    """The same with shorter ids. Unreadable where two become one."""
    part = re.compile(rf"/(?:{'|'.join(map(re.escape, ignore))}):[^/]+")

    def shorten(key: Key) -> Key:
        return part.sub("", key[0]), key[1]

    seen: dict[Key, Key] = {}
    for key in source.rows:
        if (other := seen.setdefault(shorten(key), key)) != key:
            raise Unreadable(f"--ignore: {source.name} has both {other[0]} and {key[0]}, which would become one")
    for table in (source.medians, source.own):
        if len(table):
            table.index = pd.MultiIndex.from_tuples([shorten(key) for key in table.index], names=INDEX)
    source.shorten = shorten
    source.rows = {shorten(key): row for key, row in source.rows.items()}
    return source


def repeats(path: Path) -> list[Path]:
    """The folders of its repeats that are complete, where it is what `nsbench --repeat` wrote; else the path itself.
    Unreadable where none is."""
    if google.is_google(path):
        return [path]
    run = read_run(path)
    if not run.is_of_repeats:
        return [path]
    found = [one.path for one in run.repeats if (own := one.info.get("repeat")) is not None and own["complete"]]
    if not found:
        raise Unreadable(f"{path}: none of its repeats is complete: nsbench --resume={run.folder} goes on with them")
    return found


def of_runs(runs: list[Run]) -> list[Source]:
    """Runs that are read already as a side: each repeat counts as one."""
    return [_of_run(one) for run in runs for one in (run.repeats if run.is_of_repeats else [run])]


def side(given: list[Path], ignore: list[str] | None = None) -> list[Source]:
    """The runs of one side, each repeat of a folder of repeats being one. Unreadable also for one that is there twice: it
    would count as two."""
    paths = [path for one in given for path in repeats(one)]
    sources = [load(path, ignore) for path in paths]
    seen: dict[str, Path] = {}
    for source, path in zip(sources, paths):
        if source.run_id in seen:
            raise Unreadable(f"{path} and {seen[source.run_id]} are the same run {source.run_id}: it would count twice")
        if source.run_id:
            seen[source.run_id] = path
    return sources
