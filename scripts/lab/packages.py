"""Debian's kernels: what there is, and their images in a cache.

apt does the work with a state of its own under the cache directory, so that the host's sources, lists and packages
stay as they are. The archive, its mirror and any proxy are the host's; only the suites differ. apt verifies every list
and package against Debian's keyring.
"""
import contextlib
import dataclasses
import errno
import fcntl
import functools
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from analysis import outputs
from analysis.script import of_system, one_line
from lab.errors import IMPOSSIBLE, USAGE, LabError
from lab.guest import check_image

SUITES = ("bullseye", "bookworm", "bookworm-backports", "trixie", "trixie-backports", "sid")
SECURITY_SUITES = ("bullseye-security", "bookworm-security", "trixie-security")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
LISTS_AGE = 24 * 3600  # seconds after which the package lists are fetched again
RETRY_AGE = 300  # seconds within which an unknown kernel is no reason to fetch them again
PACKAGE = re.compile(r"linux-(image|binary)-(\d+\.\d+\.\d.*-cloud-amd64)")
SERIES = r"\d+(\.\d+)*"


@dataclass(frozen=True)
class Kernel:
    """A kernel package: `release` is what uname -r says, `version` Debian's; `size` of the package in bytes."""

    package: str
    release: str
    version: str
    size: int

    @property
    def image(self) -> Path:
        """Where its image is in the cache, or will be."""
        return cache() / "kernels" / f"{self.release}_{self.version}" / "vmlinuz"

    @property
    def names(self) -> tuple[str, str]:
        """What its image may be called in the package's archive, in whatever folder: it has moved more than once."""
        return f"vmlinuz-{self.release}", "vmlinuz"


