"""validate.py soak: what grows is found, what does not is not."""
import sys
import time
from pathlib import Path

import pytest

for module in ("numpy", "pandas", "scipy"):
    pytest.importorskip(module, reason=f"python3-{module} is missing")
import numpy as np

from analysis import soak, soak_watch
from analysis.soak import Result
from analysis.trends import trend

RANDOM = 5


def p_of(values: np.ndarray) -> float:
    found = trend(np.arange(len(values), dtype=float), values)
    assert found is not None
    return found.p


def wandering(random: np.random.Generator, count: int, follows: float) -> np.ndarray:
    """Values each of which follows the one before."""
    steps, values = random.normal(size=count), np.zeros(count)
    for i in range(1, count):
        values[i] = follows * values[i - 1] + steps[i]
    return values


@pytest.mark.parametrize("follows, most", [(0.0, 4), (0.9, 4), (0.99, 8)])
def test_what_only_scatters_or_wanders_has_no_trend(follows: float, most: int) -> None:
    random = np.random.default_rng(RANDOM)
    assert sum(p_of(1000 + wandering(random, 400, follows)) <= soak.ALPHA for _ in range(200)) <= most


def test_a_leak_is_found_by_its_size() -> None:
    random = np.random.default_rng(RANDOM)
    times = np.arange(400, dtype=float)
    found = [trend(times, 1000 + 0.05 * times + random.normal(size=400)) for _ in range(50)]
    assert sum(one is not None and one.p <= soak.ALPHA / 20 for one in found) >= 48
    assert np.median([one.change for one in found if one is not None]) == pytest.approx(0.05 * 359, rel=0.05)


def test_what_fills_once_is_no_trend() -> None:
    values = np.full(400, 100.0)
    values[:40] = np.arange(40)
    assert p_of(values) == 1


def test_a_few_values_say_nothing() -> None:
    assert trend(np.arange(5.0), np.arange(5.0)) is None
    assert trend(np.zeros(0), np.zeros(0)) is None


def of(job: str, name: str, change: float, level: float = 100.0) -> Result:
    values = level + np.linspace(0, change / 0.9, 200)
    return Result(job, name, 200, trend(np.arange(200.0), values))


def test_the_table_names_what_grows(capsys: pytest.CaptureFixture[str]) -> None:
    lines: list[str] = []
    assert soak.table([of("churn", "descriptors", 0.3), of("churn", "resident", 0.5)], lines.append)  # too little to be of use
    quiet = [of("plan", "descriptors", 0), of("lab", "descriptors", 0)]
    assert soak.table([of("plan", "resident", 50), of("lab", soak.CACHES, 50), *quiet], lines.append)  # not judged
    assert not soak.table([of("churn", "descriptors", 1), of("churn", "Percpu", 0)], lines.append)
    assert [line.split()[:2] for line in lines if line.endswith("  a trend")] == [["churn", "descriptors"]]
    assert sum("not judged: it keeps its samples" in line for line in lines) == 1


def test_a_job_of_which_nothing_is_judged_has_not_passed() -> None:
    lines: list[str] = []
    few = [Result("lab", "descriptors", 5, None), of("lab", soak.CACHES, 0)]
    assert not soak.table(few, lines.append) and lines[-1] == "nothing is judged of: lab"
    assert not soak.table([*few, of("plan", "descriptors", 0)], lines.append)
    assert soak.table([*few, of("lab", "Percpu", 0)], lines.append)


def test_commands_that_are_shorter_than_the_time_between_two_looks_are_looked_at_too() -> None:
    found: soak_watch.Watched = {}
    began = time.monotonic()
    while "resident" not in found and time.monotonic() < began + 20:
        assert soak_watch.watched(["sleep", "0.4"], 0.6, found, began) == (0, "")
    assert found["resident"].values[0] > 0 and found["resident"].times[0] >= 0.5


def test_a_process_and_its_children_are_looked_at(tmp_path: Path) -> None:
    """The child lives until a look has seen all that it has open."""
    seen = tmp_path / "seen"
    child = "f = [open('/dev/null') for _ in range(40)]; print('ready', flush=True); input()"
    parent = ("import os, subprocess, sys, time; "
              f"p = subprocess.Popen([sys.executable, '-c', {child!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE); "
              "p.stdout.readline()\n"
              f"while not os.path.exists({str(seen)!r}): time.sleep(0.01)\n"
              "p.stdin.close(); p.wait(); sys.exit(3)")
    found: soak_watch.Watched = {}

    def say(_: str) -> None:
        if max(found["descriptors"].values) >= 40:
            seen.touch()

    code, _ = soak_watch.watched([sys.executable, "-c", parent], 0.05, found, time.monotonic(), say)
    assert code == 3
    assert max(found["descriptors"].values) >= 40 and max(found["resident of a child"].values) > 0
    assert all(value > 0 for value in found["Percpu"].values)
