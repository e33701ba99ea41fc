#!/usr/bin/python3
"""Do two runs, or two sides of several runs, differ?

    scripts/compare.py BASE NEW
    scripts/compare.py --base RUN... --new RUN...

A RUN is a folder that `nsbench --out` wrote, its results.csv, or Google Benchmark's JSON. Several runs a side are
repetitions: what scatters is the run, or the boot, not the sample. A change is one that the scatter does not explain,
with every row that was looked at taken into account, and that exceeds the threshold. Instruction counts have no scatter:
one changed that moved by more than meaningless variations of the machine move it (its resolution), as lab.py compare says.
What only one side has, and what differs between the machines, is said first.
Exit codes: 0 nothing is slower; 1 something is; 2 usage, or runs that cannot be compared.
"""
from analysis import interrupt  # first, for a Ctrl-C among the imports
import argparse
from pathlib import Path

from analysis.options import Parser, add_judging
from analysis.script import main

MORE = """what the table says:
  slower, faster  more than the threshold, and no chance. Of counts: more than the resolution, and the intervals are apart
  small           no chance, but within the threshold. Of counts: within the resolution
  same            not resolved; its interval is within the threshold. Of counts: the median is the same
  identical       of counts: every figure is
  ~               not resolved; 'need about N runs' a side would find a change of the size seen, four times of five.
                  Of counts: the intervals meet, or are not known"""


def parser() -> Parser:
    """The command line."""
    one = Parser(prog="scripts/compare.py", description=__doc__, epilog=MORE, allow_abbrev=False,
                 formatter_class=argparse.RawDescriptionHelpFormatter)
    one.add_argument("runs", nargs="*", type=Path, metavar="RUN", help="BASE NEW")
    one.add_argument("--base", nargs="+", type=Path, default=[], metavar="RUN", help="runs of one side")
    one.add_argument("--new", nargs="+", type=Path, default=[], metavar="RUN", help="runs of the other")
    add_judging(one)
    return one


def compare(words: list[str]) -> int:
    """The script."""
    top = parser()
    options = top.parse_args(words)
    if bool(options.runs) == bool(options.base or options.new) or (options.runs and len(options.runs) != 2):
        top.error("either BASE NEW, or --base RUN... --new RUN..., is needed")
    if bool(options.base) != bool(options.new):
        top.error(f"--{'new' if options.base else 'base'} is missing")
    from analysis import comparison, render, sources  # only now: --help is there without pandas and scipy
    interrupt.ready()
    base, new = options.base or options.runs[:1], options.new or options.runs[1:]
    sides = sources.side(base, options.ignore), sources.side(new, options.ignore)
    result = comparison.compare(*sides, options.threshold, options.alpha, options.phase, options.filter)
    render.render(result, options.format, options.all)
    return result.code


if __name__ == "__main__":
    main(compare, "compare")
