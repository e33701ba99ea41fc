"""What plots and pages take at once, and names that tell runs apart."""
from collections import Counter
from pathlib import Path

from analysis import read
from analysis.script import Unreadable

MOST_RUNS = 16  # more lines than that no reader tells apart, and a page holds no more than 6 MB


def read_runs(paths: list[str]) -> list[read.Run]:
    """The runs, each with a name of its own. Unreadable for one that cannot be read, twice the same, or more than can be
    shown."""
    if len(paths) > MOST_RUNS:
        raise Unreadable(
            f"{len(paths)} runs: at most {MOST_RUNS} can be told apart here; compare.py takes any number "
            "as repetitions"
        )
    runs = [read.read_run(path) for path in paths]
    value, count = Counter(run.run_id for run in runs).most_common(1)[0]
    if count > 1:
        same = [path for path, run in zip(paths, runs) if run.run_id == value]
        raise Unreadable(f"{same[0]} and {same[1]} are the same run {value}")
    for run, name in zip(runs, names([run.words for run in runs])):
        run.name = name
    return runs


def names(paths: list[list[str]]) -> list[str]:
    """The shortest end of each path that no other path has; all of it for those that are alike."""
    found = []
    for path in paths:
        length = 1
        while length < len(path) and sum(other[-length:] == path[-length:] for other in paths) > 1:
            length += 1
        found.append("/".join(path[-length:]).replace("//", "/", 1))
    return found


def of_each(runs: list[read.Run], folded: list[Path]) -> list[Path | None]:
    """The file of folded stacks named for each run. Unreadable for more files than runs."""
    if len(folded) > len(runs):
        raise Unreadable(f"--folded={folded[len(runs)]}: there are {len(runs)} runs, and it is once for each, in order")
    return [*folded, *[None] * (len(runs) - len(folded))]
