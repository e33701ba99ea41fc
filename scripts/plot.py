#!/usr/bin/python3
"""Plots of one run or several: PNG or SVG files for a text, a talk, a wall.

    nsbench --probe --out=run && scripts/plot.py run -o plots

Each plot is made of what the runs have; what cannot be made is named with its reason. For an interactive page with the
same figures see report.py.
"""
import argparse
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from answers import limits, read, stacks, views

FORMATS = ("png", "svg", "pdf")


def drawings(runs: list[read.Run], folded: list[Path]) -> Iterator[tuple[str, Callable[[], object]]]:
    """(file name, what makes the figure or says why there is none) of all plots."""
    from answers import draw_probe, draw_sets, draw_times

    for number, run in enumerate(runs):
        prefix = f"{run.name}-" if len(runs) > 1 else ""
        operations = views.set_operations(run) or ["clone"]
        for name in operations:
            yield f"{prefix}a-sets-{name}", partial(draw_sets.heat_map, run, name)
            yield f"{prefix}b-kinds-{name}", partial(draw_sets.added, run, name)
            yield f"{prefix}d-distributions-{name}", partial(draw_times.distributions, run, name)
        for name in ("clone", "proc_remount"):
            if name in set(run.measured["operation"]):
                yield f"{prefix}c-stack-{name}", partial(draw_sets.stack_sizes, run, name)
        yield f"{prefix}e-phases", partial(draw_times.phases, run, [*operations, "proc_remount"])
        yield f"{prefix}g-functions", partial(draw_probe.functions, run)
        text = stacks.of_run(run, folded[number] if number < len(folded) else None)
        yield f"{prefix}g-icicle", partial(draw_probe.icicle, run, text)
        yield f"{prefix}h-memory", partial(draw_probe.memory, run)
    if len(runs) > 1:
        for name in views.set_operations(runs[0]):
            yield f"f-kernels-{name}", partial(draw_times.kernels, runs, name)


def body(words: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="plot.py",
        description=__doc__.splitlines()[0],
        epilog="Exit codes: 0 plots were made; 2 wrong use, or a run that cannot be read.",
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a run's folder, or a results.csv")
    parser.add_argument(
        "-o", "--out", type=Path, default=Path("plots"), metavar="DIR", help="where to (plots)"
    )
    parser.add_argument("--format", default="png", metavar="FORMAT[,…]", help=f"{', '.join(FORMATS)} (png)")
    parser.add_argument(
        "--only",
        default="",
        metavar="LETTERS",
        help="plots by their letters: af for the heat maps and kernels",
    )
    parser.add_argument(
        "--folded",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help=f"the run's folded stacks, where they are not its {stacks.FILE}; once for each run, in order",
    )
    parser.add_argument("--quiet", action="store_true", help="do not say what was made")
    options = parser.parse_args(words)
    formats = list(dict.fromkeys(options.format.split(",")))
    for name in formats:
        if name not in FORMATS:
            raise read.Unreadable(f"--format={options.format}: {name!r}; known are {', '.join(FORMATS)}")
    if wrong := set(options.only) - set("abcdefgh"):
        raise read.Unreadable(f"--only={options.only}: {min(wrong)!r}; the letters are a to h")
    from answers import draw

    runs = limits.read_runs(options.runs)
    options.out.mkdir(parents=True, exist_ok=True)
    made = 0
    for name, make in drawings(runs, options.folded):
        bare = name.removeprefix(
            next((f"{run.name}-" for run in runs if len(runs) > 1 and name.startswith(f"{run.name}-")), "")
        )
        if options.only and bare[0] not in options.only:
            continue
        figure = make()
        if isinstance(figure, str):
            if not options.quiet:
                print(f"not made: {name}: {figure}", file=sys.stderr)
            continue
        for path in draw.save(figure, options.out, name, formats):
            made += 1
            if not options.quiet:
                print(path)
    if not made:
        raise read.Unreadable("nothing to draw: each plot says above why")
    return 0


if __name__ == "__main__":
    read.main(body, "plot.py")
