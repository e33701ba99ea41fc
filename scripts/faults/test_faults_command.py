"""validate.py faults and memory as commands: against programs that do not hold, stopped, gone on with, and used wrongly."""
import csv
import fcntl
import io
import os
import re
import signal
import subprocess
import time

import pytest

from analysis.fixtures import call
from faults.drawing import Fault
from faults.test_faults import VALIDATE, needs_root, running, sleeping


@pytest.fixture(name="other")
def fixture_other(tmp_path):
    """Makes a folder with a script in nsbench's place."""
    def make(script):
        (tmp_path / "nsbench").write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (tmp_path / "nsbench").chmod(0o755)
        return f"--build={tmp_path}"
    return make


@needs_root
@pytest.mark.parametrize("script, wrong", [
    ("echo nsbench 1 || { echo 'write: EIO' >&2; exit 1; }", None),
    ("echo nsbench 1 || { kill -SEGV $$; }", "SIGSEGV"),
    ("echo nsbench 1 2>/dev/null; exit 0", "standard output is ''"),
    ("echo nsbench 1; mount -t tmpfs none /mnt", "mounts differ"),
    ("echo nsbench 1; sleep 61.5 >/dev/null 2>&1 &", "left sleep"),
])
def test_a_program_that_does_not_hold_is_told(other, script, wrong, tmp_path):
    code, out, err = call(VALIDATE, [other(script), "faults", "--job=version", "--call=write", "--role=nsbench", "--when=1", "--error=EIO",
                                     f"--keep={tmp_path}/kept"])
    if "no seccomp notifier" in err:
        pytest.skip(err)
    with (tmp_path / "kept/faults.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    short = [row for row in rows if row["outcome"] == "short"]
    if wrong is None:
        assert code == 0 and rows and not short, out
    else:
        assert code == 1 and short and all(wrong in row["shortfall"] for row in short), out
        assert "scripts/validate.py faults --job=version --role=nsbench --call=write --error=" in out


def tried(table):
    """The rows of those that have an outcome."""
    return [row for row in csv.DictReader(io.StringIO(table.read_text(encoding="utf-8"))) if row["outcome"]]


@needs_root
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_was_tried_until_it_is_stopped_is_kept(other, number, tmp_path):
    kept = tmp_path / "kept/faults.csv"
    with subprocess.Popen([VALIDATE, other("echo nsbench 1; sleep 0.2"), "faults", "--job=version", f"--keep={kept.parent}"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8") as started:
        end = time.monotonic() + 60
        while started.poll() is None and time.monotonic() < end and not (kept.exists() and len(tried(kept)) > 1):
            time.sleep(0.05)
        started.send_signal(number)
        out, err = started.communicate(timeout=60)
    if "no seccomp notifier" in err:
        pytest.skip(err)
    rows = len(tried(kept))
    assert started.returncode == 130 and rows > 1 and re.search(rf"^version +{rows} ", out, re.MULTILINE), out + err


@needs_root
def test_what_is_kept_is_not_tried_again(other, tmp_path):
    words = [other("echo nsbench 1 || { echo 'write: EIO' >&2; exit 1; }"), "faults", "--job=version", "--call=write", "--role=nsbench",
             "--when=1", "--error=EIO", f"--keep={tmp_path}/kept"]
    code, out, err = call(VALIDATE, words)
    if "no seccomp notifier" in err:
        pytest.skip(err)
    assert code == 0 and "1 of 1 faults in 1 jobs" in out, out + err
    kept = tmp_path / "kept/faults.csv"
    whole = kept.read_text(encoding="utf-8")
    code, out, err = call(VALIDATE, [*words, "--seed=2"])
    assert code == 0 and "0 of 1 faults are left in" in out and "1 faults tried, 0 fell short" in out, out + err
    # What has no outcome is tried.
    kept.write_text(re.sub(r"held,.*", ",,,", whole), encoding="utf-8")
    code, out, err = call(VALIDATE, words)
    assert code == 0 and "1 of 1 faults are left in" in out, out + err
    assert ",held," in kept.read_text(encoding="utf-8")
    code, out, err = call(VALIDATE, [*words, "--when=2"])
    assert code == 2 and "was begun with other options" in err, out + err
    for text, said in (("job,role\nversion,nsbench\n", "its columns are not"),
                       (whole.replace(",held,", ",good,"), "no outcome is called good"),
                       (whole.replace(",held,", ","), "has not a field for each column")):
        kept.write_text(text, encoding="utf-8")
        code, out, err = call(VALIDATE, words)
        assert code == 2 and "no table of faults" in err and said in err, out + err
    other("echo nsbench 2")
    code, out, err = call(VALIDATE, words)
    assert code == 2 and "by another nsbench" in err, out + err


@needs_root
def test_two_campaigns_do_not_write_to_one_folder(other, tmp_path):
    words = [other("echo nsbench 1"), "faults", "--job=version", f"--keep={tmp_path}/kept"]
    (tmp_path / "kept").mkdir()
    folder = os.open(tmp_path / "kept", os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        code, out, err = call(VALIDATE, words)
    finally:
        os.close(folder)
    assert code == 2 and "another campaign is writing to it" in err, out + err


@needs_root
def test_a_job_that_fails_by_itself_is_not_left_out(other):
    for script, wanted, said in (("echo nsbench 1; exit 5", 2, "exit code 5"), ("echo no >&2; exit 3", 2, "exit code 3")):
        code, _, err = call(VALIDATE, [other(script), "faults", "--job=version"])
        if "no seccomp notifier" in err:
            pytest.skip(err)
        assert code == wanted and said in err and "nothing to try" in err, err
    # The other job is tried, and holds.
    script = '[ "$1" = --version ] && {}; echo a || {{ echo "write: EIO" >&2; exit 1; }}'
    words = ["faults", "--job=version", "--job=list", "--call=write", "--role=nsbench", "--when=1", "--error=EIO"]
    code, out, err = call(VALIDATE, [other(script.format("exit 5")), *words])
    assert (code, "1 faults tried, 0 fell short" in out, "version cannot be tried here: exit code 5" in err) == (1, True, True), out
    code, out, _ = call(VALIDATE, [other(script.format("exit 3")), *words])
    assert code == 0, out


@needs_root
def test_nothing_tried_is_not_good(other):
    code, out, err = call(VALIDATE, [other("echo a || { echo 'write: EIO' >&2; exit 1; }"), "faults", "--job=list", "--call=write",
                                     "--role=nsbench", "--when=2", "--error=EIO"])
    if "no seccomp notifier" in err:
        pytest.skip(err)
    assert code == 1 and "0 faults tried, 0 fell short; 1 more were not reached" in out, out


@needs_root
def test_a_job_that_no_fault_reached_is_not_good(other):
    """The one that writes once; the other holds. Of a job with few faults it says nothing."""
    script = """say() { echo "$1" || { echo 'write: EIO EPIPE ENOSPC EINTR EFBIG EDQUOT' >&2; exit 1; }; }
say a; [ "$1" != --version ] || say b"""
    words = [other(script), "faults", "--job=version", "--job=list", "--call=write", "--role=nsbench", "--when=2"]
    code, out, err = call(VALIDATE, words)
    if "no seccomp notifier" in err:
        pytest.skip(err)
    assert code == 1 and " 0 fell short" in out and out.endswith("\nno fault reached: list\n"), out + err
    code, out, err = call(VALIDATE, [*words, "--error=EIO"])
    assert code == 0 and "1 faults tried, 0 fell short; 1 more were not reached" in out, out + err


@needs_root
def test_what_it_runs_ends_with_it(other, tmp_path, monkeypatch):
    """Nobody would answer its calls."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # where a folder stays
    sleep = sleeping(1)
    with subprocess.Popen([VALIDATE, other(f"echo nsbench 1; exec {sleep}"), "faults", "--job=version"],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8") as started:
        end = time.monotonic() + 60
        while started.poll() is None and time.monotonic() < end and not running(sleep):
            time.sleep(0.05)
        if started.poll() is not None:
            pytest.skip(started.communicate()[1])
        time.sleep(0.5)  # for its first calls, which it would not survive without an answer
        started.kill()
    end = time.monotonic() + 10
    while running(sleep) and time.monotonic() < end:
        time.sleep(0.05)
    assert not running(sleep)


@needs_root
def test_a_worker_that_dies_is_one_line(other, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "folders"))
    (tmp_path / "folders").mkdir()
    code, _, err = call(VALIDATE, [other("echo nsbench 1; kill -9 $PPID"), "faults", "--job=version"])
    if "no seccomp notifier" in err:
        pytest.skip(err)
    assert code == 2 and err == "validate: faults: a process that tries them was killed, so not all were tried\n", err
    assert not list((tmp_path / "folders").iterdir()), "its folder stays"


def test_the_command_that_repeats_one():
    assert Fault("list", "nsbench", "read", "EIO", 3).command() == \
        "scripts/validate.py faults --job=list --role=nsbench --call=read --error=EIO --when=3"
    assert Fault("list", "nsbench", "malloc+", "ENOMEM", 3).command() == \
        "scripts/validate.py memory --job=list --role=nsbench --call=malloc+ --error=ENOMEM --when=3"


@pytest.mark.parametrize("words", [["faults", "--most=0"], ["faults", "--job=nothing"], ["memory", "--jobs=0"]])
def test_wrong_use_is_one_line(words):
    code, out, err = call(VALIDATE, words)
    assert (code, out, err.count("\n")) == (2, "", 1) and err.startswith("validate: ")
