"""What options of several scripts accept, and how they refuse what they do not."""
import argparse
import re


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


def expression(text: str) -> re.Pattern:
    """A regular expression."""
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r}: not a regular expression: {error}") from None


def names(text: str) -> list[str]:
    """a,b → [a, b]."""
    return text.split(",")
