"""states: what each kind costs in each state of the kernel, side by side.

In a cell: what the kind adds to `none` (setns and proc_remount: the phase itself), in thousand instructions, and how far
meaningless variations of the machine move that; then how many times the first state's it is. nsbench's options behind --
choose the cases.
"""
import argparse
import sys
from pathlib import Path

from analysis.exact import MEASURED
from lab import folders, guest, packages, runs, states, tables
from lab.atlas import OF_KINDS, words
from lab.commands import Commands
from lab.errors import FAILED, OK, LabError
from lab.options import add_append, add_jobs, add_machine, machine_numbers

Rows = dict[str, dict[str, str]]  # by case: the row of its first phase
USUAL = [one.name for one in states.STATES.values() if one.usual]


def first_rows(folder: Path) -> Rows:
    """The row of each case's first phase that was measured."""
    rows: Rows = {}
    for row in tables.rows(folder / "results.csv", tables.COMPLETE, FAILED):
        if row["status"] in MEASURED:
            rows.setdefault(row["case"], row)
    return rows


def figure(row: dict[str, str] | None) -> tuple[float, str] | None:
    """What the row says of its case, and its resolution."""
    if row is None:
        return None
    return (float(row["delta"]), row["delta_resolution"]) if row["delta"] else (float(row["median"]), row["resolution"])


def cell(found: tuple[float, str] | None, first: tuple[float, str] | None) -> str:
    """A figure and, where it is not the first state's, its ratio to that."""
    if found is None:
        return "–"
    text = f"{found[0] / 1000:.2f}" + (f" ±{float(found[1]) / 1000:.2f}" if found[1] else "")
    return text if first is None or first == found or not first[0] else f"{text}  ×{found[0] / first[0]:.2f}"


def table(by_state: dict[str, Rows]) -> list[str]:
    """A line for each case, a column for each state."""
    names = list(by_state)
    lines = [["case", *names]]
    for case in dict.fromkeys(case for rows in by_state.values() for case in rows):
        figures = [figure(by_state[name].get(case)) for name in names]
        lines.append([case, *(cell(found, figures[0]) for found in figures)])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return ["  ".join(text.ljust(w) if i == 0 else text.rjust(w) for i, (text, w) in enumerate(zip(line, widths)))
            for line in lines]


def in_states(options: argparse.Namespace) -> int:
    """The command."""
    machine = guest.Machine(options.accel, options.append, options.memory, options.timeout)
    root = options.out or packages.cache() / "states"
    code = OK
    wanted = [states.find(state) for state in options.state or USUAL]
    for name in options.kernel:
        by_state: dict[str, Rows] = {}
        try:
            for state in wanted:
                every = runs.each([name], words(options.nsbench, f"--filter={OF_KINDS}"), root / state.name, machine,
                                  keep=folders.Keep(replace=options.out is None), how=runs.How(state, options.machines))
                result = runs.run_all(every, root / state.name, options.jobs)[0]
                if result.error:
                    raise LabError(f"{state.name}: {result.error}", result.error.code)
                by_state[state.name] = first_rows(result.folder)
                code = max(code, FAILED if result.status else OK)
        except LabError as error:
            print(f"lab: {name}: {error}", file=sys.stderr)
            code = max(code, error.code)
        if by_state:
            print(f"{every[0].image.name}, thousand instructions")
            print("\n".join(table(by_state)))
    return code


def add_parser(commands: Commands) -> None:
    """Adds the command to lab.py's."""
    one = commands.add_parser("states", help="what each kind costs in each state, side by side", description=__doc__,
                              allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)
    one.add_argument("--kernel", action="append", required=True, metavar="KERNEL", help="repeatable")
    one.add_argument("--state", action="append", metavar="NAME|SCRIPT", help=f"repeatable ({', '.join(USUAL)})")
    one.add_argument("--machines", type=machine_numbers, default="3", metavar="N", help="saved machines (%(default)s)")
    one.add_argument("--out", type=Path, metavar="DIR", help="keep the runs there (the lab's cache)")
    add_jobs(one)
    add_append(one)
    add_machine(one)
    one.set_defaults(command=in_states, takes_nsbench=True)
