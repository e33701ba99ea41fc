"""Folders of result files: one lab in each at a time, and a run that appears whole or not at all."""
import contextlib
import ctypes
import fcntl
import json
import lzma
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from analysis import columns, outputs
from analysis.record import Lab, read
from analysis.script import Unreadable
from analysis.stacks import FILE as STACKS
from lab.errors import USAGE, LabError

AT_FDCWD, RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h
PART = ".part-"  # folders being made; what a killed lab left of them is removed by the next
JOURNAL = ".journal-"  # what the copies of a run that is not finished gave back
FUNCTIONS = "functions.csv"  # of recorded curves: lab/curves_profile.py
LARGE = ("samples.csv", STACKS, FUNCTIONS)  # files that are compressed to be kept
OUTPUTS = {output["file"] for output in columns.dictionary()["outputs"]} - {""}  # those of nsbench, whatever their names end in
JOURNAL_AGE = 7 * 24 * 3600  # seconds after which nobody goes on with it


@dataclass(frozen=True)
class Keep:
    """How a run's files are kept: samples.csv compressed; in the place of another run in that folder. `instead` is
    what to do where there is one that is not to be replaced."""

    compressed: bool = False
    replace: bool = False
    instead: str = "give another --out"


@contextlib.contextmanager
def exclusive(out: Path) -> Iterator[None]:
    """The folder `out`, made if missing, for this lab alone. LabError if another one has it, or it is somebody else's."""
    try:
        outputs.own_folder(out)
    except OSError as error:
        raise LabError(f"{out}: {error.strerror}", USAGE) from None
    handle = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for left in out.glob(PART + "*"):
            if left.is_dir() and not left.is_symlink():  # a file of that name is what another program is writing
                shutil.rmtree(left)
        for left in out.glob(JOURNAL + "*"):
            if time.time() - left.stat().st_mtime > JOURNAL_AGE:
                left.unlink()
        yield
    except BlockingIOError:
        raise LabError(f"{out}: another lab is at work in this folder") from None
    finally:
        os.close(handle)


def lab_of(folder: Path) -> Lab | None:
    """The member "lab" of the run in the folder; None where there is no run of the lab."""
    try:
        return read(folder / "run.json", {"required": ["lab"]}, ("lab",))["lab"]
    except (OSError, Unreadable):
        return None


def finished(folder: Path, lab: dict[str, object], keep: Keep = Keep()) -> Lab | None:
    """The member "lab" of this very run in the folder, if it is there. LabError if another is, unless that is to be replaced."""
    if not folder.exists():
        return None
    recorded = lab_of(folder)
    if recorded is None:
        raise LabError(f"{folder} exists and is no run of the lab: give another --out", USAGE)
    differing = [key for key in lab if recorded.get(key) != lab[key]]
    if differing and not keep.replace:
        raise LabError(f"{folder} holds a run with another {', '.join(differing)}: {keep.instead}", USAGE)
    return None if differing else recorded


def exchange(one: Path, other: Path) -> None:
    """Swaps two folders in one step."""
    if ctypes.CDLL(None, use_errno=True).renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(other))


def publish(folder: Path, part: Path, files: dict[str, bytes], lab: dict[str, object], keep: Keep = Keep()) -> None:
    """Makes the folder out of what the guest sent, in one step, and on disk before it appears; a folder that is to be
    replaced is left in `part`."""
    ready = part / "ready"
    ready.mkdir()
    try:
        record = json.loads(files["run.json"])
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise LabError("the guest sent a run.json that is none of nsbench's")
    record["lab"] = lab
    contents = {name: data for name, data in files.items()
                if name in OUTPUTS or name.endswith((".csv", ".json", ".folded")) or name.startswith("callgrind.")}
    contents["run.json"] = (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode()
    for name in (LARGE if keep.compressed else ()):
        if name in contents:
            contents[f"{name}.xz"] = lzma.compress(contents.pop(name), preset=9)
    for name, data in contents.items():
        with open(ready / name, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    if folder.exists():
        exchange(ready, folder)
    else:
        ready.rename(folder)
