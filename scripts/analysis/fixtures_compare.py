"""Runs for compare.py, and what it says of them."""
import json
from pathlib import Path
from typing import Any

import numpy as np

from analysis import columns
from analysis.fixtures import call, result_row, write_run

SCRIPT = Path(__file__).resolve().parents[1] / "compare.py"
CASES = ["clone/none/stack:1M", "clone/NEWPID/stack:1M", "unshare/NEWNET"]
PHASES = ["create", "total"]


def compare(*words: object) -> tuple[str | int | None, str, str]:
    """The exit code, standard output and standard error; never a traceback."""
    code, out, err = call(SCRIPT, words)
    assert "Traceback" not in err, err
    return code, out, err


def run(folder: Path, random: np.random.Generator, factors: dict[str, float] | None = None, scatter: float = 0.005,
        clock: str = "wall", **info: Any) -> Path:
    """A run with a median for each case and phase, multiplied by `factors` and scattered; its own intervals are ±0.5%."""
    rows = []
    for i, case in enumerate(CASES):
        for phase in PHASES:
            median = 30000 * (i + 1) * (factors or {}).get(case, 1) * np.exp(random.normal(0, scatter) if scatter else 0)
            rows.append(result_row(case, phase, median, clock=clock, unit=columns.unit_of(clock),
                                   ci_low=f"{median * 0.995:.3f}", ci_high=f"{median * 1.005:.3f}"))
    return write_run(folder, rows, **info)


def sides(tmp_path: Path, count: int, factors: dict[str, float] | None = None, **more: Any) -> list[str]:
    """--base RUN... --new RUN...: that many runs a side, which alternate in time."""
    random = np.random.default_rng(11)
    words: list[str] = []
    for side, of in (("base", None), ("new", factors)):
        words.append(f"--{side}")
        for i in range(count):
            started = f"2026-01-01T{2 * i + (side == 'new'):02}:00:00Z"
            words.append(str(run(tmp_path / f"{side}{i}", random, of, started=started, **more)))
    return words


def verdicts(out: str) -> dict[tuple[str, str], str]:
    """Of --format=json."""
    return {(row["case"], row["phase"]): row["verdict"] for row in json.loads(out)["rows"]}
