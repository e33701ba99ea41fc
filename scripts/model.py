#!/usr/bin/python3
"""What do sets of namespaces cost: the sum of their kinds, or more?

    nsbench model RUN...

A model of the sets as a diagnosis: what each kind adds to the call, what any kind but NEWUSER adds once, and what some kinds
add together beyond their sum, with intervals; how much that leaves unexplained, and which sets do not follow. A RUN is a
folder that `nsbench --out` wrote, or its results.csv; a folder of `--repeat` is several runs. Of several runs the intervals
include how runs scatter; one run does not know that.
Exit codes: 0 shown; 2 usage, or runs that cannot be read, do not belong together, or have too few sets.
"""
from analysis import interrupt  # first, for a Ctrl-C among the imports
import argparse
from pathlib import Path

from analysis.options import Parser, names
from analysis.script import Unreadable, main

MORE = """terms are chosen by the Bayesian information criterion (BIC): pairs of kinds first, then triples with their pairs.
Counts of the lab are exact: their terms have no intervals, and what the terms miss is in the residuals"""
FORMATS = ("text", "markdown", "csv", "json")


def parser() -> Parser:
    """The command line."""
    one = Parser(prog="scripts/model.py", description=__doc__, epilog=MORE, allow_abbrev=False,
                 formatter_class=argparse.RawDescriptionHelpFormatter)
    one.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a run's folder, or a results.csv")
    one.add_argument("--op", type=names, metavar="OP,...", help="operations (those whose sets the runs have: clone, unshare)")
    one.add_argument("--phase", default="create", metavar="PHASE", help="the phase (%(default)s)")
    one.add_argument("--format", choices=FORMATS, default="text",
                     help="csv: the terms on standard output, all else on standard error (%(default)s)")
    return one


def model(words: list[str]) -> int:
    """The script."""
    options = parser().parse_args(words)
    from analysis import columns, model_runs, model_text  # only now: --help is there without pandas and statsmodels
    interrupt.ready()
    if options.phase not in columns.phases():
        raise Unreadable(f"--phase={options.phase}: not a phase; phases are {', '.join(columns.phases())}")
    for name in options.op or ():
        if columns.operation(name) is None:
            raise Unreadable(f"--op={name}: not an operation")
    runs = model_runs.together(options.runs)
    model_text.render(runs, model_runs.models(runs, options.op, options.phase), options.format)
    return 0


if __name__ == "__main__":
    main(model, "model")
