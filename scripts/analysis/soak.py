"""Hours of work, and whether anything moves steadily meanwhile: what nsbench and its children hold, what the kernel holds, the figures.

Three jobs in turn, each for a third of the time: the default plan, a load of net namespaces, and copies of the lab's saved
machines. A series has a trend if Kendall's test says so among all series of all jobs, by Holm, and its line moves by more than
what is of use to know.
"""
import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis import effects, outputs, programs
from analysis.read import read_table
from analysis.script import Unreadable, last_line
from analysis.soak_watch import CACHES, KERNEL, Series, Watched, watched
from analysis.trends import Trend, trend

JOBS = ("plan", "churn", "lab")
ALPHA = 0.01
FIGURES, DIFFERENT = "figures", "copies that differ"
# What a series' line has to move by over the job, at least: of its level, or (descriptors) as such.
LEAST = {"descriptors": 0.5, "resident": 0.01, "resident of a child": 0.01, **dict.fromkeys(KERNEL, 0.02), FIGURES: 0.02}
SHOWN = {("plan", "resident"): "it keeps its samples", ("churn", "resident"): "it keeps its time line",
         **{(job, CACHES): "caches, until memory is needed" for job in JOBS}}
Say = Callable[[str], None]


@dataclass(frozen=True)
class Result:
    """A series of a job, and what came of it; no trend where it has too few values."""

    job: str
    name: str
    looks: int
    trend: Trend | None

    @property
    def why_not(self) -> str:
        """Why it is shown, and not judged; empty where it is judged."""
        return SHOWN.get((self.job, self.name), "" if self.trend else "too few values")

    def is_of_use(self) -> bool:
        """Whether the line moves by enough."""
        assert self.trend is not None
        moved = self.trend.change if self.name == "descriptors" else self.trend.share
        return abs(moved) >= LEAST[self.name]


def levels(samples: Path, rounds: Path) -> Series:
    """Of a run's rounds, when each began, and how its totals are beside the middle ones of their cases: 1 is as usual."""
    table, begins = read_table(samples, "samples.csv"), read_table(rounds, "rounds.csv")
    counted = table[table["counted"].eq(1) & table["total"].gt(0)]
    of_round = counted.groupby(["case", "round"])["total"].median()
    logs = np.log(of_round / of_round.groupby("case").transform("median"))
    found = Series()
    at = begins.set_index("round")["begin"]
    for number, log in logs.groupby("round").median().items():
        found.add(float(at[number]), float(np.exp(log)))
    return found


def of_load(folder: Path) -> Series:
    """The middle times of the parts of a load's time line."""
    table = read_table(folder / "churn.csv", "churn.csv")
    load = table[table["part"].eq("load") & table["p50"].notna()]
    found = Series()
    for at, value in zip(load["begin"], load["p50"]):
        found.add(float(at), float(value))
    return found


@dataclass
class Soak:
    """Carries the jobs out, each for so many seconds, in a folder of its own."""

    nsbench: Path
    folder: Path
    seconds: float
    every: float
    kernel: str
    say: Say

    def _run(self, job: str, words: Sequence[str | Path], found: Watched, began: float) -> None:
        code, error = watched(list(map(str, words)), self.every, found, began, lambda at: self.say(f"{job}: {at} of {self.seconds:.0f} s"))
        if code:
            raise Unreadable(f"{job}: exit code {code}{last_line(error)}")

    def plan(self, found: Watched) -> None:
        """nsbench's default plan."""
        out = self.folder / "plan"
        self._run("plan", [self.nsbench, f"--budget={self.seconds:.0f}s", "--quiet", f"--out={out}"], found, time.monotonic())
        found[FIGURES] = levels(out / "samples.csv", out / "rounds.csv")

    def churn(self, found: Watched) -> None:
        """A load of net namespaces, at a rate that is far from what is sustained."""
        out = self.folder / "churn"
        self._run("churn", [self.nsbench, "churn", "--ns=net", "--rate=100/s", f"--for={self.seconds:.0f}s", f"--out={out}"], found,
                  time.monotonic())
        found[FIGURES] = of_load(out)

    def lab(self, found: Watched) -> None:
        """Copies of saved machines, again and again: what any of them measures is what the first one did."""
        began, first = time.monotonic(), ""
        different = Series()
        while time.monotonic() - began < self.seconds:
            with tempfile.TemporaryDirectory(dir=self.folder) as place:
                self._run("lab", [programs.SCRIPTS / "lab.py", "run", f"--kernel={self.kernel}", "--machines=2", f"--out={place}/run", "--",
                                  "--case=clone/NEWNET/stack:1M", "--samples=2"], found, began)
                figures = "".join(sorted(without_ids(path) for path in Path(place).glob("run/**/results.csv")))
            if not figures:
                raise Unreadable("lab: a run has no results.csv")
            first = first or figures
            different.add(time.monotonic() - began, float(figures != first))
        found[DIFFERENT] = different


