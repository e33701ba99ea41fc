"""Two sides of runs, compared row by row, and what must be known before the figures are read."""
import difflib
import math
import os
import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from analysis import effects, exact, judging
from analysis.effects import Floats, Pair
from analysis.exact import Key
from analysis.script import Unreadable
from analysis.shapes import shape_notes
from analysis.sources import INDEX, Source

REGRESSION, NONE, INCOMPARABLE = 1, 0, 2
SHOWN = 60  # characters of a value of the environment
SAME_SAMPLER = 16384  # bytes: the resident ones of one sampler differ by two pages or three from run to run
ALIKE = 1.25  # batches whose sizes differ by no more
WORTH_SAYING = 0.001  # of drift: it is taken off anyhow
THRESHOLD = 0.02  # of wall time; counts have their resolution instead
TOGETHER = 0.9  # of the rows on one side of zero are no chance
# What of a run's samples is its figure: so many take no longer. Other work only ever makes a sample slower, so that the fast
# end scatters much less from run to run than the middle: half as much with a load of 10 on 2 CPUs, and less than that above.
SHARE = 0.05


# Measured by the command that it names, with loads of 10 to 37 and of 7 to 17 on 2 CPUs.
SINGLE_ALARMS = "Of pairs of runs of one thing 10 to 21% had a row that was called changed (scripts/validate.py replicate)"


@dataclass(frozen=True)
class Row:
    """One row that both sides measured. `base` and `new` are the middle of the runs' figures. `low` and `high` are of the
    row alone, beside its phase's level where that was taken off; `corrected` is p among all rows; `need` is about how many
    runs a side would tell. NaN where nothing is known.
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
    """`figures` says what counts as one figure: runs, rounds, intervals, pairs, or exact; `measure` what of a run it is;
    `correction` by whom p is corrected for the number of rows."""

    rows: list[Row]
    figures: str
    threshold: float
    alpha: float
    identities: tuple[list[str], list[str]]
    notes: list[str] = field(default_factory=list)
    only: list[str] = field(default_factory=list)
    measure: str = "medians"
    correction: str = effects.HOLM

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
        here, there = (text.split() for text in texts)
        parts = [(here[a:b], there[c:d])
                 for tag, a, b, c, d in difflib.SequenceMatcher(None, here, there, autojunk=False).get_opcodes() if tag != "equal"]
        if parts:
            texts = [" … ".join(" ".join(part[side]) or "(nothing)" for part in parts) for side in (0, 1)]
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
    if judging.are_apart((np.array(times[0]), np.array(times[1]))):
        return ["one side was measured wholly before the other: a step of the machine in between looks like a change "
                "(scripts/ab.py interleaves them)"]
    return []


def _times(side: list[Source]) -> Floats:
    return np.array([s.time for s in side])


def _say_drift(drift: effects.Trend | None, times: Pair, notes: list[str]) -> None:
    """A note on the drift that is taken off, where there is one."""
    if drift and abs(drift.slope) > 2 * math.sqrt(drift.variance):
        whole = float(np.expm1(drift.slope * np.ptp(np.concatenate(times))))
        if abs(whole) >= WORTH_SAYING:
            notes.append(f"the machine drifted: {whole:+.1%} from the first run to the last, taken off as a straight "
                         "line")


def _say_disturbed(base: list[Source], new: list[Source], logs: Pair, kept: tuple[judging.Flags, judging.Flags]) -> list[str]:
    """A note on each of the runs that do not count."""
    notes = []
    for side, log, of in zip((base, new), logs, kept):
        level = np.nanmedian(log[:, of], axis=1, keepdims=True)
        notes += [f"left out: {side[i].name}, which stands out of its side in all rows, in the middle by "
                  f"{np.expm1(np.nanmedian(log[:, [i]] - level)):+.1%}" for i in np.flatnonzero(~of)]
    return notes


def clock_of(base: list[Source], new: list[Source]) -> str:
    """The one clock of all runs. Unreadable for more than one."""
    clocks = {s.clock for s in base + new}
    if len(clocks) > 1:
        names = {clock: _short({s.name for s in base + new if s.clock == clock}) for clock in sorted(clocks)}
        by_clock = "; ".join(f"{clock}: {of}" for clock, of in names.items())
        raise Unreadable(f"the runs have different clocks, which measure different things ({by_clock})")
    return clocks.pop()


def is_single(base: list[Source], new: list[Source]) -> bool:
    """Whether nothing on either side says by how much runs differ by themselves: one run a side by wall time. Counts need
    no repetitions, and Google Benchmark's JSON of a program of one's own has them in itself."""
    return len(base) == len(new) == 1 and clock_of(base, new) != "instructions" and not all(s.has_repetitions for s in base + new)


def one_state(runs: list[Source]) -> None:
    """Unreadable for runs whose cases began in different states of the kernel."""
    states = {source.run.state or "none" for source in runs if source.run}
    if len(states) > 1:
        raise Unreadable(f"the runs' cases began in different states of the kernel ({', '.join(sorted(states))})")


def _merged(side: list[Source]) -> dict[Key, dict[str, str]]:
    """A row's status on that side: measured where it is in any run, else what the last run says."""
    rows: dict[Key, dict[str, str]] = {}
    for source in side:
        for key, row in source.rows.items():
            if key not in rows or rows[key]["status"] not in exact.MEASURED:
                rows[key] = row
    return rows


