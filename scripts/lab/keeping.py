"""What the lab keeps in its cache, within one limit: saved machines, and kernels' sources, builds and debug information.

Each is a folder; what was used least recently goes first, and nothing that a lab has in use. A folder's own time is when it was
used last. How large it is, and of what it is, stands in a file beside it, but for machines, which say it themselves.
"""
import contextlib
import fcntl
import json
import os
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lab import packages
from lab.errors import LabError

MIB = 1 << 20
MACHINES = "machines"
PART = "part-"  # what is being made, or removed
PART_AGE = 2 * 3600  # seconds after which a lab that was killed has left it
TRIES = 5
OTHERS = {"sources": "a kernel's source", "builds": "a build of a kernel", "debug": "a kernel's debug information"}


def machines() -> Path:
    """The folder of all saved machines, made if it is missing."""
    path = packages.cache() / MACHINES
    path.mkdir(exist_ok=True)
    return path


def limit() -> int:
    """Bytes that all may take: NSBENCH_LAB_CACHE in GiB, 10 by default. LabError for another word."""
    text = os.environ.get("NSBENCH_LAB_CACHE", "10")
    if not re.fullmatch(r"\d+(\.\d+)?", text):
        raise LabError(f"NSBENCH_LAB_CACHE={text}: a number of GiB is needed, such as 10")
    return int(float(text) * (1 << 30))


@dataclass(frozen=True)
class Entry:
    """A folder in the cache: bytes on the disk, and seconds since it was last used."""

    folder: Path
    size: int
    age: float
    about: str

    @property
    def is_machine(self) -> bool:
        return self.folder.parent.name == MACHINES


def note_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.json")


def note(folder: Path, about: str) -> None:
    """Says that a folder other than a machine's is used now, how large it is, and of what; then removes what is too much."""
    size = int(packages.run("du", "-s", "-B1", folder).split()[0])
    note_of(folder).write_text(json.dumps({"about": about, "size": size}) + "\n")
    os.utime(folder)
    prune(keep=folder)


def used(folder: Path) -> None:
    """Says that it is used now. Another lab may have removed it meanwhile: whoever locks it sees that."""
    with contextlib.suppress(FileNotFoundError):
        os.utime(folder)


def entry_of(folder: Path) -> Entry:
    """What is in this folder. FileNotFoundError if it has gone meanwhile."""
    is_machine = folder.parent.name == MACHINES
    try:
        said = json.loads((folder / "machine.json" if is_machine else note_of(folder)).read_text())
        about, size = said["about"], None if is_machine else int(said["size"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        about, size = ("damaged" if is_machine else OTHERS[folder.parent.name]), None
    if is_machine:
        size = sum(path.stat().st_blocks * 512 for path in folder.iterdir())
    elif size is None:  # from before it was noted, or one that is being made
        done = subprocess.run(["du", "-s", "-B1", folder], capture_output=True, text=True)
        size = int((done.stdout or "0").split()[0])
    return Entry(folder, size, time.time() - folder.stat().st_mtime, about)


def parents() -> list[Path]:
    """The folders of the folders."""
    return [machines(), *(path for name in OTHERS if (path := packages.cache() / name).is_dir())]


def entries() -> list[Entry]:
    """All there are, the one that was used last first."""
    found = []
    for parent in parents():
        for folder in parent.iterdir():
            if folder.is_dir() and not folder.name.startswith(PART):
                with contextlib.suppress(FileNotFoundError):
                    found.append(entry_of(folder))
    return sorted(found, key=lambda entry: entry.age)


def is_still(handle: int, folder: Path) -> bool:
    """Whether an open folder is the one that has this name."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(folder))
    except FileNotFoundError:
        return False


def locked(find: Callable[[], Path], how: int) -> tuple[Path, int]:
    """The folder that `find` gives or makes, and a descriptor that holds the lock. Another lab may remove the folder before the
    lock is had: then it is found again. BlockingIOError, with its path, for LOCK_NB where another lab has it; LabError where it
    is removed each time."""
    folder = packages.cache()
    for _ in range(TRIES):
        folder = find()
        try:
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(handle, how)
            if is_still(handle, folder):
                handle, kept = -1, handle
                return folder, kept
        except BlockingIOError as error:
            raise BlockingIOError(error.errno, error.strerror, str(folder)) from None
        finally:
            if handle >= 0:
                os.close(handle)
    raise LabError(f"{folder}: other labs remove it as soon as it is there: NSBENCH_LAB_CACHE is too small for all")


@contextlib.contextmanager
def in_use(find: Callable[[], Path]) -> Iterator[Path]:
    """The folder that `find` gives or makes; nobody removes it meanwhile."""
    folder, handle = locked(find, fcntl.LOCK_SH)
    try:
        yield folder
    finally:
        os.close(handle)


def remove(entry: Entry) -> bool:
    """Removes an entry unless a lab has it in use, or has made it anew meanwhile."""
    # A machine that is made again is another folder: its lock is a file beside it.
    name = entry.folder.with_name(f"{entry.folder.name}.lock") if entry.is_machine else entry.folder
    try:
        lock = os.open(name, os.O_NOFOLLOW | (os.O_CREAT if entry.is_machine else os.O_DIRECTORY), 0o666)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        if not entry.is_machine and not is_still(lock, entry.folder):
            return not entry.folder.exists()
        gone = entry.folder.with_name(PART + secrets.token_hex(8))
        with contextlib.suppress(FileNotFoundError):
            entry.folder.rename(gone)  # first: nobody finds half of it, even if this lab is killed
        if not entry.is_machine:
            note_of(entry.folder).unlink(missing_ok=True)
        shutil.rmtree(gone, ignore_errors=True)
        return True
    finally:
        os.close(lock)


def prune(keep: Path | None = None) -> None:
    """Removes those used least recently until the rest are within the limit, and what a killed lab left half made or half
    removed; never `keep`."""
    for part in (part for parent in parents() for part in parent.glob(f"{PART}*")):
        with contextlib.suppress(FileNotFoundError):  # its lab has finished meanwhile
            if time.time() - part.stat().st_mtime > PART_AGE:
                shutil.rmtree(part, ignore_errors=True)
    whole = 0
    for entry in entries():
        whole += entry.size
        if whole > limit() and entry.folder != keep and remove(entry):
            whole -= entry.size
