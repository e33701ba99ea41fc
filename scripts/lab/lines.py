"""Source lines: which line of the kernel's source each instruction is of, by the debug information of its vmlinux."""
import io
import os
import re
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lab import images, keeping, packages
from lab.errors import IMPOSSIBLE, USAGE, LabError
from lab.images import Image

NT_GNU_BUILD_ID = 3  # linux/elf.h, uapi: the note's owner is "GNU"
UNKNOWN = "??"
VMLINUX = "vmlinux"
# Functions of every kernel by their files, as seen from the root of its source: one in C and one in assembler, whose names
# for that root may differ.
KNOWN = {"start_kernel": "init/main.c", "entry_SYSCALL_64": "arch/x86/entry/entry_64.S"}
Amounts = dict[tuple[str, int], float]  # by function and address


@dataclass(frozen=True)
class SourceLine:
    """A line, and the function that it is in, which may be inlined."""

    file: str
    line: int
    function: str


NOWHERE = SourceLine("kernel", 0, "")


def build_id(notes: bytes) -> str:
    """The build ID among ELF notes; empty where there is none."""
    at = 0
    while at + 12 <= len(notes):
        name, size, kind = (int.from_bytes(notes[at + i:at + i + 4], "little") for i in (0, 4, 8))
        begin = at + 12 + -(-name // 4) * 4
        if kind == NT_GNU_BUILD_ID and notes[at + 12:at + 12 + name] == b"GNU\0":
            return notes[begin:begin + size].hex()
        at = begin + -(-size // 4) * 4
    return ""


def look_into(file: IO[bytes]) -> tuple[str, bool]:
    """A kernel's build ID, empty where it has none, and whether it has debug information. What is raised for a damaged file is
    whatever pyelftools comes upon."""
    from elftools.elf.elffile import ELFFile
    elf = ELFFile(file)
    sections = {section.name: section for section in elf.iter_sections()}
    return (build_id(sections[".notes"].data()) if ".notes" in sections else "",
            any(name in sections for name in (".debug_line", ".zdebug_line")))


def read(vmlinux: Path) -> tuple[str, bool]:
    """The file's build ID, and whether it has debug information. LabError where it is no kernel's vmlinux."""
    try:
        with open(vmlinux, "rb") as file:
            here, has_lines = look_into(file)
    except ImportError:
        raise LabError("a profile needs apt-get install python3-pyelftools", IMPOSSIBLE) from None
    except Exception as error:
        raise LabError(f"--lines={vmlinux}: not a kernel's vmlinux: {error or type(error).__name__}", USAGE) from None
    if not here:
        raise LabError(f"--lines={vmlinux}: not a kernel's vmlinux: it has no build ID", USAGE)
    return here, has_lines


def check(vmlinux: Path, there: str) -> bool:
    """Whether the file has debug information. LabError where it is not the kernel with this build ID."""
    here, has_lines = read(vmlinux)
    if here != there:
        raise LabError(f"--lines={vmlinux}: of another build than the kernel, whose build ID is {there or 'missing'}, and not {here}: "
                       "give the file of its own build, as kernel-build --vmlinux keeps it, or --lines alone for a kernel of Debian's",
                       USAGE)
    return has_lines


def build_id_of(image: Image) -> str:
    """The build ID of the kernel in an image; empty where that cannot be looked into."""
    try:
        return look_into(io.BytesIO(images.unpacked(image.path)))[0]
    except Exception:  # a packer that is missing, or a kernel that is not what pyelftools understands: it is asked when it runs
        return ""


def fetch(image: Image) -> Path:
    """The vmlinux of Debian's debug package, downloaded unless it is in the cache. LabError where there is none."""
    kernel = image.kernel
    if kernel is None:
        raise LabError(f"{image.path}: no package has its debug information: give --lines=VMLINUX, which kernel-build "
                       "--vmlinux keeps", USAGE)
    release = kernel.release
    path = packages.cache() / "debug" / f"{release}_{kernel.version}" / VMLINUX
    with packages.full(), packages.locked():
        if not path.exists():
            with tempfile.TemporaryDirectory(dir=packages.cache(), prefix="part-") as name:
                part = Path(name)
                package = packages.download(f"linux-image-{release}-dbg={kernel.version}", part)
                ready = part / "ready"
                ready.mkdir()
                packages.extract(package, (f"vmlinux-{release}",), ready / VMLINUX)
                if (ready / VMLINUX).stat().st_size == 0:
                    raise LabError(f"{package.name} has no vmlinux-{release}: give --lines=VMLINUX")
                path.parent.parent.mkdir(exist_ok=True)
                ready.rename(path.parent)
                keeping.note(path.parent, f"debug information of {release}")
        keeping.used(path.parent)
    return path


def chains(vmlinux: Path, addresses: Iterable[int]) -> dict[int, list[SourceLine]]:
    """The places that each address is at, by addr2line: where it was written, where that was inlined, and so on."""
    wanted = sorted(set(addresses))
    try:
        done = subprocess.run(["addr2line", "-a", "-i", "-f", "-e", vmlinux], input="".join(f"{one:x}\n" for one in wanted),
                              capture_output=True, text=True, errors="replace", env={**os.environ, "LC_ALL": "C"})
    except FileNotFoundError:
        raise LabError("--lines needs addr2line: apt-get install binutils", IMPOSSIBLE) from None
    if done.returncode:
        raise LabError(f"addr2line failed: {packages.complaint(done)}")
    found: dict[int, list[SourceLine]] = {}
    chain: list[SourceLine] = []
    function = None
    for text in done.stdout.splitlines():
        if text.startswith("0x"):
            chain = found.setdefault(int(text, 16), [])
        elif function is None:
            function = text
        else:
            file, _, line = re.sub(r" \(discriminator \d+\)$", "", text).rpartition(":")
            chain.append(SourceLine(os.path.normpath(file), int(line) if line.isdecimal() else 0, function))
            function = None
    return found


@dataclass
class SourceMap:
    """Where addresses are in the source; files as they are seen from its root, which is empty unless it is a folder here."""

    places: dict[int, list[SourceLine]]
    root: str = ""

    def written(self, address: int) -> SourceLine:
        """The line itself."""
        return self.place(address, 0)

    def inlined(self, address: int) -> SourceLine:
        """The line of the function that it is a part of, and that has a symbol."""
        return self.place(address, -1)

    def place(self, address: int, depth: int) -> SourceLine:
        chain = self.places.get(address)
        return chain[depth] if chain and chain[depth].file != UNKNOWN else NOWHERE


def source(vmlinux: Path, addresses: Iterable[int], known: dict[str, int]) -> SourceMap:
    """Where these addresses are; `known` are those of the functions in KNOWN."""
    found = chains(vmlinux, [*addresses, *known.values()])
    roots = []
    for name, address in known.items():
        file = found[address][-1].file
        if file.endswith("/" + KNOWN[name]):
            roots.append(file.removesuffix(KNOWN[name]))

    def seen(file: str) -> str:
        return next((file.removeprefix(root) for root in roots if file.startswith(root)), file)

    places = {address: [SourceLine(seen(one.file), one.line, one.function) for one in chain] for address, chain in found.items()}
    here = next((root for root in roots if all((Path(root) / file).is_file() for file in KNOWN.values())), "")
    return SourceMap(places, here)


@dataclass
class Lines:
    """A function's instructions by line; `opens` is the first of its own lines that was executed."""

    opens: SourceLine
    amounts: dict[SourceLine, float]


def by_function(amounts: Amounts, where: SourceMap) -> dict[str, Lines]:
    """The lines of each function, those of what is inlined into it included."""
    files: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for (function, address), amount in amounts.items():
        files[function][where.inlined(address).file] += amount
    own = {function: max(sorted(found), key=found.__getitem__) for function, found in files.items()}
    found: dict[str, Lines] = {function: Lines(SourceLine(file, 0, function), {}) for function, file in own.items()}
    for (function, address), amount in amounts.items():
        one, place, outer = found[function], where.written(address), where.inlined(address)
        one.amounts[place] = one.amounts.get(place, 0) + amount
        if outer.file == one.opens.file and outer.line and not 0 < one.opens.line <= outer.line:
            one.opens = SourceLine(outer.file, outer.line, function)
    return found


def table(functions: dict[str, Lines], count: int, phase: str, whole: float) -> list[str]:
    """The dearest lines, as a table; `whole` is all of the phase."""
    return [f"{'source line':<44} {'function':<21} {'self':>11}  of {phase}",
            *(f"{f'{place.file}:{place.line}':<44} {place.function:<21} {amount:>11.0f} {amount / whole:>9.1%}"
              for place, amount in dearest(functions, count))]


def dearest(functions: dict[str, Lines], count: int) -> list[tuple[SourceLine, float]]:
    """The lines with the most instructions, on all paths; of several functions that one has, the one with the most."""
    whole: dict[tuple[str, int], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for one in functions.values():
        for place, amount in one.amounts.items():
            if place.line:
                whole[place.file, place.line][place.function] += amount
    rows = [(SourceLine(file, line, max(sorted(names), key=names.__getitem__)), sum(names.values()))
            for (file, line), names in whole.items()]
    return sorted(rows, key=lambda row: (-row[1], row[0].file, row[0].line))[:count]
