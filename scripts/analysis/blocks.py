"""The samples of a run, block by block, and what their place in a block explains."""
import csv
import math
import statistics
from dataclasses import dataclass, field
from pathlib import Path

Z95 = 1.96
LATE = 24  # the place from which on samples are late ones: long after what a block begins with has been forgotten
SHOWN = (0, 1, 2, 3, 4, 6, 8, 12, 16)  # places that are printed


@dataclass
class Block:
    """Of one sampler: how many samples came first and were not counted, and each phase's times, place by place."""

    lead_in: int = 0
    times: dict[str, list[float]] = field(default_factory=dict)

    @property
    def counted(self) -> int:
        return max(map(len, self.times.values()), default=0) - self.lead_in


def blocks_of(folder: Path) -> dict[str, list[Block]]:
    """The whole blocks of each case of a run with one sampler, without the warm-up."""
    found: dict[tuple[str, str], Block] = {}
    with open(folder / "samples.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["errno"] or row["round"] == "0":
                continue
            block = found.setdefault((row["case"], row["block"]), Block())
            block.lead_in += row["counted"] == "0"
            for phase in ("create", "switch", "start", "total"):
                if row.get(phase):
                    block.times.setdefault(phase, []).append(float(row[phase]))
    cases: dict[str, list[Block]] = {}
    for (case, _), block in found.items():
        cases.setdefault(case, []).append(block)
    return cases


def shape(blocks: list[Block]) -> tuple[int, int]:
    """Lead-in and counted samples of a whole block; the last one of a fixed number is shorter."""
    return blocks[0].lead_in, max(block.counted for block in blocks)


def ratios(blocks: list[Block], phase: str, begin: int, end: int) -> list[float]:
    """Of each block: the median of these places over that of its late ones."""
    return [statistics.median(times[begin:end]) / late for block in blocks
            if len(times := block.times.get(phase, [])) > LATE and (late := statistics.median(times[LATE:])) > 0]


def middle(values: list[float]) -> tuple[float, float, float]:
    """The median and its 95% interval; NaN for none."""
    if not values:
        return math.nan, math.nan, math.nan
    ordered, half = sorted(values), Z95 * math.sqrt(len(values)) / 2
    low, high = math.floor(len(ordered) / 2 - half), math.ceil(len(ordered) / 2 + half)
    return statistics.median(ordered), ordered[max(0, low)], ordered[min(len(ordered) - 1, high)]
