"""Runs whose median is known, as nsbench records them: does it lie within the intervals that nsbench gives?

A sample's time is its case's, times the machine's level in its round, times its block's, times noise. Each phase of each
case is a trial of its own: they share nothing.
"""
import csv
import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis.effects import Floats

BASE, ADDED = 20_000.0, 0.25  # ns of a case without namespaces, and the share that a set adds to it
PHASES = ("create", "ready", "exit", "total")
CASES = 250  # in a run, with a base each
SLOW_BLOCK = 0.15  # of a slow block's time, on top: a logarithm, like all that follows
LARGE = 1_000_000  # samples, of which a truth is taken


@dataclass(frozen=True)
class Model:
    """What times are like; sizes are standard deviations of a time's logarithm, so 0.03 is about 3%."""

    name: str
    inside: float = 0.0  # correlation of neighbouring samples of a block
    spikes: float = 0.0  # share of samples that are slower by a Pareto-distributed factor
    level: float = 0.0  # of the machine in a round; neighbouring rounds are correlated by 0.7
    drift: float = 0.0  # from the first round to the last, as a straight line
    slow: float = 0.0  # share of blocks that are slower as a whole
    noise: float = 0.05
    limit: float = 0.93  # of the share of `delta`'s intervals that must hold it: less where the level is a part of it


FOLLOWS = 0.7
MODELS = (
    Model("independent"),
    Model("correlated in blocks", inside=0.8),
    Model("heavy tails", spikes=0.1),
    Model("machine's level", level=0.03),
    Model("machine's level alone", level=0.03, noise=0.01, limit=0.9),
    Model("drift", drift=0.1),
    Model("bimodal blocks", slow=0.3),
    Model("all of these", inside=0.8, spikes=0.1, level=0.03, drift=0.1, slow=0.3),
)


def autoregressive(random: np.random.Generator, shape: tuple[int, ...], follows: float) -> Floats:
    """Of variance 1, along the last axis."""
    out: Floats = random.normal(size=shape)
    for i in range(1, shape[-1] if follows else 0):
        out[..., i] = follows * out[..., i - 1] + np.sqrt(1 - follows**2) * out[..., i]
    return out


def machine(model: Model, random: np.random.Generator, trials: int, rounds: int) -> Floats:
    """The logarithm of the machine's level: trial × round."""
    return (model.level * autoregressive(random, (trials, rounds), FOLLOWS)
            + model.drift * np.linspace(-0.5, 0.5, rounds))


def times(model: Model, random: np.random.Generator, level: Floats, per_block: int, base: float = BASE) -> Floats:
    """Of a block in each round: trial × round × sample, in whole ns."""
    shape = (*level.shape, per_block)
    log = level[..., None] + model.noise * autoregressive(random, shape, model.inside)
    spiked = random.random(shape) < model.spikes
    log[spiked] += np.log1p(random.pareto(1.5, int(spiked.sum())))
    log += SLOW_BLOCK * (random.random((*level.shape, 1)) < model.slow)
    return np.round(base * np.exp(log))


def pairs(model: Model, random: np.random.Generator, trials: int, rounds: int, per_block: int) -> tuple[Floats, Floats]:
    """Times of a base and of a set, in the same rounds, with so many counted samples in a block."""
    level = machine(model, random, trials, rounds)
    return times(model, random, level, per_block), times(model, random, level, per_block, BASE * (1 + ADDED))


@functools.cache
def truths(model: Model, per_block: int, measured: float = 1.0) -> tuple[float, float]:
    """The median of all times of the set that the model can give, and that of a round's difference to the base: in both
    each level of the drift that was measured is as likely as any other (`measured` is the share of its rounds), and each state
    of the machine as likely as it is in the long run."""
    random = np.random.default_rng(0)
    count = LARGE // per_block
    level = model.level * random.normal(size=count) + model.drift * random.uniform(-0.5, measured - 0.5, count)
    base, new = (times(model, random, level, per_block, of) for of in (BASE, BASE * (1 + ADDED)))
    return float(np.median(new)), float(np.median(np.median(new, axis=1) - np.median(base, axis=1)))


def cases(count: int) -> list[tuple[str, str]]:
    """Ids of bases and their sets: told apart by their stacks."""
    return [(f"clone/none/stack:{size}K", f"clone/NEWUTS/stack:{size}K") for size in range(16, 16 + 4 * count, 4)]


def write(folder: Path, info: dict[str, Any], header: list[str], base: Floats, new: Floats) -> None:
    """A run with that run.json and these times, case by case and phase by phase: trials by PHASES."""
    ids = cases(len(new) // len(PHASES))
    rounds, per_block = new.shape[1:]
    info = json.loads(json.dumps(info))
    info["in_userns"] = False
    info["options"]["samples"] = rounds * per_block
    info["options"]["selection"].update(cases=[of for _, of in ids], filter=None)
    info["measuring"]["rounds"] = rounds
    info["measuring"]["sample_lines"] = 2 * len(ids) * rounds * per_block
    (folder / "run.json").write_text(json.dumps(info))
    same = {"run_id": info["run_id"], "kernel": info["kernel"], "clock": info["clock"], "counted": "1", "machine": "0",
            "sampler": "0"}
    with (folder / "samples.csv").open("w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(header)
        at = [header.index(name) for name in ("round", "block", "sample", *PHASES)]
        for names, matrix in zip(zip(*ids), (base, new)):
            for i, name in enumerate(names):
                fields = [same.get(column, name if column == "case" else "") for column in header]
                own = matrix[i * len(PHASES):(i + 1) * len(PHASES)].reshape(len(PHASES), -1).T.astype(int).tolist()
                for sample, values in enumerate(own):
                    round_ = sample // per_block + 1
                    for column, value in zip(at, (round_, round_, sample, *values)):
                        fields[column] = value
                    out.writerow(fields)


def held(rows: list[dict[str, str]], truth: tuple[float, float]) -> Iterator[tuple[bool, bool, float]]:
    """Of each row of a set: whether its median's and its difference's interval hold the truth, and its precision."""
    for row in rows:
        if row["namespaces"] == "NEWUTS":
            yield (float(row["ci_low"]) <= truth[0] <= float(row["ci_high"]),
                   float(row["delta_low"]) <= truth[1] <= float(row["delta_high"]), float(row["precision"]))
