"""Sides of runs recorded on this machine, one right after the other, so that comparing them has a known answer.

S001, S002, … are sides of the same thing: S001 against S002, S002 against S003, and so on, are comparisons in which nothing
changed, each side measured wholly before the other, as whoever measures, changes something and measures again does it.
In B001, P001, B002, P002, … each differs from the one before it: the P are measured in a mount namespace with more mounts,
which clone/NEWNS has to copy. Neighbouring comparisons share a side, so that the limits of a rate, which take comparisons
for independent, are a little too narrow.
"""
import json
import math
import shutil
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from analysis import files, outputs
from analysis.script import Unreadable

PLAN = "plan.json"
RUNS = 5  # a side
PART = ".part"  # behind the name of a side that is not whole
PLANTED_CASE = "clone/NEWNS/stack:1M"
CHANGE = 0.05  # planted, of PLANTED_CASE's create
# Starts a command in a mount namespace of its own with $1 more mounts, on the folder $2 and below. They go with it.
PLANT = """mount -t tmpfs nsbench "$2" && i=1 || exit
while [ "$i" -lt "$1" ]; do mkdir "$2/$i" && mount --bind "$2/$i" "$2/$i" || exit; i=$((i + 1)); done
shift 2; exec "$@\""""
Start = Callable[..., str]  # a command's words → its standard output; raises where it fails


@dataclass(frozen=True)
class Plan:
    """What a folder of recordings is recorded with. `mounts` are what was planted, 0 where they have not been found out;
    `version` is that of the nsbench that began it: empty where it was not written down."""

    filter: str
    budget: str
    mounts: int = 0
    version: str = ""


def chain(first: str, second: str, count: int) -> list[str]:
    """The names of the sides of so many comparisons, each with the next: of one letter, or of two in turn."""
    if first == second:
        return [f"{first}{i + 1:03}" for i in range(count + 1)]
    return [f"{(first, second)[i % 2]}{i // 2 + 1:03}" for i in range(count + 1)]


def plan_of(folder: Path, wanted: Plan) -> Plan:
    """The plan of a folder, which becomes the wanted one where it is empty. Unreadable for recordings of another plan."""
    outputs.own_folder(folder)
    try:
        content = files.json_of(folder / PLAN)
    except FileNotFoundError:
        if any(folder.iterdir()):
            raise Unreadable(f"--keep: {folder} has files, but no {PLAN}") from None
        return kept(folder, wanted)
    written: dict[str, Any] = {"version": "", **content} if isinstance(content, dict) else {}
    if {name: type(value) for name, value in written.items()} != Plan.__annotations__:
        raise Unreadable(f"{folder / PLAN}: not what this command writes")
    found = Plan(**written)
    for name in ("filter", "budget"):
        if getattr(found, name) != getattr(wanted, name):
            raise Unreadable(f"--keep: {folder} was recorded with --{name}={getattr(found, name)}: another folder is needed")
    return found


def kept(folder: Path, plan: Plan) -> Plan:
    """Writes the plan down."""
    outputs.replace(folder / PLAN, (json.dumps(asdict(plan), indent=1) + "\n").encode())
    return plan


class Recorder:
    """Records sides into a folder, those that are not there yet."""

    PAIRS = 9  # of runs with no mounts more and with MOUNTS, of which the cost of one is found
    MOUNTS = 64  # so many that they stand out

    def __init__(self, start: Start, nsbench: Path, folder: Path, plan: Plan) -> None:
        self.start = start
        self.nsbench = nsbench
        self.folder = folder
        self.plan = plan

    def side(self, name: str) -> None:
        """A side. One that was interrupted is recorded anew: its runs are to be of one sitting."""
        if (self.folder / name).is_dir():
            return
        part = self.folder / (name + PART)
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        for number in range(RUNS):
            self._measure(self.plan.mounts if name.startswith("P") else 0, f"--filter={self.plan.filter}",
                          f"--budget={self.plan.budget}", f"--out={part / f'run-{number + 1}'}")
        part.rename(self.folder / name)

    def _measure(self, mounts: int, *options: str) -> str:
        words = [str(self.nsbench), *options, "--quiet"]
        if not mounts:
            return self.start(*words)
        with tempfile.TemporaryDirectory(prefix="nsbench-mounts-") as place:
            return self.start("unshare", "--mount", "--propagation=private", "sh", "-c", PLANT, "sh", str(mounts), place, *words)

    def mounts_for(self, change: float, done: Callable[[int], None]) -> int:
        """How many more mounts make PLANTED_CASE's create slower by that share, or by a little more: a mount is the smallest
        step. Measured with none and with many in turn. Unreadable where many make no difference."""
        ratios = []
        for pair in range(self.PAIRS):
            few, many = (self._created(mounts) for mounts in (0, self.MOUNTS))
            ratios.append(many / few)
            done(pair)
        each = (statistics.median(ratios) - 1) / self.MOUNTS
        if each <= 0:
            raise Unreadable(f"{self.MOUNTS} mounts more do not make {PLANTED_CASE} slower: nothing can be planted")
        return math.ceil(change / each)

    def _created(self, mounts: int) -> float:
        """A run's figure of PLANTED_CASE's create, which is what compare.py compares."""
        from analysis import comparison, read  # only now: they load pandas
        with tempfile.TemporaryDirectory(prefix="nsbench-mounts-") as place:
            self._measure(mounts, f"--case={PLANTED_CASE}", f"--budget={self.plan.budget}", f"--out={place}/run")
            figures = read.read_run(f"{place}/run").quantile(comparison.SHARE)
        key = (PLANTED_CASE, "create")
        if figures is None or key not in figures:
            raise Unreadable(f"{PLANTED_CASE} has no figure in --budget={self.plan.budget}: a larger one is needed")
        return float(figures[key])
