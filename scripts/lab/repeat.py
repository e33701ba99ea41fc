"""repeat: does every figure repeat to the bit? The whole plan twice, from machines that are saved from two boots.

Exit codes: 0 all rows are the same; 1 one is not.
"""
import argparse
import dataclasses
import tempfile
import time
from pathlib import Path

from lab import alone, guest, images, initramfs, orders, runs
from lab.commands import Commands
from lab.errors import FAILED, OK, USAGE, LabError
from lab.options import add_append, add_how, add_jobs, add_machine, how_of
from lab.progress import Progress

SHOWN = 10


def samples(one: runs.Wanted, subject: alone.Subject, boot: int, jobs: int, progress: Progress) -> str:
    """samples.csv of the run from machines of that boot."""
    subject = dataclasses.replace(subject, recipes={
        number: dataclasses.replace(recipe, boot=boot) for number, recipe in subject.recipes.items()})
    plan = orders.plan(one.options)
    with tempfile.TemporaryDirectory(prefix="nsbench-lab-") as name:
        journal = alone.Journal(Path(name) / "journal")
        done = alone.measure(alone.tasks(plan, subject), subject, journal, jobs,
                             lambda state: progress.show(one.image.name, f"boot {boot}, {state}"))
    return alone.merge(plan, done, "repeat")["samples.csv"].decode()


def repeat(options: argparse.Namespace) -> int:
    """The command."""
    machine = guest.Machine(options.accel, options.append, options.memory, options.timeout)
    code = OK
    base = initramfs.base()
    given = runs.arguments(options.nsbench, options.accel)
    for image in images.images(options.kernel):
        one = runs.wanted(image, machine, given, base, Path("nowhere"), how=how_of(options))
        if one.subject is None:
            raise LabError(f"{one.lab['together']}: what is to be repeated begins from saved machines", USAGE)
        progress, begun = Progress([image.name]), time.monotonic()
        first, second = (samples(one, one.subject, boot, options.jobs, progress).splitlines() for boot in (1, 2))
        differing = [pair for pair in zip(first, second) if pair[0] != pair[1]]
        count = len(differing) + abs(len(first) - len(second))
        print(f"{image.name}: {count} of {len(first) - 1} samples of {len(orders.plan(given).every)} cases differ "
              f"between two boots; {time.monotonic() - begun:.0f} s")
        for ours, theirs in differing[:SHOWN]:
            print(f"  {ours}\n  {theirs}")
        code = FAILED if count else code
    return code


def add_parser(commands: Commands) -> None:
    """Adds the command to lab.py's."""
    one = commands.add_parser("repeat", help="the plan twice from two boots: how many samples differ?", description=__doc__,
                              allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)
    one.add_argument("--kernel", action="append", required=True, metavar="KERNEL", help="repeatable")
    add_how(one, "1")
    add_jobs(one)
    add_append(one)
    add_machine(one)
    one.set_defaults(command=repeat, takes_nsbench=True)
