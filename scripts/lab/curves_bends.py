"""Curves that no single law fits, piece by piece: what one more costs from level to level, and the functions behind a bend.

Figures are counts, so that a line from one to the next has no residual; that alone is no law between the levels.
"""
from collections.abc import Sequence
from dataclasses import dataclass

from analysis import curves_text
from analysis.curves import Curve
from analysis.kinds import prefixed
from lab.curves_profile import Levels
from lab.recorded import CREATE

STEEPER = 2.0  # times the slope before: a bend that is told
NAMED = 3  # functions behind it
LEAST_SHARE = 0.05  # of a bend: functions with less are not named
MOST = 3  # bends of a curve that are told, the largest
DASH = "–"


@dataclass(frozen=True)
class Piece:
    """From one level to the next: what one more costs there, and the place of its first level."""

    at: int
    slope: float

    def name(self, one: Curve) -> str:
        """10–20."""
        return DASH.join(curves_text.level_text(one.parameter, level) for level in one.levels[self.at:self.at + 2])


@dataclass(frozen=True)
class Bend:
    """Where a piece is steeper than the one before it, and by what: the instructions that it adds beyond the slope before."""

    piece: Piece
    before: Piece
    added: float


def unit(one: Curve) -> tuple[str, float]:
    """What one more is called, and how much of a level it is."""
    return (("MiB", float(curves_text.MIB)) if one.parameter.is_size
            else (curves_text.ONE_MORE.get(one.parameter.key, one.parameter.key), 1.0))


def amount(value: float) -> str:
    """2.91 k, −310."""
    return f"{'−' if value < 0 else ''}{prefixed(abs(value))}"


def pieces(one: Curve) -> list[Piece]:
    """All of a curve."""
    _, each = unit(one)
    return [Piece(at, (one.figures[at + 1] - one.figures[at]) / (one.levels[at + 1] - one.levels[at]) * each)
            for at in range(len(one.levels) - 1)]


def bends(one: Curve) -> list[Bend]:
    """Those that are told, the lowest first."""
    _, each = unit(one)
    every = pieces(one)
    found = [Bend(piece, before, (piece.slope - before.slope) * (one.levels[piece.at + 1] - one.levels[piece.at]) / each)
             for before, piece in zip(every, every[1:]) if before.slope > 0 and piece.slope >= STEEPER * before.slope]
    largest = sorted(found, key=lambda bend: -bend.added / one.figures[bend.piece.at + 1])[:MOST]
    return sorted(largest, key=lambda bend: bend.piece.at)


def behind(one: Curve, bend: Bend, profile: Levels) -> list[tuple[str, float]]:
    """The functions, or whose else it is, that execute more there than the slope before has them, the largest first, with what they
    add; nothing where one of the three levels has no profile, or where the profile has no such bend."""
    levels = [one.levels[at] for at in (bend.before.at, bend.piece.at, bend.piece.at + 1)]
    cases = [one.cases[at] for at in (bend.before.at, bend.piece.at, bend.piece.at + 1)]
    if not all(profile.of(case, CREATE) for case in cases):
        return []
    low, middle, high = (profile.own(case, CREATE) for case in cases)
    stretch = (levels[2] - levels[1]) / (levels[1] - levels[0])
    added = {name: high.get(name, 0) - middle.get(name, 0) - stretch * (middle.get(name, 0) - low.get(name, 0))
             for name in {*low, *middle, *high}}
    if sum(added.values()) <= 0:
        return []  # the profile is a run of its own: it need not have the bend
    return sorted(added.items(), key=lambda item: (-item[1], item[0]))


def told(one: Curve, bend: Bend, profile: Levels | None) -> str:
    """A sentence."""
    name, _ = unit(one)
    text = (f"- On {one.run.name} a {name} costs {amount(bend.piece.slope)} at {bend.piece.name(one)}, and "
            f"{amount(bend.before.slope)} at {bend.before.name(one)}")
    every = behind(one, bend, profile) if profile else []
    whole = sum(value for _, value in every)
    named = [f"{function} {value / whole:.0%}" for function, value in every[:NAMED] if value >= LEAST_SHARE * whole]
    return f"{text}; of what that adds: {', '.join(named)}." if named else f"{text}."


def rows(group: Sequence[Curve]) -> list[list[str]]:
    """The head and a row for each curve of one case that no law fits; nothing where there is none."""
    misfits = [one for one in group if one.growth and one.growth.is_misfit]
    stretches = {(one.levels[piece.at], one.levels[piece.at + 1]): piece.name(one) for one in misfits for piece in pieces(one)}
    columns = [stretches[ends] for ends in sorted(stretches)]
    slopes = [{piece.name(one): amount(piece.slope) for piece in pieces(one)} for one in misfits]
    return [[group[0].parameter.key, *columns],
            *([one.run.name, *(own.get(column, DASH) for column in columns)] for one, own in zip(misfits, slopes))] if misfits else []
