"""What sets of kinds add to a call, explained by few terms: what each kind adds, what any kind but NEWUSER adds once, and
what some kinds add together beyond their sum.

It is additive in time, and it is fitted to `delta`, what a set adds to its base, which rounds have paired: the machine's
level cancels there, and what the base itself varies by is common to all sets, so that it ends up in the cost paid once. What
scatters is in proportion to how long the whole call takes, so each equation is divided by that, as it comes out of the
main effects. Pairs of kinds, then triples with their pairs, come and go one at a time as long as the Bayesian information
criterion (BIC) becomes smaller. Intervals of one run are by the sandwich that assumes nothing of how residuals scatter (HC3),
which is blind to what moves all of a run; of several runs they are Student's, of how the runs' own fits scatter, and never
narrower than the former.

Something else that has the machine for a while makes a set's figure several times what it is. One that lies far from the rest of its
run, by a robust fit of all pairs and triples, is in no fit, and is named. Counts have no such figures.
"""
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from analysis import kinds, sources, tables
from analysis.exact import MEASURED
from analysis.model_terms import (SETS_PER_TERM, SHARED, Equations, Floats, Term, added_kinds, choose, has_term, main_effects,
                                  standing_out, what_of)
from analysis.read import Run
from analysis.script import Unreadable

LEVEL = 0.95
ALPHA = 0.05  # the chance that any set is called a deviating one by chance


@dataclass(frozen=True)
class Deltas:
    """What one run has of an operation's phase. `sets` says what each set adds to the base, whose own figure and its
    variance are `level` and `own`; `outside` are those that stand out; `without` says why another set is not among them."""

    base: str
    level: float
    own: float
    sets: "pd.Series[float]"
    outside: "pd.Series[float]"
    without: dict[str, str]
    syscalls: frozenset[str]


@dataclass(frozen=True)
class Estimate:
    """What a term adds. The interval is of NaN where the figures are exact."""

    term: Term
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Deviating:
    """A set that does not follow: what was measured, what the terms come to, the residual in standard deviations (without
    the set itself), and its p, corrected for all sets (Holm)."""

    namespaces: str
    measured: float
    modelled: float
    studentised: float
    p: float


@dataclass(frozen=True)
class Outside:
    """A set whose figure stands out of so many runs, so that it is in none of their fits; `measured` is the middle of those."""

    namespaces: str
    runs: int
    measured: float
    modelled: float


@dataclass
class Model:
    """Residuals are fractions of what the whole call takes by the model."""

    operation: str
    phase: str
    clock: str
    runs: int
    base: str
    level: float
    sets: int
    terms: list[Estimate]
    median_residual: float
    p90_residual: float
    deviating: list[Deviating]
    outside: list[Outside]
    left_out: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def is_exact(self) -> bool:
        """Whether its figures have no scatter, and so its terms no intervals."""
        return is_exact(self.clock)


def is_exact(clock: str) -> bool:
    """Whether what it measures comes again as it was."""
    return clock == "instructions"


def deltas_of(run: Run, operation: str, phase: str) -> Deltas:
    """Of the operation's plain cases. Unreadable where the base is not among the rows."""
    rows = tables.plain(run, operation)
    rows = rows[rows["phase"] == phase]
    found = rows[rows["delta"].notna()]
    ids = found["base"].where(found["base"] != "", f"{operation}/{run.info.get('base_set', kinds.NONE)}")
    bases = ids.str.split("/").str[1]
    base = bases.mode()[0] if len(found) else kinds.NONE
    found = found[bases == base]
    own = rows[rows["namespaces"] == base]
    if len(found) and own.empty:
        raise Unreadable(f"{run.name}: {operation}/{base} is not among its rows: the model needs what sets add to, and how "
                         "well it is known")
    level, variance = (math.nan, math.nan) if own.empty else (
        float(own["median"].iloc[0]), float(((own["ci_high"] - own["ci_low"]).iloc[0] / 2 / sources.Z95)**2))
    everything = run.results[(run.results["operation"] == operation) & (run.results["phase"] == phase)]
    without = {row["namespaces"]: f"{row['errno']} {row['reason']}".strip()
               for row in everything[~everything["status"].isin(MEASURED)].to_dict("records")}
    rest = set(rows["namespaces"]) - set(found["namespaces"]) - {base}
    deltas = found.set_index("namespaces")["delta"]
    out = np.zeros(len(deltas), dtype=bool)
    if run.clock == "wall":
        out = standing_out(added_kinds(deltas.index, base), deltas.to_numpy(), level)
    return Deltas(base, level, variance, deltas[~out], deltas[out], without | {namespaces: f"no delta to {base}" for namespaces in rest},
                  frozenset(found["syscall"]))


@dataclass(frozen=True)
class Fit:
    """Terms fitted to several runs: `values` of all of them, `of_runs` a row for each run, `covariance` of the values as the
    residuals have it. `own` is the variance of a run's base, their mean: all of its sets have that in common, so that no
    residual shows it."""

    terms: list[Term]
    names: list[str]
    equations: Equations
    values: Floats
    of_runs: Floats
    covariance: Floats
    own: float

    @property
    def errors(self) -> Floats:
        """The standard errors of the values, as the residuals have them."""
        return np.sqrt(np.diag(self.covariance))


