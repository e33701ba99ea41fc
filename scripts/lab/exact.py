"""The exact profile: QEMU itself counts the kernel's instructions, function by function, between the sampler's marks.

The plugin (src/exact) follows the tree of calls in a copy of a saved machine; the guest knows nothing of it, and its
samples are the same with it and without.
"""
import re
import struct
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

from lab import copies, initramfs, packages, saved
from lab.errors import FAILED, IMPOSSIBLE, LabError
from lab.guest import Crowd

PLUGIN = "nsbench-exact.so"
SECTION = ".nsbench.marks"  # bench/mark.h
MARK = struct.Struct("<QIII")  # address, the phases that it opens and closes, reading
IN_TURN = 1 << 31  # beside the reading
PROGRAM = "nsbench-program"  # whose first instruction address 0 stands for
CODE = 8  # bytes by which a mark is known
SYMBOLS = "kallsyms"
NOTES = "notes"  # of the kernel's file: its build ID
# The tree's first level, in the order of Owner in src/exact/trace.h
OWNERS = ("[call]", "[child]", "[other tasks]", "[interrupts]")
OWN = OWNERS[:2]
USER = "[user]"  # src/exact/symbols.cpp

Path_ = tuple[str, ...]


def marks() -> str:
    """What the plugin is to know of the sampler's marks. LabError for a sampler without any."""
    try:
        from elftools.elf.elffile import ELFFile
    except ImportError:
        raise LabError("a profile needs apt-get install python3-pyelftools", IMPOSSIBLE) from None

    def loaded(elf: ELFFile) -> list[tuple[int, bytes]]:
        return [(segment["p_vaddr"], segment.data()) for segment in elf.iter_segments() if segment["p_type"] == "PT_LOAD"]

    sampler = initramfs.program("nsbench-sampler")
    with open(sampler, "rb") as file:
        elf = ELFFile(file)
        section = elf.get_section_by_name(SECTION)
        if section is None:
            raise LabError(f"{sampler} has no {SECTION}: build it again", IMPOSSIBLE)
        own, notes = loaded(elf), list(MARK.iter_unpack(section.data()))
    with open(sampler.with_name(PROGRAM), "rb") as file:
        elf = ELFFile(file)
        other, entry = loaded(elf), elf["e_entry"]
    lines = []
    for noted, opens, closes, reading in notes:
        address, where = (noted, own) if noted else (entry, other)
        code = next(data[address - at:][:CODE] for at, data in where if at <= address < at + len(data))
        lines.append(f"{address:x} {code.hex()} {opens:x} {closes:x} {reading & ~IN_TURN:x} {int(reading & IN_TURN != 0)}\n")
    return "".join(lines)


def symbols(recipe: saved.Recipe, folder: Path, crowd: Crowd) -> Path:
    """The guest's /proc/kallsyms, read once for each saved machine. LabError where the kernel hides its addresses."""
    path = folder / SYMBOLS
    if not path.exists():
        files = copies.run(recipe, folder, ["symbols"], crowd)
        text = files.get(SYMBOLS, b"")
        if not any(line[:16].strip(b"0") for line in text.splitlines()):
            raise LabError("the guest's /proc/kallsyms has no addresses: it needs CONFIG_KALLSYMS, and kptr_restrict below 2 "
                           "(no sysctl.kernel.kptr_restrict=2 behind --append)", FAILED)
        with packages.full(), tempfile.TemporaryDirectory(dir=folder, prefix="part-") as name:
            part = Path(name) / SYMBOLS
            part.write_bytes(text)
            (folder / NOTES).write_bytes(files.get(NOTES, b""))
            part.rename(path)
    return path


def library() -> Path:
    """The plugin of this build. LabError where it was not built."""
    return initramfs.program(PLUGIN)


def addresses_of(folder: Path, names: Iterable[str]) -> dict[str, int]:
    """Where the kernel of a machine whose symbols were read has these functions, if it has."""
    found = re.findall(rf"^([0-9a-f]+) [tT] ({'|'.join(names)})$", (folder / SYMBOLS).read_text(), re.MULTILINE)
    return {name: int(address, 16) for address, name in found}


def plugin(recipe: saved.Recipe, folder: Path, marks_file: Path, crowd: Crowd, runs: bool) -> str:
    """QEMU's -plugin for copies of the machine in `folder`; `runs`: with what each address executes."""
    return ",".join([escaped(library()), f"symbols={escaped(symbols(recipe, folder, crowd))}", f"marks={escaped(marks_file)}",
                     *(["runs=1"] if runs else [])])


