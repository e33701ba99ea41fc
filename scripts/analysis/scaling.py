"""How throughput and latency grow with the samplers that work at once (`--parallel`): of each case, for each number of them.

Samplers are closed loops: each begins its next operation when it is done with the last, so N samplers are N operations at a
time, and never more. Throughput is of the time in which that was so: it begins when the last of a block's samplers is done with
its lead-in, and ends when the first is done with its block. What a sampler is in the midst of at either end counts by its share.
Where samplers have to share CPUs they take turns, and there may be no such time; throughput is then of the whole block, as long
as none of its CPUs is without work. Rounds are what the intervals are of: they are drawn again, the same ones for each N, so that
what a round does to all of them cancels in their ratios; neighbours together, as the machine's state outlasts a round.
"""
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from analysis import columns, scaling_law
from analysis.read import LEAST_ROUNDS, Run
from analysis.record import Sampler
from analysis.scaling_law import Drawn, Law, Range
from analysis.script import Unreadable

Floats = NDArray[np.float64]
PERCENTILES = (50, 90, 99)
THREADS = "/workers:threads"
RESAMPLES = 2000
BINS = 4000  # of a distribution's ranks: 0.025% each
PARALLEL = re.compile(r"/parallel:(\d+)")
SEED = 1  # the same run gives the same intervals


@dataclass(frozen=True)
class Placement:
    """The CPUs that samplers have: each its own as long as there are enough."""

    pinned: tuple[int, ...]  # of each sampler; empty where the scheduler places them
    cpus: int  # that they have together
    is_smt: bool

    def is_within(self, count: int) -> bool:
        """Whether so many samplers have a CPU each."""
        return count <= self.cpus

    def __str__(self) -> str:
        some = f"{self.cpus} CPU{'s' if self.cpus > 1 else ''}"
        if not self.pinned:
            return f"samplers are where the scheduler puts them, on {some}"
        names = ", ".join(map(str, dict.fromkeys(self.pinned)))
        return f"samplers are pinned, one after the other, to {some} ({names})"


@dataclass(frozen=True)
class Level:
    """A number of samplers at once. `throughput` is the median of the rounds', and `mean` that of all rounds as of one, in
    operations a second; percentiles are in ticks. `timed` is the part of the samplers' time that is in the operation's phases."""

    count: int
    is_within: bool
    rounds: int
    blocks: int
    apart: int  # blocks in which the samplers were never all at work
    shape: tuple[int, int]  # of most blocks: lead-in and counted samples of each sampler
    throughput: Range
    mean: float
    efficiency: Range | None
    percentiles: dict[int, Range]
    timed: float
    of_processes: Range | None = None  # of samplers that share one mm: their throughput over that of those with a memory each


@dataclass
class Family:
    """A case with each number of samplers. `without` says why there is no law."""

    name: str
    phase: str
    levels: list[Level]
    rates: pd.DataFrame  # operations a second by round, a column for each number of samplers
    law: Law | None
    without: str
    notes: list[str] = field(default_factory=list)


def placement(run: Run) -> Placement:
    """Where the run had its samplers. Unreadable where run.json does not say it."""
    pinned = tuple(run.info.get("sampler", Sampler()).get("cpus", []))
    online = str(run.environment.get("cpus", ""))
    if not pinned and not online.isdigit():
        raise Unreadable(f"{run.path}: run.json does not say how many CPUs there are")
    cpus = len(set(pinned)) if pinned else int(online)
    return Placement(pinned, cpus, run.environment.get("smt", "") == "on")


def family_of(case: str) -> tuple[str, int]:
    """The id without the number of samplers, and that."""
    found = PARALLEL.search(case)
    return (PARALLEL.sub("", case), int(found[1])) if found else (case, 1)


def levels_of(samples: pd.DataFrame) -> dict[str, dict[int, str]]:
    """Family → number of samplers → case, of those with several numbers."""
    found: dict[str, dict[int, str]] = {}
    for case in samples["case"].unique():
        name, count = family_of(case)
        found.setdefault(name, {})[count] = case
    return {name: dict(sorted(of.items())) for name, of in found.items() if len(of) > 1}


