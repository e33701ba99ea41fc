"""agree: does nsbench measure what a bare C loop measures? Both in one guest, in turns.

The loop (bench/yardstick.c), in which none of nsbench's code is, is started as often as nsbench makes blocks, each time
for as many samples as a block has, of which as many are left out at its start. What is compared is the median of each
pair of turns; the figure is the median ratio of the pairs. The table also has `total`, in which nsbench's child tells
when it began, and the loop's does not.
Exit codes: 0 create agrees within 1% for every set, with all eight kinds within 2%; 1 it does not; 2 usage; 3 not possible here.
"""
import argparse
import csv
import io
import statistics

from lab import guest, images, initramfs
from lab.errors import FAILED, OK, LabError
from lab.options import add_append, add_machine, positive

SETS = {"none": 0, "pid": 0x20000000, "net": 0x40000000, "all": 0x7E020080}
LIMITS = {"none": 0.01, "pid": 0.01, "net": 0.01,
          # From 0.978 to 0.993 on 6.1: a word more on the command line or other memory alone move it so far. Why nsbench
          # finds less than the loop is not known.
          "all": 0.02}
BLOCKS, PER_BLOCK, LEAD_IN = 10, 10, 2  # of nsbench at --samples=100
TURN = """
nsbench --op=clone --ns={name} --stack=1M --samples={samples} --seed={pair} --clock={clock} --cpu=0 \\
    --no-progress --csv={out}.csv
for block in {blocks}; do
    taskset 1 nsbench-yardstick {flags:x} {count} >>{out}.times && sleep 0.2
done
"""


def script(pairs: int, clock: str) -> str:
    """Shell text for the guest: the turns of all pairs; their files are in /tmp/out."""
    turns = [
        TURN.format(
            name=name,
            samples=BLOCKS * PER_BLOCK,
            pair=pair,
            clock=clock,
            out=f"/tmp/out/{name}.{pair}",
            blocks=" ".join("x" * BLOCKS),
            flags=flags,
            count=LEAD_IN + PER_BLOCK,
        )
        for pair in range(1, pairs + 1)
        for name, flags in SETS.items()
    ]
    return f"measure() {{\nmkdir /tmp/out\n{''.join(turns)}}}\n"


def yardstick(text: str, phase: int) -> float:
    """The median of what several starts of the loop printed, the first samples of each left out."""
    rows = [tuple(map(int, line.split())) for line in text.splitlines()]
    counted = [row[phase] for i, row in enumerate(rows) if i % (LEAD_IN + PER_BLOCK) >= LEAD_IN]
    if len(counted) != BLOCKS * PER_BLOCK:
        raise LabError(f"the bare loop made {len(counted)} samples of {BLOCKS * PER_BLOCK} in the guest")
    return statistics.median(counted)


def nsbench(text: str, name: str, phase: str) -> float:
    """The median of the row of results.csv that is not the baseline's."""
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row["phase"] == phase]
    chosen = [row for row in rows if (row["namespaces"] == "none") == (name == "none")]
    if len(chosen) != 1 or not chosen[0]["median"]:
        raise LabError(
            f"nsbench in the guest measured no {phase} for {name}: {[row['reason'] for row in chosen]}"
        )
    return float(chosen[0]["median"])


def measure(options: argparse.Namespace) -> dict[str, bytes]:
    """The files that the guest sent."""
    machine = guest.Machine(options.accel, options.append, options.memory, options.timeout)
    extra = {"bin/nsbench-yardstick": initramfs.build_directory() / "nsbench-yardstick"}
    initrd = machine.initrd(
        "run", base=initramfs.base(extra), more=script(options.pairs, guest.CLOCKS[options.accel])
    )
    return guest.carry_out(machine, images.images([options.kernel])[0].path, initrd)


def agree(options: argparse.Namespace) -> int:
    """The command."""
    files = measure(options)
    if not any(name.endswith(".csv") for name in files):
        said = files.get("stderr", b"").decode(errors="replace").strip().splitlines()
        raise LabError(f"nsbench in the guest measured nothing: {(said or ['it said nothing'])[-1]}")
    good = True
    print(f"{'set':6} {'phase':7} {'bare loop':>12} {'nsbench':>12} {'ratio':>8}  of {options.pairs} pairs")
    for name in SETS:
        for number, phase in enumerate(("create", "total")):
            pairs = [
                (
                    nsbench(files[f"{name}.{pair}.csv"].decode(), name, phase),
                    yardstick(files[f"{name}.{pair}.times"].decode(), number),
                )
                for pair in range(1, options.pairs + 1)
            ]
            ratios = sorted(one / other for one, other in pairs)
            ratio = statistics.median(ratios)
            within = phase != "create" or abs(ratio - 1) <= LIMITS[name]
            good = good and within
            one, other = (statistics.median(pair[i] for pair in pairs) for i in (0, 1))
            print(
                f"{name:6} {phase:7} {other:12.0f} {one:12.0f} {ratio:8.4f}  {ratios[0]:.4f} … "
                f"{ratios[-1]:.4f}"
                f"{'' if within else f'  beyond {LIMITS[name]:.0%}'}"
            )
    return OK if good else FAILED


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the command to lab.py's."""
    one = commands.add_parser(
        "agree",
        help="nsbench against a bare C loop in one guest",
        description=__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    one.add_argument("--kernel", required=True, metavar="KERNEL")
    one.add_argument("--pairs", type=positive, default=5, metavar="N", help="turns of each (%(default)s)")
    add_append(one)
    add_machine(one)
    one.set_defaults(command=agree)
