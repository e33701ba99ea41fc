"""The terms that models of sets are made of, and the equations that they are fitted and chosen by (model.py)."""
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from statsmodels.regression.linear_model import OLS
from statsmodels.robust.robust_linear_model import RLM

from analysis import kinds, sources

Floats = NDArray[np.float64]
Term = tuple[str, ...]  # the kinds that a set must all have; of none: any kind but the one below

SHARED: Term = ()
ALONE = "NEWUSER"  # a user namespace shares nothing with the others (src/core/shared_cost.h)
LARGEST = 3  # kinds of a term
SETS_PER_TERM = 2  # at least: fewer tell nothing of how well the terms fit
FULLEST = 0.6  # terms per set of the fit by which figures stand out: in a fuller one each set would have its own term
PASSES = 3  # of the main effects, by which what calls take is found
STANDS_OUT = 6.0  # standard deviations: figures of a busy machine seldom do, and a stall is many times that


def name_of(term: Term) -> str:
    """NEWNET×NEWNS."""
    return "×".join(term) if term else f"any but {ALONE}, once"


def what_of(term: Term) -> str:
    """shared, kind or interaction."""
    return "shared" if not term else "kind" if len(term) == 1 else "interaction"


def added_kinds(names: Iterable[str], base: str) -> list[Term]:
    """What each set has and the base has not."""
    return [tuple(flag for flag in kinds.flags(name) if flag not in kinds.flags(base)) for name in names]


def has_term(members: Term, term: Term) -> bool:
    """Whether a set with these kinds has it."""
    return set(members).issuperset(term) if term else bool(set(members) - {ALONE})


def main_effects(sets: Sequence[Term]) -> list[Term]:
    """The cost paid once, and the kinds that occur."""
    return [SHARED, *((flag,) for flag in kinds.KINDS if any(flag in one for one in sets))]


class Equations:
    """One for each set: what it adds, by the terms that it has, both in units of what its call takes."""

    def __init__(self, sets: Sequence[Term], deltas: Floats, base: float, mains: list[Term]) -> None:
        self.sets = sets
        self.deltas = deltas
        self.found: dict[Term, Floats] = {}
        self.level = np.maximum(base + deltas, base)
        for _ in range(PASSES):
            fit = self.fit(mains) if self.is_within_rounding(mains) else self.robust(mains)
            self.level = np.maximum(base + self.of(mains) @ fit.params, base)

    def column(self, term: Term) -> Floats:
        """Which sets have it: 1 and 0."""
        if term not in self.found:
            self.found[term] = np.array([has_term(one, term) for one in self.sets], dtype=float)
        return self.found[term]

    def of(self, terms: list[Term]) -> Floats:
        """Terms' columns side by side."""
        return np.column_stack([self.column(term) for term in terms])

    def divided(self, terms: list[Term], deltas: Floats | None = None) -> tuple[Floats, Floats]:
        """The equations of those sets that have a figure among these deltas, or among its own."""
        figures = self.deltas if deltas is None else deltas
        has = np.isfinite(figures)
        return (figures / self.level)[has], (self.of(terms) / self.level[:, None])[has]

    def robust(self, terms: list[Term]) -> Any:
        """The result of Huber's fit, which figures that stand out do not bend."""
        return RLM(*self.divided(terms)).fit()

    def ordinary(self, terms: list[Term], deltas: Floats | None = None) -> OLS:
        """Least squares."""
        return OLS(*self.divided(terms, deltas))

    def fit(self, terms: list[Term]) -> Any:  # statsmodels has no types
        """The result of that."""
        return self.ordinary(terms).fit()

    def bic(self, terms: list[Term]) -> float:
        """Infinite where the sets do not tell the terms apart."""
        found = self.fit(terms)
        return float(found.bic) if found.model.rank == len(terms) else math.inf

    def is_within_rounding(self, terms: list[Term]) -> bool:
        """Whether there is nothing left to explain but that figures are whole ticks."""
        return bool(self.fit(terms).ssr <= ((sources.QUANTUM / self.level)**2).sum())


def _steps(terms: list[Term], flags: list[str], largest: int, most: int) -> Iterator[list[Term]]:
    """The terms with one interaction more, and the pairs that it consists of where these are missing: what a pair and a triple
    add may cancel, so that neither would come alone. Or with one less, which is part of no other."""
    for size in range(2, largest + 1):
        for new in itertools.combinations(flags, size):
            more = [pair for pair in itertools.combinations(new, 2) if pair not in terms and pair != new]
            if new not in terms and len(terms) + len(more) < most:
                yield [*terms, *more, new]
    for old in terms:
        if len(old) > 1 and not any(set(old) < set(other) for other in terms):
            yield [term for term in terms if term != old]


def choose(equations: Equations, mains: list[Term]) -> list[Term]:
    """The terms, by BIC: of pairs first, then of triples, too."""
    flags = [term[0] for term in mains if term]
    most = len(equations.sets) // SETS_PER_TERM
    terms, least = mains, equations.bic(mains)
    for largest in range(2, LARGEST + 1):
        while not equations.is_within_rounding(terms):
            step, better = min(((equations.bic(step), step) for step in _steps(terms, flags, largest, most)),
                               default=(math.inf, terms), key=lambda found: found[0])
            if not step < least:
                break
            terms, least = better, step
    return terms


def standing_out(sets: Sequence[Term], deltas: Floats, base: float) -> NDArray[np.bool_]:
    """Which figures are none of a run's, by a robust fit (Huber's) of all terms that there could be. None where there are too few
    sets for that, since a term that is left out would make the sets that have it stand out, nor where there is no scatter to
    stand out of, but ticks."""
    mains = main_effects(sets)
    flags = [term[0] for term in mains if term]
    terms = mains + [term for size in range(2, LARGEST + 1) for term in itertools.combinations(flags, size)]
    if len(terms) > FULLEST * len(sets):
        return np.zeros(len(sets), dtype=bool)
    equations = Equations(sets, deltas, base, mains)
    if equations.is_within_rounding(terms):
        return np.zeros(len(sets), dtype=bool)
    robust = equations.robust(terms)
    if not robust.scale > float(np.median(sources.QUANTUM / equations.level)):
        return np.zeros(len(sets), dtype=bool)  # most follow to the tick: whatever does not would stand out, be it by two
    scale = robust.scale * math.sqrt(len(sets) / (len(sets) - len(terms)))  # residuals are that much smaller than what scatters
    return np.asarray(np.abs(robust.resid) > STANDS_OUT * scale)
