#!/usr/bin/python3
"""What one machine's runs say over months, and since when it is otherwise.

    nsbench --out=run && scripts/history.py add run
    scripts/history.py show

`add` puts runs of the wall clock into the history's file, and then shows its change points: E-divisive, by a permutation test, with all
rows taken into account. Runs of the instruction clock have no noise: for these see scripts/lab.py history.
Exit codes: 0 shown; 2 usage, or a run that cannot be read, is there already, or is another machine's.
"""
from analysis import interrupt  # first, for a Ctrl-C among the imports
import argparse
from pathlib import Path

from analysis.options import Parser
from analysis.script import main

FILE = "nsbench-history.csv"


def parser() -> Parser:
    """The command line."""
    top = Parser(prog="scripts/history.py", description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = top.add_subparsers(dest="command", required=True)
    add = commands.add_parser("add", help="runs into the history")
    add.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a run's folder, or its results.csv")
    for one in (add, commands.add_parser("show", help="its change points")):
        one.add_argument("--file", type=Path, default=Path(FILE), metavar="FILE", help="the history (%(default)s)")
    return top


def history(words: list[str]) -> int:
    """The script."""
    options = parser().parse_args(words)
    from analysis import sources, wall_history  # only now: --help is there without pandas and scipy
    interrupt.ready()
    points = wall_history.read(options.file)
    if options.command == "add":
        for source in sources.side(options.runs):
            points = wall_history.added(points, wall_history.points_of(source))
        wall_history.write(options.file, points)
    found, long, rows = wall_history.changes(points)
    runs = len({point.run_id for point in points})
    for one in found:
        print(f"{one.key[0]} {one.key[1]}: {one.point.ratio - 1:+.1%} since {one.after.started} ({one.point.before:.4g} → "
              f"{one.point.after:.4g} ns, {', '.join([f'p {one.point.p:.2g}', *one.beside])})")
    print(f"{len(found)} change points in {long} rows of {runs} runs"
          + (f"; {rows - long} rows have too few runs" if long < rows else ""))
    return 0


if __name__ == "__main__":
    main(history, "history")
