"""Two sides of runs, compared row by row, and what must be known before the figures are read."""
import difflib
import math
import os
import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from answers import effects, exact
from answers.exact import Key
from answers.script import Unreadable
from answers.sources import INDEX, Source

REGRESSION, NONE, INCOMPARABLE = 1, 0, 2
SHOWN = 60  # characters of a value of the environment
SAME_SAMPLER = 16384  # bytes: the resident ones of one sampler differ by two pages or three from run to run
ALIKE = 1.25  # batches whose sizes differ by no more
WORTH_SAYING = 0.001  # of drift: it is taken off anyhow
TOGETHER = 0.9  # of the rows on one side of zero are no chance


@dataclass(frozen=True)
class Row:
    """One row that both sides measured. `base` and `new` are the middle of the runs' medians. `low` and `high` are of the
    row alone, `corrected` is p among all rows; `need` is about how many runs a side would tell. NaN where nothing is known.
    """

    case: str
    phase: str
    unit: str
    base: float
    new: float
    base_runs: int
    new_runs: int
    ratio: float
    low: float
    high: float
    p: float
    corrected: float
    verdict: str
    need: float


# What a verdict means. The order is that of the table.
VERDICTS = {
    "slower": "more than the threshold, and no chance",
    "faster": "more than the threshold, and no chance",
    "small": "no chance, but within the threshold",
    "~": "not resolved",
    "same": "its interval is within the threshold",
    "identical": "all figures are",
}


@dataclass
class Comparison:
    """`figures` says what counts as one figure: runs, rounds, intervals, pairs, or exact."""

    rows: list[Row]
    figures: str
    threshold: float
    alpha: float
    identities: tuple[list[str], list[str]]
    notes: list[str] = field(default_factory=list)
    only: list[str] = field(default_factory=list)

    @property
    def code(self) -> int:
        return REGRESSION if any(row.verdict == "slower" for row in self.rows) else NONE

    def count(self, *verdicts: str) -> int:
        return sum(row.verdict in verdicts for row in self.rows)

    def geometric_mean(self) -> str:
        return exact.geometric_means((row.phase, row.ratio) for row in self.rows)


def verdict(ratio: float, low: float, high: float, corrected: float, threshold: float, alpha: float) -> str:
    """One of VERDICTS."""
    if corrected <= alpha:
        return "slower" if ratio - 1 > threshold else "faster" if ratio - 1 < -threshold else "small"
    return "same" if low >= 1 - threshold and high <= 1 + threshold else "~"


def _short(values: set[str]) -> str:
    text = ", ".join(sorted(values))
    return text if len(text) <= SHOWN else text[:SHOWN - 1] + "…"


