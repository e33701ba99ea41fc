"""validate.py soak, as a command: without numpy, which the work itself needs."""
import argparse
import re
import sys
from pathlib import Path

from analysis.options import Parser
from analysis.script import Unreadable

LEAST = 10  # seconds of a job


def duration(text: str) -> float:
    """2h → 7200; s, m and h, whole numbers."""
    if not (match := re.fullmatch(r"([1-9]\d{0,5})([smh])", text, re.ASCII)):
        raise argparse.ArgumentTypeError(f"{text!r}: a time such as 90s, 30m or 2h is needed")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]


def add_soak(commands: "argparse._SubParsersAction[Parser]") -> None:
    """The command's options."""
    one = commands.add_parser("soak")
    one.add_argument("--for", type=duration, default="2h", dest="time", metavar="TIME", help="of all jobs together (%(default)s)")
    one.add_argument("--job", action="append", choices=("plan", "churn", "lab"), help="only this one; repeatable")
    one.add_argument("--every", type=duration, default="5s", metavar="TIME", help="from one look to the next (%(default)s)")
    one.add_argument("--kernel", default="6.1", help="of the lab's machines (%(default)s)")
    one.add_argument("--keep", type=Path, metavar="DIR", help="a new folder, in which the jobs' files stay")


def soaked(options: argparse.Namespace) -> bool:
    """Whether nothing grows in hours of work. Says on a terminal how far it is."""
    from analysis import soak
    jobs = options.job or soak.JOBS
    if options.time < LEAST * len(jobs):
        raise Unreadable(f"--for: {len(jobs)} jobs take {LEAST * len(jobs)}s at least")
    last = ""

    def say(text: str) -> None:
        nonlocal last
        last = f"\r{text:<{len(last)}}"
        if sys.stderr.isatty():
            print(last, end="", file=sys.stderr)

    with soak.place(options.keep) as folder:
        work = soak.Soak(options.build / "nsbench", folder, options.time / len(jobs), options.every, options.kernel, say)
        return soak.soak(work, jobs, lambda line: print(line, flush=True))
