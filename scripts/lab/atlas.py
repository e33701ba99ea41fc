"""atlas: every set of namespaces on the newest kernel of each series, recorded under results/, from which its page is made.

The cases are the default plan's at one stack size: all sets by clone and by unshare, setns, proc_remount. Each is measured
in a copy of its own; those of the kinds on five saved machines, which tells their resolution, the other sets and those in
other states on three. Kept per kernel are run.json, results.csv and samples.csv.xz; in its folders churned/ and crowded/
those of the kinds in these states, in probe/ those of a run with the probe on the first machine, with probe.csv and memory.csv,
and in exact/ those of an exact profile: each kind and all eight by clone.
"""
import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from analysis import programs
from analysis.kinds import ALL
from lab import alone, folders, guest, images, initramfs, packages, profile, runs, states
from lab.commands import Commands
from lab.errors import FAILED, OK, USAGE, LabError
from lab.options import add_append, add_jobs, add_machine, machine_numbers
from lab.progress import Progress

KERNELS = ("5.10", "6.1", "6.12", "6.16", "6.17", "6.18", "6.19", "7.0", "7.1", "7.2", "7.3")
CASES = "^(clone3?/.*/stack:1M$|unshare/|setns/|proc_remount/.*/stack:1M$)"
PROBED = f"^clone/(NEW[A-Z]+|{ALL})/stack:1M$"
KIND = "NEW[A-Z]+"
OF_KINDS = f"^(clone/({KIND}|none|{ALL})/stack:1M|unshare/({KIND}|none|{ALL})|setns/.*|proc_remount/.*/stack:1M)$"
IN_STATES = ("churned", "crowded")
RESULTS = programs.recorded()
TRIES = 3  # kernels of a series, newest first, until one boots


def candidates(name: str) -> list[str]:
    """What is tried for a kernel's name, in this order: the newest of a series, or the one that is named."""
    if images.is_path(name):
        return [name]
    exact = packages.find([name])[0]
    older = [kernel.release for kernel in packages.series(name) if kernel.release != exact.release]
    return [exact.version, *older][:TRIES]


def words(given: list[str], *defaults: str) -> list[str]:
    """nsbench's options: those given, and of the defaults the others."""
    names = {word.split("=", 1)[0] for word in given}
    return [*given, *(word for word in defaults if word.split("=", 1)[0] not in names)]


def keep(options: argparse.Namespace) -> folders.Keep:
    """How the atlas keeps its runs."""
    return folders.Keep(True, options.again, "give another --out, or --again to replace it")


def measure(options: argparse.Namespace) -> tuple[list[runs.Result], int]:
    """The result for each kernel, and the exit code of those that are missing. Where a series' newest does not boot, or
    cannot be had, a line says so, and an older one is tried; none of it stops the others."""
    machine = guest.Machine(options.accel, options.append, options.memory, options.timeout)
    given = words(options.nsbench, f"--filter={CASES}")
    done: list[runs.Result] = []
    code = OK
    for name in options.kernel or KERNELS:
        try:
            waiting = candidates(name)
        except LabError as error:
            print(f"lab: {error}", file=sys.stderr)
            code = max(code, error.code)
            continue
        while waiting:
            one = waiting.pop(0)
            try:
                every = runs.each([one], given, options.out, machine, keep=keep(options),
                                  how=runs.How(numbers=options.machines, everywhere=OF_KINDS))
                result = runs.run_all(every, options.out, options.jobs)[0]
                wrong = result.error if not result.booted else None
            except LabError as error:
                if error.code == USAGE:
                    raise
                wrong, result = error, None
            if wrong:
                print(f"lab: {one}: {wrong}{f'; trying {waiting[0]}' if waiting else ''}", file=sys.stderr)
            if result and (not wrong or not waiting):
                done.append(result)
                break
            if not waiting:
                code = FAILED
    return done, code


def beside(options: argparse.Namespace, measured: Iterable[runs.Result]) -> list[runs.Result]:
    """The results of the runs beside each of these: the kinds in other states, and with the probe on one machine."""
    machine = guest.Machine(options.accel, options.append, options.memory, options.timeout)
    base = initramfs.base()
    every = []
    for result in measured:
        if result.error:
            continue
        for name in IN_STATES:
            given = runs.arguments(words(options.nsbench, f"--filter={OF_KINDS}"), options.accel)
            every.append(runs.wanted(result.image, machine, given, base, result.folder / name, keep(options),
                                     runs.How(states.STATES[name], range(1, alone.FEW + 1))))
        given = runs.arguments(words(options.nsbench, f"--filter={PROBED}", "--probe"), options.accel)
        every.append(runs.wanted(result.image, machine, given, base, result.folder / "probe", keep(options),
                                 runs.How(numbers=range(1, 2))))
    return runs.run_all(every, options.out, options.jobs)


def exactly(options: argparse.Namespace, measured: Iterable[runs.Result]) -> int:
    """Profiles what is probed, without the probe, on the first machine of each of these. The exit code."""
    machine = guest.Machine(options.accel, options.append, options.memory, options.timeout)
    base, code = initramfs.base(), OK
    progress = Progress([result.image.name for result in measured])
    for result in measured:
        given = runs.arguments(words(options.nsbench, f"--filter={PROBED}"), options.accel)
        one = runs.wanted(result.image, machine, given, base, result.folder / "exact", keep(options), runs.How(numbers=range(1, 2)))
        try:
            with folders.exclusive(options.out):
                if not result.error and not folders.finished(one.folder, profile.inputs(one), one.keep):
                    profile.write(profile.measure(one, options.jobs, progress), one.keep, options.out)
        except LabError as error:
            print(f"lab: {one.folder}: {error}", file=sys.stderr)
            code = max(code, error.code)
    return code


def atlas(options: argparse.Namespace) -> int:
    """The command."""
    measured, code = measure(options)
    code = max(code, exactly(options, measured))
    for result in [*measured, *beside(options, measured)]:
        if result.error:
            print(f"lab: {result.folder}: {result.error}", file=sys.stderr)
            code = max(code, result.error.code)
        elif result.status:
            print(
                f"lab: {result.image.name}: nsbench's exit code is {result.status}: {result.folder} says "
                "what failed",
                file=sys.stderr,
            )
            code = max(code, FAILED)
    return code


def add_parser(commands: Commands) -> None:
    """Adds the command to lab.py's."""
    one = commands.add_parser(
        "atlas",
        help="every set of namespaces on several kernels, for results/",
        description=__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    one.add_argument("--kernel", action="append", metavar="KERNEL", help=f"repeatable ({', '.join(KERNELS)})")
    one.add_argument(
        "--out", type=Path, default=RESULTS, metavar="DIR", help="a folder for each kernel in it (results)"
    )
    one.add_argument(
        "--again",
        action="store_true",
        help="replace what another build of nsbench, or other options, left there",
    )
    one.add_argument("--machines", type=machine_numbers, default="5", metavar="N",
                     help="saved machines that the kinds are measured on (%(default)s)")
    add_jobs(one)
    add_append(one)
    add_machine(one)
    one.set_defaults(command=atlas, takes_nsbench=True)
