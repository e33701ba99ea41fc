"""What is measured of each kernel, and the jobs that it is taken apart into.

A job is one command line that writes one file. It needs nothing of another job, and gives the same bytes on whatever machine it
runs: who runs it, when, and how often, is an engine's business.
"""
import hashlib
import json
import os
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis import outputs, programs
from analysis.kinds import ALL
from lab import guest, initramfs, orders, runs
from lab.errors import USAGE, LabError
from lab.history.table import Kernel, Row
from lab.images import Image

# The kinds by clone with its five phases, drain among them; all kinds by unshare, and as a whole container; entering
# the kinds whose setns does work of its own; a proc of a new pid namespace. Few, since a history is of many kernels.
SETNS = "NEWNET|NEWNS|NEWPID|NEWUSER"
CASES = (f"^(clone/(NEW[A-Z]+|none)/stack:1M|unshare/(none|{ALL})|setns/({SETNS})/via:nsfd|proc_remount/.*/stack:1M)$",
         "^container/NEW")
SAMPLES = "--samples=3"
MACHINES = "3"  # saved machines that show a resolution at all
# Of what decides what a run measures, the parts that are the kernel's or the case's.
NOT_OF_A_PLAN = ("kernel_package", "kernel_sha256", "machines", "arguments", "on_all_machines", "together")
CARRIED = (programs.STARTED_BY, "NSBENCH_PRESET", "NSBENCH_LAB_CACHE", "XDG_CACHE_HOME")  # variables that a job needs as well


@dataclass(frozen=True)
class Plan:
    """The cases with their bases, nsbench's options that select nothing, the machine and the saved machines' numbers."""

    cases: tuple[str, ...]
    options: tuple[str, ...]
    machine: guest.Machine
    numbers: range

    def about(self) -> dict[str, object]:
        """All but the kernel and the case that decides what is measured."""
        image = Image("kernel", Path("vmlinuz"), "0" * 64)
        words = runs.arguments(list(self.options), self.machine.accel)
        one = runs.wanted(image, self.machine, words, initramfs.base(), Path("nowhere"), how=runs.How(numbers=self.numbers))
        machines = one.lab["machines"]
        assert isinstance(machines, dict)
        return {**{name: value for name, value in one.lab.items() if name not in NOT_OF_A_PLAN}, "options": words,
                "machines": {number: machine["variation"] for number, machine in machines.items()}}


def digest_of(about: dict[str, object]) -> str:
    """The name of a plan."""
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]


def mean(folder: Path, digest: str, about: dict[str, object]) -> None:
    """Writes beside the jobs' files what the plan's name stands for, so that a job can say what is otherwise where it runs."""
    outputs.replace(folder / f"{digest}.plan", json.dumps(about, sort_keys=True).encode())


def meant(folder: Path, digest: str) -> dict[str, object]:
    """What mean() wrote; nothing where that is not there."""
    try:
        found = json.loads((folder / f"{digest}.plan").read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def of_options(given: Sequence[str], machine: guest.Machine, numbers: range) -> Plan:
    """The plan of nsbench's options; those that select cases have defaults. LabError for what selects nothing."""
    if machine.accel != "tcg":
        raise LabError(f"--accel={machine.accel}: a history is of the instruction clock", USAGE)
    words = orders.joined(list(given))
    chosen = [word for word in words if word.split("=")[0] in orders.SELECT]
    rest = [word for word in words if word not in chosen and word != "run"]
    every = list(dict.fromkeys(case for words in ([chosen] if chosen else defaults()) for case in orders.listed("--bases", *words)))
    options = rest if any(word.startswith("--samples=") for word in rest) else [*rest, SAMPLES]
    return Plan(tuple(every), tuple(options), machine, numbers)


def defaults() -> list[list[str]]:
    """The options that select the default cases: what only --op selects takes words of its own."""
    return [[f"--filter={CASES[0]}"], ["--op=container", f"--filter={CASES[1]}"]]


@dataclass(frozen=True)
class Job:
    """These cases on that kernel: what names the kernel to lab.py, and to people."""

    kernel: str
    name: str
    order: int
    cases: tuple[str, ...]
    profile: bool = False

    @property
    def of(self) -> Kernel:
        """The name and the version that its rows have."""
        return self.name, "" if self.order else self.kernel

    def key(self, plan: str) -> str:
        """The name of its file: of the same job the same."""
        parts = [self.kernel, self.name, str(self.order), plan, "profile" if self.profile else "figures", *self.cases]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]


def jobs_of(job: Job, done: Iterable[Row], plan: str, at_once: int) -> list[Job]:
    """The job without the cases that have rows of this plan, in parts of at most so many cases (0: any)."""
    there = {row.case for row in done if row.plan == plan}
    left = [case for case in job.cases if case not in there]
    size = at_once or max(len(left), 1)
    return [Job(job.kernel, job.name, job.order, tuple(left[at:at + size]), job.profile) for at in range(0, len(left), size)]


def command(job: Job, plan: Plan, digest: str, out: Path) -> str:
    """The job's command line, for a shell in any folder."""
    machine = plan.machine
    words = [sys.executable, str(programs.SCRIPTS / "lab.py"), "history-job", job.kernel, f"--name={job.name}", f"--order={job.order}",
             f"--plan={digest}", f"--out={out}", f"--machines={numbers_of(plan.numbers)}", f"--memory={machine.memory}",
             f"--timeout={machine.timeout:g}", "--jobs=1", *([f"--append={machine.append}"] if machine.append else []),
             *(["--profile"] if job.profile else []), *(f"--case={case}" for case in job.cases), "--", *plan.options]
    carried = [f"{name}={os.environ[name]}" for name in CARRIED if name in os.environ]
    return shlex.join(["env", *carried, *words] if carried else words)


def numbers_of(numbers: range) -> str:
    """As --machines takes them."""
    return str(numbers.stop - 1) if numbers.start == 1 else f"{numbers.start}-{numbers.stop - 1}"
