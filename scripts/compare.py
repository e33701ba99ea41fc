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

from analysis.options import Parser, add_judging, percentage
from analysis.script import Unreadable, main

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
    one.add_argument("--single", action="store_true", help="judge one run a side by wall time all the same, by its rounds; "
                     "the output says how often that is a false alarm")
    one.add_argument("--quantile", type=percentage, default=0.05, metavar="P%", help="what of a run's samples is compared: so "
                     "many take no longer (5%%). The fast end scatters least, since other work only makes samples slower; 50%% "
                     "is the median. Without samples.csv it is the median anyhow")
    add_judging(one)
    return one


def compare(words: list[str]) -> int:
    """The script."""
    top = parser()
    options = top.parse_args(words)
    if bool(options.runs) == bool(options.base or options.new) or (options.runs and len(options.runs) != 2):
        top.error("either BASE NEW, or --base RUN... --new RUN..., is needed")
    if not 0 < options.quantile < 1:
        top.error("--quantile: more than 0% and less than 100% is needed")
    if bool(options.base) != bool(options.new):
        top.error(f"--{'new' if options.base else 'base'} is missing")
    from analysis import comparison, render, sources  # only now: --help is there without pandas and scipy
    interrupt.ready()
    base, new = options.base or options.runs[:1], options.new or options.runs[1:]
    sides = sources.side(base, options.ignore), sources.side(new, options.ignore)
    if comparison.is_single(*sides) and not options.single:
        raise Unreadable("not resolvable with one run a side: use nsbench --repeat=5, or scripts/ab.py "
                         "(--single judges it all the same)")
    if options.single and max(map(len, sides)) > 1:
        top.error(f"--single: there are {len(sides[0])} and {len(sides[1])} runs")
    result = comparison.compare(*sides, options.threshold, options.alpha, options.phase, options.filter, options.quantile)
    render.render(result, options.format, options.all)
    return result.code


if __name__ == "__main__":
    main(compare, "compare")
