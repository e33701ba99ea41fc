"""atlas: every set of namespaces on several kernels, recorded under results/, from which its page is made.

The cases are the default plan's at one stack size: all sets by clone and by unshare, setns, proc_remount. Kept per
kernel are run.json, results.csv and samples.csv.xz; and in its folder probe/ those of a second, smaller run with the
probe, with probe.csv and memory.csv: each kind by clone and by unshare, and all eight by clone.
"""
import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from lab import guest, initramfs, packages, runs
from lab.errors import FAILED, OK, LabError
from lab.options import add_append, add_jobs, add_machine
from lab.recorded import ALL

KERNELS = ("5.10", "6.1", "6.12", "7")
CASES = "^(clone3?/.*/stack:1M$|unshare/|setns/|proc_remount/.*/stack:1M$)"
PROBED = f"^(clone/(none|NEW[A-Z]+|{ALL})/stack:1M|unshare/(none|NEW[A-Z]+))$"
RESULTS = initramfs.ROOT / "results"
TRIES = 3  # kernels of a series, newest first, until one boots


def candidates(name: str) -> list[str]:
    """What is tried for a kernel's name, in this order: the newest of a series, or the one that is named."""
    if runs.is_path(name):
        return [name]
    exact = packages.find([name])[0]
    older = [kernel.release for kernel in packages.series(name) if kernel.release != exact.release]
    return [exact.version, *older][:TRIES]


def words(given: list[str], *defaults: str) -> list[str]:
    """nsbench's options: those given, and of the defaults the others."""
    names = {word.split("=", 1)[0] for word in given}
    return [*given, *(word for word in defaults if word.split("=", 1)[0] not in names)]


def keep(options: argparse.Namespace) -> runs.Keep:
    """How the atlas keeps its runs."""
    return runs.Keep(True, options.again, "give another --out, or --again to replace it")


def measure(options: argparse.Namespace) -> list[runs.Result]:
    """The result for each kernel; where a series' newest does not boot, a line says so and an older is tried."""
    machine = guest.Machine(options.accel, options.append, options.memory, options.timeout)
    waiting = [candidates(name) for name in options.kernel or KERNELS]
    done: list[runs.Result] = []
    while waiting:
        every = runs.each(
            [names.pop(0) for names in waiting],
            words(options.nsbench, f"--filter={CASES}"),
            options.out,
            machine,
            keep=keep(options),
        )
        results = runs.run_all(every, options.out, options.jobs)
        rest = []
        for names, result in zip(waiting, results):
            if result.error and names and not result.booted:
                print(f"lab: {result.image.name}: {result.error}; trying {names[0]}", file=sys.stderr)
                rest.append(names)
            else:
                done.append(result)
        waiting = rest
    return done


def probe(options: argparse.Namespace, measured: Iterable[runs.Result]) -> list[runs.Result]:
    """The result of the probed run beside each of these."""
    machine = guest.Machine(options.accel, options.append, options.memory, options.timeout)
    given = runs.arguments(words(options.nsbench, f"--filter={PROBED}", "--probe"), options.accel)
    base = initramfs.base()
    every = [runs.wanted(result.image, machine, given, base, result.folder / "probe", keep(options))
             for result in measured if not result.error]
    return runs.run_all(every, options.out, options.jobs)


def atlas(options: argparse.Namespace) -> int:
    """The command."""
    code = OK
    measured = measure(options)
    for result in [*measured, *probe(options, measured)]:
        if result.error:
            raise LabError(f"{result.image.name}: {result.error}", result.error.code, result.error.tail)
        if result.status:
            print(
                f"lab: {result.image.name}: nsbench's exit code is {result.status}: {result.folder} says "
                "what failed",
                file=sys.stderr,
            )
            code = FAILED
    return code


def add_parser(commands: argparse._SubParsersAction) -> None:
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
    add_jobs(one)
    add_append(one)
    add_machine(one)
    one.set_defaults(command=atlas, takes_nsbench=True)
