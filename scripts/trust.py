#!/usr/bin/python3
"""How far nsbench's own figures can be trusted, measured.

    scripts/trust.py yardstick [--pairs=N]            nsbench against a bare static C program, interleaved
    scripts/trust.py aa [--trials=N]                  one case twice in a run: how often are they told apart?
    scripts/trust.py compare [--trials=N] [--seed=N]  compare.py on synthetic runs whose truth is known

The first two need root for the namespaces. Times are wall time in ns; ratios are nsbench's median over the yardstick's.
Exit codes: 0 within the limits printed, 1 not, 2 usage.
"""
from answers import interrupt  # first, for a Ctrl-C among the imports
import argparse
import csv
import io
import math
import os
import random
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

BLOCKS = 10  # nsbench spreads a fixed number of samples over so many rounds
LEAD_IN = 2  # uncounted samples at the start of each of its blocks
PER_BLOCK = 60
RATIO_LIMITS = (0.97, 1.05)
FALSE_ALARM_LIMIT = 0.08
# Of comparisons of 100 rows with 10 runs a side, at compare.py's defaults.
COMPARED_ROWS, RUNS_A_SIDE, TRUE_CHANGE, ALPHA, THRESHOLD = 100, 10, 0.05, 0.05, 0.02
ALARMS_LIMIT, FOUND_LIMIT = 0.05, 0.9
CASES = {"none": 0, "NEWPID": 0x20000000, "NEWNET": 0x40000000}


def nsbench_rows(build: Path, *options: str) -> list[dict[str, str]]:
    """The rows of results.csv, as dictionaries, of one run."""
    done = subprocess.run([build / "nsbench", "--csv=-", *options], check=True, capture_output=True, text=True)
    return list(csv.DictReader(io.StringIO(done.stdout)))


def measure_nsbench(build: Path, name: str) -> dict[str, float]:
    """Medians of create and total, in ns."""
    rows = nsbench_rows(build, f"--filter=^clone/{name}/stack:1M$", f"--samples={BLOCKS * PER_BLOCK}")
    return {row["phase"]: float(row["median"]) for row in rows if row["median"]}


def measure_yardstick(build: Path, flags: int) -> dict[str, float]:
    """The same from the yardstick: as many processes as nsbench has blocks, each as long as one of its blocks."""
    cpu = max(os.sched_getaffinity(0))
    samples: list[tuple[int, ...]] = []
    for _ in range(BLOCKS):
        done = subprocess.run(
            [build / "nsbench-yardstick", f"{flags:x}", str(PER_BLOCK + LEAD_IN)],
            check=True, capture_output=True, text=True, preexec_fn=lambda: os.sched_setaffinity(0, {cpu}),
        )
        samples += [tuple(map(int, line.split())) for line in done.stdout.splitlines()[LEAD_IN:]]
        if flags:
            time.sleep(0.2)  # the kernel's workers tear the namespaces down meanwhile
    return {phase: statistics.median(s[i] for s in samples) for i, phase in enumerate(("create", "total"))}


def yardstick(build: Path, pairs: int) -> bool:
    """Interleaves both in pairs of random order and prints the ratios."""
    ratios: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for pair in range(pairs):
        for name, flags in CASES.items():
            medians = {}
            for side in random.sample(("nsbench", "yardstick"), 2):
                medians[side] = measure_nsbench(build, name) if side == "nsbench" else measure_yardstick(build, flags)
            for phase in ("create", "total"):
                ratio = medians["nsbench"][phase] / medians["yardstick"][phase]
                ratios.setdefault((name, phase), []).append((ratio, medians["yardstick"][phase]))
        print(f"\rpair {pair + 1} of {pairs}", end="", file=sys.stderr)
    print(file=sys.stderr)
    print(f"{'case':<10} {'phase':<7} {'yardstick':>12} {'ratio':>7} {'quartiles':>16}")
    good = True
    for (name, phase), values in ratios.items():
        of_pairs = [ratio for ratio, _ in values]
        middle = statistics.median(of_pairs)
        low, _, high = statistics.quantiles(of_pairs, n=4)
        good = good and RATIO_LIMITS[0] <= middle <= RATIO_LIMITS[1]
        bare = statistics.median(bare for _, bare in values)
        print(f"{name:<10} {phase:<7} {bare / 1000:>9.1f} µs {middle:>7.3f} {low:>8.3f}…{high:.3f}")
    print(f"{pairs} pairs; the median ratio is to be between {RATIO_LIMITS[0]} and {RATIO_LIMITS[1]}")
    return good


