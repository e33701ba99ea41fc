"""What plots and pages take at once, and names that tell runs apart."""
from collections import Counter

from answers import read

MOST_RUNS = 16  # more lines than that no reader tells apart, and a page holds no more than 5 MB


def read_runs(paths: list[str]) -> list[read.Run]:
    """The runs. Unreadable for one that cannot be read, twice the same, or more than can be shown."""
    if len(paths) > MOST_RUNS:
        raise read.Unreadable(
            f"{len(paths)} runs: at most {MOST_RUNS} can be told apart here; compare.py takes any number "
            "as repetitions"
        )
    runs = [read.read_run(path) for path in paths]
    for what, values in (("run", [run.run_id for run in runs]), ("name", [run.name for run in runs])):
        value, count = Counter(values).most_common(1)[0]
        if count > 1:
            same = [path for path, one in zip(paths, values) if one == value]
            advice = "" if what == "run" else ": rename a folder, so that they can be told apart"
            raise read.Unreadable(f"{same[0]} and {same[1]} are the same {what} {value}{advice}")
    return runs