def cache() -> Path:
    """The lab's cache directory, made if it is missing. LabError where it is somebody else's, or behind somebody else's link, or
    where others could put theirs in its place.

    All below it is used by its path, and not from descriptor to descriptor as analysis/outputs.py goes to a place that was named
    by the user: apt, dpkg, make and QEMU take nothing but paths. That is safe because nobody but the user, and root, can change
    what is in these two folders, nor rename them, which is what is checked here. What is above them, a home or what
    XDG_CACHE_HOME names, is the user's own choice."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(named) if named.startswith("/") else Path.home() / ".cache"
    path = base / "nsbench" / "lab"
    try:
        for folder in (path.parent, path):
            outputs.own_folder(folder, mode=0o700)
    except OSError as error:
        raise LabError(of_system(error), USAGE) from None
    for folder in (base, path.parent, path):
        mode = folder.stat().st_mode
        others = mode & (stat.S_IWGRP | stat.S_IWOTH)  # a group is of others: who is in it can change at any time
        if others and not (folder == base and mode & stat.S_ISVTX):  # such as /tmp: one's own stays there
            raise LabError(f"{folder}: others can write to this folder, and decide what the cache is: chmod go-w, or set "
                           "XDG_CACHE_HOME", USAGE)
    return path


def call(*command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The ended command, with its output, in English. LabError where it is missing."""
    try:
        return subprocess.run(command, cwd=cwd, capture_output=True, text=True, errors="replace",
                              stdin=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C"})
    except FileNotFoundError:
        raise LabError(f"{command[0]} is missing: apt-get install apt dpkg", IMPOSSIBLE) from None


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """The last error of a command, or its last warning, or the last line that it printed."""
    said = (done.stderr.strip() or done.stdout.strip() or f"exit {done.returncode}").splitlines()
    said = [line for line in said if "Some index files failed" not in line] or said  # the lines before it say why
    errors, warnings = ([line for line in said if line.startswith(mark)] for mark in ("E:", "W:"))
    return (errors or warnings or said)[-1]


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Its standard output. LabError with its complaint where it is missing or fails."""
    done = call(*command, cwd=cwd)
    if done.returncode:
        raise LabError(f"{Path(command[0]).name} failed: {complaint(done)}", IMPOSSIBLE)
    return done.stdout


def archives() -> tuple[dict[str, str], list[str]]:
    """The URIs of Debian's 'main' and 'security' archives in the host's sources, and the suites configured there."""
    uris: dict[str, str] = {}
    configured: list[str] = []
    targets = run("apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT) $(CREATED_BY)")
    for uri, suite, component, kind in (line.split() for line in targets.splitlines() if line.count(" ") == 3):
        base = suite.removesuffix("-security").removesuffix("-backports").removesuffix("-updates")
        known = base in SUITES or base in ("stable", "oldstable", "oldoldstable", "testing", "unstable")
        if component != "main" or kind != "Packages" or not known:
            continue
        uris.setdefault("security" if suite.endswith("-security") else "main", uri)
        configured.append(suite)
    if "main" not in uris:
        raise LabError("no Debian archive among apt's sources: give --kernel a path to a bzImage", IMPOSSIBLE)
    return uris, configured


class Apt:
    """A private apt state with lists of the given suites; made, but not fetched, by the constructor."""

    def __init__(self) -> None:
        self.root = cache() / "apt"
        for name in ("state/lists/partial", "cache/archives/partial", "etc"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        (self.root / "status").touch()
        self.stamp = self.root / "updated"
        settings = {
            "Dir::State": "state", "Dir::State::status": "status", "Dir::Cache": "cache",
            "Dir::Cache::pkgcache": "cache/pkgcache.bin", "Dir::Etc::sourcelist": "sources.list",
            "Dir::Etc::sourceparts": "etc", "Dir::Etc::preferences": "etc/none", "Dir::Etc::preferencesparts": "etc",
        }
        pairs = [f"{key}={self.root / value}" for key, value in settings.items()]
        pairs += ["APT::Sandbox::User=root", "APT::Architecture=amd64", "APT::Architectures=amd64",
                  "Acquire::Languages=none", "Acquire::Retries=2"]
        self.options = [word for pair in pairs for word in ("-o", pair)]

    def age(self) -> float:
        """Seconds since the lists were fetched; infinite if they never were."""
        return time.time() - self.stamp.stat().st_mtime if self.stamp.exists() else float("inf")

    def update(self) -> None:
        """Fetches the lists of every suite that the archive has. LabError where none comes; older ones then stay."""
        uris, _ = archives()
        signed = f"[signed-by={KEYRING}] " if Path(KEYRING).exists() else ""
        wanted = [(uris["main"], suite) for suite in SUITES]
        wanted += [(uris["security"], suite) for suite in SECURITY_SUITES if "security" in uris]
        (self.root / "sources.list").write_text("".join(f"deb {signed}{uri} {suite} main\n" for uri, suite in wanted))
        # The exit code says little: a suite that the mirror does not have fails the command, a proxy that does not
        # answer does not. A list that came, or is current, has a line that begins so.
        done = call("apt-get", *self.options, "-q", "update")
        if not re.search(r"^(Get|Hit):", done.stdout, re.MULTILINE) or not self.kernels():
            raise LabError(f"no list of kernels could be fetched: {complaint(done)}: see to the network, to http_proxy and to "
                           "apt's sources, or give --kernel a path to a bzImage", IMPOSSIBLE)
        self.stamp.touch()

    def refresh(self) -> None:
        """Fetches lists older than a day. Where none comes, it says so and older ones serve; LabError where there are none."""
        if self.age() <= LISTS_AGE:
            return
        try:
            self.update()
        except LabError as error:
            if not self.kernels():
                raise
            print(f"lab: {one_line(error)}; these are the lists of an earlier day", file=sys.stderr)

    def known(self) -> list[Kernel]:
        """The kernels in all lists, oldest first, as they were when the lists were fetched last: apt takes two seconds."""
        file = self.root / "kernels.json"
        try:
            said = json.loads(file.read_text())
            if said["updated"] == self.stamp.stat().st_mtime_ns:
                return [Kernel(*fields) for fields in said["kernels"]]
        except (OSError, ValueError, KeyError, TypeError):
            pass
        found = self.kernels()
        if self.stamp.exists():
            fields = [list(dataclasses.astuple(kernel)) for kernel in found]
            file.write_text(json.dumps({"updated": self.stamp.stat().st_mtime_ns, "kernels": fields}))
        return found

    def kernels(self, suites: list[str] | None = None) -> list[Kernel]:
        """The kernels in the lists (only of these suites), oldest first."""
        apt_pkg = library()
        names = [n for n in run("apt-cache", *self.options, "pkgnames", "linux-").split() if PACKAGE.fullmatch(n)]
        if not names:
            return []
        found: dict[tuple[str, str], Kernel] = {}
        shown = run("apt-cache", *self.options, "show", *sorted(names))  # linux-binary-… before linux-image-…
        for stanza in shown.split("\n\n"):
            field = apt_pkg.TagSection(stanza + "\n")
            if match := PACKAGE.fullmatch(field.get("Package", "")):
                kernel = Kernel(field["Package"], match[2], field["Version"], int(field["Size"]))
                found.setdefault((kernel.release, kernel.version), kernel)
        kernels = list(found.values())
        if suites is not None:
            where = run("apt-cache", *self.options, "madison", *sorted({k.package for k in kernels}))
            rows = [[part.strip() for part in line.split("|")] for line in where.splitlines()]
            here = {(row[0], row[1]) for row in rows if row[2].split()[1].split("/")[0] in suites}
            kernels = [k for k in kernels if (k.package, k.version) in here]
        return by_version(kernels)


def library() -> ModuleType:
    """python3-apt's. LabError without it: only who asks for the archive's kernels needs it."""
    try:
        import apt_pkg
    except ImportError:
        raise LabError("python3-apt is missing: apt-get install python3-apt, or give --kernel a path to a bzImage", IMPOSSIBLE) from None
    apt_pkg.init_system()
    return apt_pkg


def by_version(kernels: list[Kernel]) -> list[Kernel]:
    """Oldest first, as dpkg sorts versions."""
    order = functools.cmp_to_key(library().version_compare)
    return sorted(kernels, key=lambda kernel: order(kernel.version))


def select(kernels: list[Kernel], wanted: str) -> Kernel | None:
    """The newest of a series ('6.1', '7'), or the one of this version, release or package; kernels oldest first."""
    exact = [k for k in kernels if wanted in (k.version, k.release, k.package, k.release.removesuffix("-cloud-amd64"))]
    series = [k for k in kernels if re.fullmatch(SERIES, wanted) and k.version.startswith((wanted + ".", wanted + "-"))]
    return next(reversed(exact or series), None)


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """One lab at a time changes the cache; another waits for it."""
    with open(cache() / "lock", "w", opener=outputs.no_link) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def find(wanted: list[str]) -> list[Kernel]:
    """The kernel of each name; the lists are fetched where they are older than a day or do not know one of them.

    LabError where a name is unknown, or where no list can be had.
    """
    if not shutil.which("apt-get"):
        raise LabError("apt is missing: give --kernel a path to a bzImage", IMPOSSIBLE)
    with locked():
        apt = Apt()
        known = apt.known() if apt.age() < float("inf") else []
        found = {name: select(known, name) for name in wanted}
        if apt.age() > (LISTS_AGE if all(found.values()) else RETRY_AGE):
            try:
                apt.update()
                known = apt.known()
            except LabError:
                if not all(found.values()):
                    raise
            found = {name: select(known, name) for name in wanted}
    for name, kernel in found.items():
        if not kernel:
            have = ", ".join(dict.fromkeys(".".join(re.split(r"[.-]", k.version)[:2]) for k in known))
            raise LabError(f"kernel {name!r} is neither a file nor a package; the archive has {have}", USAGE)
    return [kernel for kernel in found.values() if kernel]


def series(name: str) -> list[Kernel]:
    """The kernels of a series in the lists there are, newest first; none for any other name."""
    with locked():
        known = Apt().known()
    return [k for k in reversed(known) if re.fullmatch(SERIES, name) and k.version.startswith((name + ".", name + "-"))]


def download(name: str, part: Path) -> Path:
    """The package of that name, and version behind =, in a folder. LabError where apt has it not."""
    before = set(part.glob("*.deb"))
    run("apt-get", *Apt().options, "-q", "download", name, cwd=part)
    debs = set(part.glob("*.deb")) - before
    if len(debs) != 1:
        raise LabError(f"apt-get did not download {name}", IMPOSSIBLE)
    return debs.pop()


def fetch(kernel: Kernel) -> Path:
    """The path of its image, downloaded unless it is in the cache; there whole or not at all. LabError otherwise."""
    if kernel.image.exists():
        return kernel.image
    with full(), locked(), tempfile.TemporaryDirectory(dir=cache(), prefix="part-") as name:
        part = Path(name)
        package = download(f"{kernel.package}={kernel.version}", part)
        ready = part / "ready"
        ready.mkdir()
        unpack(package, kernel.names, ready / "vmlinuz")
        kernel.image.parent.parent.mkdir(exist_ok=True)
        if not kernel.image.parent.exists():
            ready.rename(kernel.image.parent)
    return kernel.image


@contextlib.contextmanager
def full() -> Iterator[None]:
    """A full disk, found by the lab or by apt, is an error that names the cache."""
    try:
        yield
    except (OSError, LabError) as error:
        full_disk = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        if not full_disk and os.strerror(errno.ENOSPC) not in str(error):
            raise
        raise LabError(f"{cache()}: {os.strerror(errno.ENOSPC)}: free some, or set XDG_CACHE_HOME") from None


def extract(package: Path, names: tuple[str, ...], into: Path) -> None:
    """Writes a package's file with one of these names, whole and on disk; empty where there is none. LabError where the
    package is damaged."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as unpacker:
        try:
            with tarfile.open(fileobj=unpacker.stdout, mode="r|") as tar, open(into, "wb") as file:
                for found in tar:  # to the end: dpkg-deb checks the package only as it goes
                    if found.isfile() and Path(found.name).name in names and file.tell() == 0 and (data := tar.extractfile(found)):
                        shutil.copyfileobj(data, file)
                file.flush()
                os.fsync(file.fileno())
        except tarfile.TarError as error:
            raise LabError(f"{package.name}: {error}") from None
    if unpacker.returncode:
        raise LabError(f"{package.name}: dpkg-deb failed: exit {unpacker.returncode}")


def unpack(package: Path, names: tuple[str, ...], image: Path) -> None:
    """Writes a package's kernel image. LabError where the package is damaged or has none."""
    extract(package, names, image)
    try:
        check_image(image)
    except LabError as error:
        raise LabError(f"{package.name}: no image called {' or '.join(names)} in it: {error}") from None