def _exact_rows(both: list[Key], base: list[Source], new: list[Source], threshold: float) -> list[Row]:
    """Of the lab's runs: exact.Change judges each row, as for `lab.py compare`."""
    wholes = [table.reindex(both).fillna("").to_numpy() for s in base + new if (table := s.figures) is not None]
    whole = len(wholes) == len(base + new)
    sides = [_figures(side, both) for side in (base, new)]
    rows = []
    for i, (case, phase) in enumerate(both):
        change = exact.Change(case, phase, sides[0][i], sides[1][i], whole and all((w[i] == wholes[0][i]).all() for w in wholes))
        one, other, ratio = change.base.median, change.new.median, change.ratio
        rows.append(Row(case, phase, "instructions", one, other, len(base), len(new), ratio, ratio, ratio, math.nan, math.nan,
                        change.verdict(threshold), math.nan))
    return rows


def _figures(side: list[Source], both: list[Key]) -> list[exact.Figure]:
    """A side's figures: the middle of its runs' medians, and the widest of what they are known to vary by."""
    index = pd.MultiIndex.from_tuples(both, names=INDEX)
    middle = _matrix(side, "medians", both).median(axis=1)
    tables = [table.reindex(index) for s in side if (table := s.figures) is not None]
    if not tables:
        return [exact.Figure(median) for median in middle]
    widest = [pd.concat([table[name] for table in tables], axis=1).agg(how, axis=1)
              for name, how in (("ci_low", "min"), ("ci_high", "max"), ("resolution", "max"))]
    return [exact.Figure(*figure) for figure in zip(middle, *widest)]


def _matrix(side: list[Source], what: str, both: list[Key]) -> pd.DataFrame:
    """The medians, or their own variances, of a side: a row for each row, a column for each run."""
    return pd.concat([getattr(s, what) for s in side], axis=1).reindex(pd.MultiIndex.from_tuples(both, names=INDEX))


def _own(side: list[Source], both: list[Key]) -> Floats:
    """What each row's medians are known to vary by themselves, in the mean of a side's runs."""
    own: Floats = _matrix(side, "own", both).mean(axis=1).to_numpy()
    return own


def _not_reproduced(side: list[Source], name: str) -> list[str]:
    """Runs of one side whose counts differ: they were of different builds, or not counted as the lab does."""
    table = pd.concat([s.medians for s in side], axis=1)
    differing = int((table.max(axis=1) != table.min(axis=1)).sum())
    return [f"{name}'s runs count differently in {differing} rows: medians are compared"] if differing else []


def _logs(medians: pd.DataFrame) -> Floats:
    """Logarithms, NaN for what has none: a time of 0 ticks says no more than that the clock is too coarse."""
    logs: Floats = np.log(medians.where(medians > 0)).to_numpy()
    return logs


