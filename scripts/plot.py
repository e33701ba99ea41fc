#!/usr/bin/python3
"""Plots of one run or several: PNG or SVG files for a text, a talk, a wall.

    nsbench --probe --out=run && scripts/plot.py run -o plots

Each plot is made of what the runs have; what cannot be made is named with its reason. For an interactive page with the
same figures see report.py.
"""
from analysis import interrupt  # first, for a Ctrl-C among the imports
import logging
import sys
import traceback
from pathlib import Path

from analysis import outputs, stacks
from analysis.options import FORMATS, LETTERS, Parser
from analysis.script import Unreadable, main


def parser() -> Parser:
    """The command line."""
    one = Parser(
        prog="plot.py",
        description=__doc__.splitlines()[0],
        epilog="Exit codes: 0 plots were made; 2 wrong use, or a run that cannot be read.",
    )
    one.add_argument("runs", nargs="+", metavar="RUN", help="a run's folder, or a results.csv; or what nsbench churn has written")
    one.add_argument(
        "-o", "--out", type=Path, default=Path("plots"), metavar="DIR", help="where to (plots)"
    )
    one.add_argument("--format", default="png", metavar="FORMAT[,…]", help=f"{', '.join(FORMATS)} (png)")
    one.add_argument(
        "--only",
        default="",
        metavar="LETTERS",
        help="plots by their letters: af for the heat maps and kernels",
    )
    one.add_argument(
        "--folded",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help=f"the run's folded stacks, where they are not its {stacks.FILE}; once for each run, in order",
    )
    one.add_argument("--quiet", action="store_true", help="do not say what was made")
    return one


def body(words: list[str]) -> int:
    """The script."""
    options = parser().parse_args(words)
    formats = list(dict.fromkeys(options.format.split(",")))
    for name in formats:
        if name not in FORMATS:
            raise Unreadable(f"--format={options.format}: {name!r}; known are {', '.join(FORMATS)}")
    if wrong := set(options.only) - set(LETTERS):
        raise Unreadable(f"--only={options.only}: {min(wrong)!r}; the letters are a to {LETTERS[-1]}")
    # A user may have no home that can be written; matplotlib, as it is imported, then takes a fresh folder, which it removes, and says so.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    from analysis import limits, plot_style, plots, plots_churn, scaling  # only now: --help is there without pandas and matplotlib
    interrupt.ready()

    loads = [plots_churn.read_load(path) for path in options.runs if plots_churn.is_load(path)]
    paths = [path for path in options.runs if not plots_churn.is_load(path)]
    runs = limits.read_runs(paths) if paths else []
    wanted = [*(plots.plots(runs, options.folded) if runs else ()), *plots.of_loads(loads)]
    outputs.own_folder(options.out)
    # That one run has no kernels to compare, or no samplers at once, is news only where these are asked for.
    without = {"f": len(runs) < 2, "j": not any(map(scaling.has_levels, runs))}
    letters = [letter for letter in LETTERS if not without.get(letter)]
    made = mistakes = 0
    for plot in wanted:
        if plot.letter not in (options.only or letters):
            continue
        try:
            figure = plot.make()
        except (Unreadable, OSError):
            raise
        except Exception:  # a mistake of the plot's, which must not cost the others
            traceback.print_exc()
            mistakes += 1
            continue
        if isinstance(figure, str):
            if not options.quiet:
                print(f"not made: {plot.name}: {figure}", file=sys.stderr)
            continue
        for path in plot_style.save(figure, options.out, plot.name, formats):
            made += 1
            if not options.quiet:
                print(path)
    if mistakes:
        raise Unreadable(f"{mistakes} plots could not be made by a mistake of this script: see above")
    if not made:
        raise Unreadable("nothing to draw" + ("; without --quiet each plot says why" if options.quiet else ": each plot says above why"))
    return 0


if __name__ == "__main__":
    main(body, "plot.py")
