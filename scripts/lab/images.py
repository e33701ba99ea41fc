"""Kernels to boot: Debian's packages, or files of one's own."""
import dataclasses
import re
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab import packages
from lab.errors import IMPOSSIBLE, LabError
from lab.guest import check_image, setup_size


@dataclass(frozen=True)
class Image:
    """A kernel to boot: `name` is its folder's, and what is shown; `package` its package and version, None for a file of one's own."""

    name: str
    path: Path
    sha256: str
    package: str | None = None

    @property
    def kernel(self) -> packages.Kernel | None:
        """That of its package, whatever name is shown; None for a file of one's own."""
        if self.package is None:
            return None
        package, version = self.package.split()
        return packages.Kernel(package, package.split("-", 2)[2], version, 0)


def is_path(name: str) -> bool:
    """Whether a kernel's name is a path: it has a slash, or is a file here; a folder may well be called 6.1."""
    return "/" in name or Path(name).is_file()


def short(digest: str) -> str:
    """The part of a file's hash that stands in its name."""
    return digest[:8]


def image_of(name: str) -> Image:
    """The kernel of that name; downloads it where it is missing. LabError for what is no kernel."""
    if is_path(name):
        digest = check_image(Path(name))
        return Image(re.sub(r"[^\w.+-]", "_", Path(name).name).lstrip(".") + f"-{short(digest)}", Path(name), digest)
    kernel = packages.find([name])[0]
    path = packages.fetch(kernel)
    return Image(kernel.release, path, check_image(path), f"{kernel.package} {kernel.version}")


def images(wanted: list[str], missing: Callable[[str, LabError], None] | None = None) -> list[Image]:
    """The kernel of each name, in order and once each; two packages of one release have their versions in their names. LabError for
    what is no kernel, unless `missing` takes its name and that error."""
    found: dict[tuple[str, str], Image] = {}
    for name in dict.fromkeys(wanted):
        try:
            image = image_of(name)
        except LabError as error:
            if missing is None:
                raise
            missing(name, error)
            continue
        found.setdefault((image.name, image.sha256), image)
    alike = Counter(image.name for image in found.values())
    return [dataclasses.replace(one, name=f"{one.name}_{one.kernel.version}") if alike[one.name] > 1 and one.kernel else one
            for one in found.values()]


class NoProgram(LabError):
    """A program that would unpack a kernel is not on this machine, and may well be on another."""


# What unpacks the kernel in an image, by its first bytes.
UNPACK = {b"\x1f\x8b": "gzip", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"\x02\x21\x4c\x18": "lz4"}
PACKAGES = {"xz": "xz-utils"}  # of a program, where it is not called so


def unpacked(path: Path) -> bytes:
    """The kernel in an image, an ELF file. NoProgram where the program that unpacks it is missing, LabError where none is known."""
    data = path.read_bytes()
    if data.startswith(b"\x7fELF"):
        return data
    # Documentation/arch/x86/boot.rst: payload_offset, payload_length
    begin = setup_size(data) + int.from_bytes(data[0x248:0x24C], "little")
    payload = data[begin:begin + int.from_bytes(data[0x24C:0x250], "little")]
    program = next((name for magic, name in UNPACK.items() if payload.startswith(magic)), None)
    try:
        # The payload ends with its unpacked size, which the program takes for more of its own format, and complains.
        found = subprocess.run([program, "-dc"], input=payload, capture_output=True).stdout if program else b""
    except FileNotFoundError:
        package = PACKAGES.get(program or "", program)
        raise NoProgram(f"kernel {path}: to look into it needs apt-get install {package}", IMPOSSIBLE) from None
    if not found.startswith(b"\x7fELF"):
        raise LabError(f"kernel {path}: no known program unpacks it", IMPOSSIBLE)
    return found
