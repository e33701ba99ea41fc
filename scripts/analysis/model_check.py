"""Whether the intervals of a model of the sets hold from run to run: those of its terms, and those that it would give for each
set."""
import itertools
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from analysis import model, model_runs
from analysis.model import Deltas, Fit
from analysis.model_terms import Floats, what_of
from analysis.script import Unreadable

HOLD_LIMIT = 0.9
LEAST_RUNS = 3  # of which all but one are fitted: two tell how runs scatter
PHASE = "create"


@dataclass
class Held:
    """How many intervals of a sort held, and how wide they are: `widths` are fractions of what the whole call takes."""

    what: str
    inside: int = 0
    total: int = 0
    widths: list[float] = field(default_factory=list)

    def add(self, inside: NDArray[np.bool_], widths: Floats) -> None:
        """One run's. Where it has no interval, there is none to hold."""
        known = np.isfinite(widths)
        self.inside += int(inside[known].sum())
        self.total += int(known.sum())
        self.widths += widths[known].tolist()

    @property
    def share(self) -> float:
        return self.inside / self.total if self.total else math.nan

    def __str__(self) -> str:
        width = f"±{np.median(self.widths):.1%}" if self.widths else ""
        return f"{self.what:<58} {self.inside:>5} of {self.total:<5} {self.share:>6.1%} {width:>9}"


def _quantile(freedom: float) -> float:
    return float(stats.t.ppf((1 + model.LEVEL) / 2, freedom))


def _effects(fit: Fit, other: Floats, by_sort: dict[str, Held]) -> None:
    """Whether the run that was left out has its effects within what the others' let expect."""
    errors, freedom = model.spread(fit)
    half = _quantile(freedom) * errors * math.sqrt(1 + len(fit.of_runs))
    inside = np.abs(other - fit.values) <= half
    level = float(np.mean(fit.equations.level))
    for sort, held in by_sort.items():
        mine = np.array([what_of(term) == sort for term in fit.terms])
        held.add(inside[mine], half[mine] / level)


def _sets(fit: Fit, of: Floats, left: Floats, held: Held) -> None:
    """Whether what the sets of the run that was left out add is within what the terms of the others let expect, and each
    set's own scatter there. `of` are their deltas, a row for each run."""
    count = len(of)
    fitted = fit.of_runs @ fit.equations.of(fit.terms).T
    half = _quantile(count - 1) * np.sqrt(fitted.var(axis=0, ddof=1) / count + of.var(axis=0, ddof=1))
    held.add(np.abs(left - fitted.mean(axis=0)) <= half, half / fit.equations.level)


def _single(run: Deltas, others: Floats, by_terms: Held, by_sets: Held) -> None:
    """Whether the intervals of a run alone hold what the others come to, which is known as well as these scatter."""
    alone = model.fit_runs([run])
    equations, count = alone.equations, len(others)
    unknown = _quantile(count - 1) / math.sqrt(count)
    errors, freedom = model.spread(alone)
    fits = np.array([equations.ordinary(alone.terms, deltas).fit().params for deltas in others])
    half = np.hypot(_quantile(freedom) * errors, unknown * fits.std(axis=0, ddof=1))
    by_terms.add(np.abs(alone.values - fits.mean(axis=0)) <= half, half / float(np.mean(equations.level)))
    table = equations.of(alone.terms)
    errors = np.sqrt(np.einsum("ij,jk,ik->i", table, alone.covariance, table))
    half = np.hypot(_quantile(freedom) * errors, unknown * others.std(axis=0, ddof=1))
    by_sets.add(np.abs(table @ alone.values - others.mean(axis=0)) <= half, half / equations.level)


def check(runs: Sequence[Deltas], say: Callable[[str], None]) -> bool:
    """Prints how many held; whether those of the effects of all runs but one hold in that one."""
    table = pd.concat([run.sets for run in runs], axis=1).dropna()
    runs = [replace(run, sets=run.sets[table.index]) for run in runs]
    rest = f"{len(runs) - 1} runs"
    by_sort = {"kind": Held(f"kinds, by {rest}: in the one left out"), "shared": Held("the cost paid once: likewise"),
               "interaction": Held("interactions: likewise")}
    sets = Held(f"each set, by the terms of {rest}: in the one left out")
    alone, alone_sets = Held("all terms, by one run: in the others' mean"), Held("each set, by the terms of one run: in the others' mean")
    for number, left in enumerate(runs):
        rows = np.arange(len(runs)) != number
        others = table.to_numpy().T[rows]
        fit = model.fit_runs([run for run, is_in in zip(runs, rows) if is_in])
        _effects(fit, np.asarray(fit.equations.ordinary(fit.terms, left.sets.to_numpy()).fit().params), by_sort)
        _sets(fit, others, left.sets.to_numpy(), sets)
        _single(left, others, alone, alone_sets)
    effects = Held("all terms: likewise", sum(held.inside for held in by_sort.values()), sum(held.total for held in by_sort.values()),
                   list(itertools.chain.from_iterable(held.widths for held in by_sort.values())))
    say(f"{f'{model.LEVEL:.0%} intervals of {len(table)} sets in {len(runs)} runs':<58} {'held':>14} {'middle half':>16}")
    for held in (*by_sort.values(), effects, alone, sets, alone_sets):
        say(str(held))
    say(f"at least {HOLD_LIMIT:.0%} of all terms by {rest} must; half widths are shares of what the call takes: a set's own, or "
        "the mean call, for terms")
    return effects.share >= HOLD_LIMIT


def recorded(given: list[Path], fresh: Callable[[Path], None], count: int) -> list[Deltas]:
    """Of the runs that are given, or of so many fresh ones, each of which `fresh` measures into a folder."""
    with tempfile.TemporaryDirectory(prefix="nsbench-model-") as place:
        folders = given or [Path(place) / f"run-{number + 1}" for number in range(count)]
        for folder in folders if not given else ():
            fresh(folder)
        found = model_runs.together(folders)
        if len(found) < LEAST_RUNS:
            raise Unreadable(f"{len(found)} runs: {LEAST_RUNS} are needed at least")
        operation = model_runs.operations(found, PHASE)[0]
        return [model.deltas_of(run, operation, PHASE) for run in found]
