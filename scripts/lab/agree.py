"""agree: does nsbench measure what a bare C loop measures? Each in copies of the same saved machines.

The loop (bench/yardstick.c), in which none of nsbench's code is, makes the same blocks as nsbench: after a pause one
sample that does not count and one that does. What is compared is the median of a copy's samples; the figure is the median
ratio of the machines, which differ in nothing that has a meaning. The table also has `total`, in which nsbench's child
tells when it began, and the loop's does not.
Exit codes: 0 create agrees within 1% for every set; 1 it does not; 2 usage; 3 not possible here.
"""
import argparse
import csv
import io
import statistics
import tempfile
from pathlib import Path

from analysis import columns, kinds
from lab import alone, guest, images, initramfs, orders, runs
from lab.commands import Commands
from lab.errors import FAILED, OK, LabError
from lab.options import add_append, add_jobs, add_machine, machine_numbers
from lab.progress import Progress
from lab.states import STATES

VALUES = {kind["flag"]: kind["value"] for kind in columns.dictionary()["kinds"]}  # of the flags
SETS = {name: sum(VALUES[flag] for flag in kinds.flags(name)) for name in (kinds.NONE, "NEWPID", "NEWNET", kinds.ALL)}
LIMIT = 0.01
SAMPLES, PER_BLOCK, LEAD_IN = 10, 1, 1  # as orders.SHAPE says to nsbench
LOOP = "output"


def tasks(numbers: range) -> list[alone.Task]:
    """Two copies for each set and machine: nsbench's, and the loop's."""
    given = runs.arguments([f"--samples={SAMPLES}"], "tcg")
    found = []
    for name, flags in SETS.items():
        case = f"clone/{name}/stack:1M"
        order = orders.Plan((case,), (), tuple(given)).order(case, "fresh")
        loop = ("program", "nsbench-yardstick", f"{flags:x}", str(LEAD_IN + PER_BLOCK), str(SAMPLES // PER_BLOCK))
        for number in numbers:
            found += [alone.Task(number, case, tuple(order)), alone.Task(number, case, loop, LOOP)]
    return found


def of_loop(text: str, phase: int) -> float:
    """The median of what the loop printed, the first samples of each block left out."""
    rows = [tuple(map(int, line.split())) for line in text.splitlines()]
    counted = [row[phase] for i, row in enumerate(rows) if i % (LEAD_IN + PER_BLOCK) >= LEAD_IN]
    if len(counted) != SAMPLES:
        raise LabError(f"the bare loop made {len(counted)} samples of {SAMPLES} in the guest")
    return statistics.median(counted)


def of_nsbench(text: str, phase: str) -> float:
    """The median of samples.csv."""
    counted = [float(row[phase]) for row in csv.DictReader(io.StringIO(text)) if row["counted"] == "1" and row[phase]]
    if len(counted) != SAMPLES:
        raise LabError(f"nsbench made {len(counted)} samples of {SAMPLES} in the guest")
    return statistics.median(counted)


def measure(options: argparse.Namespace) -> dict[alone.Task, alone.Files]:
    """What the copies gave back."""
    machine = guest.Machine("tcg", options.append, options.memory, options.timeout)
    base = initramfs.base({"bin/nsbench-yardstick": initramfs.program("nsbench-yardstick")})
    image = images.images([options.kernel])[0]
    subject = alone.subject(image.name, image.path, image.sha256, machine, STATES["fresh"], base, options.machines)
    progress = Progress([image.name])
    with tempfile.TemporaryDirectory(prefix="nsbench-lab-") as name:
        journal = alone.Journal(Path(name) / "journal")
        return alone.measure(tasks(options.machines), subject, journal, options.jobs,
                             lambda state: progress.show(image.name, state))


def agree(options: argparse.Namespace) -> int:
    """The command."""
    files = measure(options)
    good = True
    print(f"{'set':59} {'phase':7} {'bare loop':>10} {'nsbench':>10} {'ratio':>8}  of {len(options.machines)} machines")
    for name in SETS:
        own = [task for task in files if task.case == f"clone/{name}/stack:1M"]
        for number, phase in enumerate(("create", "total")):
            loop = {task.number: of_loop(files[task][LOOP].decode(), number) for task in own if task.gives == LOOP}
            ours = {task.number: of_nsbench(files[task]["samples.csv"].decode(), phase) for task in own if task.gives != LOOP}
            ratios = sorted(ours[machine] / loop[machine] for machine in loop)
            ratio = statistics.median(ratios)
            within = phase != "create" or abs(ratio - 1) <= LIMIT
            good = good and within
            print(f"{name:59} {phase:7} {statistics.median(loop.values()):10.0f} {statistics.median(ours.values()):10.0f} "
                  f"{ratio:8.4f}  {ratios[0]:.4f} … {ratios[-1]:.4f}{'' if within else f'  beyond {LIMIT:.0%}'}")
    return OK if good else FAILED


def add_parser(commands: Commands) -> None:
    """Adds the command to lab.py's."""
    one = commands.add_parser(
        "agree",
        help="nsbench against a bare C loop, in copies of the same machines",
        description=__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    one.add_argument("--kernel", required=True, metavar="KERNEL")
    one.add_argument("--machines", type=machine_numbers, default="5", metavar="N", help="saved machines (%(default)s)")
    add_jobs(one)
    add_append(one)
    add_machine(one)
    one.set_defaults(command=agree)
