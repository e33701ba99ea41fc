"""Reads what `nsbench --out` and `--csv` wrote, whole and checked, or says in one line what is wrong with it.

A wrong figure that is shown is worse than a run that is refused: a file that was cut, a number that is none, a row that
stands there twice are errors, never NaN.
"""
import functools
import io
import os
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from analysis import columns, files, record
from analysis.exact import MEASURED, STATUSES, VARIES
from analysis.outputs import as_utf8
from analysis.record import Record
from analysis.script import Unreadable

SCHEMA_VERSION = 1  # of run.json: kSchemaVersion in src/run/run_json.cpp

# In a measured row of results.csv only these may be empty: an interval needs rounds, a delta needs a base.
MAY_BE_EMPTY = {"stack_bytes", "parallel", "ci_low", "ci_high", "precision", "delta", "delta_low", "delta_high", "resolution",
                "delta_resolution", "machines", "position", "first", "steady", "last", "repeats"}
# Columns that came later: a run of an earlier nsbench has none of them.
LATER = {"results.csv": ("state", "resolution", "delta_resolution", "machines", "position", "first", "steady", "last", "repeats",
                         "scatter", "base"),
         "samples.csv": ("machine", "sampler", "ended"), "rounds.csv": ("suspended", "moved")}
# Rounds that a case must have left without the disturbed ones, else it keeps them: kMinForInterval in src/core/statistics.h.
LEAST_ROUNDS = 6
NEVER_EMPTY = ("run_id", "kernel", "clock", "case", "phase", "unit", "status")


def _where(path: Path, rows: "pd.Series") -> str:
    """The file and the line of the first row that is marked; line 1 is the header."""
    return f"{path}, line {int(rows.to_numpy().argmax()) + 2}"


def read_table(path: Path, file: str, rows: int | None = None) -> pd.DataFrame:
    """A file's table with the dictionary's columns: numbers as floats with NaN where the field is empty, text as text.

    `file` names the table in the dictionary, such as samples.csv; `path` may be compressed by xz. `rows`: that it has, where what
    is behind them is no part of it.
    """
    wanted = columns.of(file)
    found = files.table(path, rows)
    numbers = [name for name, column in wanted.items() if column.is_number]
    # "" alone is no number: NA, nan and the like would pass for one with pandas' defaults.
    texts = dict.fromkeys(wanted.keys() - set(numbers), str)
    later = (*LATER.get(file, ()), *(columns.phases() if file == "samples.csv" else ()))
    if file == "samples.csv" and not set(columns.phases()) & set(found.header):
        later = LATER[file]  # of the phases an earlier nsbench knew fewer, but some
    found.need([name for name in wanted if name not in later], file)
    table = pd.read_csv(io.StringIO(found.text), dtype=texts, keep_default_na=False, na_values=dict.fromkeys(numbers, [""]),
                        low_memory=False)
    if absent := [name for name in later if name not in table.columns]:
        table[absent] = [np.nan if wanted[name].is_number else "" for name in absent]
    table = table[list(wanted)].copy()
    if table.empty:
        return table.astype(dict.fromkeys(numbers, float))
    for name in numbers:
        table[name] = _figures(found, table[name])
    for case in table["case"].unique() if "case" in table.columns else ():
        if not files.CASE.fullmatch(case):
            row = int((table["case"] == case).to_numpy().argmax())
            raise Unreadable(f"{found.where(row)}: case is {files.shown(case)}, which is no case's id")
    return table


def _figures(found: files.Table, column: "pd.Series") -> "pd.Series":
    """The column as floats. Unreadable for the first that is none, or larger than any figure."""
    kind = column.dtype
    if pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind):
        floats = column.astype(float)
        if not (floats.abs() > files.LARGEST).any():
            return floats
    place = found.header.index(column.name)
    for row, fields in enumerate(found.rows()):
        try:
            files.number(fields[place] or "0")
        except ValueError:
            raise Unreadable(f"{found.where(row)}: {column.name} is {files.shown(fields[place])}, not a number") from None
    return pd.to_numeric(column).astype(float)