def has_levels(run: Run) -> bool:
    """Whether a case was measured with several numbers of samplers at once."""
    if run.results["parallel"].nunique() < 2:
        return False
    return run.samples is None or bool(levels_of(run.samples))


def phase_of(family: str, wanted: str) -> str | None:
    """The phase that is shown of a case; the operation's first where it has no total."""
    operation = columns.operation(family.split("/")[0])
    phases = list(operation["phases"]) if operation else []
    if wanted in phases or not phases:
        return wanted
    return phases[0] if wanted == "total" else None


@dataclass(frozen=True)
class Windows:
    """What a case's blocks come to, by round: operations, and the nanoseconds that they took."""

    operations: "pd.Series[float]"
    time: "pd.Series[float]"
    blocks: int
    apart: int


def whole_blocks(samples: pd.DataFrame, count: int) -> pd.DataFrame:
    """The samples of a case's blocks that count, with the time at which the sampler began with each, `begun`. One that was cut
    short before each sampler had a sample that counts is left out."""
    taken = samples[(samples["errno"] == "") & (samples["round"] > 0)].sort_values(["round", "block", "sampler", "sample"])
    of_sampler = taken.groupby(["round", "block", "sampler"], sort=False)
    taken = taken.assign(begun=of_sampler["ended"].shift(fill_value=0.0), counting=of_sampler["counted"].transform("max"))
    taken = taken[taken["counting"] == 1]
    samplers = taken.groupby(["round", "block"], sort=False)["sampler"].transform("nunique")
    return taken[samplers == count]


def windows(taken: pd.DataFrame, count: int, cpus: int) -> Windows:
    """Of a case's whole blocks, in nanoseconds."""
    keys = ["round", "block", "sampler"]
    ends = taken.groupby(keys)["ended"].max()
    begins = taken[taken["counted"] == 1].groupby(keys)["begun"].min()
    block = ["round", "block"]
    if count <= cpus:
        begin, end = begins.groupby(level=block).max(), ends.groupby(level=block).min()
    else:  # the lead-in of who comes late is behind the block of who came early
        end = ends.groupby(level=block).nlargest(cpus).groupby(level=[0, 1]).min()
        begin = pd.Series(0.0, index=end.index)
    length = (end - begin).clip(lower=0)
    index = pd.MultiIndex.from_frame(taken[block])
    low, high = begin.reindex(index).to_numpy(), end.reindex(index).to_numpy()
    own = (taken["ended"] - taken["begun"]).to_numpy()
    shared = np.minimum(taken["ended"], high) - np.maximum(taken["begun"], low)
    share = np.where(own > 0, np.clip(shared, 0, None) / np.where(own > 0, own, 1), 0)
    operations = pd.Series(share, index=taken["round"].to_numpy()).groupby(level=0).sum()
    time = length.groupby(level="round").sum()
    return Windows(operations[time > 0], time[time > 0], len(length), int((length <= 0).sum()))