def _single(base: Source, new: Source, both: list[Key], level: float) -> tuple[effects.Effects, str, str, list[int], list[int]]:
    """A run a side: what its rounds say. The effects, what counts as a figure, a note, and the numbers of figures."""
    one, other = base.series, new.series
    what = "repetitions" if base.repetitions and new.repetitions else "rounds"
    caution = f"one run a side does not tell by how much runs differ by themselves: {effects.BETWEEN_RUNS:.0%} is assumed. "
    caution += "Use several runs a side, or scripts/ab.py" if base.has_repetitions and new.has_repetitions else SINGLE_ALARMS
    if one is None or other is None:
        note = f"{caution}; without samples.csv only by the intervals of their medians"
        found = effects.effects(_logs(_matrix([base], "medians", both)), _logs(_matrix([new], "medians", both)),
                                (_own([base], both), _own([new], both)), level=level, between=effects.BETWEEN_RUNS)
        return found, "intervals", note, [1] * len(both), [1] * len(both)
    index = pd.MultiIndex.from_tuples(both, names=INDEX)
    a, b = one.reindex(index).to_numpy(), other.reindex(index).to_numpy()
    found = effects.effects(a, b, inflate=(effects.follow(a), effects.follow(b)), level=level, trim=effects.TRIM_ROUNDS,
                            between=effects.BETWEEN_RUNS)
    return found, what, caution, np.isfinite(a).sum(axis=1).tolist(), np.isfinite(b).sum(axis=1).tolist()


def _chosen(every: set[Key], phases: list[str] | None, pattern: re.Pattern[str] | None) -> set[Key]:
    """The rows that are to be looked at. Unreadable for options that leave none."""
    known = sorted({phase for _, phase in every})
    for phase in phases or []:
        if phase not in known:
            raise Unreadable(f"--phase: no row has {phase!r}; the phases are {', '.join(known)}")
    of_phase = {key for key in every if not phases or key[1] in phases}
    # As nsbench does: /NEWPID/ is that set alone, and finds unshare/NEWPID, which has no parameter.
    chosen = {key for key in of_phase if not pattern or pattern.search(key[0]) or pattern.search(f"{key[0]}/")}
    if pattern and not chosen:
        raise Unreadable(f"--filter: no case matches {pattern.pattern!r}")
    return chosen


def _judged(base: list[Source], new: list[Source], both: list[Key], share: float | None, result: Comparison) -> None:
    """Adds the rows, and what is to be said of them, to the result."""
    level = 1 - result.alpha
    medians = [_matrix(side, "medians", both) for side in (base, new)]
    if len(base) == len(new) == 1:
        found, result.figures, note, *counts = _single(base[0], new[0], both, level)
        result.notes.append(note)
        corrected, low, high = effects.holm(found.p), found.low, found.high
    else:
        judged, medians = _of_runs(base, new, both, share, result)
        found, corrected, low, high = judged.found, judged.corrected, judged.low, judged.high
        counts = [m.notna().sum(axis=1).tolist() for m in medians]
    need = effects.need(found.log, found.spread, result.alpha, int((~np.isnan(corrected)).sum()))
    # Only a change that would matter is worth more runs; more rounds of one run would not tell it.
    need[(np.abs(np.expm1(found.log)) <= result.threshold) | (result.figures != "runs")] = np.nan
    # A time of 0 ticks has no logarithm, but can be shown.
    middle = [np.where(np.isnan(of), m.median(axis=1), np.exp(of)) for of, m in zip((found.base, found.new), medians)]
    figures = zip(both, *middle, *counts, *map(np.exp, (found.log, found.low, found.high, low, high)), found.p, corrected, need)
    for (case, phase), one, other, n_b, n_n, ratio, lower, upper, least, most, p, among, more in figures:
        word = verdict(ratio, least, most, among, result.threshold, result.alpha)
        result.rows.append(Row(case, phase, base[0].unit, float(one), float(other), n_b, n_n, float(ratio), float(lower),
                               float(upper), float(p), float(among), word, float(more) if word == "~" else math.nan))
    result.notes += _together(found.log)


