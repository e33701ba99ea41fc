"""Kernels to boot: Debian's packages, or files of one's own."""
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab import packages
from lab.errors import LabError
from lab.guest import check_image


@dataclass(frozen=True)
class Image:
    """A kernel to boot: `name` is its folder's, `package` None for a file of one's own."""

    name: str
    path: Path
    sha256: str
    package: str | None = None


def is_path(name: str) -> bool:
    """Whether a kernel's name is a path: it has a slash, or is a file here; a folder may well be called 6.1."""
    return "/" in name or Path(name).is_file()


def image_of(name: str) -> Image:
    """The kernel of that name; downloads it where it is missing. LabError for what is no kernel."""
    if is_path(name):
        digest = check_image(Path(name))
        return Image(re.sub(r"[^\w.+-]", "_", Path(name).name).lstrip(".") + f"-{digest[:8]}", Path(name), digest)
    kernel = packages.find([name])[0]
    path = packages.fetch(kernel)
    return Image(kernel.release, path, check_image(path), f"{kernel.package} {kernel.version}")


def images(wanted: list[str], missing: Callable[[str, LabError], None] | None = None) -> list[Image]:
    """The kernel of each name, in order and once each. LabError for what is no kernel, unless `missing` takes its name and
    that error."""
    found: dict[str, Image] = {}
    for name in dict.fromkeys(wanted):
        try:
            image = image_of(name)
        except LabError as error:
            if missing is None:
                raise
            missing(name, error)
            continue
        found.setdefault(image.name, image)
    return list(found.values())
