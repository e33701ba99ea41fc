"""nsbench against the yardstick: a bare static C program with clone, waitpid and the clock (bench/yardstick.c).

Both make blocks of the same shape, at the same distance. How long a CPU had nothing to do before a block, and what kept the other
ones awake meanwhile, moves its times by up to a tenth: so the yardstick waits before each block as long as nsbench did."""
import csv
import os
import random
import shlex
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from analysis import programs
from analysis.blocks import blocks_of, shape
from analysis.running import output_of
from analysis.script import Unreadable

TENTHS = 10  # a block has at most a tenth of a run's samples; a run of more would be further from its pair's other
WHOLE = 160  # samples of a run in which each block is whole
LIMITS = (0.97, 1.03)
CASES = {"none": 0, "NEWPID": 0x20000000, "NEWNET": 0x40000000}
PHASES = ("create", "total")

Ratios = dict[tuple[str, str], list[tuple[float, float]]]  # by case and phase: the ratio of a pair, and the yardstick's median in ns


@dataclass
class Blocks:
    """How nsbench takes a case: samples at the beginning of a block that do not count, those that do, and seconds between blocks."""

    lead_in: int
    counted: int
    pause: float

    @property
    def samples(self) -> int:
        """The fewest of a run in which blocks are as long as ever. The machine's level changes within seconds."""
        return TENTHS * self.counted


def seconds_between(folder: Path, blocks: int) -> float:
    """Of a run of one case: what its rounds took besides its samples, for each block."""
    with open(folder / "rounds.csv", encoding="utf-8", newline="") as rounds, \
            open(folder / "samples.csv", encoding="utf-8", newline="") as samples:
        took = sum(float(row["seconds"]) for row in csv.DictReader(rounds) if row["round"] != "0")
        measured = sum(float(row["total"]) for row in csv.DictReader(samples) if row["round"] != "0" and row["total"]) / 1e9
    return max(0.0, took - measured) / blocks


def blocks_of_case(build: Path, case: str) -> Blocks:
    """As it is taken alone."""
    with tempfile.TemporaryDirectory() as folder:
        output_of(build / "nsbench", "--quiet", f"--out={folder}/run", f"--case={case}", f"--samples={WHOLE}")
        blocks = blocks_of(Path(folder) / "run")[case]
        return Blocks(*shape(blocks), seconds_between(Path(folder) / "run", len(blocks)))


def medians_of_yardstick(build: Path, flags: int, blocks: Blocks) -> dict[str, float]:
    """Of create and total, in ns. This process waits as nsbench does: on the other CPUs, awake now and then. Where nothing keeps
    those awake, create of NEWNET takes 14% longer on a busy machine: most likely since the kernel's workers then run there, and
    give memory back."""
    program = programs.find("nsbench-yardstick", build)
    if program is None:
        raise Unreadable(f"nsbench-yardstick is missing: {programs.remedy()}")
    cpus = os.sched_getaffinity(0)
    cpu = max(cpus)
    length = blocks.lead_in + blocks.counted
    words = [str(program), f"{flags:x}", str(length), str(TENTHS), str(round(blocks.pause * 1e6))]
    os.sched_setaffinity(0, cpus - {cpu} or cpus)
    try:
        with subprocess.Popen(words, stdout=subprocess.PIPE, encoding="utf-8",
                              preexec_fn=lambda: os.sched_setaffinity(0, {cpu})) as process:
            while process.poll() is None:
                time.sleep(0.001)
            said = process.stdout.read() if process.stdout else ""
    finally:
        os.sched_setaffinity(0, cpus)
    if process.returncode:
        raise Unreadable(f"{shlex.join(words)} ended with {process.returncode}")
    samples = [tuple(map(int, line.split())) for i, line in enumerate(said.splitlines()) if i % length >= blocks.lead_in]
    return {phase: statistics.median(sample[i] for sample in samples) for i, phase in enumerate(PHASES)}


def ratios(build: Path, pairs: int, rows: Callable[..., list[dict[str, str]]], done: Callable[[int], None]) -> Ratios:
    """Of so many pairs in random order. rows(build, OPTION...): those of a run of nsbench."""
    found: Ratios = {}
    ids = {name: f"clone/{name}/stack:1M" for name in CASES}
    alike = {name: blocks_of_case(build, case) for name, case in ids.items()}
    for pair in range(pairs):
        for name, flags in CASES.items():
            medians = {}
            for side in random.sample(("nsbench", "yardstick"), 2):
                if side == "nsbench":
                    medians[side] = {row["phase"]: float(row["median"])
                                     for row in rows(build, f"--case={ids[name]}", f"--samples={alike[name].samples}")}
                else:
                    medians[side] = medians_of_yardstick(build, flags, alike[name])
            for phase in PHASES:
                bare = medians["yardstick"][phase]
                found.setdefault((name, phase), []).append((medians["nsbench"][phase] / bare, bare))
        done(pair)
    return found


def within(found: Ratios, pairs: int, say: Callable[[str], None]) -> bool:
    """Whether each median ratio is within the limits; says them all."""
    say(f"{'case':<10} {'phase':<7} {'yardstick':>12} {'ratio':>7} {'quartiles':>16}")
    good = True
    for (name, phase), values in found.items():
        of_pairs = [ratio for ratio, _ in values]
        middle = statistics.median(of_pairs)
        low, _, high = statistics.quantiles(of_pairs, n=4)
        good = good and LIMITS[0] <= middle <= LIMITS[1]
        bare = statistics.median(bare for _, bare in values)
        say(f"{name:<10} {phase:<7} {bare / 1000:>9.1f} µs {middle:>7.3f} {low:>8.3f}…{high:.3f}")
    say(f"{pairs} pairs; the median ratio is to be between {LIMITS[0]} and {LIMITS[1]}")
    return good
