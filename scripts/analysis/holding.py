"""Do nsbench's intervals hold the truth, on synthetic runs?"""
import csv
import itertools
import json
import math
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from analysis import coverage, programs
from analysis.running import output_of, standard_error
from analysis.script import Unreadable

ROUNDS = (10, 25, 100)
BLOCKS = (16, 8, 4)  # counted samples, as run/block_shape.h has them, and what lies between
HELD_LIMIT, HELD_AT_STOP_LIMIT = 0.93, 0.9
STOP_PRECISIONS, MOST_ROUNDS = (0.01, 0.02, 0.05), 256  # the latter as where a budget ends


def template(build: Path, folder: Path) -> tuple[dict[str, Any], list[str]]:
    """run.json and the columns of samples.csv as this nsbench writes them."""
    output_of(build / "nsbench", "--case=clone/none/stack:1M", "--samples=1", "--quiet", f"--out={folder}")
    with (folder / "samples.csv").open(newline="") as file:
        header = next(csv.reader(file))
    return json.loads((folder / "run.json").read_text()), header


def held_in_cell(build: Path, place: Path, model: coverage.Model, rounds: int, per_block: int, trials: int,
                 seed: int) -> tuple[float, float, float]:
    """How often the median's and the difference's interval hold the truth, and the middle precision."""
    info, header = template(build, place / "template")
    random = np.random.default_rng((seed, rounds, per_block))
    found: list[tuple[bool, bool, float]] = []
    while len(found) < trials:
        of_run = min(coverage.CASES, math.ceil((trials - len(found)) / len(coverage.PHASES))) * len(coverage.PHASES)
        coverage.write(place, info, header, *coverage.pairs(model, random, of_run, rounds, per_block))
        output_of(build / "nsbench", "summary", place, "--quiet")
        with (place / "results.csv").open(newline="") as file:
            found += coverage.held(list(csv.DictReader(file)), coverage.truths(model, per_block))
    medians, deltas, widths = zip(*found[:trials])
    return sum(medians) / trials, sum(deltas) / trials, statistics.median(widths)


def held_after_rounds(build: Path, trials: int, seed: int) -> bool:
    """Counts how often `nsbench summary` finds intervals that hold the truth."""
    print(f"{'blocks of':<29} " + " ".join(f"{f'{per_block} samples':^25}" for per_block in BLOCKS))
    print(f"{'samples':<22} {'rounds':>6} " + " ".join(f"{'median':>7} {'delta':>8} {'middle':>8}" for _ in BLOCKS))
    good = True
    for model, rounds in itertools.product(coverage.MODELS, ROUNDS):
        cells = []
        for per_block in BLOCKS:
            with tempfile.TemporaryDirectory() as place:
                share, of_delta, width = held_in_cell(build, Path(place), model, rounds, per_block, trials, seed)
            good = good and share >= HELD_LIMIT and of_delta >= model.limit
            cells.append(f"{share:>7.1%} {f'{of_delta:.1%}' + ' *'[model.limit < HELD_LIMIT]:>8} {f'±{width:.1%}':>8}")
        print(f"{model.name:<22} {rounds:>6} {' '.join(cells)}", flush=True)
    print(f"median, delta: how often it is in its interval; middle: of the median's intervals. {trials} trials; at least "
          f"{HELD_LIMIT:.0%} must (*: "
          f"{min(model.limit for model in coverage.MODELS):.0%}, since\nthe level is a part of the difference); standard error: "
          f"{standard_error(HELD_LIMIT, trials):.1%}")
    return good


def held_at_stops(build: Path, trials: int, seed: int) -> bool:
    """Counts how often the interval of a run that was stopped when it seemed precise holds the truth."""
    print(f"{'blocks of':<31} " + " ".join(f"{f'{per_block} samples':^15}" for per_block in BLOCKS))
    print(f"{'samples':<22} {'stops at':>8} " + " ".join(f"{'median':>7} {'rounds':>7}" for _ in BLOCKS))
    good = True
    for model in coverage.MODELS:
        cells: dict[float, list[str]] = {precision: [] for precision in STOP_PRECISIONS}
        for per_block in BLOCKS:
            random = np.random.default_rng((seed, MOST_ROUNDS, per_block))
            values = coverage.pairs(model, random, trials, MOST_ROUNDS, per_block)[1].astype(int).reshape(trials, -1)
            text = "\n".join(" ".join(map(str, line)) for line in values.tolist())
            for precision in STOP_PRECISIONS:
                said = output_of(stops_of(build), str(precision), str(MOST_ROUNDS), str(per_block), given=text)
                ends = [tuple(map(float, line.split())) for line in said.splitlines()]
                share = sum(low <= coverage.truths(model, per_block, rounds / MOST_ROUNDS)[0] <= high
                            for rounds, low, high in ends) / trials
                good = good and share >= HELD_AT_STOP_LIMIT
                cells[precision].append(f"{share:>7.1%} {statistics.median(end[0] for end in ends):>7.0f}")
        for precision, of_blocks in cells.items():
            print(f"{model.name:<22} {f'±{precision:.0%}':>8} {' '.join(of_blocks)}", flush=True)
    print(f"rounds: the middle of those after which a run stopped. {trials} trials of at most {MOST_ROUNDS} rounds; at least "
          f"{HELD_AT_STOP_LIMIT:.0%} must; standard\nerror: {standard_error(HELD_AT_STOP_LIMIT, trials):.1%}")
    return good


def stops_of(build: Path) -> Path:
    """The program that says where a run would stop. Unreadable where there is none: half of the answer would be missing."""
    program = programs.find("nsbench-stops", build)
    if program is None:
        raise Unreadable(f"no nsbench-stops in {build}: {programs.remedy()}")
    return program


def held(build: Path, trials: int, seed: int) -> bool:
    """Both; the second also where the first has said no."""
    stops_of(build)
    after_rounds = held_after_rounds(build, trials, seed)
    return held_at_stops(build, trials, seed) and after_rounds