def _apart(one: set[str], other: set[str]) -> str:
    """What of two values is not the same: of long ones the words that differ, of a long word the place."""
    texts = [", ".join(sorted(values)) for values in (one, other)]
    if max(map(len, texts)) > SHOWN:
        words = [text.split() for text in texts]
        parts = [part for part in difflib.SequenceMatcher(None, *words, autojunk=False).get_opcodes() if part[0] != "equal"]
        if parts:
            texts = [" … ".join(" ".join(words[side][part[1 + 2 * side]:part[2 + 2 * side]]) or "(nothing)" for part in parts)
                     for side in (0, 1)]
    if max(map(len, texts)) > SHOWN:
        start = max(0, len(os.path.commonprefix(texts)) - SHOWN // 3)
        texts = [("…" if start else "") + text[start:start + SHOWN] + ("…" if len(text) > start + SHOWN else "")
                 for text in texts]
    return " → ".join(texts)


def environment_notes(base: list[Source], new: list[Source]) -> list[str]:
    """What is not the same on both sides, and what differs within one."""
    notes = []
    names = dict.fromkeys(name for source in base + new for name in source.environment)
    for name in names:
        one, other = ({s.environment[name] for s in side if name in s.environment} for side in (base, new))
        if one and other and one != other:
            notes.append(f"{name} differs: {_apart(one, other)}")
        elif len(one) > 1:
            notes.append(f"{name} differs among the runs of both sides: {_short(one)}")
    sizes = [[s.sampler_bytes for s in side if not math.isnan(s.sampler_bytes)] for side in (base, new)]
    if all(sizes) and abs(np.median(sizes[0]) - np.median(sizes[1])) > SAME_SAMPLER:
        notes.append("the sampler's size differs: {:.0f} → {:.0f} KiB resident: a fork copies what it maps".format(
            *(np.median(of) / 1024 for of in sizes)))
    bare = [s.name for s in base + new if s.run is not None and not s.run.info]
    if bare:
        notes.append(f"unknown what {_short(set(bare))} was measured on: a results.csv alone "
                     "(nsbench --out keeps run.json)")
    return notes


def batch_notes(base: list[Source], new: list[Source], both: list[Key]) -> list[str]:
    """Whether drain, which is amortised over a batch, is of batches alike: a small one costs nearly as much as a full one."""
    sizes = [[s.batch for s in side if not math.isnan(s.batch)] for side in (base, new)]
    if not all(sizes) or not any(phase == "drain" for _, phase in both):
        return []
    one, other = (sum(side) / len(side) for side in sizes)
    if max(one, other) <= ALIKE * min(one, other):
        return []
    return [f"drain is not comparable: batches of {one:.1f} namespaces on average on the base's side, {other:.1f} on the new"]


def order_notes(base: list[Source], new: list[Source]) -> list[str]:
    """Whether drift of the machine could be taken for a change."""
    if {s.run_id for s in base if s.run_id} & {s.run_id for s in new}:
        return ["both sides have a run in common"]
    times = [s.time for s in base], [s.time for s in new]
    if min(len(base), len(new)) < 2 or any(map(math.isnan, times[0] + times[1])):
        return []
    if max(times[0]) < min(times[1]) or max(times[1]) < min(times[0]):
        return ["one side was measured wholly before the other: a step of the machine in between looks like a change "
                "(scripts/ab.py interleaves them)"]
    return []


def _drift(base: list[Source], new: list[Source], logs: list[np.ndarray], notes: list[str]) -> effects.Trend | None:
    """The drift to take off; a note where there is one."""
    times = tuple(np.array([s.time for s in side]) for side in (base, new))
    drift = effects.trend(*logs, times)
    if drift and abs(drift.slope) > 2 * math.sqrt(drift.variance):
        whole = float(np.expm1(drift.slope * np.ptp(np.concatenate(times))))
        if abs(whole) >= WORTH_SAYING:
            notes.append(f"the machine drifted: {whole:+.1%} from the first run to the last, taken off as a straight "
                         "line")
    return drift


def _undisturbed(base: list[Source], new: list[Source], logs: list[np.ndarray], notes: list[str]) -> list[list[Source]]:
    """The runs that count; a note on each of the others."""
    kept = effects.kept(*logs, tuple(np.array([s.time for s in side]) for side in (base, new)))
    for side, log, of in zip((base, new), logs, kept):
        level = np.nanmedian(log[:, of], axis=1, keepdims=True)
        notes += [f"left out: {side[i].name}, which stands out of its side in all rows, in the middle by "
                  f"{np.expm1(np.nanmedian(log[:, [i]] - level)):+.1%}" for i in np.flatnonzero(~of)]
    return [[s for s, one in zip(side, of) if one] for side, of in zip((base, new), kept)]


def clock_of(base: list[Source], new: list[Source]) -> str:
    """The one clock of all runs. Unreadable for more than one."""
    clocks = {s.clock for s in base + new}
    if len(clocks) > 1:
        names = {clock: _short({s.name for s in base + new if s.clock == clock}) for clock in sorted(clocks)}
        by_clock = "; ".join(f"{clock}: {of}" for clock, of in names.items())
        raise Unreadable(f"the runs have different clocks, which measure different things ({by_clock})")
    return clocks.pop()


def one_state(runs: list[Source]) -> None:
    """Unreadable for runs whose cases began in different states of the kernel."""
    states = {source.run.state or "none" for source in runs if source.run}
    if len(states) > 1:
        raise Unreadable(f"the runs' cases began in different states of the kernel ({', '.join(sorted(states))})")


def _merged(side: list[Source]) -> dict:
    """A row's status on that side: measured where it is in any run, else what the last run says."""
    rows: dict = {}
    for source in side:
        for key, row in source.rows.items():
            if key not in rows or rows[key]["status"] not in exact.MEASURED:
                rows[key] = row
    return rows


def _exact_rows(both: list, base: list[Source], new: list[Source], threshold: float) -> list[Row]:
    """Of counts, which have no scatter: whatever differs by more than the rows' resolutions together has changed."""
    varies = sum((_resolutions(side, both) for side in (base, new)), start=pd.Series(0.0, index=range(len(both))))
    medians = [_matrix(side, "medians", both) for side in (base, new)]
    wholes = [table.reindex(both).fillna("").to_numpy() for s in base + new if (table := s.figures) is not None]
    whole = len(wholes) == len(base + new)
    same = [whole and all((w[i] == wholes[0][i]).all() for w in wholes) for i in range(len(both))]
    middle = [m.median(axis=1).tolist() for m in medians]
    counts = [m.notna().sum(axis=1).tolist() for m in medians]
    rows = []
    for i, (case, phase) in enumerate(both):
        change = exact.Change(case, phase, middle[0][i], middle[1][i], same[i])
        ratio = change.ratio
        within = abs(change.new - change.base) <= varies[i]
        word = "small" if within and change.base != change.new else "slower" if ratio - 1 > threshold else "faster" if ratio - 1 < -threshold else \
            "small" if change.base != change.new else "identical" if change.same else "same"
        rows.append(Row(case, phase, "instructions", change.base, change.new, counts[0][i], counts[1][i], ratio, ratio,
                        ratio, math.nan, math.nan, word, math.nan))
    return rows


def _resolutions(side: list[Source], both: list) -> pd.Series:
    """By how much meaningless variations of the machine move each row of a side at the most; 0 where nobody knows."""
    tables = [s.run.results.set_index(INDEX)["resolution"] for s in side if s.run]
    if not tables:
        return pd.Series(0.0, index=range(len(both)))
    return pd.concat(tables, axis=1).max(axis=1).reindex(pd.MultiIndex.from_tuples(both, names=INDEX)).fillna(0.0).reset_index(drop=True)


def _matrix(side: list[Source], what: str, both: list) -> pd.DataFrame:
    """The medians, or their own variances, of a side: a row for each row, a column for each run."""
    return pd.concat([getattr(s, what) for s in side], axis=1).reindex(pd.MultiIndex.from_tuples(both, names=INDEX))


def _not_reproduced(side: list[Source], name: str) -> list[str]:
    """Runs of one side whose counts differ: they were of different builds, or not counted as the lab does."""
    table = pd.concat([s.medians for s in side], axis=1)
    differing = int((table.max(axis=1) != table.min(axis=1)).sum())
    return [f"{name}'s runs count differently in {differing} rows: medians are compared"] if differing else []


def _logs(medians: pd.DataFrame) -> np.ndarray:
    """Logarithms, NaN for what has none: a time of 0 ticks says no more than that the clock is too coarse."""
    return np.log(medians.where(medians > 0)).to_numpy()


def _single(base: Source, new: Source, both: list, level: float) -> tuple[effects.Effects, str, str, list, list]:
    """A run a side: what its rounds say. The effects, what counts as a figure, a note, and the numbers of figures."""
    series = base.series, new.series
    what = "repetitions" if base.repetitions and new.repetitions else "rounds"
    caution = f"one run a side does not tell by how much runs differ by themselves: {effects.BETWEEN_RUNS:.0%} is assumed, " \
        "and a busy machine does more (several runs a side, or scripts/ab.py, tell, and see smaller changes)"
    if series[0] is None or series[1] is None:
        own = tuple(_matrix([s], "own", both).iloc[:, 0].to_numpy() for s in (base, new))
        logs = [_logs(_matrix([s], "medians", both)) for s in (base, new)]
        note = f"{caution}; without samples.csv only by the intervals of their medians"
        return effects.effects(*logs, own, level=level, between=effects.BETWEEN_RUNS), "intervals", note, [1] * len(both), [1] * len(both)
    tables = [s.reindex(pd.MultiIndex.from_tuples(both, names=INDEX)).to_numpy() for s in series]
    found = effects.effects(*tables, inflate=tuple(effects.follow(t) for t in tables), level=level,
                            trim=effects.TRIM_ROUNDS, between=effects.BETWEEN_RUNS)
    counts = [np.isfinite(t).sum(axis=1).tolist() for t in tables]
    return found, what, caution, *counts


def _chosen(every: set[Key], phases: list[str] | None, pattern: re.Pattern | None) -> set[Key]:
    """The rows that are to be looked at. Unreadable for options that leave none."""
    known = sorted({phase for _, phase in every})
    for phase in phases or []:
        if phase not in known:
            raise Unreadable(f"--phase: no row has {phase!r}; the phases are {', '.join(known)}")
    of_phase = {key for key in every if not phases or key[1] in phases}
    chosen = {key for key in of_phase if not pattern or pattern.search(key[0]) or pattern.search(key[0] + "/")}
    if not chosen:
        raise Unreadable(f"--filter: no case matches {pattern.pattern!r}")
    return chosen


def _judged(base: list[Source], new: list[Source], both: list[Key], result: Comparison) -> None:
    """Adds the rows, and what is to be said of them, to the result."""
    level = 1 - result.alpha
    medians = [_matrix(side, "medians", both) for side in (base, new)]
    if len(base) == len(new) == 1:
        found, result.figures, note, *counts = _single(base[0], new[0], both, level)
        result.notes.append(note)
    else:
        base, new = _undisturbed(base, new, [_logs(m) for m in medians], result.notes)
        medians = [_matrix(side, "medians", both) for side in (base, new)]
        own = tuple(_matrix(side, "own", both).mean(axis=1).to_numpy() for side in (base, new))
        logs = [_logs(m) for m in medians]
        found = effects.effects(*logs, own, level=level, drift=_drift(base, new, logs, result.notes))
        counts = [m.notna().sum(axis=1).tolist() for m in medians]
    corrected = effects.holm(found.p)
    need = effects.need(found.log, found.spread, result.alpha, int((~np.isnan(found.p)).sum()))
    # Only a change that would matter is worth more runs; more rounds of one run would not tell it.
    need[(np.abs(np.expm1(found.log)) <= result.threshold) | (result.figures != "runs")] = np.nan
    # A time of 0 ticks has no logarithm, but can be shown.
    middle = [np.where(np.isnan(of), m.median(axis=1), np.exp(of)) for of, m in zip((found.base, found.new), medians)]
    figures = zip(both, *middle, *counts, *map(np.exp, (found.log, found.low, found.high)), found.p, corrected, need)
    for (case, phase), one, other, n_b, n_n, ratio, low, high, p, among, more in figures:
        word = verdict(ratio, low, high, among, result.threshold, result.alpha)
        result.rows.append(Row(case, phase, base[0].unit, float(one), float(other), n_b, n_n, float(ratio), float(low),
                               float(high), float(p), float(among), word, float(more) if word == "~" else math.nan))
    result.notes += _together(found.log)


def compare(base: list[Source], new: list[Source], threshold: float, alpha: float, phases: list[str] | None = None,
            pattern: re.Pattern | None = None) -> Comparison:
    """Unreadable where there is nothing to compare."""
    clock = clock_of(base, new)
    one_state(base + new)
    sides = _merged(base), _merged(new)
    chosen = _chosen(set(sides[0]) | set(sides[1]), phases, pattern)
    gone = [("base", exact.missing(sides[0], sides[1], chosen)), ("new", exact.missing(sides[1], sides[0], chosen))]
    both = sorted(exact.measured(sides[0]) & exact.measured(sides[1]) & chosen)
    if not both:
        why = [f"; only {name} has {line}" for name, lines in gone for line in lines[:1]]
        raise Unreadable(f"no case was measured on both sides{''.join(why)}")
    result = Comparison([], "runs", threshold, alpha, ([s.identity for s in base], [s.identity for s in new]),
                        environment_notes(base, new) + order_notes(base, new) + batch_notes(base, new, both),
                        [f"only {name} has {line}" for name, lines in gone for line in lines])
    if clock == "instructions":
        result.figures = "exact"
        result.notes += _not_reproduced(base, "base") + _not_reproduced(new, "new")
        result.rows = _exact_rows(both, base, new, threshold)
    else:
        _judged(base, new, both, result)
    return result


def _together(logs: np.ndarray) -> list[str]:
    """A shift that nearly all rows share has one cause under all of them."""
    logs = logs[np.isfinite(logs)]
    up = (logs > 0).mean() if len(logs) >= 20 else 0.5
    if not max(up, 1 - up) >= TOGETHER:
        return []
    return [f"{max(up, 1 - up):.0%} of the rows are {'slower' if up > 0.5 else 'faster'}, in the middle by "
            f"{np.expm1(np.median(logs)):+.1%}: one cause under all of them, which may be the machine's state"]
