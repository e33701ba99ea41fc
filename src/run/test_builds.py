"""nsbench refuses a sampler of another build, before anything is asked of it: their messages would mean different things."""
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from nsbench_harness import SAMPLER, as_user, assert_one_line, binary, needs_root, processes, read_csv, wait_for

SMALL = ("--case=clone/NEWPID/stack:1M", "--case=unshare/NEWUTS", "--samples=3", "--quiet")
# As in core/greeting.h; the version follows, 8 bytes.
GREETING = b"nsbench protocol".ljust(24, b"\0")


def own_sampler():
    return Path(binary()).with_name(SAMPLER)


def of_another_build():
    """This build's sampler, but for one bit of its version."""
    program = own_sampler().read_bytes()
    at = program.index(GREETING) + len(GREETING)
    version = program[at:at + 8]
    return program.replace(GREETING + version, GREETING + bytes([version[0] ^ 1]) + version[1:])


def put(home, program):
    """Another sampler beside nsbench, as a build or an installation puts it there."""
    new = home / "new"
    new.write_bytes(program)
    new.chmod(0o755)
    new.rename(home / SAMPLER)


def own(home, *args, prefix=()):
    return subprocess.run([*prefix, home / Path(binary()).name, *args], stdin=subprocess.DEVNULL, capture_output=True,
                          encoding="utf-8", timeout=60, check=False)


def kill_samplers_of(pid):
    found = [child for child, (parent, comm) in processes().items() if parent == pid and comm == SAMPLER]
    for child in found:
        os.kill(child, signal.SIGKILL)
    return bool(found)


def assert_refused(done, home):
    assert done.returncode == 1, f"{done.returncode}: {done.stdout}{done.stderr}"
    assert_one_line(done.stderr)
    assert done.stderr == (f"nsbench: {home / Path(binary()).name} and {home / SAMPLER} are of different builds: build or "
                           "install both together\n")


@pytest.mark.parametrize("args", [SMALL, ("--case=runtime/NEWNS-NEWPID/by:unshare", "--samples=1", "--quiet"), ("doctor",)],
                         ids=["run", "runtime", "doctor"])
def test_a_sampler_of_another_build_is_refused(home, args):
    put(home, of_another_build())
    assert_refused(own(home, *args), home)


def test_it_is_refused_to_an_ordinary_user(home):
    put(home, of_another_build())
    assert_refused(as_user(home, home / Path(binary()).name, *SMALL), home)


def test_a_program_that_knows_no_greeting_is_refused(home):
    """Such as a sampler from before there was one: it ends where it is told what is no request."""
    put(home, Path("/bin/true").read_bytes())
    assert_refused(own(home, *SMALL), home)


def test_a_sampler_that_is_killed_is_not_taken_for_another_build(home, tmp_path):
    put(home, b"#!/bin/sh\nkill -KILL $$\n")
    done = own(home, *SMALL, f"--csv={tmp_path}/a.csv")
    assert done.returncode == 1 and "builds" not in done.stderr, done.stderr
    assert {row["errno"] for row in read_csv(tmp_path / "a.csv")} == {"ECHILD"}


@needs_root
@pytest.mark.parametrize(("make", "asked"), [(of_another_build, False), (lambda: own_sampler().read_bytes(), True)],
                         ids=["another", "own"])
def test_nothing_is_asked_of_one_that_is_refused(home, tmp_path, make, asked):
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    put(home, make())
    done = own(home, *SMALL, prefix=("strace", "-f", "-qqq", "-o", tmp_path / "log", "-e", "trace=unshare,setns,mount"))
    if "ptrace" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == (0 if asked else 1), done.stderr
    assert ("unshare(" in (tmp_path / "log").read_text()) == asked


def test_one_that_takes_the_place_of_a_killed_one_is_looked_at_as_well(home, tmp_path):
    """A build while a run goes on. What was measured stays."""
    results = tmp_path / "run" / "results.csv"
    put(home, own_sampler().read_bytes())
    with subprocess.Popen([home / Path(binary()).name, "--case=clone/NEWPID/stack:1M", "--budget=60s", "--precision=0.01%",
                           "--quiet", f"--out={tmp_path}/run"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, encoding="utf-8") as running:
        try:
            wait_for(lambda: results.exists() and read_csv(results)[0]["samples"], 20, "a counted round")
            put(home, of_another_build())
            wait_for(lambda: kill_samplers_of(running.pid), 5, "a sampler")
            out, err = running.communicate(timeout=30)
        finally:
            running.kill()
    assert_refused(subprocess.CompletedProcess([], running.returncode, out, err), home)
    assert int(read_csv(results)[0]["samples"]) > 0
