"""Debian's changelogs of kernels: the patches of each version, by their titles.

A stable update's patches are all listed. Those of a new series are not, and of versions that were in experimental alone some are. A
kernel's package has the changelog of its own version and of all before it, or a link to the package that has it.
"""
import gzip
import lzma
import re
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen

from lab import packages
from lab.errors import LabError
from lab.packages import Kernel

HEAD = re.compile(r"linux[\w.-]* \(([^)]+)\) ")
SIGNED = re.compile(r"  \* Sign kernel from linux\S* (\S+)$")  # the version's own is of the signed package: 6.12.118+1
ITEM = re.compile(r"( +)[*+-] +(.*)")
UPSTREAM = re.compile(r"New upstream (stable )?(release|update)", re.IGNORECASE)
RELEASE = re.compile(r"(?:ChangeLog-|Linux_)(\d+\.\d+(?:\.\d+)?)$")
ARCHITECTURES = re.compile(r"\[([\w, !/-]+)\] ")
OURS = re.compile(r"(?<!!)\b(amd64|x86)\b")
BEHIND = re.compile(r"( \((CVE-[\d-]+(, )?|Closes: #?\d+(, #\d+)*(, )?)+\))+:?$")
DOC = "./usr/share/doc/"
NAMES = ("changelog.gz", "changelog.Debian.gz")


@dataclass(frozen=True)
class Entry:
    """A version's: the titles of its patches, but for those of other architectures; and the upstream releases in it of which no patch is
    listed."""

    version: str
    titles: tuple[str, ...]
    unlisted: tuple[str, ...]


def title_of(text: str) -> str | None:
    """Without the architectures before it, and the bugs behind it. None where they are others."""
    if found := ARCHITECTURES.match(text):
        return title_of(text[found.end():]) if OURS.search(found[1]) else None
    return BEHIND.sub("", text)


def entry_of(version: str, lines: list[str]) -> Entry:
    """The entry of these lines. An item that has others below it is their heading, and no title."""
    items: list[tuple[int, str]] = []
    releases: dict[str, int] = {}  # with how many items were before it
    for line in lines:
        words = line.strip()
        item = ITEM.match(line)
        if item:
            items.append((len(item[1]), item[2]))
        elif not RELEASE.search(words) and words and line.startswith("    ") and items:
            items[-1] = (items[-1][0], f"{items[-1][1]} {words}")
        if found := RELEASE.search(words):
            releases[found[1]] = len(items)
    headings = {at for at, (one, other) in enumerate(zip(items, items[1:])) if other[0] > one[0]}
    titles = (title_of(text) for at, (_, text) in enumerate(items) if UPSTREAM.match(text) is None and at not in headings)
    ends = [*list(releases.values())[1:], len(items)]
    listed = {name for (name, begin), end in zip(releases.items(), ends) if begin < len(items) and begin < end and items[begin][0] > 2}
    # Of the first release of a series the few that Debian has added may be below it.
    unlisted = tuple(name for name in releases if name not in listed or name.count(".") == 1)
    return Entry(version, tuple(title for title in titles if title), unlisted)


def entries(text: str) -> list[Entry]:
    """Those of a changelog, the newest first."""
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if head := HEAD.match(line):
            found.append((head[1], []))
        elif (signed := SIGNED.match(line)) and found:
            found[-1] = (signed[1], found[-1][1])
        elif found and not line.startswith(" -- "):
            found[-1][1].append(line)
    return [entry_of(version, lines) for version, lines in found]


@contextmanager
def files_in(package: Path) -> Iterator[tarfile.TarFile]:
    """The files of a package, one behind the other; who takes them may stop at any."""
    with Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=PIPE, stderr=DEVNULL) as unpacker:
        try:
            with tarfile.open(fileobj=unpacker.stdout, mode="r|") as tar:
                yield tar
        except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
            raise LabError(f"{package.name}: {error}") from None
        finally:
            unpacker.kill()


def in_package(package: Path) -> str | None:
    """The package's changelog; or the name of that which has it; None where neither is in it."""
    with files_in(package) as tar:
        for one in tar:
            path = Path(one.name)
            if one.isfile() and one.name.startswith(DOC) and path.name in NAMES and (file := tar.extractfile(one)):
                return gzip.decompress(file.read()).decode(errors="replace")
            if one.issym() and path.parent == Path(DOC) and "/" not in one.linkname:
                return one.linkname
    return None


def unpacked(path: Path) -> str:
    """A text of the cache. LabError for one that is not whole."""
    try:
        return lzma.decompress(path.read_bytes()).decode()
    except (lzma.LZMAError, UnicodeDecodeError) as error:
        raise LabError(f"{path}: {error}: remove it") from None


def of_kernel(kernel: Kernel) -> str:
    """The changelog of a kernel's package, kept in the cache. LabError where it has none."""
    path = packages.cache() / "changelogs" / f"{kernel.release}_{kernel.version}.xz"
    if path.exists():
        return unpacked(path)
    with packages.full(), packages.locked(), tempfile.TemporaryDirectory(dir=packages.cache(), prefix="part-") as name:
        part = Path(name)
        package, text = kernel.package, None
        for _ in range(2):
            text = in_package(packages.download(f"{package}={kernel.version}", part))
            if text is None or "\n" in text:
                break
            package = text
        if text is None or "\n" not in text:
            raise LabError(f"{kernel.package} {kernel.version}: no changelog in it")
        path.parent.mkdir(exist_ok=True)
        (part / "ready").write_bytes(lzma.compress(text.encode(), preset=1))
        (part / "ready").rename(path)
    return text
