"""boots: the newest kernel of every series that the archive has: fetched, booted, and what came of each.

Exit codes: 0 all boot; 1 one does not; 3 none can be had.
"""
import argparse
import os
import time
from concurrent.futures import ThreadPoolExecutor

from lab import guest, packages
from lab.commands import Commands
from lab.errors import FAILED, OK, LabError
from lab.options import add_append, add_jobs, add_machine


def newest() -> dict[str, packages.Kernel]:
    """By series, such as 6.1, oldest first."""
    packages.find(["6.1"])  # fetches the lists where they are old
    with packages.locked():
        known = packages.Apt().known()
    return {".".join(kernel.version.split("-")[0].split(".")[:2]): kernel for kernel in known}


def attempt(kernel: packages.Kernel, machine: guest.Machine) -> str:
    """What came of it: "" for a boot."""
    try:
        guest.try_boot(machine, packages.fetch(kernel))
    except LabError as error:
        return str(error)
    return ""


def boots(options: argparse.Namespace) -> int:
    """The command."""
    machine = guest.Machine(options.accel, options.append, options.memory, options.timeout)
    guest.qemu_version()
    code = OK

    def timed(item: tuple[str, packages.Kernel]) -> tuple[str, packages.Kernel, str, float]:
        begun = time.monotonic()
        return *item, attempt(item[1], machine), time.monotonic() - begun
    with ThreadPoolExecutor(options.jobs or os.cpu_count() or 1) as pool:
        for series, kernel, wrong, seconds in pool.map(timed, newest().items()):
            print(f"{series:6} {kernel.release:32} {wrong or f'boots, {seconds:.0f} s'}", flush=True)
            code = FAILED if wrong else code
    return code


def add_parser(commands: Commands) -> None:
    """Adds the command to lab.py's."""
    one = commands.add_parser("boots", help="does the newest kernel of every series boot?", description=__doc__,
                              allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_jobs(one)
    add_append(one)
    add_machine(one)
    one.set_defaults(command=boots)
