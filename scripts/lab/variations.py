"""Meaningless variations of a machine: what no kernel needs to act on, and what moves figures a little all the same.

A case is measured on several machines that differ in nothing but these. How far their figures lie apart is the row's
resolution: less than that says nothing about a kernel.
"""
import dataclasses
from dataclasses import dataclass

from lab.guest import Machine


SLEEPER = """
mkdir /sys/fs/cgroup/idle{n} || exit 1
sh -c 'echo $$ >/sys/fs/cgroup/idle{n}/cgroup.procs; exec sleep 1000000' &
"""


@dataclass(frozen=True)
class Variation:
    """A word more on the kernel's command line, MB more of memory, bytes more in the initramfs, guest seconds more to
    settle in, processes that sleep, each in a cgroup of its own, which takes percpu memory."""

    append: str = ""
    memory: int = 0
    padding: int = 0
    settle: int = 0
    sleepers: int = 0

    def __str__(self) -> str:
        said = (f"{self.append}" if self.append else "", f"{self.memory} MB more" if self.memory else "",
                f"{self.padding} bytes of padding" if self.padding else "",
                f"{self.settle} s longer to settle" if self.settle else "",
                f"{self.sleepers} sleeping" if self.sleepers else "")
        return ", ".join(part for part in said if part) or "as it is"

    def machine(self, machine: Machine) -> Machine:
        return dataclasses.replace(machine, append=f"{machine.append} {self.append}".strip(),
                                   memory=machine.memory + self.memory)

    def script(self, script: str) -> str:
        """The state's script, with the sleepers started before it."""
        return "".join(SLEEPER.format(n=n) for n in range(self.sleepers)) + script


# The first is the machine as it is. Those behind the 15th are for checks: no resolution is made from them.
VARIATIONS = (
    Variation(),
    Variation(append="dummy=1"),
    Variation(memory=88),
    Variation(padding=70_000),
    Variation(sleepers=1),
    Variation(settle=7),
    Variation(append="nonsense=abcdefgh"),
    Variation(memory=32),
    Variation(padding=300_000),
    Variation(sleepers=3),
    Variation(settle=13),
    Variation(append="a=1 b=2 c=3", padding=5_000),
    Variation(memory=128, sleepers=1),
    Variation(padding=1_000_000),
    Variation(append="word", settle=3),
    Variation(append="another=word"),
    Variation(memory=64),
    Variation(padding=130_000),
    Variation(sleepers=2),
    Variation(settle=5, memory=16),
)
FOR_RESOLUTION = 15
