"""Options that several of the lab's commands take."""
import argparse

from lab import guest


def positive(text: str) -> int:
    """A whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number from 1 is needed")
    return int(text)


def printable(text: str) -> str:
    """Text for the kernel's command line: one line of ASCII."""
    if not (text.isascii() and text.isprintable()):
        raise argparse.ArgumentTypeError(f"{text!r}: printable ASCII on one line is needed")
    return text


def add_machine(parser: argparse.ArgumentParser) -> None:
    """The options that say what a guest is."""
    parser.add_argument("--accel", choices=sorted(guest.ACCELERATORS, reverse=True), default="tcg",
                        help="tcg: emulation, instruction clock; kvm: wall clock (%(default)s)")
    parser.add_argument("--memory", type=positive, default=512, metavar="MB", help="the guest's memory (%(default)s)")
    parser.add_argument("--timeout", type=positive, default=1800, metavar="S",
                        help="seconds after which a guest is ended (%(default)s)")


def add_append(parser: argparse.ArgumentParser) -> None:
    """More for the kernel's command line, the same for every guest."""
    parser.add_argument("--append", type=printable, default="", help="more for the kernel's command line")


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """How many guests run side by side; 0 stands for the number of CPUs."""
    parser.add_argument("--jobs", type=positive, default=0, metavar="N", help="guests side by side (the CPUs)")
