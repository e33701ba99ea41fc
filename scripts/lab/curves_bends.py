"""Curves that no single law fits, piece by piece: what one more costs from level to level, and the functions behind a bend.

Figures are counts, so that a line from one to the next has no residual; that alone is no law between the levels. What surrounds a
case takes nothing off its cost: what a figure falls by from a level to the next is scatter, and a rise has to be told from that.
"""
from collections.abc import Sequence
from dataclasses import dataclass

from analysis import curves_text
from analysis.curves import Curve
from analysis.growth import MISFIT
from analysis.kinds import prefixed
from lab.curves_profile import Levels
from lab.recorded import CREATE

STEEPER = 2.0  # times the slope before, and the largest fall: a bend that is told
NAMED = 3  # functions behind it
LEAST_SHARE = 0.05  # of a bend: functions with less are not named
MOST = 3  # bends of a curve that are told, the largest
DASH = "–"
FALLS = "falls"
MEANWHILE = {"[child]": "its child ran", "[other tasks]": "other tasks ran", "[interrupts]": "interrupts came"}


@dataclass(frozen=True)
class Piece:
    """From one level to another: what one more costs there, and the places of both."""

    at: int
    to: int
    slope: float

    def name(self, one: Curve) -> str:
        """10–20."""
        return DASH.join(curves_text.level_text(one.parameter, one.levels[place]) for place in (self.at, self.to))


@dataclass(frozen=True)
class Bend:
    """Where a piece is steeper than the one before it, and by what: the instructions that it adds beyond the slope before, and how much
    of the figure at its end that is."""

    piece: Piece
    before: Piece
    added: float
    share: float


def unit(one: Curve) -> tuple[str, float]:
    """What one more is called, and how much of a level it is."""
    return (("MiB", float(curves_text.MIB)) if one.parameter.is_size
            else (curves_text.ONE_MORE.get(one.parameter.key, one.parameter.key), 1.0))


def amount(value: float) -> str:
    """2.91 k, −310."""
    return f"{'−' if value < 0 else ''}{prefixed(abs(value))}"


def pieces(one: Curve, without: Sequence[int] = ()) -> list[Piece]:
    """All of a curve, or of what it is without the levels at some places."""
    _, each = unit(one)
    kept = [at for at in range(len(one.levels)) if at not in without]
    return [Piece(at, to, (one.figures[to] - one.figures[at]) / (one.levels[to] - one.levels[at]) * each)
            for at, to in zip(kept, kept[1:])]


def steps(one: Curve) -> list[float]:
    """What each figure is above the one before."""
    return [after - before for before, after in zip(one.figures, one.figures[1:])]


def fall(one: Curve) -> float:
    """The largest from a level to the next, 0 where there is none."""
    return max(0.0, -min(steps(one)))


def is_growing(one: Curve) -> bool:
    """Whether most pieces rise, by more than the figures ever fall."""
    rises = [step for step in steps(one) if step > fall(one)]
    return 2 * len(rises) > len(one.levels) - 1


def _bend(one: Curve, before: Piece, piece: Piece) -> Bend:
    """Whether it is one or not. What falls before it scatters: the rise alone counts then."""
    _, each = unit(one)
    added = (piece.slope - max(before.slope, 0.0)) * (one.levels[piece.to] - one.levels[piece.at]) / each
    return Bend(piece, before, added, added / one.figures[piece.to])


def outliers(one: Curve) -> list[int]:
    """The places of figures that are off the line between their neighbours, where the curve without them has no bend beside them. The
    first and the last cannot be told from a bend; in a curve that does not grow, scatter is told of instead."""
    found = []
    for at in range(1, len(one.levels) - 1) if is_growing(one) else ():
        left = pieces(one, [at])
        beside = [_bend(one, before, piece) for before, piece in zip(left, left[1:]) if at - 1 in (before.at, piece.at)
                  and at + 1 in (before.to, piece.to)]
        if abs(one.figures[at] - between(one, at)) > MISFIT * one.figures[at] and all(abs(bend.share) <= MISFIT for bend in beside):
            found.append(at)
    return found


def between(one: Curve, at: int) -> float:
    """What the line between its neighbours says there."""
    low, high = one.figures[at - 1], one.figures[at + 1]
    return low + (high - low) * (one.levels[at] - one.levels[at - 1]) / (one.levels[at + 1] - one.levels[at - 1])


