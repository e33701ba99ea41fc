"""The report: one HTML file that holds the charting libraries, the figures and what draws them, and asks nobody."""
import base64
import gzip
import html
import json
import re
from pathlib import Path
from typing import TypedDict

import numpy as np
import pandas as pd

from analysis import beside, changes, columns, curves, curves_page, kinds, libraries, scaling_page, stacks, summary, tables
from analysis.files import text_of
from analysis.libraries import SOURCES
from analysis.read import Run
from analysis.script import Unreadable

MOST_BYTES = 6_000_000  # eleven runs of the whole plan are near 5 MB

SCRIPTS = ("figures.js", "data.js", "look.js", "charts.js", "panels.js", "maps.js", "sets.js", "times.js", "curves.js", "probe.js",
           "frames.js", "flame.js", "table.js", "print.js", "main.js")

# Where a curve of a distribution is kept: dense in the tail, which is what it is looked at for.
PROBABILITIES = [
    0,
    1,
    2,
    5,
    10,
    15,
    20,
    25,
    30,
    35,
    40,
    45,
    50,
    55,
    60,
    65,
    70,
    75,
    80,
    85,
    90,
    92,
    94,
    96,
    98,
    99,
    99.5,
    99.9,
    100,
]


def quantiles(run: Run) -> dict[str, dict[str, list[float]]]:
    """Case → phase → the counted samples' count, and their values at PROBABILITIES; of the sets whose distributions are drawn."""
    samples = run.samples
    if samples is None:
        return {}
    samples = samples[samples["counted"].astype(float) == 1]
    drawn = [
        of["sets"][name] for of in _cases(run).values() for name in tables.chosen_sets(of["sets"])
    ]
    samples = samples[samples["case"].isin(drawn)]
    phases = [name for name in tables.phases_of(run) if name in samples.columns]
    values = samples[phases].to_numpy()
    found: dict[str, dict[str, list[float]]] = {}
    for case, rows in samples.groupby("case", sort=False).indices.items():
        for index, phase in enumerate(phases):
            mine = values[rows, index]
            mine = mine[~np.isnan(mine)]
            if len(mine) > 1:
                at = np.percentile(mine, PROBABILITIES)
                found.setdefault(case, {})[phase] = [len(mine), *(float(f"{value:.4g}") for value in at)]
    return found


class _Operation(TypedDict):
    sets: dict[str, str]
    phases: list[str]
    sweeps: dict[str, dict[int, str]]
    segments: list[str]


# Case → path → function → self, total and calls per execution; calls are unknown where stacks were sampled.
_Functions = dict[str, dict[str, dict[str, list[float | None]]]]


class _Memory(TypedDict):
    cases: list[str]
    allocators: list[str]
    bytes: list[list[float]]  # of each allocator, by case
    sites: dict[str, list[list[str | float]]]


class _Data(TypedDict):
    """What the page's scripts draw of a run (scripts/page/data.js)."""

    name: str
    identity: str
    kernel: str
    clock: str
    state: str
    csv: str
    operations: dict[str, _Operation]
    quantiles: dict[str, dict[str, list[float]]]
    curves: list[curves_page.Curve]
    probed: str | None  # which of _Payload's probes
    stacked: str | None  # which of its stacks


class _Probed(TypedDict):
    """What the probe saw, in this run."""

    name: str
    functions: _Functions
    memory: _Memory | None


class _Stacks(TypedDict):
    """Case → its stacks, of this run."""

    name: str
    trees: dict[str, stacks.Shown]


def _cases(run: Run) -> dict[str, _Operation]:
    """Operation → its sets' cases, those over stack sizes, and what its total consists of: the page has no rules
    of its own."""
    found: dict[str, _Operation] = {}
    for operation in dict.fromkeys(run.measured["operation"]):
        rows = tables.plain(run, operation)
        if rows.empty and not any(one.operation == operation for one in curves.curves_of(run)):
            continue
        there = set((run.measured[run.measured["operation"] == operation] if rows.empty else rows)["phase"])
        phases = [name for name in columns.phases() if name in there]
        sweeps = {}
        for name in tables.stack_sweep(run, operation, phases[0]):
            more = run.measured[
                (run.measured["operation"] == operation)
                & (run.measured["namespaces"] == name)
                & run.measured["case"].str.match(tables.PLAIN)
                & run.measured["stack_bytes"].notna()
            ]
            sweeps[name] = {int(size): case for size, case in zip(more["stack_bytes"], more["case"])}
        found[operation] = {
            "sets": dict(zip(rows["namespaces"], rows["case"])),
            "phases": phases,
            "sweeps": sweeps,
            "segments": columns.segments(operation),
        }
    return found