def _check_results(path: Path, table: pd.DataFrame) -> None:
    """Unreadable for what nsbench does not write."""
    if table.empty:
        raise Unreadable(f"{path}: no rows: the run has measured nothing")
    for name in NEVER_EMPTY:
        empty = table[name] == ""
        if empty.any():
            raise Unreadable(f"{_where(path, empty)}: {name} is empty")
    for name in ("run_id", "clock"):
        if table[name].nunique() > 1:
            first, second = table[name].unique()[:2]
            raise Unreadable(f"{path}: rows of more than one {name}: {first} and {second}; one file for each run is "
                             "needed")
    for name, known in (("clock", columns.CLOCKS), ("status", STATUSES)):
        wrong = ~table[name].isin(known)
        if wrong.any():
            raise Unreadable(f"{_where(path, wrong)}: unknown {name} {table[name][wrong].iloc[0]!r}")
    measured = table["status"].isin(MEASURED)
    for name, column in columns.of("results.csv").items():
        if column.is_number and name not in MAY_BE_EMPTY:
            empty = measured & table[name].isna()
            if empty.any():
                raise Unreadable(f"{_where(path, empty)}: {name} is empty in a measured row")
    for low, high, resolution in VARIES:
        for what, rows in ((f"of {low} and {high} one is empty", table[low].isna() != table[high].isna()),
                           (f"{low} is above {high}", table[low] > table[high]), (f"{resolution} is below 0", table[resolution] < 0)):
            if (measured & rows).any():
                raise Unreadable(f"{_where(path, measured & rows)}: {what}")
    twice = table.duplicated(["case", "phase"])
    if twice.any():
        row = table[twice].iloc[0]
        raise Unreadable(f"{_where(path, twice)}: {row['case']} {row['phase']} stands there twice")


def _together(tables: list[pd.DataFrame | None]) -> pd.DataFrame | None:
    """The samples of several runs as of one."""
    before = 0.0
    found = []
    for table in tables:
        if table is None:
            return None
        found.append(table.assign(round=table["round"].where(table["round"] == 0, table["round"] + before)))
        before = float(np.nanmax([before, *found[-1]["round"]]))
    return pd.concat(found, ignore_index=True) if found else None


class Run:
    """One run. `info` is run.json, and empty where there was only a results.csv; the tables beside results.csv are read
    when they are asked for, and None where the run has none."""

    def __init__(self, path: Path, folder: Path | None, info: Record, results: pd.DataFrame) -> None:
        self.path = path
        self.folder = folder
        self.info = info
        self.results = results
        # What it is called: the last of these words, or as many as tell it from other runs.
        self.name = self.words[-1]

    @property
    def words(self) -> list[str]:
        """The folder's path, or that of the CSV file without its suffix."""
        path = Path(os.path.abspath(self.folder or self.path.with_suffix("")))
        return [as_utf8(part) for part in path.parts]

    @property
    def clock(self) -> str:
        """wall or instructions."""
        return str(self.results["clock"].iloc[0])

    @property
    def state(self) -> str:
        """The name of the kernel's state, empty where it has none."""
        return str(self.results["state"].iloc[0])

    @property
    def kernel(self) -> str:
        return str(self.results["kernel"].iloc[0])

    @property
    def run_id(self) -> str:
        return str(self.results["run_id"].iloc[0])

    @property
    def unit(self) -> str:
        """Of all its times."""
        return columns.unit_of(self.clock)

    @property
    def is_of_repeats(self) -> bool:
        """Whether it is what `nsbench --repeat` made of several, which have folders in its own."""
        repeat = self.info.get("repeat")
        return repeat is not None and repeat["number"] is None

    @functools.cached_property
    def repeats(self) -> "list[Run]":
        """Those that its rows are of: the complete ones, or the first as far as it came. Empty for a run that is none of
        several, or is one of them. Unreadable for one that belongs to another run."""
        repeat = self.info.get("repeat")
        if repeat is None or repeat["number"] is not None or self.folder is None:
            return []
        folders = [self.folder / f"repeat-{number}" for number in range(1, repeat["count"] + 1)]
        found = [(read_run(folder), folder) for folder in folders if (folder / "run.json").exists()]
        complete: list[Run] = []
        begun: list[Run] = []
        for run, folder in found:
            own = run.info.get("repeat")
            if own is None or run.run_id != f"{self.run_id}.{own['number']}" or folder.name != f"repeat-{own['number']}":
                raise Unreadable(f"{folder}: is not the repeat {folder.name[7:]} of the run in {self.folder}")
            (complete if own["complete"] else begun).append(run)
        return complete or begun[:1]

    @property
    def measured(self) -> pd.DataFrame:
        """The rows that have figures."""
        return self.results[self.results["status"].isin(MEASURED)]

    @property
    def environment(self) -> dict[str, str]:
        """What the machine was; empty where there was only a results.csv."""
        return self.info.get("environment", {})

    def identity(self) -> str:
        """Which run that is, in one line."""
        parts = [self.name, f"kernel {self.kernel}"]
        if cpu := self.environment.get("cpu_model"):
            parts.append(f"{cpu}, {self.environment.get('cpus', '?')} CPUs")
        if (virtual := self.environment.get("virtualisation", "none")) not in ("none", "unknown"):
            parts.append(virtual)
        if version := self.info.get("nsbench_version"):
            parts.append(f"nsbench {version}")
        if self.state:
            parts.append(f"state {self.state}")
        return " · ".join([*parts, f"{self.clock} clock", self.run_id])

    def _table(self, file: str, rows: int | None = None) -> pd.DataFrame | None:
        for name in (file, f"{file}.xz"):
            if self.folder:
                try:
                    return read_table(self.folder / name, file, rows)
                except FileNotFoundError:
                    continue
        return None

    @functools.cached_property
    def samples(self) -> pd.DataFrame | None:
        """samples.csv, or samples.csv.xz. None is counted that is in no figure, as of disturbed rounds with --disturbed=drop.
        Of repeats: those of each, the rounds counted on; None where one has none."""
        if self.is_of_repeats:
            return _together([repeat.samples for repeat in self.repeats])
        return self._samples()

    def _samples(self) -> pd.DataFrame | None:
        # While it is measured, or where that was killed, the file may be longer than this.
        table = self._table("samples.csv", self.info.get("measuring", {}).get("sample_lines"))
        if table is None or self.rounds is None or self.info.get("options", {}).get("disturbed") != "drop":
            return table
        counted = table["counted"] == 1
        disturbed = table["round"].isin(self.rounds["round"][self.rounds["disturbed"] != ""])
        left = table[counted & ~disturbed].groupby("case")["round"].nunique()
        table.loc[disturbed & (table["case"].map(left) >= LEAST_ROUNDS), "counted"] = 0
        return table

    @functools.cached_property
    def rounds(self) -> pd.DataFrame | None:
        """rounds.csv: what else the machine did in each round. Where a run was killed, it may have one more than run.json."""
        table = self._table("rounds.csv")
        last = self.info.get("measuring", {}).get("rounds")
        return table if table is None or last is None else table[table["round"] <= last]

    def quantile(self, share: float) -> pd.Series | None:
        """Of the counted samples, by case and phase; None without samples.csv, which is not kept: of many runs it would fill
        the memory."""
        samples = self._samples()
        if samples is None:
            return None
        counted = samples[(samples["counted"] == 1) & (samples["errno"] == "")]
        return counted.groupby("case")[columns.phases()].quantile(share).stack()

    @functools.cached_property
    def probe(self) -> pd.DataFrame | None:
        """probe.csv."""
        return self._table("probe.csv")

    @functools.cached_property
    def memory(self) -> pd.DataFrame | None:
        """memory.csv."""
        return self._table("memory.csv")


