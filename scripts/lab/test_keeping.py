"""Tests of what the lab keeps besides machines: sources, builds and debug information, in one list and within one limit."""
import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab import images, keeping, kernel_build, lines, packages
from lab.errors import LabError
from lab.keeping import MIB

PROGRAM = Path(__file__).resolve().parents[1] / "lab.py"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with a kernel's source, a build of it and its debug information, used in this order."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "cache" / "nsbench" / "lab"
    for hours, (name, size) in enumerate({"debug/6.1": 3, "builds/abc": 2, "sources/linux-source-6.1_1": 1}.items(), start=1):
        (root / name / "deep").mkdir(parents=True)
        (root / name / "deep" / "file").write_bytes(os.urandom(size * MIB))
        keeping.note(root / name, f"about {name}")
        when = (root / name).stat().st_mtime - hours * 3600
        os.utime(root / name, (when, when))
    return root


def lab(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, PROGRAM, "cache", *words], text=True, capture_output=True, timeout=60)


def test_all_is_listed_and_removed(cache: Path) -> None:
    lines = lab().stdout.splitlines()
    assert [line.split()[:4] for line in lines[:3]] == [["6.1", "3", "MiB", "used"], ["abc", "2", "MiB", "used"],
                                                        ["linux-source-6.1_1", "1", "MiB", "used"]]
    assert "1 h ago  about debug/6.1" in lines[0] and lines[3] == "0 saved machines and 3 others, 6 MiB of at most 10240 MiB"
    assert lab("--remove=abc").stdout == "removed 1\n" and not list((cache / "builds").iterdir())
    done = lab("--remove=abc")
    assert done.returncode == 2 and "nothing has that key" in done.stderr


def test_what_was_used_least_goes_first(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NSBENCH_LAB_CACHE", str(4.5 / 1024))
    with keeping.in_use(lambda: cache / "sources" / "linux-source-6.1_1"):
        keeping.prune()
        left = {entry.folder.name for entry in keeping.entries()}
        assert left == {"6.1", "linux-source-6.1_1"}  # the oldest, but in use
    keeping.note(cache / "sources" / "linux-source-6.1_1", "used")
    assert {entry.folder.name for entry in keeping.entries()} == {"6.1", "linux-source-6.1_1"}
    monkeypatch.setenv("NSBENCH_LAB_CACHE", "0")
    keeping.note(cache / "debug" / "6.1", "not while it is used")
    assert [entry.about for entry in keeping.entries()] == ["not while it is used"]


def test_one_of_an_earlier_lab_is_listed_too(cache: Path) -> None:
    keeping.note_of(cache / "builds" / "abc").unlink()
    found = next(entry for entry in keeping.entries() if entry.folder.name == "abc")
    assert found.about == "a build of a kernel" and found.size >= 2 * MIB


class Removed:
    """A folder that another lab removes as soon as it was found, so many times."""

    def __init__(self, folder: Path, times: int) -> None:
        self.folder, self.times, self.found = folder, times, 0

    def __call__(self) -> Path:
        self.found += 1
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.found <= self.times:
            assert keeping.remove(keeping.entry_of(self.folder))
        return self.folder


def test_a_folder_that_went_before_it_was_locked_is_found_again(cache: Path) -> None:
    find = Removed(cache / "builds" / "new", times=2)
    with keeping.in_use(find) as folder:
        assert (folder, find.found, folder.is_dir()) == (cache / "builds" / "new", 3, True)
        assert not keeping.remove(keeping.entry_of(folder)) and folder.is_dir()
    with pytest.raises(LabError, match="builds/new: other labs remove it as soon as it is there"), keeping.in_use(
            Removed(cache / "builds" / "new", times=99)):
        pass


def test_what_is_missing_to_make_it_is_told(cache: Path) -> None:
    """Such as a program: nobody has removed the folder."""
    def find() -> Path:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "make")

    with pytest.raises(FileNotFoundError, match="make"), keeping.in_use(find):
        pass


def test_what_goes_before_it_is_said_to_be_used_is_found_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By whoever locks it: a kernel's source, and its debug information."""
    image = images.Image("6.1", cache / "vmlinuz", "", "linux-image-6.1 1")
    for folder, find in ((cache / "sources" / "linux-source-6.1_1", lambda: kernel_build.source_of("6.1")),
                         (cache / "debug" / "6.1_1", lambda: lines.fetch(image).parent)):
        folder.mkdir(exist_ok=True)
        (folder / lines.VMLINUX).touch()
        with monkeypatch.context() as patch:
            patch.setattr(packages, "find", lambda _: [])
            patch.setattr(os, "utime", gone)
            assert find() == folder


def gone(path: Path) -> None:
    raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)


def test_a_tree_that_went_before_it_was_locked_is_found_again(cache: Path) -> None:
    find = Removed(cache / "sources" / "linux-source-6.12_1", times=1)
    with kernel_build.patched(find, []) as tree:
        assert find.found == 2 and not keeping.remove(keeping.entry_of(tree))


def test_what_was_made_anew_is_not_removed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between finding it and having the lock."""
    entry = keeping.entry_of(cache / "builds" / "abc")
    locks = keeping.fcntl.flock

    def flock(handle: int, how: int) -> None:
        monkeypatch.undo()
        monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parents[1]))
        assert keeping.remove(entry)
        entry.folder.mkdir()
        locks(handle, how)

    monkeypatch.setattr(keeping.fcntl, "flock", flock)
    assert not keeping.remove(entry) and entry.folder.is_dir()


def test_nobody_finds_half_of_what_is_being_removed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the lab that removes it is killed: what it leaves goes later."""
    monkeypatch.setattr(keeping.shutil, "rmtree", lambda *_, **__: None)
    assert keeping.remove(keeping.entry_of(cache / "sources" / "linux-source-6.1_1"))
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parents[1]))
    left = list((cache / "sources").iterdir())
    assert [path.name.startswith(keeping.PART) for path in left] == [True]
    assert {entry.folder.name for entry in keeping.entries()} == {"6.1", "abc"}
    when = time.time() - keeping.PART_AGE - 60
    os.utime(left[0], (when, when))
    keeping.prune()
    assert not list((cache / "sources").iterdir())