def _functions(run: Run) -> _Functions:
    """The cases of interest; steps that an exact profile has by their own names are creation."""
    probe = run.probe
    found: _Functions = {}
    if probe is None:
        return found
    rows = probe[probe["self"].notna() & probe["case"].isin(tables.of_interest(probe["case"]))]
    rows = rows.assign(path=rows["path"].where(rows["path"].isin(tables.PATHS), tables.PATHS[0]))
    sums = rows.groupby(["case", "path", "function"], sort=False)[["self", "total", "calls_per_op"]].sum(min_count=1)
    for (case, path, function), row in sums.iterrows():
        known = [None if np.isnan(value) else round(float(value), 2) for value in row]
        found.setdefault(case, {}).setdefault(path, {})[function] = known
    return {case: found[case] for case in tables.of_interest(found)}


def _memory(run: Run) -> _Memory | None:
    table = tables.memory(run)
    if table.empty:
        return None
    sites = {
        case: [[*place, round(value, 1)] for place, value in tables.call_sites(run, case, 12).items()]
        for case in table.index
    }
    return {
        "cases": list(table.index),
        "allocators": list(table.columns),
        "bytes": table.round(1).to_numpy().T.tolist(),
        "sites": sites,
    }


def data(run: Run, probed: Run | None, stacked: Run | None) -> _Data:
    """The run's rows are its results.csv, as it is downloaded."""
    path = run.folder / "results.csv" if run.folder else run.path
    text = text_of(path)
    return {
        "name": run.name,
        "identity": run.identity(),
        "kernel": run.kernel,
        "clock": run.clock,
        "state": run.state,
        "csv": text,
        "operations": _cases(run),
        "quantiles": quantiles(run),
        "curves": curves_page.with_laws(run),
        "probed": probed.run_id if probed else None,
        "stacked": stacked.run_id if stacked else None,
    }


def _list(lines: list[str]) -> str:
    return "<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in lines) + "</ul>" if lines else ""


def _about(run: Run, probed: Run | None) -> str:
    """The words on one run, and on that of the probe beside it."""
    warned = summary.warnings(run)
    said = summary.summary(run)
    if probed and probed is not run:
        said += [f"{line} ({probed.name}, beside it)" for line in (*summary.probe(probed), *summary.memory(probed))]
    return (
        f"<article><h3>{html.escape(run.name)}</h3>"
        f"<p class='identity'>{html.escape(run.identity())}</p>{_list(said)}"
        + (f"<div class='warnings'><h4>Warnings</h4>{_list(warned)}</div>" if warned else "")
        + (
            f"<details><summary>What else belongs beside the figures</summary>{_list(notes)}</details>"
            if (notes := summary.notes(run))
            else ""
        )
        + "</article>"
    )


def title(runs: list[Run]) -> str:
    """The kernels and the days, which a page is told by from others. The clock of a lab's guest has no date."""
    kernels = list(dict.fromkeys(run.kernel for run in sorted(runs, key=lambda run: tables.version_key(run.kernel))))
    parts = [f"kernel {kernels[0]}" if len(kernels) == 1 else f"{len(kernels)} kernels, {kernels[0]} to {kernels[-1]}"]
    if days := sorted({str(run.info["started"])[:10] for run in runs if run.clock == "wall" and "started" in run.info}):
        parts.append(days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}")
    names = [run.name for run in runs]
    parts.append(", ".join(names) if len(names) <= 3 else f"{len(names)} runs")
    return f"nsbench: {' · '.join(parts)}"


def _contents(page: str) -> str:
    """Links to the sections."""
    sections = re.findall(r'<section id="([\w-]+)"><h2>(.*?)</h2>', page)
    return "".join(f'<li><a href="#{name}">{heading}</a></li>' for name, heading in sections)


def _environments(runs: list[Run]) -> str:
    """A table of all runs' environments; rows in which they differ are marked."""
    table = pd.DataFrame(
        {
            run.name: {
                **{str(k): str(v) for k, v in run.environment.items()},
                "nsbench": str(run.info.get("nsbench_version", "unknown")),
                "arguments": " ".join(map(str, run.info.get("arguments", []))),
            }
            for run in runs
        }
    ).fillna("unknown")
    head = "".join(f"<th>{html.escape(run.name)}</th>" for run in runs)
    body = "".join(
        f"<tr{' class=differs' if row.nunique() > 1 else ''}><th>{html.escape(name)}</th>"
        + "".join(f"<td>{html.escape(value)}</td>" for value in row)
        + "</tr>"
        for name, row in table.iterrows()
    )
    return f"<table><tr><th></th>{head}</tr>{body}</table>"


