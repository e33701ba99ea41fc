"""What options of several scripts accept, and how they refuse what they do not."""
import argparse
import difflib
import re
import sys
from collections.abc import Iterable
from typing import NoReturn

from analysis.programs import as_called
from analysis.script import Unreadable

FORMATS = ("png", "svg", "pdf")  # of plots
LETTERS = "abcdefghijk"  # of plots: those of analysis/plots.py


def nearest(word: str, known: Iterable[str]) -> str:
    """Behind a message on a word that is not known; empty where nothing is near."""
    near = difflib.get_close_matches(word, list(known), 1)
    return f"; the nearest is {near[0]}" if near else ""


class Named(argparse.ArgumentParser):
    """A script's command line, whose texts call it as it was started: scripts/lab.py, or nsbench lab."""

    def format_help(self) -> str:
        return as_called(super().format_help())

    def format_usage(self) -> str:
        return as_called(super().format_usage())

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(2, as_called(f"{self.prog}: error: {message}\n"))


class Parser(Named):
    """Refuses what is wrong in one line, as Unreadable, with the nearest option for a misspelt one."""

    def error(self, message: str) -> NoReturn:
        text = re.sub(r"^argument ", "", message)
        if unknown := re.match(r"unrecognized arguments: (-[^\s=]+)", message):
            known = self._option_string_actions
            text = f"{unknown[1]}: " + ("goes before the command" if unknown[1] in known else f"unknown option{nearest(unknown[1], known)}")
        raise Unreadable(f"{text} (--help)")


def percentage(text: str) -> float:
    """1% → 0.01."""
    if not re.fullmatch(r"\d+(\.\d+)?%", text):
        raise argparse.ArgumentTypeError(f"{text!r}: a percentage such as 1% or 0.5% is needed")
    return float(text[:-1]) / 100


def probability(text: str) -> float:
    """Between 0 and 0.5, both left out."""
    try:
        if 0 < float(text) < 0.5:
            return float(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r}: a number above 0 and below 0.5 is needed, such as 0.05")


def share(text: str) -> float:
    """From 0 to 1."""
    try:
        if 0 <= float(text) <= 1:
            return float(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r}: a number from 0 to 1 is needed, such as 0.5")


def expression(text: str) -> re.Pattern[str]:
    """A regular expression."""
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r}: not a regular expression: {error}") from None


def names(text: str) -> list[str]:
    """a,b → [a, b]."""
    return text.split(",")


def add_judging(one: argparse.ArgumentParser) -> None:
    """The options of compare.py and ab.py that say which rows count, and when they differ."""
    one.add_argument("--threshold", type=percentage, metavar="P%",
                     help="smaller changes do not matter (2%%; of instruction counts none but what is below their resolution)")
    one.add_argument("--alpha", type=probability, default=0.05, metavar="P",
                     help="the chance of even one false alarm among all rows (%(default)s)")
    one.add_argument("--phase", type=names, metavar="PHASE,...", help="only these, such as create,total")
    one.add_argument("--filter", type=expression, metavar="REGEX", help="only cases whose id matches")
    one.add_argument("--ignore", type=names, metavar="NAME,...",
                     help="parameters of the ids that may differ between the sides, such as spawn or stack")
    one.add_argument("--format", choices=("table", "markdown", "csv", "json"), default="table",
                     help="csv: the rows on standard output, all else on standard error (%(default)s)")
    one.add_argument("--all", action="store_true", help="show all rows, also of a long table")
