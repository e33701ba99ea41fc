"""cache: saved machines, and kernels' sources, builds and debug information: what they are, how much they take, their removal.

They may take NSBENCH_LAB_CACHE GiB (10) in all; those used least recently go first, and none that a lab has in use.
"""
import argparse
import sys

from lab import keeping
from lab.commands import Commands
from lab.errors import FAILED, OK, USAGE, LabError
from lab.keeping import MIB

UNITS = ((24 * 3600, "d"), (3600, "h"), (60, "min"))


def ago(seconds: float) -> str:
    """Such as "5 min", rounded down."""
    for size, name in UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {name}"
    return f"{int(seconds)} s"


def cache(options: argparse.Namespace) -> int:
    """The command."""
    entries = keeping.entries()
    if options.remove:
        chosen = [entry for entry in entries if options.remove in ("all", entry.folder.name)]
        if not chosen and options.remove != "all":
            raise LabError(f"--remove={options.remove}: nothing has that key: scripts/lab.py cache lists them", USAGE)
        kept = [entry.folder.name for entry in chosen if not keeping.remove(entry)]
        for name in kept:
            print(f"lab: {name} is in use by another lab, and stays", file=sys.stderr)
        print(f"removed {len(chosen) - len(kept)}")
        return FAILED if kept else OK
    for entry in entries:
        print(f"{entry.folder.name}  {entry.size / MIB:6.0f} MiB  used {ago(entry.age):>6} ago  {entry.about}")
    whole = sum(entry.size for entry in entries)
    count = sum(entry.is_machine for entry in entries)
    others = f" and {len(entries) - count} others" if len(entries) > count else ""
    print(f"{count} saved machines{others}, {whole / MIB:.0f} MiB of at most {keeping.limit() / MIB:.0f} MiB")
    return OK


def add_parser(commands: Commands) -> None:
    """Adds the command to lab.py's."""
    one = commands.add_parser("cache", help="saved machines, kernels' sources, builds and debug information: list, remove",
                              description=__doc__, allow_abbrev=False,
                              formatter_class=argparse.RawDescriptionHelpFormatter)
    one.add_argument("--remove", metavar="KEY|all", help="remove one, or all that are not in use")
    one.set_defaults(command=cache)
