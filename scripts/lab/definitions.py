"""In which file of the kernel's source each function is defined, by Debian's package of the source: read once, and kept in the cache."""
import hashlib
import json
import lzma
import re
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

from lab import changelogs, packages
from lab.errors import IMPOSSIBLE, LabError

# Where what a namespace costs can be; the rest, most of it drivers, would take a minute more.
FOLDERS = ("arch/x86", "block", "crypto", "drivers/base", "drivers/char", "drivers/net", "fs", "include/linux", "include/net", "init",
           "io_uring", "ipc", "kernel", "lib", "mm", "net", "security")
DEEP = ("drivers/net",)  # of which only the folder itself counts
# A body begins before anything ends by a semicolon: what has none is a prototype, which may be of several lines. So many characters are
# more than any parameters have: without a limit, the time for a table of macros is the square of its lines.
IN_C = re.compile(r"^(?![#}])(?:[A-Za-z_][\w \t*]*?[ \t*])?(\w+)\((?=[^;{]{0,2000}\{)", re.MULTILINE)
IN_ASSEMBLER = re.compile(r"^SYM_(?:TYPED_)?FUNC_START\w*\((\w+)\)", re.MULTILINE)
PATTERNS = {".c": IN_C, ".h": IN_C, ".S": IN_ASSEMBLER}
HEADER = ".h"
READ = hashlib.sha256(repr((FOLDERS, DEEP, sorted((suffix, one.pattern) for suffix, one in PATTERNS.items()))).encode()).hexdigest()[:12]


def is_read(path: str) -> bool:
    """Whether a file of the source is looked into."""
    folder = next((one for one in FOLDERS if path.startswith(f"{one}/")), None)
    return folder is not None and Path(path).suffix in PATTERNS and (folder not in DEEP or str(Path(path).parent) == folder)


def defined_in(text: str, suffix: str) -> set[str]:
    """The functions that a file defines, as far as the beginning of a line shows it."""
    return set(PATTERNS[suffix].findall(text))


def of_archive(tar: tarfile.TarFile) -> dict[str, list[str]]:
    """By function the files that define one of that name."""
    found: dict[str, list[str]] = {}
    for one in tar:
        path = one.name.partition("/")[2]
        if one.isfile() and is_read(path) and (file := tar.extractfile(one)):
            for name in defined_in(file.read().decode(errors="replace"), Path(path).suffix):
                found.setdefault(name, []).append(path)
    return found


def sources() -> list[str]:
    """The series whose source the archive has, oldest first."""
    names = packages.run("apt-cache", *packages.Apt().options, "pkgnames", "linux-source-").split()
    found = [name.removeprefix("linux-source-") for name in names]
    return sorted((one for one in found if re.fullmatch(r"\d+\.\d+", one)), key=order_of)


def version_of(name: str) -> str:
    """The version of a package that apt would download. LabError where it has none."""
    shown = packages.run("apt-cache", *packages.Apt().options, "show", "--no-all-versions", name)
    if found := re.search(r"^Version: (\S+)$", shown, re.MULTILINE):
        return found[1]
    raise LabError(f"{name}: apt says no version of it", IMPOSSIBLE)


def order_of(series: str) -> list[int]:
    """Of a series or a release: what sorts it."""
    return [int(part) for part in series.split(".")]


def nearest(series: str, there: Iterable[str]) -> str | None:
    """The series itself, or the next newer, or the newest: files move seldom."""
    every = sorted(there, key=order_of)
    return next((one for one in every if order_of(one) >= order_of(series)), every[-1] if every else None)


def of_series(series: str) -> dict[str, list[str]]:
    """By function the files that define one of that name, in the source of this series, or one near to it. LabError where the archive has
    none."""
    near = nearest(series, sources())
    if near is None:
        raise LabError("the archive has no linux-source", IMPOSSIBLE)
    package = f"linux-source-{near}"
    version = version_of(package)
    path = packages.cache() / "changelogs" / f"definitions-{near}_{version}_{READ}.json.xz"
    if not path.exists():
        with packages.full(), packages.locked(), tempfile.TemporaryDirectory(dir=packages.cache(), prefix="part-") as name:
            part = Path(name)
            found: dict[str, list[str]] = {}
            with changelogs.files_in(packages.download(f"{package}={version}", part)) as files:
                for one in files:
                    if one.isfile() and one.name.endswith(".tar.xz") and (archive := files.extractfile(one)):
                        with tarfile.open(fileobj=archive, mode="r|xz") as tar:
                            found = of_archive(tar)
                        break
            if not found:
                raise LabError(f"{package}: no source in it")
            path.parent.mkdir(exist_ok=True)
            (part / "ready").write_bytes(lzma.compress(json.dumps(found, sort_keys=True).encode(), preset=1))
            (part / "ready").rename(path)
    read: dict[str, list[str]] = json.loads(changelogs.unpacked(path))
    return read


def file_of(function: str, definitions: dict[str, list[str]]) -> str | None:
    """The one file that defines it; None where none does, or several. A header beside it has what stands for the function in kernels
    that are built without it."""
    every = definitions.get(function, [])
    files = [one for one in every if Path(one).suffix != HEADER] or every
    return files[0] if len(files) == 1 else None