def _figures_of(base: list[Source], new: list[Source], every: list[Key],
                share: float | None) -> tuple[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """What of each run is compared, in words, and those figures of both sides: a row for each row, a column for each run."""
    tables = [[s.quantile(share) if share else None for s in side] for side in (base, new)]
    if share is None or any(table is None for side in tables for table in side):
        return "medians", (_matrix(base, "medians", every), _matrix(new, "medians", every))
    index = pd.MultiIndex.from_tuples(every, names=INDEX)
    one, other = (pd.concat(side, axis=1).reindex(index) for side in tables)
    return f"{100 * share:g}% quantiles", (one, other)


def _of_runs(base: list[Source], new: list[Source], both: list[Key], share: float | None,
             result: Comparison) -> tuple[judging.Judgement, list[pd.DataFrame]]:
    """What the runs of two sides say of these rows, and the figures that they say it by. All rows that both sides have tell
    the level of a run, also those that are not asked for."""
    every = both + sorted((exact.measured(_merged(base)) & exact.measured(_merged(new))) - set(both))
    result.measure, figures = _figures_of(base, new, every, share)
    logs, times = (_logs(figures[0]), _logs(figures[1])), (_times(base), _times(new))
    kept = effects.kept(*logs, times)
    result.notes += _say_disturbed(base, new, logs, kept)
    when = judging.of_kept(kept, times)
    _say_drift(effects.trend(*judging.of_kept(kept, logs), when), when, result.notes)
    judged = judging.judge(logs, [phase for _, phase in every], times, (_own(base, every), _own(new, every)), result.alpha,
                           np.arange(len(every)) < len(both), kept)
    result.correction = judged.correction
    result.notes += [_level_note(level, of) for level, of in judged.levels]
    return judged.head(len(both)), [of.iloc[:len(both), one] for of, one in zip(figures, kept)]


def _level_note(level: judging.Level, of: effects.Effects) -> str:
    """What was taken off."""
    change, low, high = (float(np.expm1(value[0])) for value in (of.log, of.low, of.high))
    return f"{level.phase} of all cases together: {change:+.1%} ({low:+.1%} … {high:+.1%}), no more than runs differ: taken off each row"


def compare(base: list[Source], new: list[Source], threshold: float | None, alpha: float, phases: list[str] | None = None,
            pattern: re.Pattern[str] | None = None, share: float | None = SHARE) -> Comparison:
    """Of several runs a side by wall time, the time that this share of each run's samples do not exceed is compared, or the
    median for None. Unreadable where there is nothing to compare."""
    clock = clock_of(base, new)
    if threshold is None:
        threshold = 0.0 if clock == "instructions" else THRESHOLD
    one_state(base + new)
    shapes = [] if clock == "instructions" else shape_notes(base + new)
    sides = _merged(base), _merged(new)
    chosen = _chosen(set(sides[0]) | set(sides[1]), phases, pattern)
    gone = [("base", exact.missing(sides[0], sides[1], chosen)), ("new", exact.missing(sides[1], sides[0], chosen))]
    both = sorted(exact.measured(sides[0]) & exact.measured(sides[1]) & chosen)
    if not both:
        why = [f"; only {name} has {line}" for name, lines in gone for line in lines[:1]]
        raise Unreadable(f"no case was measured on both sides{''.join(why)}")
    result = Comparison([], "runs", threshold, alpha, ([s.identity for s in base], [s.identity for s in new]),
                        environment_notes(base, new) + shapes + order_notes(base, new) + batch_notes(base, new, both),
                        [f"only {name} has {line}" for name, lines in gone for line in lines])
    if clock == "instructions":
        result.figures = "exact"
        result.notes += _not_reproduced(base, "base") + _not_reproduced(new, "new")
        result.rows = _exact_rows(both, base, new, threshold)
    else:
        _judged(base, new, both, share, result)
    return result


def _together(logs: Floats) -> list[str]:
    """A shift that nearly all rows share has one cause under all of them."""
    logs = logs[np.isfinite(logs)]
    up = (logs > 0).mean() if len(logs) >= 20 else 0.5
    if not max(up, 1 - up) >= TOGETHER:
        return []
    return [f"{max(up, 1 - up):.0%} of the rows are {'slower' if up > 0.5 else 'faster'}, in the middle by "
            f"{np.expm1(np.median(logs)):+.1%}: one cause under all of them, which may be the machine's state"]
