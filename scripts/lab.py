#!/usr/bin/python3
"""Boots other kernels in QEMU and runs nsbench in them, by default under a clock that counts instructions.

    scripts/lab.py kernels [--all]
    scripts/lab.py fetch KERNEL...
    scripts/lab.py run --kernel 6.1 [--kernel 7 ...] [--out DIR] [--jobs N] -- --filter='^clone/NEWPID/stack:1M$'
    scripts/lab.py compare 6.1 7 -- --filter='^clone/NEWPID/stack:1M$'
    scripts/lab.py profile --kernel 6.1 [--against 5.10] [--out DIR] -- --filter='^clone/NEWPID/stack:1M$'
    scripts/lab.py states --kernel 6.1
    scripts/lab.py history [--series 6.1,6.12] [--explain]
    scripts/lab.py bisect 6.1 6.12 -- clone/NEWPID/stack:1M
    scripts/lab.py atlas [--out DIR]
    scripts/lab.py page [DIR]
    scripts/lab.py curves [--kernel 6.1] [--only mounts] [--out DIR]
    scripts/lab.py curves-page [DIR]
    scripts/lab.py agree --kernel 6.1
    scripts/lab.py repeat --kernel 6.1
    scripts/lab.py balance --kernel 6.1
    scripts/lab.py boots
    scripts/lab.py cache [--remove KEY|all]
    scripts/lab.py kernel-build 6.12 [--patch FILE] [--out bzImage]
    scripts/lab.py shell --kernel 6.1

KERNEL is a series such as 6.1 (its newest package), a package's version or name, or a path to a bzImage.
Exit codes: 0 measured; 1 a guest failed, or nsbench in it did; 2 usage, or a file that is not as nsbench writes it; 3 not
possible here, with what to do;
130 interrupted. compare, as git bisect run takes it: 0 nothing slower, 1 slower, 125 not measured, 129 usage.
"""
from analysis import interrupt  # first, for a Ctrl-C among the imports
import argparse
import io
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from analysis.options import Named
from analysis.programs import called
from analysis.script import UNREAD, Unreadable, missing_package, of_system, one_line
from lab import (agree, atlas, balance, boots, cache, compare, curves, curves_page, guest, images, in_states, kernel_build, packages, page,
                 profile, repeat, runs)
from lab.history import bisection, job, record
from lab.errors import ABORTED, FAILED, IMPOSSIBLE, INTERRUPTED, OK, UNMEASURED, USAGE, LabError
from lab.options import add_append, add_how, add_jobs, add_machine, how_of

RESULTS = Path("lab-results")


def machine_of(options: argparse.Namespace) -> guest.Machine:
    """The machine that the options of add_machine describe."""
    return guest.Machine(options.accel, options.append, options.memory, options.timeout)


def tell(error: LabError, name: str = "") -> int:
    """Prints the error, and the console's tail where there is one; returns the exit code."""
    print(f"{called('lab')}: {name + ': ' if name else ''}{one_line(error)}", file=sys.stderr)
    if error.tail:
        print("\n".join("  | " + line for line in error.tail.splitlines()), file=sys.stderr)
    return error.code


def kernels(options: argparse.Namespace) -> int:
    """Lists what can be had, newest last: version, release, package size, and whether it is in the cache."""
    with packages.locked():
        apt = packages.Apt()
        apt.refresh()
        found = apt.kernels(None if options.all else packages.archives()[1])
    for kernel in found:
        cached = "cached" if kernel.image.exists() else ""
        print(f"{kernel.version:24} {kernel.release:36} {kernel.size / 1e6:6.1f} MB {cached}".rstrip())
    return OK


def fetch(options: argparse.Namespace) -> int:
    """Brings kernels into the cache and prints the paths of their images."""
    code = OK
    for name in dict.fromkeys(options.kernel):  # one by one: what cannot be had costs none of the others
        try:
            kernel = packages.find([name])[0]
            name = kernel.release
            print(packages.fetch(kernel), flush=True)
        except LabError as error:
            code = max(code, tell(error, name))
    return code


def run(options: argparse.Namespace) -> int:
    """Measures; nsbench's own table on standard output for a single kernel."""
    code = OK

    def missing(name: str, error: LabError) -> None:
        nonlocal code
        code = max(code, tell(error, name))
    out = options.out or RESULTS
    every = runs.each(options.kernel, options.nsbench, out, machine_of(options), how=how_of(options),
                      missing=missing if len(options.kernel) > 1 else None)
    results = runs.run_all(every if options.out else [runs.apart(one) for one in every], out, options.jobs)
    for result in results:
        if result.error:
            code = max(code, tell(result.error, result.image.name))
            continue
        code = max(code, FAILED if result.status else OK)
        if len(results) == 1 or result.status:
            sys.stdout.write(result.stdout)
            sys.stderr.write(result.stderr)
    return code