def _read_info(path: Path) -> Record:
    """run.json. Unreadable for none of nsbench's, one of another version, or one that was changed."""
    info = files.json_of(path, is_shown=True)
    if not isinstance(info, dict) or "schema_version" not in info:
        raise Unreadable(f"{path}: has no schema_version: is it nsbench's?")
    if info["schema_version"] != SCHEMA_VERSION or isinstance(info["schema_version"], bool):
        raise Unreadable(f"{path}: schema_version {files.shown(info['schema_version'])}; this one knows {SCHEMA_VERSION}: "
                         "use the scripts of the nsbench that wrote it")
    if wrong := record.misfit(info):
        raise Unreadable(f"{path}: {wrong}")
    return cast(Record, info)


def read_run(path: str | Path) -> Run:
    """A run: a folder that `nsbench --out` wrote, or a results.csv alone. A results.csv beside its run.json is read as
    its folder. Unreadable for all else."""
    path = Path(path)
    try:
        folder = path if path.is_dir() else path.parent if (path.parent / "run.json").exists() else None
        if folder and path != folder and path.name != "results.csv":
            folder = None
        if folder is None:
            results = path
            info = Record()
        else:
            results = folder / "results.csv"
            info = _read_info(folder / "run.json")
        table = read_table(results, "results.csv")
    except FileNotFoundError as error:
        missing = Path(error.filename)
        if missing == path:
            raise Unreadable(f"{path}: No such file or directory") from None
        raise Unreadable(f"{path}: has no {missing.name}: is it a folder that nsbench --out wrote?") from None
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from None
    _check_results(results, table)
    run = Run(path, folder, info, table)
    if info and (info.get("run_id"), info.get("clock")) != (run.run_id, run.clock):
        raise Unreadable(f"{folder}: run.json is of {info.get('run_id')}, results.csv of {run.run_id}")
    return run