def same_twice(build: Path, trials: int) -> bool:
    """Counts how often the interval of the difference of a case to itself leaves out zero."""
    alarms: dict[tuple[str, str], list[bool]] = {}
    for trial in range(trials):
        rows = nsbench_rows(build, "--op=clone", "--ns=none", "--ns=pid", "--stack=1M", "--with=twin:yes",
                            "--samples=100", f"--seed={random.getrandbits(32)}")
        for row in rows:
            if row["delta_low"]:
                outside = float(row["delta_low"]) > 0 or float(row["delta_high"]) < 0
                alarms.setdefault((row["namespaces"], row["phase"]), []).append(outside)
        print(f"\rtrial {trial + 1} of {trials}", end="", file=sys.stderr)
    print(file=sys.stderr)
    good = True
    for (name, phase), outcomes in alarms.items():
        share = sum(outcomes) / len(outcomes)
        good = good and share <= FALSE_ALARM_LIMIT
        print(f"{name:<8} {phase:<7} {sum(outcomes):>4} of {len(outcomes)} intervals leave out zero: {share:.1%}")
    print(f"at most {FALSE_ALARM_LIMIT:.0%} may")
    return good


def known_truths(trials: int, seed: int) -> bool:
    """Counts how often compare.py's statistics call anything a change where nothing is, and miss one that is there."""
    import numpy
    from answers.trials import TRUTHS, outcomes, single_alarms
    print(f"{trials} A/A comparisons of {COMPARED_ROWS} rows, {RUNS_A_SIDE} runs a side; "
          f"then one row slower by {TRUE_CHANGE:.0%}")
    print(f"{'runs':<25} {'false alarm in any row':>22} {'without the threshold':>22} {'slower row found':>17}")
    good = True

    def error(share: float) -> float:
        """Of a share counted in so many trials, were that its true value."""
        return math.sqrt(share * (1 - share) / trials)

    for truth in TRUTHS:
        counts = outcomes(truth, numpy.random.default_rng(seed), trials, COMPARED_ROWS, RUNS_A_SIDE, TRUE_CHANGE, THRESHOLD,
                          ALPHA)
        alarms, resolved, found = (count / trials for count in counts)
        good = good and alarms <= ALARMS_LIMIT and found >= FOUND_LIMIT
        print(f"{truth.name:<25} {alarms:>22.1%} {resolved:>22.1%} {found:>17.1%}", flush=True)
    quiet = TRUTHS[0]
    for truth, what in ((replace(quiet, run=0, row_in_run=0), "all alike"), (quiet, "quiet")):
        alarms = single_alarms(truth, numpy.random.default_rng(seed), trials, COMPARED_ROWS, THRESHOLD, ALPHA) / trials
        good = good and alarms <= ALARMS_LIMIT
        print(f"{f'one run a side, {what}':<25} {alarms:>22.1%}")
    print(f"at most {ALARMS_LIMIT:.0%} may, at least {FOUND_LIMIT:.0%} must; standard errors: "
          f"{error(ALARMS_LIMIT):.1%} and {error(FOUND_LIMIT):.1%}")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=Path(__file__).resolve().parent.parent / "build/release",
                        help="where nsbench was built")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("yardstick").add_argument("--pairs", type=int, default=15)
    commands.add_parser("aa").add_argument("--trials", type=int, default=200)
    of_compare = commands.add_parser("compare")
    of_compare.add_argument("--trials", type=int, default=500)
    of_compare.add_argument("--seed", type=int, default=1)
    interrupt.deadly()  # all along: it has nothing to put away
    options = parser.parse_args()
    if options.command == "compare":
        try:
            return 0 if known_truths(options.trials, options.seed) else 1
        except ImportError as error:
            parser.error(f"python3-{error.name} is missing: apt-get install python3-{error.name}")
    if not (options.build / "nsbench").exists():
        parser.error(f"no nsbench in {options.build}: scripts/nsbench builds it")
    good = (yardstick(options.build, options.pairs) if options.command == "yardstick"
            else same_twice(options.build, options.trials))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