def escaped(path: Path) -> str:
    """A path as QEMU's options have it."""
    return str(path).replace(",", ",,")


@dataclass
class Cost:
    """Calls of a function, and its own instructions; in a mean of executions they need not be whole."""

    calls: float = 0
    self: float = 0

    def add(self, calls: float, own: float) -> None:
        self.calls += calls
        self.self += own


@dataclass
class Segment:
    """What was executed between two marks, by node; the bits of `phases` are the columns' numbers in samples.csv. Of those in
    `in_turn` the case's `turn`th was open."""

    phases: int
    instructions: int
    lost: int
    in_turn: int = 0
    turn: int = 0
    cells: list[tuple[int, int, int]] = field(default_factory=list)
    runs: list[tuple[int, int, int, int]] = field(default_factory=list)  # block, instructions of it, owner, how often


@dataclass
class Profile:
    """One copy's: the nodes' parents and functions, the segments in their order, and the functions of blocks and the
    addresses of their instructions."""

    nodes: list[tuple[int, str]]
    segments: list[Segment]
    blocks: dict[int, tuple[str, list[int]]] = field(default_factory=dict)

    def samples(self) -> list[list[Segment]]:
        """The segments of each sample."""
        found: list[list[Segment]] = []
        was_open = False
        for segment in self.segments:
            if segment.phases and not was_open:
                found.append([])
            if segment.phases:
                found[-1].append(segment)
            was_open = segment.phases != 0
        return found

    def settle_turns(self, phases: int) -> None:
        """Says of phases in turn which one was open, where these are the case's."""
        for segment in self.segments:
            if segment.in_turn:
                own = [1 << bit for bit in range(segment.in_turn.bit_length()) if segment.in_turn & phases & 1 << bit]
                open_ = own[segment.turn - 1] if segment.turn <= len(own) else 0
                segment.phases = segment.phases & ~segment.in_turn | open_
                segment.in_turn = 0

    def path(self, node: int) -> Path_:
        """The functions on the way to a node, its owner first."""
        path: list[str] = []
        while node >= len(OWNERS):
            node_parent, name = self.nodes[node]
            path.append(name)
            node = node_parent
        return (OWNERS[node], *reversed(path))


def parse(text: str) -> Profile:
    """What the plugin wrote. LabError for what is not whole."""
    profile = Profile([], [])
    lines = text.splitlines()
    if not lines or lines[-1] != "end":
        raise LabError("the profile was not written whole: is the disk full?")
    for line in lines[:-1]:
        word = line.split()
        if word[0] == "n":
            profile.nodes.append((int(word[1]), word[2] if len(word) == 3 else " ".join(word[2:])))
        elif word[0] == "s":
            phases, instructions, lost, in_turn, turn, *_ = (*map(int, word[1:]), 0, 0)
            profile.segments.append(Segment(phases, instructions, lost, in_turn, turn))
        elif word[0] == "r":
            profile.segments[-1].runs.append((int(word[1]), int(word[2]), int(word[3]), int(word[4])))
        elif word[0] == "b":
            sizes = [int(size, 16) for size in word[3][:-1]]
            profile.blocks[int(word[1])] = " ".join(word[4:]), list(accumulate(sizes, initial=int(word[2], 16)))
        else:
            profile.segments[-1].cells.append((int(word[1]), int(word[2]), int(word[3])))
    return profile


def run(recipe: saved.Recipe, folder: Path, order: list[str], crowd: Crowd, words: str) -> tuple[dict[str, bytes], Profile]:
    """A copy with the plugin, as copies.run(). LabError where QEMU cannot load it."""
    with tempfile.TemporaryDirectory(prefix="nsbench-lab-") as name:
        out = Path(name) / "profile"
        try:
            files = copies.run(recipe, folder, order, crowd, ["-plugin", f"{words},out={escaped(out)}"])
        except LabError as error:
            if "plugin" not in str(error) and "nsbench-exact" not in str(error):
                raise
            raise LabError(f"{error}: a profile needs a QEMU with plugins, as Debian's qemu-system-x86 is", IMPOSSIBLE) from None
        if not out.exists():
            raise LabError("the plugin could not write its profile: is the disk full?")
        return files, parse(out.read_text())