def shell(options: argparse.Namespace) -> int:
    """A shell in the guest, on this terminal."""
    guest.qemu_version()
    machine = machine_of(options)
    image = images.images([options.kernel])[0]
    if machine.accel == "kvm":
        guest.try_boot(machine, image.path)
    with tempfile.NamedTemporaryFile(prefix="nsbench-lab-") as initrd:
        initrd.write(machine.initrd("shell"))
        initrd.flush()
        return FAILED if subprocess.call(machine.qemu(image.path, Path(initrd.name), "mon:stdio")) else OK


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = Named(prog="scripts/lab.py", description=__doc__, allow_abbrev=False,
                formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    one = commands.add_parser("kernels", help="what can be had", allow_abbrev=False)
    one.add_argument("--all", action="store_true", help="also from Debian's other suites")
    one.set_defaults(command=kernels)
    one = commands.add_parser("fetch", help="download into the cache", allow_abbrev=False)
    one.add_argument("kernel", nargs="+", metavar="KERNEL")
    one.set_defaults(command=fetch)
    one = commands.add_parser("run", help="measure; nsbench's options behind --", allow_abbrev=False)
    one.add_argument("--kernel", action="append", required=True, metavar="KERNEL", help="repeatable")
    one.add_argument("--out", type=Path, metavar="DIR",
                     help=f"a folder for each kernel in it ({RESULTS}, where a run with other options gets one of its own)")
    add_how(one)
    add_jobs(one)
    add_append(one)
    add_machine(one)
    one.set_defaults(command=run, takes_nsbench=True)
    one = commands.add_parser("shell", help="a shell in a guest, nsbench in the PATH", allow_abbrev=False)
    one.add_argument("--kernel", required=True, metavar="KERNEL")
    add_append(one)
    add_machine(one)
    one.set_defaults(command=shell)
    compare.add_parser(commands)
    atlas.add_parser(commands)
    page.add_parser(commands)
    curves.add_parser(commands)
    curves_page.add_parser(commands)
    in_states.add_parser(commands)
    repeat.add_parser(commands)
    profile.add_parser(commands)
    kernel_build.add_parser(commands)
    boots.add_parser(commands)
    cache.add_parser(commands)
    agree.add_parser(commands)
    balance.add_parser(commands)
    record.add_parser(commands)
    job.add_parser(commands)
    bisection.add_parser(commands)
    return top


def parse(words: list[str]) -> argparse.Namespace:
    """The options; `nsbench` is what stands behind --. Exits where they are wrong."""
    split = words.index("--") if "--" in words else len(words)
    given = parser()
    options = given.parse_args(words[:split], argparse.Namespace(nsbench=words[split + 1:], takes_nsbench=False))
    if options.nsbench and not options.takes_nsbench:
        given.error(f"{options.nsbench[0]!r} behind --: only run, compare, states, repeat, profile, balance, atlas, history "
                    "and bisect take nsbench's options")
    return options


def streams() -> bool:
    """Whether standard output is open. A closed descriptor is filled: a file opened later would get its number, and what
    is printed would be written into it."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this one
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="surrogateescape")  # names of files are any bytes
    return sys.stdout is not None


def unread(compares: bool) -> int:
    """The reader of the pipe has seen enough: the exit code, with nothing left that Python would write at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return UNMEASURED if compares else UNREAD


def main(words: list[str]) -> int:
    """Runs a command; returns the exit code."""
    compares = words[:1] == ["compare"]
    if not streams():
        print("lab: standard output is closed: the answer has nowhere to go", file=sys.stderr)
        return ABORTED if compares else USAGE
    try:
        try:
            options = parse(words)
        except SystemExit as ended:  # argparse's 2 would be a verdict to git bisect run
            sys.stdout.flush()
            return ABORTED if compares and ended.code == USAGE else int(ended.code or OK)
    except BrokenPipeError:  # of --help
        return unread(compares)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
        signal.signal(signal.SIGHUP, signal.default_int_handler)
    interrupt.ready()
    try:
        code: int = options.command(options)
        sys.stdout.flush()
        return code
    except LabError as error:
        return tell(error)
    except Unreadable as error:
        return tell(LabError(str(error), UNMEASURED if compares else USAGE))
    except ImportError as error:
        missing = missing_package(error)
        if not missing:
            raise
        return tell(LabError(f"{missing} is missing: apt-get install {missing}", UNMEASURED if compares else IMPOSSIBLE))
    except BrokenPipeError:
        return unread(compares)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # if it was standard output, Python would fail again at its end
        return tell(LabError(of_system(error), UNMEASURED if compares else FAILED))
    except KeyboardInterrupt:
        kept = "" if words[:1] == ["profile"] else "; what was finished is kept"
        print(f"{called('lab')}: interrupted{kept}", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
