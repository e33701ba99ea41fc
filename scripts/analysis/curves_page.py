"""Curves as the page draws them."""
from typing import TypedDict

from analysis import columns, curves, curves_text
from analysis.read import Run


class Curve(TypedDict):
    """Cases over a parameter, and the law of a phase of theirs."""

    operation: str
    set: str
    others: list[str]  # what else is in their ids
    key: str
    phase: str
    levels: list[float]
    texts: list[str]
    cases: list[str]
    law: list[float]  # at each level
    said: str


def with_laws(run: Run) -> list[Curve]:
    """Those that have a law."""
    found: list[Curve] = []
    for one in curves.curves_of(run, phases=columns.phases()):
        if one.growth is None:
            continue
        best = one.growth.best
        law = curves_text.NO_LAW if one.growth.is_misfit else ", ".join(
            filter(None, (curves_text.law_text(one, best), curves_text.slope_text(one, best))))
        _, namespaces, *others = one.case.split("/")
        found.append({"operation": one.operation, "set": namespaces, "others": others, "key": one.parameter.key, "phase": one.phase,
                      "levels": one.levels, "texts": [curves_text.level_text(one.parameter, level) for level in one.levels],
                      "cases": one.cases, "law": [float(f"{value:.5g}") for value in best.at(one.growth.points.x)], "said": law})
    return found
