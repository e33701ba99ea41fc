"""Does a sample's place in its block explain anything?"""
import math
from pathlib import Path

from analysis.blocks import LATE, SHOWN, Block, middle, ratios, shape
from analysis.running import recorded_blocks

LONG_BLOCK = 40  # samples, so that a block has late ones
POSITION_LIMIT = 0.01  # by how much a block's counted samples may be dearer than late ones
# Cases of all classes of blocks, the long ones by themselves: a block of theirs takes as long as a round of the others.
OF_ALL_CLASSES = (("--op=clone,unshare,setns,proc_remount", "--stack=1M", "--filter=^(setns|proc_remount)/|/[A-Za-z]+(/stack:1M)?$"),
                  ("--op=container,runtime", ))


def position(build: Path, seconds: int) -> bool:
    """Prints by how much each place in a block is dearer than late ones, and so what counts of a block as nsbench shapes it."""
    short: dict[str, list[Block]] = {}
    long: dict[str, list[Block]] = {}
    for cases in OF_ALL_CLASSES:
        endless = (*cases, "--precision=0.001%")
        short |= recorded_blocks(build, *endless, "--budget=10s")
        long |= recorded_blocks(build, *endless, f"--budget={seconds}s", "--lead-in=0", f"--block={LONG_BLOCK}")
    groups: dict[tuple[str, tuple[int, int]], list[Block]] = {}
    for case, blocks in long.items():
        if case in short:
            groups.setdefault((case.split("/")[0], shape(short[case])), []).extend(blocks)
    places = "".join(f"{f'#{place}':>7}" for place in SHOWN)
    print(f"{'operation':<13} {'blocks':<6} {'phase':<7} {'n':>5} {places} {'counted':>8}   95% interval")
    told: list[bool] = []
    for (operation, (lead_in, counted)), blocks in sorted(groups.items()):
        for phase in ("create", "switch", "start", "total"):
            what, low, high = middle(ratios(blocks, phase, lead_in, lead_in + counted))
            if math.isnan(what):
                continue
            told.append(low <= 1 + POSITION_LIMIT and high >= 1 - POSITION_LIMIT)
            row = "".join(f"{middle(ratios(blocks, phase, place, place + 1))[0]:>7.3f}" for place in SHOWN)
            print(f"{operation:<13} {f'{lead_in}+{counted}':<6} {phase:<7} {len(blocks):>5} {row} {what:>8.4f}   {low:.4f}…{high:.4f}")
    print(f"medians over blocks of {LONG_BLOCK} samples, over those of each block from #{LATE} on; what counts, the median of "
          f"a block's samples behind its lead-in, is to be within {POSITION_LIMIT:.0%} of 1, or not told from that")
    return bool(told) and all(told)
