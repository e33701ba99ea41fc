"""Where the scripts' results go: links and folders of other users, what is replaced, names of any bytes."""
import argparse
import contextlib
import errno
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import report
from analysis import commands, outputs
from analysis.damage import lab
from analysis.fixtures import call, result_row, write_run
from analysis.script import Unreadable
from lab import alone, compare, folders, kernel_build, packages
from lab.errors import ABORTED, USAGE, LabError

SCRIPTS = Path(__file__).resolve().parents[1]
NOBODY, ANOTHER = 65534, 65533
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it becomes other users")


@pytest.fixture
def top() -> Iterator[Path]:
    """A folder with a file that only root may write, one as /tmp is, and one of an ordinary user."""
    with tempfile.TemporaryDirectory(prefix="nsbench-test-") as name:
        path = Path(name)
        path.chmod(0o755)
        (path / "precious").write_text("kept")
        for folder, mode in (("shared", 0o1777), ("theirs", 0o777)):
            (path / folder).mkdir()
            (path / folder).chmod(mode)
        if os.geteuid() == 0:
            os.chown(path / "theirs", NOBODY, NOBODY)
        yield path


@contextlib.contextmanager
def user(number: int) -> Iterator[None]:
    """This process as an ordinary user."""
    os.setegid(number)
    os.seteuid(number)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def plant(link: Path, target: Path, owner: int = NOBODY) -> None:
    link.symlink_to(target)
    os.chown(link, owner, owner, follow_symlinks=False)


def assert_refused(path: Path, says: str) -> None:
    for attempt in (lambda: outputs.check(path), lambda: outputs.replace(path, b"new")):
        with pytest.raises(OSError, match=says):
            attempt()


@needs_root
def test_a_link_that_somebody_planted_is_not_followed(top: Path) -> None:
    shared = top / "shared"
    plant(shared / "file", top / "precious")
    plant(shared / "folder", top)
    for path in (shared / "file", shared / "folder" / "precious", shared / "folder" / "new"):
        assert_refused(path, f"link of user {NOBODY}")
    os.chmod(shared, 0o777)
    assert_refused(shared / "file", f"link of user {NOBODY}")
    assert (top / "precious").read_text() == "kept" and not (top / "new").exists()
    plant(top / "theirs" / "file", top / "precious")  # of the folder's owner
    outputs.replace(top / "theirs" / "file", b"new")
    assert (top / "precious").read_text() == "new" and (top / "theirs" / "file").is_symlink()


@needs_root
def test_a_user_follows_no_link_of_another(top: Path) -> None:
    plant(top / "shared" / "file", top / "theirs" / "own", ANOTHER)
    plant(top / "shared" / "mine", top / "theirs" / "own")
    (top / "shared" / "roots").write_text("kept")
    with user(NOBODY):
        assert_refused(top / "shared" / "file", f"link of user {ANOTHER}")
        assert_refused(top / "shared" / "roots", "not permitted")
        outputs.replace(top / "shared" / "mine", b"new")
    assert (top / "theirs" / "own").read_text() == "new"
    assert sorted(os.listdir(top / "shared")) == ["file", "mine", "roots"]


@needs_root
def test_owner_and_mode_are_kept(top: Path) -> None:
    (top / "x.part").write_text("kept")
    for name, owner, mode in (("private", NOBODY, 0o600), ("shared-one", ANOTHER, 0o664), ("x", 0, 0o444)):
        (top / name).write_text("old")
        os.chown(top / name, owner, owner)
        (top / name).chmod(mode)
        outputs.check(top / name)
        outputs.replace(top / name, b"new")
        found = (top / name).stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (owner, owner, mode)
        assert (top / name).read_text() == "new"
    assert (top / "x.part").read_text() == "kept" and not list(top.glob(".part-*"))
    os.chown(top, NOBODY, NOBODY)
    (top / "roots").write_text("old")
    (top / "roots").chmod(0o640)
    with user(NOBODY):
        outputs.replace(top / "roots", b"new")
    found = (top / "roots").stat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (NOBODY, 0o600)