def groups_of(rounds: int) -> NDArray[np.int_]:
    """The rounds that are drawn together, a row each; the number of all stands for none."""
    size = 1 if rounds < 24 else round(rounds ** (1 / 3))
    padded = np.full(-(-rounds // size) * size, rounds)
    padded[:rounds] = np.arange(rounds)
    return padded.reshape(-1, size)


def drawn_again(rounds: int, statistic: Callable[[NDArray[np.int_]], Floats]) -> Drawn:
    """What `statistic`, of rows of rounds, gives for rounds that were drawn again, in the last dimension."""
    groups = groups_of(rounds)

    def of(chosen: NDArray[np.int_], axis: int = -1) -> Floats:
        taken = groups[chosen]
        return statistic(taken.reshape(*taken.shape[:-2], -1))

    found = stats.bootstrap((np.arange(len(groups)),), of, vectorized=True, n_resamples=RESAMPLES, batch=100,
                            method="percentile", random_state=SEED)
    return Drawn(np.asarray(found.bootstrap_distribution), scaling_law.ends_of(len(groups)))


def range_of(value: float, drawn: Drawn | None) -> Range:
    """A figure and its interval, of what came of rounds drawn again; without them it has none."""
    return Range(value, *(map(float, drawn.interval()) if drawn else (np.nan, np.nan)))


def _part(drawn: Drawn | None, row: int, over: int | None = None, by: float = 1) -> Drawn | None:
    """Of one of its rows, or of what that is to another one, divided."""
    if drawn is None:
        return None
    return drawn.over(np.asarray(drawn.values[row] / (1 if over is None else drawn.values[over]) / by))


def percentiles(taken: pd.DataFrame, phase: str) -> dict[int, Range]:
    """Of the counted samples, with the rounds as they were drawn."""
    counted = taken[(taken["counted"] == 1) & taken[phase].notna()].sort_values(phase)
    values = counted[phase].to_numpy()
    names, round_of = np.unique(counted["round"], return_inverse=True)
    found = {percent: float(np.percentile(values, percent)) for percent in PERCENTILES}
    if len(names) < LEAST_ROUNDS:
        return {percent: range_of(value, None) for percent, value in found.items()}
    bins = np.minimum(np.arange(len(values)) * BINS // len(values), BINS - 1)
    of_round = np.zeros((len(names) + 1, int(bins[-1]) + 1))
    np.add.at(of_round, (round_of, bins), 1)
    middle = values[np.searchsorted(bins, np.arange(of_round.shape[1]), side="right") - 1]

    def of(rounds: NDArray[np.int_]) -> Floats:
        times = np.stack([np.bincount(row, minlength=len(of_round)) for row in rounds.reshape(-1, rounds.shape[-1])])
        ranks = np.cumsum(times @ of_round, axis=1)
        at = [np.argmax(ranks >= ranks[:, -1:] * percent / 100, axis=1) for percent in PERCENTILES]
        return np.asarray(middle[np.array(at)].reshape(len(PERCENTILES), *rounds.shape[:-1]))

    again = drawn_again(len(names), of)
    return {percent: range_of(value, again.over(again.values[i])) for i, (percent, value) in enumerate(found.items())}


def rates_of(found: dict[int, Windows]) -> pd.DataFrame:
    """Operations a second by round, a column for each number of samplers."""
    return pd.DataFrame({count: one.operations / one.time * 1e9 for count, one in found.items()}).sort_index()


def rates_again(rates: pd.DataFrame) -> Drawn | None:
    """The medians of rounds that were drawn again: a row for each number of samplers; None for too few rounds that have all."""
    if len(rates) < LEAST_ROUNDS or rates.isna().to_numpy().any():
        return None
    values = np.vstack([rates.to_numpy(), np.full(rates.shape[1], np.nan)])
    return drawn_again(len(rates), lambda rounds: np.moveaxis(np.nanmedian(values[rounds], axis=-2), -1, 0))


def _shape(taken: pd.DataFrame) -> tuple[int, int]:
    """Of most samplers' blocks."""
    of = taken.groupby(["round", "block", "sampler"])["counted"].agg(["size", "sum"])
    size, counted = of.value_counts().idxmax()
    return int(size - counted), int(counted)


def _timed(taken: pd.DataFrame, family: str) -> float:
    counted = taken[taken["counted"] == 1]
    whole = float((counted["ended"] - counted["begun"]).sum())
    return float(counted[phase_of(family, "total")].sum()) / whole if whole else np.nan


def family(samples: pd.DataFrame, name: str, cases: dict[int, str], phase: str, where: Placement) -> Family | str:
    """All of one case, or why there is nothing of it."""
    taken = {count: whole_blocks(samples[samples["case"] == case], count) for count, case in cases.items()}
    if missing := [case for count, case in cases.items() if taken[count].empty]:
        return f"{name}: no whole block of {missing[0]}"
    if unknown := [case for count, case in cases.items() if not (taken[count]["ended"] > 0).all()]:
        return f"{name}: of {unknown[0]} samples.csv does not say when each sample ended"
    if any(of.loc[of["counted"] == 1, phase].isna().all() for of in taken.values()):
        return f"{name}: no sample has phase {phase}"
    found = {count: windows(of, count, where.cpus) for count, of in taken.items()}
    if apart := [cases[count] for count, one in found.items() if one.time.empty]:
        return f"{name}: the samplers of {apart[0]} were never all at work: longer blocks are needed (--block=64)"
    rates = rates_of(found)
    if len(paired := rates.dropna()) >= LEAST_ROUNDS:  # what a round has in common is in all of them
        rates = paired
    again = rates_again(rates)
    middles = rates.median()
    levels = []
    for i, (count, of) in enumerate(taken.items()):
        one = found[count]
        efficiency = None
        if 1 in middles.index and where.is_within(count):
            efficiency = range_of(float(middles[count] / middles[1] / count), _part(again, i, 0, count))
        levels.append(Level(count, where.is_within(count), int(rates[count].notna().sum()), one.blocks, one.apart, _shape(of),
                            range_of(float(middles[count]), _part(again, i)),
                            float(one.operations.sum() / one.time.sum() * 1e9), efficiency, percentiles(of, phase),
                            _timed(of, name)))
    law, without = scaling_law.of(levels, again)
    return Family(name, phase, levels, rates, law, without, _notes(levels, taken))


def set_beside(families: list[Family]) -> None:
    """Says of samplers that share one mm what they do of what those with a memory each do, where both were measured."""
    named = {one.name: one for one in families}
    for one in families:
        other = named.get(one.name.replace(THREADS, "")) if THREADS in one.name else None
        if other is None or other is one:
            continue
        counts = [count for count in one.rates if count in other.rates]
        both = pd.concat([other.rates[counts], one.rates[counts]], axis=1).dropna()
        again = rates_again(both)
        middles = both.median().to_numpy()
        size = len(counts)
        ratios = {count: range_of(float(middles[size + i] / middles[i]), _part(again, size + i, i))
                  for i, count in enumerate(counts)}
        one.levels = [replace(level, of_processes=ratios.get(level.count)) for level in one.levels]


def _notes(levels: list[Level], taken: dict[int, pd.DataFrame]) -> list[str]:
    """What the figures do not show by themselves."""
    notes = []
    first = levels[0]
    other = [f"N={level.count}: {level.shape[0]} + {level.shape[1]}" for level in levels if level.shape != first.shape]
    if other:
        notes.append(f"blocks are not alike (lead-in + counted; N={first.count}: {first.shape[0]} + {first.shape[1]}; "
                     f"{'; '.join(other)}): a batch of teardown holds at most 64 samples, and the first ones of a block are slower")
    if any(level.apart for level in levels):
        notes.append("samplers were never all at work in " + ", ".join(
            f"{level.apart} of {level.blocks} blocks (N={level.count})" for level in levels if level.apart)
            + ": these are in no throughput")
    if any(of["drain"].notna().any() for of in taken.values()):
        notes.append("throughput is that of bursts: the teardown that the kernel's workers do later is waited for between blocks "
                     "(phase drain), and is in no figure here")
    if (timed := min(level.timed for level in levels)) < 0.9:
        notes.append(f"only {timed:.0%} of the samplers' time is in the operation's phases: the rest, such as a fresh process for "
                     "each sample, is in the throughput and in no latency")
    if np.isnan(first.throughput.low):
        notes.append(f"no intervals of throughput: fewer than {LEAST_ROUNDS} rounds have all numbers of samplers")
    return notes


def families(run: Run, phase: str, pattern: re.Pattern[str] | None) -> Iterator[Family | str]:
    """Of a run. Unreadable where it has none, with the command that measures them."""
    if run.clock != "wall":
        raise Unreadable(f"{run.path}: its clock counts instructions, by which nothing happens at once: a run by wall time is needed")
    samples = run.samples
    if samples is None:
        raise Unreadable(f"{run.path}: has no samples.csv (nsbench --out writes it)")
    every = levels_of(samples)
    found = {name: cases for name, cases in every.items() if pattern is None or pattern.search(name)}
    if not found:
        why = f"none of {len(every)} cases with several numbers of samplers matches" if every else \
            "no case was measured with several numbers of samplers at once: nsbench --parallel=1,2,4 --out=DIR does"
        raise Unreadable(f"{run.path}: {why}")
    if samples["ended"].isna().all():
        raise Unreadable(f"{run.path}: an earlier nsbench wrote its samples.csv, without the columns sampler and ended: measure again")
    where = placement(run)
    for name, cases in found.items():
        own = phase_of(name, phase)
        yield f"{name}: has no phase {phase}" if own is None else family(samples, name, cases, own, where)
