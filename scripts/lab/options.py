"""Options that several of the lab's commands take."""
import argparse

from lab import guest, runs, states
from lab.errors import USAGE, LabError
from lab.states import STATES
from lab.variations import FOR_RESOLUTION, VARIATIONS


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


def machine_numbers(text: str) -> range:
    """"5" or "16-20": the variations that machines are made by."""
    first, dash, last = text.partition("-")
    ends, most = ((first, last), len(VARIATIONS)) if dash else (("1", first), FOR_RESOLUTION)
    if not all(end.isdecimal() for end in ends) or not 1 <= int(ends[0]) <= int(ends[1]) <= most:
        raise argparse.ArgumentTypeError(f"{text!r}: a number from 1 to {FOR_RESOLUTION} is needed, or a range such as 16-20 "
                                         f"within {len(VARIATIONS)}")
    return range(int(ends[0]), int(ends[1]) + 1)


def add_state(parser: argparse.ArgumentParser) -> None:
    """The state that cases begin from."""
    parser.add_argument("--state", default="fresh", metavar="NAME|SCRIPT",
                        help="that each case begins from: " + "; ".join(f"{s.name}: {s.about}" for s in STATES.values())
                        + "; or a shell script of your own (%(default)s)")


def add_how(parser: argparse.ArgumentParser, machines: str = "5") -> None:
    """The options that say how cases come to their kernel."""
    add_state(parser)
    parser.add_argument("--machines", type=machine_numbers, default=machines, metavar="N",
                        help="saved machines, which differ in nothing that has a meaning: the figure is the median of "
                        "theirs; 1 for a quick look, 16-20 for others than those that resolutions are made from (%(default)s)")
    parser.add_argument("--together", action="store_true",
                        help="all cases in one boot, where they change the kernel for each other, instead of each in a "
                        "copy of its own")


def how_of(options: argparse.Namespace) -> runs.How:
    """What the options of add_how say."""
    if options.together:
        if options.state != "fresh":
            raise LabError(f"--together with --state={options.state}: only a saved machine is in a state", USAGE)
        return runs.How(together="--together")
    return runs.How(states.find(options.state), options.machines)


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """How many guests run side by side; 0 stands for the number of CPUs."""
    parser.add_argument("--jobs", type=positive, default=0, metavar="N", help="guests side by side (the CPUs)")


def of_profile(options: argparse.Namespace, nsbench: list[str]) -> tuple[guest.Machine, list[str]]:
    """What an exact profile's guests are, and nsbench's options in them. LabError for what a profile cannot have."""
    if options.accel != "tcg":
        raise LabError(f"--accel={options.accel}: the emulator makes the profile", USAGE)
    if "kaslr" in options.append.split():
        raise LabError("--append=kaslr: nokaslr, which the lab gives every kernel, wins: leave kaslr out", USAGE)
    given = runs.arguments(nsbench, options.accel)
    if any(word.split("=")[0] in ("--probe", "--folded") for word in given):
        raise LabError("--probe behind --: a profile is made without the probe", USAGE)
    return guest.Machine(options.accel, options.append, options.memory, options.timeout), given