def fit_runs(runs: Sequence[Deltas], name: str = "the runs") -> Fit:
    """Terms chosen by the mean of the runs, and each run fitted with them. Unreadable for sets that do not tell."""
    base = runs[0].base
    if other := next((run.base for run in runs if run.base != base), None):
        raise Unreadable(f"{name}: what sets add is against {base} in one run and against {other} in another")
    table = pd.concat([run.sets for run in runs], axis=1)
    sets = added_kinds(table.index, base)
    mains = main_effects(sets)
    fewest = min(len(run.sets) for run in runs)
    if not fewest:
        raise Unreadable(f"{name}: no set was measured with what it adds to another")
    if fewest < SETS_PER_TERM * len(mains):
        raise Unreadable(f"{name}: {fewest} sets were measured with what they add to {base}; {len(mains)} main effects need "
                         f"{SETS_PER_TERM * len(mains)} at least: --stack=1M measures all sets")
    equations = Equations(sets, table.mean(axis=1).to_numpy(), float(np.mean([run.level for run in runs])), mains)
    if not math.isfinite(equations.bic(mains)):
        raise Unreadable(f"{name}: its {len(sets)} sets do not tell the kinds apart: some kinds are always together")
    terms = choose(equations, mains)
    whole = equations.ordinary(terms).fit(cov_type="HC3", use_t=True)
    fits = [equations.ordinary(terms, table.iloc[:, i].to_numpy()).fit() for i in range(len(runs))]
    if any(fit.model.rank < len(terms) for fit in fits):
        raise Unreadable(f"{name}: one of them has too few sets to tell the {len(terms)} terms of all apart")
    of_runs = np.array([fit.params for fit in fits])
    return Fit(terms, list(table.index), equations, of_runs.mean(axis=0), of_runs, np.asarray(whole.cov_params()),
               float(np.mean([run.own for run in runs])))


def spread(fit: Fit) -> tuple[Floats, float]:
    """The standard errors of the values, and the degrees of freedom that they are known with."""
    count = len(fit.of_runs)
    shared = np.array([term == SHARED for term in fit.terms])
    within = fit.errors**2 + np.where(shared, fit.own / count, 0)
    if count == 1:
        return np.sqrt(within), len(fit.equations.sets) - len(fit.terms)
    return np.sqrt(np.maximum(fit.of_runs.var(axis=0, ddof=1) / count, within)), count - 1


def _estimates(fit: Fit, is_exact: bool) -> list[Estimate]:
    """Kinds first, then what is paid once, then interactions; the largest first."""
    errors, freedom = spread(fit)
    half = np.full(len(errors), math.nan) if is_exact else errors * stats.t.ppf((1 + LEVEL) / 2, freedom)
    order = ("kind", "shared", "interaction")
    found = [Estimate(term, float(value), float(value - one), float(value + one))
             for term, value, one in zip(fit.terms, fit.values, half)]
    return sorted(found, key=lambda one: (order.index(what_of(one.term)), -abs(one.value)))


def _deviating(fit: Fit) -> list[Deviating]:
    if fit.equations.is_within_rounding(fit.terms):
        return []
    test = np.asarray(fit.equations.fit(fit.terms).outlier_test(method="holm", alpha=ALPHA))
    modelled = fit.equations.of(fit.terms) @ fit.values
    found = [Deviating(name, float(measured), float(by_model), float(row[0]), float(row[2]))
             for name, measured, by_model, row in zip(fit.names, fit.equations.deltas, modelled, test) if row[2] < ALPHA]
    return sorted(found, key=lambda one: -abs(one.studentised))


def _outside(fit: Fit, runs: Sequence[Deltas]) -> list[Outside]:
    """The farthest first."""
    found = []
    for name, figures in pd.concat([run.outside for run in runs], axis=1).iterrows():
        [members] = added_kinds([name], runs[0].base)
        modelled = sum(value for term, value in zip(fit.terms, fit.values.tolist()) if has_term(members, term))
        found.append(Outside(name, int(figures.notna().sum()), float(figures.median()), modelled))
    return sorted(found, key=lambda one: -abs(one.measured - one.modelled))


def model_of(runs: Sequence[Run], operation: str, phase: str) -> Model:
    """The model of one operation's phase. Unreadable where there is none."""
    name = runs[0].name if len(runs) == 1 else f"{len(runs)} runs"
    of = [deltas_of(run, operation, phase) for run in runs]
    fit = fit_runs(of, f"{name}: {operation}, {phase}")
    modelled = fit.equations.of(fit.terms) @ fit.values
    level = float(np.mean([one.level for one in of]))
    shares = np.abs(fit.equations.deltas - modelled) / (level + modelled)
    notes = []
    if len(syscalls := sorted(frozenset.union(*(one.syscalls for one in of)))) > 1:
        notes.append(f"sets with NEWTIME go through {syscalls[-1]}, the others through {syscalls[0]}: the difference is in what "
                     "NEWTIME adds")
    if some := len(fit.names) - len(set.intersection(*({*one.sets.index, *one.outside.index} for one in of)) & set(fit.names)):
        notes.append(f"{some} set{'s were' if some > 1 else ' was'} not measured in every run")
    left = {namespaces: why for one in of for namespaces, why in one.without.items() if namespaces not in fit.names}
    return Model(operation, phase, runs[0].clock, len(runs), of[0].base, level, len(fit.names), _estimates(fit, is_exact(runs[0].clock)),
                 float(np.median(shares)), float(np.quantile(shares, 0.9)), _deviating(fit), _outside(fit, of), left, notes)
