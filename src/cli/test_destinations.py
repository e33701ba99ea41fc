"""Where results cannot go, and what happens then."""

import os
import signal
import subprocess

import pytest

from nsbench_harness import Started, assert_one_line, assert_refused, binary, measure, needs_root, run, wait_for

SMALL = ("--op=clone", "--ns=none", "--ns=pid", "--stack=1M")


@pytest.mark.parametrize("option", ["--csv", "--json"])
def test_unwritable_file(option, tmp_path):
    path = tmp_path / "missing" / "file"
    assert_refused(run(f"{option}={path}", *SMALL), str(path))
    assert not path.parent.exists()


@pytest.mark.parametrize("args", [("list",), SMALL + ("--samples=3",), ("--help",), ("--version",)])
def test_standard_output_closed(args):
    result = run(*args, preexec_fn=lambda: os.close(1))
    assert result.returncode == 2
    assert_one_line(result.stderr)


@pytest.mark.parametrize("args", [("list",), SMALL + ("--samples=3",), SMALL + ("--samples=3", "--csv=-")])
def test_standard_output_full(args):
    with open("/dev/full", "w", encoding="utf-8") as full:
        result = subprocess.run([binary(), *args], stdout=full, stderr=subprocess.PIPE, encoding="utf-8", timeout=30)
    assert result.returncode == 1
    assert_one_line(result.stderr)


@pytest.mark.parametrize("option", ["--csv", "--json"])
def test_file_on_a_full_disk(option):
    result = run(*SMALL, "--samples=3", f"{option}=/dev/full")
    assert result.returncode == 1
    assert_one_line(result.stderr)


@pytest.mark.parametrize("args", [("--bogus",), SMALL + ("--samples=3", "--stack=0")])
def test_messages_that_cannot_be_written_change_no_exit_code(args):
    with open("/dev/full", "w", encoding="utf-8") as full:
        result = subprocess.run([binary(), *args], stdout=subprocess.DEVNULL, stderr=full, timeout=30)
    assert result.returncode == 2


def test_files_are_written_though_nobody_reads_the_table(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    files = [f"--csv={tmp_path}/a.csv", f"--json={tmp_path}/a.json", f"--out={tmp_path}/run"]
    with os.fdopen(writer, "w") as pipe:
        result = subprocess.run([binary(), *SMALL, "--samples=3", "--quiet", *files], stdout=pipe,
                                stderr=subprocess.PIPE, encoding="utf-8", timeout=30)
    assert (result.returncode, result.stderr) == (128 + signal.SIGPIPE, "")
    for name in ("a.csv", "a.json", "run/run.json", "run/results.csv", "run/samples.csv"):
        assert (tmp_path / name).stat().st_size > 0, name


def test_dev_stdout_is_written_to_and_stays(tmp_path):
    before = os.lstat("/dev/stdout").st_ino
    with open(tmp_path / "out", "w", encoding="utf-8") as out:
        subprocess.run([binary(), *SMALL, "--samples=3", "--quiet", "--csv=/dev/stdout"], stdout=out, check=True)
    assert os.lstat("/dev/stdout").st_ino == before
    assert (tmp_path / "out").read_text().startswith("run_id,kernel")


@needs_root
def test_folder_on_a_full_disk(tmp_path):
    """What could be written stays whole; what could not is said, once."""
    script = f"mount -t tmpfs -o size=16k none '{tmp_path}' && exec \"$@\""
    result = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", binary(), *SMALL, "--samples=300", f"--out={tmp_path}/run"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", timeout=60)
    assert result.returncode == 1
    assert_one_line(result.stderr)


def test_out_takes_one_run_only(tmp_path):
    folder = tmp_path / "run"
    measure(*SMALL, "--samples=3", f"--out={folder}")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert_refused(run(*SMALL, "--samples=3", f"--out={folder}"), str(folder))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_out_takes_one_run_at_a_time(tmp_path):
    folder = tmp_path / "run"
    with Started(*SMALL, "--budget=60s", "--precision=0.01%", f"--out={folder}") as first:
        wait_for((folder / "results.csv").exists, 30, "the first round")
        assert_refused(run(*SMALL, "--samples=3", f"--out={folder}"), str(folder))
        assert_refused(run(f"--resume={folder}"))
        assert first.process.poll() is None
        first.signal(signal.SIGINT)
        assert first.finish()[0] == 128 + signal.SIGINT
    measure("summary", folder)
