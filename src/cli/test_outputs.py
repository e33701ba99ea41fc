"""Where results go: links and folders of other users, what is replaced, names of any bytes, limits."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from nsbench_harness import NOBODY, Started, as_user, assert_one_line, assert_refused, binary, measure, needs_root, read_csv, run

ONE = ("--case=clone/none/stack:1M", "--samples=3", "--quiet")
FILES = ("run.json", "results.csv", "samples.csv")
ANOTHER = 65533


@pytest.fixture(name="shared")
def fixture_shared():
    """A folder as /tmp is; beside it a file that only root may write, and a folder of an ordinary user."""
    with tempfile.TemporaryDirectory(prefix="nsbench-test-") as name:
        folder, theirs = Path(name) / "shared", Path(name) / "theirs"
        Path(name).chmod(0o755)
        for path, mode in ((folder, 0o1777), (theirs, 0o777)):
            path.mkdir()
            path.chmod(mode)
        os.chown(theirs, NOBODY, NOBODY)
        (Path(name) / "precious").write_text("kept")
        yield folder


def plant(link, target, owner=NOBODY):
    """A link as that user would make it."""
    link.symlink_to(target)
    os.chown(link, owner, owner, follow_symlinks=False)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# links and folders of other users

@needs_root
@pytest.mark.parametrize("option", ["--csv", "--json", "--folded"])
def test_root_writes_through_no_link_that_somebody_planted(option, shared):
    target = shared.parent / "precious"
    plant(shared / "file", target)
    plant(shared / "folder", shared.parent)
    for path in (shared / "file", shared / "folder" / "precious", shared / "folder" / "new"):
        more = ("--probe",) if option == "--folded" else ()
        assert_refused(run(*ONE, *more, f"{option}={path}"), option, f"link of user {NOBODY}", str(path))
    assert target.read_text() == "kept" and names(shared) == ["file", "folder"]
    assert not (shared.parent / "new").exists()


@needs_root
def test_users_without_an_id_are_not_taken_for_one(shared):
    """Inside a user namespace the folder's owner and whoever planted the link look the same."""
    os.chown(shared, ANOTHER, ANOTHER)
    plant(shared / "file", shared.parent / "precious")
    inside = ["unshare", "--user", "--map-root-user"]
    if subprocess.run([*inside, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no user namespace can be made here")
    refused = subprocess.run([*inside, binary(), *ONE, f"--csv={shared}/file"], capture_output=True, text=True, timeout=60,
                             check=False)
    assert_refused(refused, f"link of user {NOBODY}")
    assert (shared.parent / "precious").read_text() == "kept"


@needs_root
def test_a_user_without_an_id_is_not_taken_for_others(home, shared):
    """Inside a user namespace without a map everybody looks like the caller."""
    plant(shared / "file", shared.parent / "theirs", ANOTHER)
    inside = ("unshare", "--user")
    if as_user(home, *inside, "true").returncode:
        pytest.skip("no user namespace can be made here")
    assert_refused(as_user(home, *inside, home / "nsbench", *ONE, f"--csv={shared}/file/new"), "link of user")
    (shared / "folder").mkdir()
    os.chown(shared / "folder", ANOTHER, ANOTHER)
    (shared / "folder").chmod(0o777)
    assert_refused(as_user(home, *inside, home / "nsbench", *ONE, f"--out={shared}/folder"), "belongs to user")
    own = as_user(home, *inside, home / "nsbench", *ONE, f"--out={shared.parent}/theirs/own")
    assert own.returncode in (0, 3) and "belongs to user" not in own.stderr, own.stderr


@needs_root
@pytest.mark.parametrize("command", ["--resume={}", "summary {}"])
def test_a_run_in_a_folder_like_tmp_is_read_by_its_own_user_alone(command, home, shared):
    assert as_user(home, home / "nsbench", *ONE, f"--out={shared}").returncode in (0, 3)
    words = command.format(shared).split()
    if not (shared / "samples.csv").exists():
        pytest.skip("an ordinary user can measure nothing here")
    assert as_user(home, home / "nsbench", *words).returncode == 0
    (shared / ".part-01234567").write_text("")
    os.chown(shared / ".part-01234567", ANOTHER, ANOTHER)
    before = {name: (shared / name).read_bytes() for name in names(shared)}
    assert_refused(run(*words), f"belongs to user {NOBODY}")
    assert {name: (shared / name).read_bytes() for name in names(shared)} == before


@needs_root
def test_a_folder_of_somebody_else_is_refused(shared):
    theirs = shared.parent / "theirs"
    plant(theirs / "samples.csv", shared.parent / "precious")
    plant(shared / "out", theirs)
    (shared.parent / "own").mkdir()
    plant(shared / "to-own", shared.parent / "own")
    for path, why in ((theirs, "belongs to user"), (shared / "out", "link of user"), (shared / "to-own", "link of user"),
                      (shared / "to-own" / "new", "link of user")):
        assert_refused(run(*ONE, f"--out={path}"), "--out", why)
    assert (shared.parent / "precious").read_text() == "kept"
    assert names(theirs) == ["samples.csv"] and names(shared.parent / "own") == []
    measure(*ONE, f"--out={theirs}/new")  # a folder of one's own is one's own wherever it is
    assert (theirs / "new").owner() == "root"


@needs_root
def test_a_run_is_gone_on_with_in_ones_own_folder(shared):
    theirs = shared.parent / "theirs"
    measure(*ONE, f"--out={theirs}/run")
    os.chown(theirs / "run", NOBODY, NOBODY)
    for words in ((f"--resume={theirs}/run",), ("summary", f"{theirs}/run")):
        assert_refused(run(*words), "belongs to user")


@needs_root
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_was_planted_in_a_folder_like_tmp(name, shared):
    """Such a folder is root's, and anybody's links may be in it."""
    plant(shared / name, shared.parent / "precious")
    result = run(*ONE, f"--out={shared}")
    assert_refused(result, str(shared))
    assert (shared.parent / "precious").read_text() == "kept" and names(shared) == [name]


@needs_root
def test_a_user_writes_through_no_link_of_another(home, shared):
    own, theirs = shared.parent / "theirs" / "own", shared.parent / "theirs"
    own.write_text("kept")
    os.chown(own, NOBODY, NOBODY)
    plant(shared / "file", own, ANOTHER)
    plant(shared / "folder", theirs, ANOTHER)
    for word in (f"--csv={shared}/file", f"--json={shared}/folder/own", f"--csv={shared}/folder/new", f"--out={shared}/folder",
                 f"--out={shared}/folder/new"):
        assert_refused(as_user(home, home / "nsbench", *ONE, word), f"link of user {ANOTHER}")
    assert own.read_text() == "kept" and names(theirs) == ["own"]
    os.chown(theirs, ANOTHER, ANOTHER)
    assert_refused(as_user(home, home / "nsbench", *ONE, f"--out={theirs}"), f"belongs to user {ANOTHER}")
    os.chown(shared / "file", NOBODY, NOBODY, follow_symlinks=False)  # a link of one's own is followed
    assert as_user(home, home / "nsbench", *ONE, f"--csv={shared}/file").returncode in (0, 3)


# what is replaced, and what is not

@needs_root
def test_owner_and_mode_are_kept(tmp_path):
    for name, owner, mode in (("a.csv", NOBODY, 0o600), ("a.json", ANOTHER, 0o664), ("a.csv.part", NOBODY, 0o600)):
        (tmp_path / name).write_text("old")
        os.chown(tmp_path / name, owner, owner)
        (tmp_path / name).chmod(mode)
    measure(*ONE, f"--csv={tmp_path}/a.csv", f"--json={tmp_path}/a.json")
    seen = {path.name: (path.stat().st_uid, path.stat().st_gid, path.stat().st_mode & 0o7777) for path in tmp_path.iterdir()}
    assert seen == {"a.csv": (NOBODY, NOBODY, 0o600), "a.json": (ANOTHER, ANOTHER, 0o664), "a.csv.part": (NOBODY, NOBODY, 0o600)}
    assert (tmp_path / "a.csv.part").read_text() == "old"
    assert (tmp_path / "a.csv").read_text().startswith("run_id")


@needs_root
def test_what_a_user_cannot_replace_is_said_before(home, shared):
    (shared / "roots").write_text("kept")
    (shared / "roots").chmod(0o666)
    assert_refused(as_user(home, home / "nsbench", *ONE, f"--csv={shared}/roots"), "EPERM")
    assert (shared / "roots").read_text() == "kept" and names(shared) == ["roots"]


@pytest.mark.parametrize("length", [250, 251, 255])
def test_names_of_any_length(length, tmp_path):
    path = tmp_path / ("x" * length)
    for _ in range(2):
        measure(*ONE, f"--csv={path}")
    assert read_csv(path) and len(names(tmp_path)) == 1


def test_shared_memory_holds_files(tmp_path):
    path = Path("/dev/shm") / f"test-of-nsbench-{tmp_path.name}-{os.getpid()}.csv"
    try:
        for _ in range(2):
            measure(*ONE, f"--csv={path}")
            assert len({row["run_id"] for row in read_csv(path)}) == 1
    finally:
        path.unlink(missing_ok=True)


def test_what_is_open_is_written_to_as_it_is(tmp_path):
    """Standard output under its other names, and another descriptor: at its own place, behind what is there."""
    with open(tmp_path / "out", "w", encoding="utf-8") as out:
        out.write("# first\n")
        out.flush()
        for name in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
            subprocess.run([binary(), *ONE, f"--csv={name}"], stdout=out, check=True)
        subprocess.run([binary(), *ONE, f"--csv=/dev/fd/{out.fileno()}"], pass_fds=[out.fileno()], check=True,
                       stdout=subprocess.DEVNULL)
    text = (tmp_path / "out").read_text()
    assert text.startswith("# first\nrun_id") and text.count("run_id,kernel") == 4


# bytes that are no UTF-8

def test_names_of_any_bytes(tmp_path):
    odd = os.fsencode(tmp_path) + b"/b\xff.csv"
    words = [*map(str.encode, ONE), b"--csv=" + odd, b"--json=" + os.fsencode(tmp_path) + b"/\xe4.json",
             b"--out=" + os.fsencode(tmp_path) + b"/run\xc3"]
    done = subprocess.run([os.fsencode(binary()), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/run\xc3"))
    assert set(FILES) <= set(names(folder))
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    recorded = [re.sub(rb"\xef\xbf\xbd(..)", lambda found: bytes.fromhex(found[1].decode()), word.encode())
                for word in record["arguments"]]
    assert recorded == words
    assert Path(os.fsdecode(odd)).read_bytes() == (folder / "results.csv").read_bytes()
    again = run(os.fsdecode(b"--resume=" + os.fsencode(folder)), "--quiet")
    assert again.returncode == 0, again.stderr
    assert json.loads((folder / "run.json").read_text(encoding="utf-8"))["arguments"] == record["arguments"]


def test_an_expression_of_any_bytes_is_resumed(tmp_path):
    filter_ = os.fsdecode(b"--filter=^clone/none/stack:1M$|\xff")
    measure(filter_, *ONE[1:], f"--out={tmp_path}/run")
    measure(f"--resume={tmp_path}/run")
    assert {row["case"] for row in read_csv(tmp_path / "run" / "results.csv")} == {"clone/none/stack:1M"}


@needs_root
def test_a_hostname_of_any_bytes(tmp_path):
    script = "import os, socket, sys; socket.sethostname(b'h\\xff'); os.execv(sys.argv[1], sys.argv[1:])"
    subprocess.run(["unshare", "--uts", sys.executable, "-c", script, binary(), *ONE, f"--json={tmp_path}/a.json"],
                   stdout=subprocess.DEVNULL, check=True, timeout=60)
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))["context"]["host_name"] == "h\ufffdFF"


# a limit on the size of files

@pytest.mark.parametrize("option", ["--csv={}/a.csv", "--json={}/a.json", "--out={}/run"])
def test_a_limit_on_files_is_as_a_full_disk(option, tmp_path):
    """The signal that comes with it ends a program that does not ignore it, and the shell's programs do not."""
    with Started(*ONE[:1], "--budget=2s", "--precision=0.01%", "--quiet", option.format(tmp_path),
                 preexec_fn=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_DFL)) as started:
        started.sampler()
        resource.prlimit(started.pid, resource.RLIMIT_FSIZE, (100, 100))
        code, _, err = started.finish()
    assert code == 1, err
    assert_one_line(err)
    assert "(EFBIG): the limit of a file's size is too low: ulimit -f" in err
    assert not list(tmp_path.rglob(".part-*")) and names(tmp_path) in ([], ["run"])


@needs_root
def test_programs_that_are_started_have_their_signals():
    """What nsbench ignores for itself: SIGPIPE and SIGXFSZ."""
    def ignored(**more):
        shown = run("exec", "--ns=uts", "--", "grep", "SigIgn", "/proc/self/status", **more)
        return int(shown.stdout.split()[1], 16)

    def ignore():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    bit = 1 << (signal.SIGXFSZ - 1)
    assert not ignored() & bit
    assert ignored(preexec_fn=ignore, restore_signals=False) & bit
    with Started("--case=clone/none/stack:1M", "--budget=60s", "--precision=0.01%") as started:
        status = Path(f"/proc/{started.sampler()}/status").read_text(encoding="utf-8")
        started.signal(signal.SIGTERM)
        started.finish()
    assert not int(re.findall(r"SigIgn:\s*(\w+)", status)[0], 16) & bit
