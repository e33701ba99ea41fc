"""What plots and pages take at once, and names that tell runs apart."""
from collections import Counter
from pathlib import Path

from analysis import read
from analysis.script import Unreadable

MOST_RUNS = 16  # more lines than that no reader tells apart, and a page holds no more than 5 MB


def read_runs(paths: list[str]) -> list[read.Run]:
    """The runs. Unreadable for one that cannot be read, twice the same, or more than can be shown."""
    if len(paths) > MOST_RUNS:
        raise Unreadable(
            f"{len(paths)} runs: at most {MOST_RUNS} can be told apart here; compare.py takes any number "
            "as repetitions"
        )
    runs = [read.read_run(path) for path in paths]
    for what, values in (("run", [run.run_id for run in runs]), ("name", [run.name for run in runs])):
        value, count = Counter(values).most_common(1)[0]
        if count > 1:
            same = [path for path, one in zip(paths, values) if one == value]
            advice = "" if what == "run" else ": rename a folder, so that they can be told apart"
            raise Unreadable(f"{same[0]} and {same[1]} are the same {what} {value}{advice}")
    return runs


def of_each(runs: list[read.Run], folded: list[Path]) -> list[Path | None]:
    """The file of folded stacks named for each run. Unreadable for more files than runs."""
    if len(folded) > len(runs):
        raise Unreadable(f"--folded={folded[len(runs)]}: there are {len(runs)} runs, and it is once for each, in order")
    return [*folded, *[None] * (len(runs) - len(folded))]