def _before(one: Curve, piece: Piece, without: Sequence[int]) -> Piece:
    """What leads to a piece: from the last level that is below its first one, since a rise after a fall may be the return from a high
    figure; where there is none, from the level before."""
    kept = [at for at in range(piece.at) if at not in without]
    lower = [at for at in kept if one.figures[at] < one.figures[piece.at]]
    at = (lower or kept)[-1]
    [found] = pieces(one, [place for place in range(len(one.levels)) if place not in (at, piece.at)])
    return found


def bends(one: Curve) -> list[Bend]:
    """Those that are told, the lowest first, without what is an outlier."""
    without = outliers(one)
    found = [bend for piece in pieces(one, without)[1:] if (bend := _bend(one, _before(one, piece, without), piece)).share > MISFIT
             and piece.slope >= STEEPER * bend.before.slope and bend.added > STEEPER * fall(one)]
    largest = sorted(found, key=lambda bend: -bend.share)[:MOST]
    return sorted(largest, key=lambda bend: bend.piece.at)


def behind(one: Curve, bend: Bend, profile: Levels) -> list[tuple[str, float]]:
    """The functions, or whose else it is, that execute more there than the slope before has them, the largest first, with what they
    add; nothing where one of the three levels has no profile, or where the profile, a run of its own, has no such bend."""
    levels = [one.levels[at] for at in (bend.before.at, bend.piece.at, bend.piece.to)]
    cases = [one.cases[at] for at in (bend.before.at, bend.piece.at, bend.piece.to)]
    if not all(profile.of(case, CREATE) for case in cases):
        return []
    low, middle, high = (profile.own(case, CREATE) for case in cases)
    stretch = (levels[2] - levels[1]) / (levels[1] - levels[0]) if bend.before.slope > 0 else 0.0
    added = {name: high.get(name, 0) - middle.get(name, 0) - stretch * (middle.get(name, 0) - low.get(name, 0))
             for name in {*low, *middle, *high}}
    return sorted(added.items(), key=lambda item: (-item[1], item[0])) if sum(added.values()) > 0 else []


def told(one: Curve, bend: Bend, profile: Levels | None) -> str:
    """A sentence."""
    name, _ = unit(one)
    every = behind(one, bend, profile) if profile else []
    whole = sum(value for _, value in every)
    elsewhere = [(MEANWHILE[owner], value) for owner, value in every if owner in MEANWHILE and value > 0]
    if 2 * sum(value for _, value in elsewhere) > whole:
        return (f"- On {one.run.name} {amount(bend.added)} more at {bend.piece.name(one)} is no bend of the call: "
                f"{elsewhere[0][0]} meanwhile ({elsewhere[0][1] / whole:.0%} of it).")
    at, rise = bend.piece.name(one), one.figures[bend.piece.to] - one.figures[bend.piece.at]
    text = f"- On {one.run.name} " + (
        f"a {name} costs {amount(bend.piece.slope)} at {at}, and {amount(bend.before.slope)} at {bend.before.name(one)}"
        if is_growing(one) and bend.before.slope > 0 else f"it rises by {amount(rise)} at {at}")
    named = [f"{function} {value / whole:.0%}" for function, value in every[:NAMED] if value >= LEAST_SHARE * whole]
    return f"{text}; of what that adds: {', '.join(named)}." if named else f"{text}."


def outliers_told(one: Curve) -> list[str]:
    """A sentence for each."""
    return [f"- On {one.run.name} the figure at {curves_text.level_text(one.parameter, one.levels[at])} is an outlier: "
            f"{amount(one.figures[at])}, where the line between its neighbours has {amount(between(one, at))}."
            for at in outliers(one)]


def scatter_told(one: Curve) -> list[str]:
    """A sentence on what does not grow from level to level."""
    if is_growing(one):
        return []
    but = ", but where it jumps" if bends(one) else ""
    share = max((before - after) / before for before, after in zip(one.figures, one.figures[1:]))
    return [f"- On {one.run.name} no growth is told from scatter{but}: it falls by up to {max(share, 0.0):.1%} from a level to the next."]


def rows(group: Sequence[Curve]) -> list[list[str]]:
    """The head and a row for each curve of one case that no law fits and that grows; nothing where there is none."""
    misfits = [one for one in group if one.growth and one.growth.is_misfit and is_growing(one)]
    stretches = {(one.levels[piece.at], one.levels[piece.to]): piece.name(one) for one in misfits for piece in pieces(one)}
    columns = [stretches[ends] for ends in sorted(stretches)]
    slopes = [{piece.name(one): amount(piece.slope) if piece.slope > 0 else FALLS for piece in pieces(one)} for one in misfits]
    return [[group[0].parameter.key, *columns],
            *([one.run.name, *(own.get(column, DASH) for column in columns)] for one, own in zip(misfits, slopes))] if misfits else []
