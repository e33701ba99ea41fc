#!/usr/bin/python3
"""Which of two commands is slower? Both in turn, in pairs of random order, on this machine.

    scripts/ab.py 'old/nsbench --op=clone' 'new/nsbench --op=clone'
    scripts/ab.py '--op=clone --cpu=0' '--op=clone --cpu=1'
    scripts/ab.py --before-a='sysctl -q kernel.numa_balancing=0' --before-b='sysctl -q kernel.numa_balancing=1' \\
                  --after='sysctl -q kernel.numa_balancing=0' '--ns=pid' '--ns=pid'

A command is an nsbench with options, or options alone for the nsbench of this tree or installation, quoted as one word; both come last,
after the options of ab.py itself. Each row's figure is the median of
the pairs' ratios B/A, its interval and its test those of the sign test: what the machine drifts from pair to pair cancels.
Exit codes: 0 B is not slower; 1 it is; 2 usage, could not be measured, or --after failed; 130 interrupted, after showing
whole pairs.
"""
from analysis import interrupt  # first, for a Ctrl-C among the imports
import argparse
import random
import shlex
import signal
import sys
from pathlib import Path

from analysis import programs
from analysis.commands import folder_for_runs, ran
from analysis.options import Parser, add_judging
from analysis.script import INTERRUPTED, Unreadable, last_line, main

OWN_OUTPUT = ("--out", "--resume", "--csv", "--json")
# Options that nsbench has not: where a command is to stand, they were put after the commands.
OF_AB = ("--pairs", "--before-a", "--before-b", "--after", "--threshold", "--alpha", "--phase", "--ignore", "--format", "--all")
ENDING = (signal.SIGTERM, signal.SIGHUP)  # end it as an interrupt does
A_CASE_FAILED = 1  # nsbench's exit code when others have figures


def ours() -> Path:
    """The nsbench that options alone are for: which started this, or the one of this tree, built where it is not, or of this
    installation."""
    found = programs.started_by() or (programs.SCRIPTS / "nsbench" if programs.IS_TREE else programs.find("nsbench"))
    if found is None:
        raise Unreadable(f"nsbench is missing: {programs.remedy()}")
    return found


def command_of(text: str) -> list[str]:
    """The words of a command. Unreadable for one that says itself where its results go, or that is an option of ab.py."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise Unreadable(f"{text!r}: {error}") from None
    first = words[0].split("=")[0] if words else ""
    if first in OF_AB:
        raise Unreadable(f"{text!r}: an option of ab.py; the two commands come last, each quoted as one word (--help)")
    for word in words:
        if word.split("=")[0] in OWN_OUTPUT:
            raise Unreadable(f"{text!r}: without {word.split('=')[0]}: ab.py takes the results (--out=DIR keeps the runs)")
    return words if words and not words[0].startswith("-") else [str(ours()), *words]


def hook(text: str | None) -> None:
    """Runs a hook in a shell. Unreadable if it fails, as nothing measured after that would mean what was asked."""
    if not text:
        return
    code, said = ran(text)
    if code:
        raise Unreadable(f"hook {text!r}: exit code {code}{last_line(said)}")


def restored(text: str | None) -> str:
    """Runs --after, which no further signal but an interrupt keeps from ending; what went wrong, or nothing."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    try:
        hook(text)
    except Unreadable as error:
        return str(error)
    return ""


def measure(words: list[str], folder: Path) -> None:
    """One run into a folder. Unreadable if there is none afterwards."""
    try:
        code, said = ran([*words, f"--out={folder}", "--quiet"])
    except OSError as error:
        raise Unreadable(f"{words[0]}: {error.strerror}") from None
    if code in (-signal.SIGINT, 128 + signal.SIGINT):
        raise KeyboardInterrupt
    if code not in (0, A_CASE_FAILED) or not (folder / "results.csv").exists():
        raise Unreadable(f"{shlex.join(words)}: exit code {code}{last_line(said)}")


def parser() -> Parser:
    """The command line."""
    one = Parser(prog="scripts/ab.py", description=__doc__, allow_abbrev=False,
                 usage="%(prog)s [options] 'COMMAND A' 'COMMAND B'",
                 formatter_class=argparse.RawDescriptionHelpFormatter)
    one.add_argument("--pairs", type=int, metavar="N",
                     help="as many as the rows need for a change to be seen though one pair contradicts, at least 12")
    one.add_argument("--before-a", metavar="CMD", help="run by the shell before each run of A")
    one.add_argument("--before-b", metavar="CMD", help="likewise, of B")
    one.add_argument("--after", metavar="CMD", help="run once at the end, also of an interrupted one: puts things back")
    one.add_argument("--out", type=Path, metavar="DIR", help="keep the runs there, as a-01, b-01, …")
    one.add_argument("--seed", type=int, metavar="N", help="of the order within pairs")
    add_judging(one)
    return one


def ab(words: list[str]) -> int:
    """The script."""
    # A command may be options alone, which argparse would take for its own: the last two words are the commands.
    top = parser()
    if "-h" in words or "--help" in words:
        top.parse_args(["--help"])
    if len(words) < 2:
        top.error("two commands are needed")
    commands = {"a": command_of(words[-2]), "b": command_of(words[-1])}
    options = top.parse_args(words[:-2])
    if options.pairs is not None and options.pairs < 1:
        top.error("--pairs: a number from 1 is needed")
    for ending in ENDING:
        signal.signal(ending, signal.default_int_handler)  # so that --after is run then, too
    from analysis import comparison, pairs, render, sources  # only now: --help is there without pandas and scipy
    interrupt.ready()
    order = random.Random(options.seed)
    runs: dict[str, list[sources.Source]] = {"a": [], "b": []}
    interrupted, trouble = False, ""

    def result() -> comparison.Comparison:
        return pairs.compare_pairs(runs["a"], runs["b"], options.threshold, options.alpha, options.phase, options.filter)

    with folder_for_runs(options.out, "ab") as folder:
        try:
            wanted = options.pairs or 1
            while len(runs["a"]) < wanted:
                number = len(runs["a"]) + 1
                pair = {}
                for side in order.sample("ab", 2):
                    if sys.stderr.isatty():
                        of = wanted if number > 1 or options.pairs else "?"
                        print(f"\rpair {number} of {of}: {side.upper()} ", end="", file=sys.stderr, flush=True)
                    hook(getattr(options, f"before_{side}"))
                    path = folder / f"{side}-{number:02}"
                    measure(commands[side], path)
                    pair[side] = pairs.usable(side.upper(), sources.load(path, options.ignore))
                for side, source in pair.items():
                    runs[side].append(source)
                if number == 1 and not options.pairs:
                    wanted = max(12, pairs.needed(len(result().rows), options.alpha, contrary=1))
        except KeyboardInterrupt:
            interrupted = True
        finally:
            if sys.stderr.isatty():
                print(file=sys.stderr)
            trouble = restored(options.after)
            if trouble and sys.exc_info()[0]:  # which is what ends it
                print(f"ab: {trouble}", file=sys.stderr)
        if interrupted and not runs["a"]:
            raise KeyboardInterrupt
        found = result()
    found.identities = [f"A: {words[-2]}"], [f"B: {words[-1]}"]
    render.render(found, options.format, options.all)
    if trouble:
        sys.stdout.flush()
        raise Unreadable(trouble)
    return INTERRUPTED if interrupted else found.code


if __name__ == "__main__":
    main(ab, "ab")
