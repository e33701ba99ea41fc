"""What the tests of loads have in common: a load is started, and its folder is read."""
import json
from pathlib import Path

from nsbench_harness import Started, measure, read_csv


def loaded(folder, *args):
    """The rows of the load, and what churn.json says."""
    measure("churn", *args, f"--out={folder}")
    return read_load(folder)


def read_load(folder):
    return read_csv(folder / "churn.csv"), json.loads((folder / "churn.json").read_text())


def words_of(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def starter_of(started: Started) -> int | None:
    """The process that starts the workers; before it nsbench has a sampler that finds out what is permitted."""
    return next((pid for pid, (parent, _) in started.living().items() if parent == started.pid and b"churn" in words_of(pid)), None)


def worker_of(started: Started) -> int | None:
    """None as long as there is none."""
    starter = starter_of(started)
    return starter and next((pid for pid, (parent, _) in started.living().items() if parent == starter), None)