def without_ids(path: Path) -> str:
    """The file's rows without the run's name, which is another each time."""
    return "".join(line.partition(",")[2] for line in path.read_text().splitlines(keepends=True))


def results_of(job: str, found: Watched) -> Iterator[Result]:
    """What came of a job's series."""
    for name, series in found.items():
        if name != DIFFERENT:
            yield Result(job, name, len(series.values), trend(*series.arrays()))


def judged(results: Sequence[Result]) -> list[float]:
    """p of each, corrected for all that are judged; NaN for the others."""
    return list(effects.holm(np.array([np.nan if result.why_not or result.trend is None else result.trend.p for result in results])))


def table(results: Sequence[Result], print_line: Say) -> bool:
    """Prints what is judged, and what is only shown; whether nothing has a trend: no answer for a job of which nothing is judged."""
    print_line("in bytes, but for descriptors (a number) and figures (plan: 1 is as usual; churn: ns); p (Holm's, of all that are judged) "
               f"of at most {ALPHA} and a line that moves make a trend")
    print_line(f"{'job':<6} {'what':<21} {'looks':>6} {'level':>14} {'change':>14} {'':>7} {'p':>7}")
    good = True
    for result, p in zip(results, judged(results)):
        line = f"{result.job:<6} {result.name:<21} {result.looks:>6}"
        if result.trend is not None:
            line += f" {result.trend.level:>14,.4g} {result.trend.change:>+14,.3g} {result.trend.share:>+7.1%}"
            if not result.why_not:
                moves = p <= ALPHA and result.is_of_use()
                good = good and not moves
                line += f" {p:>7.2g}{'  a trend' if moves else ''}"
        print_line(line + (f"  not judged: {result.why_not}" if result.why_not else ""))
    judged_jobs = {result.job for result in results if not result.why_not}
    if unknown := sorted({result.job for result in results} - judged_jobs):
        print_line(f"nothing is judged of: {', '.join(unknown)}")
    return good and not unknown


@contextlib.contextmanager
def place(keep: Path | None) -> Iterator[Path]:
    """Where the jobs' files are."""
    if keep is not None:
        outputs.own_folder(keep)
        if any(keep.iterdir()):
            raise Unreadable(f"--keep: {keep} is not empty")
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="nsbench-soak-") as name:
        yield Path(name)


def soak(work: Soak, jobs: Sequence[str], print_line: Say) -> bool:
    """Whether nothing has a trend, and all copies were alike. What the jobs before a failed, or interrupted, one have shown is
    printed all the same."""
    results: list[Result] = []
    alike, good = True, False
    try:
        for job in jobs:
            found: Watched = {}
            getattr(work, job)(found)
            results += results_of(job, found)
            if (copies := found.get(DIFFERENT)) is not None:
                differ = int(sum(copies.values))
                alike = alike and not differ
                print_line(f"{differ} of {len(copies.values)} runs in copies of saved machines differ from the first")
    finally:
        if results:
            good = table(results, print_line)
    return good and alike
