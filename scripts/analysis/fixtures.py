"""Runs written for tests, and for the trials whose truth is known: files such as nsbench writes."""
import contextlib
import csv
import importlib.util
import io
import json
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path

from analysis import columns


def result_row(case: str, phase: str, median: float | None, **more: object) -> dict[str, object]:
    """A row of results.csv; without a median one that was not measured. `more` replaces columns."""
    operation, namespaces = case.split("/")[:2]
    row: dict[str, object] = {name: "" for name in columns.of("results.csv")}
    row |= {"kernel": "6.1.0", "clock": "wall", "case": case, "operation": operation, "namespaces": namespaces,
            "syscall": operation, "phase": phase, "unit": "ns", "status": "ok"}
    if median is not None:
        row |= {name: f"{median:.3f}" for name in ("median", "ci_low", "ci_high", "min", "mean", "p90", "p99", "max")}
        row |= {"samples": 30, "stddev": "0", "outliers_mild": 0, "outliers_severe": 0}
    return row | more


def write_run(folder: Path, rows: Iterable[dict[str, object]], environment: dict[str, str] | None = None, **info: object) -> Path:
    """A run's folder with run.json and results.csv; `info` replaces parts of run.json."""
    folder.mkdir()
    rows = [{**row, "run_id": row["run_id"] or f"id-{folder.name}"} for row in rows]
    record = {"schema_version": 1, "nsbench_version": "0.1.0", "run_id": rows[0]["run_id"] if rows else "",
              "kernel": rows[0]["kernel"] if rows else "", "clock": rows[0]["clock"] if rows else "", "options": {},
              "warnings": [], "environment": {"cpu_model": "A CPU", "cpus": "2", "virtualisation": "kvm"} | (environment or {})}
    (folder / "run.json").write_text(json.dumps(record | info))
    with open(folder / "results.csv", "w", newline="") as file:
        out = csv.DictWriter(file, list(columns.of("results.csv")), lineterminator="\n")
        out.writeheader()
        out.writerows(rows)
    return folder


def write_table(path: Path, rows: list[dict[str, object]]) -> None:
    """One of a run's other CSV files, which has the columns of its name; what a row does not say is empty."""
    names = list(columns.of(path.name))
    path.write_text("\n".join([",".join(names), *(",".join(str(row.get(name, "")) for name in names) for row in rows), ""]))


def call(script: Path, words: Iterable[object], name: str = "") -> tuple[str | int | None, str, str]:
    """A script's exit code, standard output and standard error, as when it is started, but in this process: importing
    pandas takes longer than most tests. `name`: what it calls itself, where that is not its file's stem."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    spec = importlib.util.spec_from_file_location(script.stem, script)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    out, err = io.StringIO(), io.StringIO()
    argv = sys.argv
    sys.argv = [str(script), *map(str, words)]
    code: str | int | None = None
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            module.main(getattr(module, script.stem, None) or module.body, name or script.stem)
    except SystemExit as exit_:
        code = exit_.code
    finally:
        sys.argv = argv
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return code, out.getvalue(), err.getvalue()


def completed(script: Path, words: Iterable[object]) -> subprocess.CompletedProcess[str]:
    """The same of a script that calls itself by its file's name, and warns of nothing: pytest would take warnings off standard error."""
    with warnings.catch_warnings():
        for category in (FutureWarning, RuntimeWarning, UserWarning):
            warnings.simplefilter("error", category)
        code, out, err = call(script, words, script.name)
    assert isinstance(code, int)
    return subprocess.CompletedProcess([str(script), *map(str, words)], code, out, err)
