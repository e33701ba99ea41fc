"""Presets as text, as Markdown and as JSON: the list of them, and what was measured."""
import json
from collections.abc import Sequence
from dataclasses import asdict

from analysis import kinds
from analysis.preset_run import Repeated, Taken
from analysis.presets import Point, Preset, Run

HEADER = ("figure", "published", "here", "here/published", "")
USERNS = "not root: through a user namespace, so each set has NEWUSER too"
NONE = "none"


def figure(value: float, unit: str) -> str:
    """1.41 ms, 200/s."""
    return f"{kinds.three_digits(value)}/s" if unit == "/s" else kinds.time_text(value * 1e9, "wall")


def published(point: Point) -> str:
    return " … ".join(figure(value, point.unit) for value in point.published) or NONE


def _cells(taken: Taken) -> list[str]:
    ours = NONE if taken.value is None else figure(taken.value, taken.point.unit)
    ratio = " … ".join(f"×{kinds.three_digits(value)}" for value in sorted(taken.ratios()))
    return [taken.point.name, published(taken.point), ours, ratio, taken.reason or taken.note]


def _facts(result: Repeated) -> list[tuple[str, str]]:
    preset = result.preset
    facts = [("claim", preset.claim), ("source", f"{preset.source}, {preset.link}"),
             ("theirs", f"{preset.kernel}; machine: {preset.machine}")]
    if result.kernel:
        facts.append(("ours", f"{result.kernel}; machine: {result.machine}"))
    facts.append(("differs", "; ".join(filter(None, (f"ours: {result.cpus} CPUs" if result.cpus else "", preset.differs,
                                                     USERNS if result.through_userns else "")))))
    return facts


def _first_and_last(names: list[str]) -> str:
    return ", ".join(names) if len(names) < 3 else f"{names[0]} … {names[-1]}"


def _text(result: Repeated) -> str:
    lines = [f"{result.preset.name}: {result.preset.what}"]
    lines += [f"  {name:<8}{text}" for name, text in _facts(result)]
    cells = [list(HEADER), *map(_cells, result.taken)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEADER))]
    lines += ["", *("  ".join(cell.ljust(width) if column in (0, 4) else cell.rjust(width)
                              for column, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in cells), ""]
    how: dict[str, list[str]] = {}
    for taken in result.taken:
        if taken.value is not None:
            how.setdefault(taken.point.how, []).append(taken.point.name)
    lines += [f"{_first_and_last(names)}: {text}" for text, names in how.items()]
    return "\n".join(lines) + "\n"


def _markdown(result: Repeated) -> str:
    lines = [f"**{result.preset.name}**: {result.preset.what}", "", *(f"- {name}: {text}" for name, text in _facts(result)), "",
             f"| {' | '.join(HEADER)} |", "|---|--:|--:|--:|---|"]
    lines += [f"| {' | '.join(_cells(taken))} |" for taken in result.taken]
    return "\n".join(lines) + "\n"


def _run_json(run: Run | None) -> dict[str, object] | None:
    if run is None:
        return None
    return {"arguments": list(run.words), "mounts": run.mounts or None, "peers": run.peers or None, "netns": run.netns or None,
            "rcu_expedited": None if run.expedited is None else int(run.expedited)}


def _point_json(point: Point) -> dict[str, object]:
    return {"name": point.name, "unit": "s" if point.unit == "s" else "1/s", "published": list(point.published), "how": point.how,
            "run": _run_json(point.run)}


def _preset_json(preset: Preset) -> dict[str, object]:
    whole = {name: value for name, value in asdict(preset).items() if name != "points"}
    return whole | {"seconds": preset.seconds()}


def as_json(results: Sequence[Repeated]) -> str:
    """All that is known of them."""
    found = []
    for result in results:
        figures = [_point_json(taken.point) | {"here": taken.value, "ratios": sorted(taken.ratios()), "reason": taken.reason or None,
                                               "note": taken.note or None} for taken in result.taken]
        found.append(_preset_json(result.preset) | {
            "here": {"kernel": result.kernel, "machine": result.machine, "cpus": result.cpus,
                     "through_userns": result.through_userns, "seconds": round(result.seconds, 1)}, "figures": figures})
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def render(results: Sequence[Repeated], form: str) -> str:
    """What was measured."""
    if form == "json":
        return as_json(results)
    return "\n".join(map(_markdown if form == "markdown" else _text, results))


def duration(seconds: float) -> str:
    """About: 20 s, 2 min."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def listed(presets: Sequence[Preset], form: str) -> str:
    """What there is."""
    if form == "json":
        return json.dumps([_preset_json(one) | {"figures": [_point_json(point) for point in one.points]} for one in presets],
                          indent=1, ensure_ascii=False) + "\n"
    rows = [("preset", "about", "repeats", "of"), *((one.name, duration(one.seconds()), one.what, one.source) for one in presets)]
    if form == "markdown":
        lines = [f"| {' | '.join(row)} |" for row in rows]
        return "\n".join([lines[0], "|---|--:|---|---|", *lines[1:]]) + "\n"
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "".join("  ".join(cell.rjust(width) if column == 1 else cell.ljust(width)
                             for column, (cell, width) in enumerate(zip(row, widths))).rstrip() + "\n" for row in rows)
