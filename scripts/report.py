#!/usr/bin/python3
"""One HTML file on a run or several: it opens in a browser without network, and holds all it shows.

    nsbench --out=run && scripts/report.py run

What was measured in words, the machine and its warnings, a table to sort and filter, interactive plots, flame graphs,
and the CSV files to download. For pictures see plot.py; whether runs differ compare.py says.
"""
from analysis import interrupt  # first, for a Ctrl-C among the imports
import sys
from pathlib import Path

from analysis import outputs, stacks
from analysis.options import Parser
from analysis.script import Unreadable, main


def output(given: str) -> Path:
    """The file that -o names. Unreadable for what cannot be one, before the report is made."""
    out = Path(given)
    if not given or out.is_dir():
        raise Unreadable(f"--out={given}: {'a folder' if given else 'empty'}; a file is needed, such as report.html")
    if not out.parent.is_dir():
        raise Unreadable(f"--out={given}: there is no folder {out.parent}")
    try:
        outputs.check(out)
    except OSError as error:
        raise Unreadable(f"--out={given}: {error.strerror}") from None
    return out


def parser() -> Parser:
    """The command line."""
    one = Parser(
        prog="report.py",
        description=__doc__.splitlines()[0],
        epilog="Exit codes: 0 the report was made; 2 wrong use, or a run that cannot be read.",
    )
    one.add_argument("runs", nargs="+", metavar="RUN", help="a run's folder, or a results.csv; or the folder of a history of kernels")
    one.add_argument("-o", "--out", default="report.html", metavar="FILE|-", help="where to (report.html)")
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
    out = output(options.out) if options.out != "-" else None
    from analysis import limits, page  # only now: --help is there without pandas
    from lab.history import interactive
    interrupt.ready()

    if len(options.runs) == 1 and interactive.is_history(Path(options.runs[0])):
        return write(interactive.build(Path(options.runs[0])), out, "" if options.quiet else "a history of kernels")
    runs = limits.read_runs(options.runs)
    made = page.build(runs, limits.of_each(runs, options.folded))
    return write(made, out, "" if options.quiet else f"{len(runs)} run{'s' if len(runs) > 1 else ''}")


def write(made: bytes, out: Path | None, what: str) -> int:
    """Puts the page where it is to be, and says so where there is something to say."""
    if out is None:
        sys.stdout.buffer.write(made)
        return 0
    outputs.replace(out, made)
    if what:
        print(f"{out}: {len(made) / 1e6:.1f} MB, {what}")
    return 0


if __name__ == "__main__":
    main(body, "report.py")