_Folded = list[tuple[Run, str] | None]  # of each run: the run that has its stacks, and these


def _of_stacks(folded: _Folded, least: float) -> dict[str, _Stacks]:
    """The trees by the run that has them."""
    trees = stacks.shown([stacks.trees(found[1] if found else "") for found in folded], least)
    return {found[0].run_id: {"name": found[0].name, "trees": of} for found, of in zip(folded, trees) if found}


def _payload(runs: list[Run], probed: list[Run | None], folded: _Folded) -> dict[str, object]:
    """What the page's scripts draw, without the stacks."""
    probes: dict[str, _Probed] = {
        run.run_id: {"name": run.name, "functions": _functions(run), "memory": _memory(run)} for run in probed if run
    }
    return {
        "runs": [data(run, probe, found[0] if found else None) for run, probe, found in zip(runs, probed, folded)],
        "kernels": sorted({run.kernel for run in runs}, key=tables.version_key),
        "probes": probes,
        "probabilities": PROBABILITIES,
        "kinds": kinds.KINDS,
        "dictionary": {
            one.name: {"unit": one.unit, "meaning": one.meaning} for one in columns.of("results.csv").values()
        },
        "ticks": columns.TICKS,
        "rows": tables.MAP_ROWS,
        "columns": tables.MAP_COLUMNS,
        "all": kinds.ALL,
    }


def build(runs: list[Run], folded: list[Path | None]) -> bytes:
    """The whole page. `folded` names files of stacks. Unreadable where it would be larger than a mail or a browser likes."""
    libraries.vendored()
    parts = [libraries.library(name) for name in libraries.VENDORED]
    given = {run.run_id: run for run in runs}
    probed = [found and given.get(found.run_id, found) for found in map(beside.probed, runs)]
    stacked = [
        found and (given.get(found[0].run_id, found[0]), found[1]) for found in map(beside.folded, runs, folded)
    ]
    payload = _payload(runs, probed, stacked)
    taken = {found.run_id for run, found in zip(runs, probed) if found and found is not run}
    changed = changes.as_html([run for run in runs if run.run_id not in taken])
    compared = [] if changed else [line for run in runs[1:] for line in summary.comparison(runs[0], run)]
    at_once = scaling_page.as_html(runs)
    filled = {
        "title": html.escape(title(runs)),
        "changes": f'<section id="changes"><h2>What changed</h2>{changed}</section>' if changed else "",
        "scaling": f'<section id="scaling"><h2>Samplers at once</h2>{at_once}</section>' if at_once else "",
        "style": "\n".join(
            [part[1] for part in parts] + [(SOURCES / "page.css").read_text(encoding="utf-8")]
        ),
        "summary": "".join(map(_about, runs, probed))
        + (f"<article><h3>Side by side</h3>{_list(compared)}</article>" if compared else ""),
        "environment": _environments(runs),
        "licences": "".join(part[2] for part in parts),
        "libraries": "".join(f"<script>{part[0]}</script>\n" for part in parts),
        "scripts": "".join(
            f"<script>{(SOURCES / name).read_text(encoding='utf-8')}</script>\n" for name in SCRIPTS
        ),
    }
    template = (SOURCES / "page.html").read_text(encoding="utf-8")
    filled["contents"] = _contents(template.replace("{{changes}}", filled["changes"]).replace("{{scaling}}", filled["scaling"]))
    for least in stacks.LEAST_SHARES:
        filled["data"] = _packed(payload | {"stacks": _of_stacks(stacked, least), "least": least})
        page = re.sub(r"\{\{(\w+)\}\}", lambda match: filled[match[1]], template).encode()
        if len(page) <= MOST_BYTES:
            return page
    raise Unreadable(
        f"the report of {len(runs)} runs would be {len(page) / 1e6:.1f} MB, and at most {MOST_BYTES / 1e6:g} MB is "
        "sensible: give fewer runs, or runs of fewer cases (nsbench --filter)"
    )


def _packed(payload: dict[str, object]) -> str:
    """As data.js unpacks it."""
    text = json.dumps(payload, separators=(",", ":"), allow_nan=False).encode()
    return base64.b64encode(gzip.compress(text, 9, mtime=0)).decode()
