#!/usr/bin/python3
"""How does a cost grow with a parameter?

    nsbench curves RUN...

The growth law of each case that was measured at several levels of a parameter: constant, log, linear, n log n, quadratic, or two
slopes with a bend, with what one more costs, what it starts at, how likely the law is among these and which is its rival, and how
far figures lie from it. A RUN is a folder that `nsbench --curve=KEY:LOW..HIGH --out` wrote, or its results.csv; several runs, of
other kernels for example, are shown beside one another.
Exit codes: 0 shown; 2 usage, or runs that cannot be read, or have no curve.
"""
from analysis import interrupt  # first, for a Ctrl-C among the imports
import argparse

from analysis.options import Parser, names, nearest
from analysis.script import Unreadable, main

MORE = """laws are compared by AICc, Akaike's criterion for few points; a weight is a law's likelihood among the six. A cost with
fewer than six levels has no law. Counts of the lab are exact: their slopes have no intervals, and where the best law is
more than 5% off at any level, no law of these fits"""
FORMATS = ("text", "markdown", "json", "csv")


def parser() -> Parser:
    """The command line."""
    one = Parser(prog="scripts/curves.py", description=__doc__, epilog=MORE, allow_abbrev=False,
                 formatter_class=argparse.RawDescriptionHelpFormatter)
    one.add_argument("runs", nargs="+", metavar="RUN", help="a run's folder, or a results.csv")
    one.add_argument("--phase", type=names, metavar="PHASE,...", help="these, or all (the first of each operation)")
    one.add_argument("--of", metavar="KEY", help="over this parameter alone (each that has several levels)")
    one.add_argument("--plot", action="store_true", help="draw each curve, in letters, below its table")
    one.add_argument("--laws-alone", action="store_true", help="without the lines that say which runs these are")
    one.add_argument("--format", choices=FORMATS, default="text",
                     help="csv: a row for each coefficient on standard output, all else on standard error (%(default)s)")
    return one


def curves(words: list[str]) -> int:
    """The script."""
    options = parser().parse_args(words)
    from analysis import columns, curves as found, curves_text, limits  # only now: --help is there without pandas and statsmodels
    interrupt.ready()
    phases = options.phase
    if phases and "all" in phases:
        phases = columns.phases()
    for name in phases or ():
        if name not in columns.phases():
            raise Unreadable(f"--phase={name}: not a phase; phases are all, {', '.join(columns.phases())}"
                             f"{nearest(name, columns.phases())}")
    runs = limits.read_runs(options.runs)
    curves_text.render(runs, found.together(runs, options.of, phases), options.format, options.plot, not options.laws_alone)
    return 0


if __name__ == "__main__":
    main(curves, "curves")
