#!/usr/bin/python3
"""How do throughput and latency grow with the samplers that work at once?

    nsbench --op=clone --ns=net --parallel=1,2,4 --out=run && nsbench scaling run

Of each case that was measured with several numbers of samplers at once (`--parallel`): operations a second, how near to the ideal
that is, percentiles of an operation's latency, and where there are enough numbers within the machine's CPUs, the universal
scalability law. A RUN is a folder that `nsbench --out` wrote; one of `--repeat` is all of its repeats.
Exit codes: 0 shown; 2 usage, or a run that cannot be read or has nothing of the kind.
"""
from analysis import interrupt  # first, for a Ctrl-C among the imports
import argparse
from pathlib import Path

from analysis.options import Parser, expression
from analysis.script import Unreadable, main

MORE = """intervals are of 95%, by rounds that are drawn again. Samplers that share a CPU take turns on it, which is no concurrency:
beyond the CPUs there are figures, and no law"""
FORMATS = ("text", "markdown", "csv", "json")


def parser() -> Parser:
    """The command line."""
    one = Parser(prog="scripts/scaling.py", description=__doc__, epilog=MORE, allow_abbrev=False,
                 formatter_class=argparse.RawDescriptionHelpFormatter)
    one.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a run's folder")
    one.add_argument("--filter", type=expression, metavar="REGEX", help="only cases whose id, without parallel, matches")
    one.add_argument("--phase", default="total", metavar="PHASE",
                     help="the phase of the latencies (%(default)s, or an operation's first where it has none)")
    one.add_argument("--format", choices=FORMATS, default="text",
                     help="csv: the rows on standard output, all else on standard error (%(default)s)")
    return one


def scaling(words: list[str]) -> int:
    """The script."""
    options = parser().parse_args(words)
    from analysis import columns, scaling, scaling_text  # only now: --help is there without pandas and scipy
    from analysis.read import read_run
    interrupt.ready()
    if options.phase not in columns.phases():
        raise Unreadable(f"--phase={options.phase}: not a phase; phases are {', '.join(columns.phases())}")
    every = []
    for path in options.runs:
        run = read_run(path)
        found = list(scaling.families(run, options.phase, options.filter))
        without = [one for one in found if isinstance(one, str)]
        families = [one for one in found if not isinstance(one, str)]
        if not families:
            raise Unreadable(f"{path}: {without[0]}")
        scaling.set_beside(families)
        every.append(scaling_text.Scaling(run, scaling.placement(run), families, without))
    scaling_text.render(every, options.format)
    return 0


if __name__ == "__main__":
    main(scaling, "scaling")
