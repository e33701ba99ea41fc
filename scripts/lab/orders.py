"""What is measured: nsbench's options taken apart into cases, and the order that a copy gets for each of them."""
import os
import subprocess
from dataclasses import dataclass

from analysis import columns
from lab import initramfs
from lab.errors import USAGE, LabError

SELECT = ("--case", "--filter", "--op", "--ns", "--with", "--curve", "--quick",
          *(f"--{parameter['option']}" for parameter in columns.dictionary()["parameters"] if parameter["option"]))
FLAGS = ("--alone", "--quiet", "--no-progress", "--probe", "--quick", "--full", "--all")  # those that take no word behind them
# Constants of the lab. A block is one sample behind one that does not count, so that each begins in a kernel that has
# settled and drained, and is the second since: the first after an idle time is dearer than any other. Longer blocks mix in
# the backlog that a case makes for itself: on 6.1 the tenth clone with NEWNET in a block costs a tenth more than the second.
SHAPE = ("--block=1", "--lead-in=1")


@dataclass(frozen=True)
class Plan:
    """Cases by their ids in nsbench's order; `bases` are the none cases that only serve deltas. `rest` are the options
    that select nothing; `curve` is what --curve said."""

    cases: tuple[str, ...]
    bases: tuple[str, ...]
    rest: tuple[str, ...]
    curve: str | None = None

    @property
    def every(self) -> tuple[str, ...]:
        return self.cases + self.bases

    @property
    def probed(self) -> bool:
        return any(word.split("=")[0] == "--probe" and word != "--probe=off" for word in self.rest)

    def order(self, case: str, state: str, probe: bool = False) -> list[str]:
        """The words of nsbench for the copy that measures this case. With the probe, its base is measured beside it, since
        what the case adds is told function by function."""
        without = ("--probe", "--folded") if not probe else ()
        rest = [word for word in self.rest if word.split("=")[0] not in without]
        return ["run", f"--case={case}", f"--state={state}", *SHAPE, *([] if probe else ["--alone"]), *rest]


def joined(words: list[str]) -> list[str]:
    """Options with their values in one word each: `--filter X` becomes `--filter=X`."""
    found: list[str] = []
    for word in words:
        if not word.startswith("-") and found and found[-1].startswith("-") and "=" not in found[-1] and found[-1] not in FLAGS:
            found[-1] += "=" + word
        else:
            found.append(word)
    return found


def base_of(case: str) -> str:
    """The id of the case that this one is compared with."""
    operation, _, *rest = case.split("/")
    return "/".join([operation, "none", *rest])


def nsbench(*words: str) -> subprocess.CompletedProcess[str]:
    """nsbench of this build, ended, on this machine."""
    return subprocess.run([initramfs.program("nsbench"), *words], capture_output=True, text=True,
                          errors="replace", stdin=subprocess.DEVNULL, env=os.environ)


def listed(*words: str) -> list[str]:
    """The ids that `nsbench list` prints. LabError with what it says where it refuses."""
    done = nsbench("list", "--as-root", *words)
    if done.returncode:
        raise LabError(done.stderr.strip().removeprefix("nsbench: "), USAGE)
    return done.stdout.split()


def plan(words: list[str]) -> Plan:
    """The plan of these options (as runs.arguments() returned them). LabError for what selects nothing."""
    words = joined(words)
    selecting = [word for word in words if word.split("=")[0] in SELECT]
    rest = [word for word in words if word not in selecting]
    every = listed("--bases", *selecting)
    cases = listed(*selecting)
    curve = next((word.partition("=")[2] for word in selecting if word.startswith("--curve=")), None)
    return Plan(tuple(cases), tuple(every[len(cases):]), tuple(rest), curve)