def test_what_an_output_may_be(top: Path) -> None:
    for length in (251, 255):
        for text in (b"one", b"two"):
            outputs.replace(top / ("x" * length), text)
        assert (top / ("x" * length)).read_bytes() == b"two"
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        for text in (b"one", b"two"):
            outputs.replace(Path(name) / "a", text)
        assert (Path(name) / "a").read_bytes() == b"two"
    with open(top / "out", "wb") as file:
        file.write(b"one,")
        file.flush()
        outputs.replace(Path(f"/dev/fd/{file.fileno()}"), b"two,")
        file.write(b"three")
    assert (top / "out").read_bytes() == b"one,two,three"
    outputs.check(Path("/dev/null"))
    outputs.replace(Path("/dev/null"), b"x")
    assert Path("/dev/null").is_char_device()
    (top / "loop").symlink_to("loop")
    for path, says in ((top, "directory"), (top / "loop", "levels"), (top / "out" / "x", "Not a directory"), (top / "no" / "x", "No such")):
        assert_refused(path, says)
    with pytest.raises(OSError, match="No space"):
        outputs.replace(Path("/dev/full"), b"x")


@needs_root
def test_under_sudo_what_is_made_belongs_to_its_caller(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (top / "theirs/roots").write_text("old")
    monkeypatch.setenv("SUDO_UID", str(NOBODY))
    monkeypatch.setenv("SUDO_GID", str(ANOTHER))
    outputs.own_folder(top / "theirs/one/two")
    outputs.own_folder(top / "theirs")
    for name in ("theirs/new", "theirs/roots", "shared/new", "new"):
        outputs.replace(top / name, b"new")
    names = ("theirs/one", "theirs/one/two", "theirs/new", "shared/new", "theirs/roots", "new")
    owners = {name: (top / name).stat().st_uid for name in names}
    # What is replaced keeps its owner, and where they could not have written it is root's.
    assert owners == dict.fromkeys(owners, NOBODY) | {"theirs/roots": 0, "new": 0}
    assert (top / "theirs/new").stat().st_gid == ANOTHER
    for number in ("0", "", "x", "-1", str(2**32 - 1)):
        monkeypatch.setenv("SUDO_UID", number)
        assert outputs.sudo_caller() is None
        with pytest.raises(OSError, match=f"belongs to user {NOBODY}"):
            outputs.own_folder(top / "theirs")


@needs_root
def test_folders_of_somebody_else_are_refused(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By each script that fills a folder."""
    plant(top / "shared" / "out", top / "theirs")
    for path, says in ((top / "theirs", f"belongs to user {NOBODY}"), (top / "shared" / "out", f"link of user {NOBODY}")):
        with pytest.raises(OSError, match=says), commands.folder_for_runs(path, "ab"):
            pass
        with pytest.raises(LabError, match=says) as refused, folders.exclusive(path):
            pass
        assert refused.value.code == USAGE
        with pytest.raises(LabError, match=says) as refused, compare.alone(path):
            pass
        assert refused.value.code == ABORTED
    run = write_run(top / "run", [result_row("clone/none/stack:1M", "create", 1000.0)])
    done = subprocess.run([SCRIPTS / "plot.py", run, "-o", top / "theirs"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and f"belongs to user {NOBODY}" in done.stderr and done.stderr.count("\n") == 1, done.stderr
    for name in ("report.html", "image"):
        plant(top / "shared" / name, top / "precious")
    with pytest.raises(Unreadable, match=f"--out=.*link of user {NOBODY}"):
        report.output(str(top / "shared" / "report.html"))
    monkeypatch.setattr(kernel_build, "check_tools", lambda: None)
    with pytest.raises(LabError, match=f"--out .*link of user {NOBODY}"):
        kernel_build.build(argparse.Namespace(out=top / "shared" / "image", vmlinux=None))
    for name in ("lock", "journal"):
        plant(top / "shared" / name, top / "precious")
    with pytest.raises(OSError), compare.alone(top / "shared"):
        pass
    with pytest.raises(OSError):
        alone.Journal(top / "shared" / "journal").add("key", {"a": b"b"})
    assert (top / "precious").read_text() == "kept" and os.listdir(top / "theirs") == []


def test_names_of_any_bytes(top: Path) -> None:
    runs = [write_run(Path(os.fsdecode(os.fsencode(top) + name)), [
        result_row("clone/none/stack:1M", "create", 1500.0, run_id=name.hex())]) for name in (b"/b\xff", b"/c\xff")]
    done = subprocess.run([SCRIPTS / "compare.py", "--single", *runs], capture_output=True, timeout=60)
    assert done.returncode == 0 and done.stderr == b"", done.stderr
    assert "b\ufffdFF" in done.stdout.decode()
    assert outputs.as_utf8(runs[0].name) == "b\ufffdFF" and outputs.as_utf8("ä b") == "ä b"


@needs_root
def test_without_proc_no_link_is_the_kernels_own(top: Path) -> None:
    (top / "mine").mkdir()
    plant(top / "shared" / "page", top / "mine")
    code = "import sys; from analysis import outputs; from pathlib import Path; outputs.replace(Path(sys.argv[1]) / 'x', b'new')"
    done = subprocess.run(["unshare", "-m", "sh", "-c", "umount -l /proc && exec \"$@\"", "sh", sys.executable, "-c", code,
                           top / "shared" / "page"], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "PYTHONPATH": str(SCRIPTS)})
    assert done.returncode == 1 and f"link of user {NOBODY}" in done.stderr, done.stderr
    assert not list((top / "mine").iterdir())


@needs_root
def test_the_lab_s_cache_is_nobody_elses(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(top / "shared" / "nsbench", top / "precious")
    monkeypatch.setenv("XDG_CACHE_HOME", str(top / "shared"))
    with pytest.raises(LabError, match=f"link of user {NOBODY}"):
        packages.cache()


@needs_root
def test_the_lab_s_cache_is_in_nobody_elses_folder(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has the folder that it is in can put another in its place, later on."""
    (top / "shared" / "nsbench" / "lab").mkdir(parents=True)
    os.chown(top / "shared" / "nsbench", NOBODY, NOBODY)
    monkeypatch.setenv("XDG_CACHE_HOME", str(top / "shared"))
    with pytest.raises(LabError, match=f"shared/nsbench: this folder belongs to user {NOBODY}") as refused:
        packages.cache()
    assert refused.value.code == USAGE


def test_nobody_else_can_write_to_the_lab_s_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    before = os.umask(0)
    try:
        path = packages.cache()
    finally:
        os.umask(before)
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in (path, path.parent)] == [0o700, 0o700]
    for folder, mode in ((path, 0o777), (path, 0o1777), (path, 0o770), (path.parent, 0o777), (path.parent, 0o720),
                         (tmp_path / "cache", 0o777), (tmp_path / "cache", 0o775)):
        folder.chmod(mode)
        with pytest.raises(LabError, match=f"{folder}: others can write to this folder.*XDG_CACHE_HOME"):
            packages.cache()
        folder.chmod(0o700)
    (tmp_path / "cache").chmod(0o1777)  # as /tmp is
    assert packages.cache() == path


def test_a_name_of_two_lines_is_told_in_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = tmp_path / "two\nlines"
    name.write_text("")
    code, _, err = call(SCRIPTS / "ab.py", ["--out", name, "true", "true"])
    assert (code, err) == (2, f"ab: {tmp_path}/two\\nlines: {os.strerror(errno.ENOTDIR)}\n")

    def fails() -> None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(name))
    monkeypatch.setattr(packages, "locked", fails)
    assert lab("kernels") == (1, "", f"lab: {tmp_path}/two\\nlines: {os.strerror(errno.ENOENT)}\n")


def test_only_folders_of_a_killed_lab_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".part-0123abcd").write_text("another program's")
    (tmp_path / ".part-lab").mkdir()
    with folders.exclusive(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [".part-0123abcd"]
