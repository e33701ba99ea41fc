"""Measuring where /proc has another pid namespace's numbers: the namespaces that are timed are the right ones, and what
cannot be had is said. And failures that must not be taken for something else."""

import itertools
import os
import re
import shutil
import subprocess

import pytest

from nsbench_harness import assert_one_line, binary, needs_root, read_csv

pytestmark = needs_root

OUTER = ("unshare", "--pid", "--fork", binary())
# Another pid namespace's /proc, which does not show who is started after it.
OTHER = ("unshare", "--mount", "--propagation=private", "sh", "-c",
         "unshare --pid --fork mount -t proc proc /proc; exec \"$@\"", "sh", binary())


def start(*words):
    return subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8",
                          timeout=60, check=False)


def traced(log, *words):
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    return start("strace", "-f", "-qqq", "-y", "-o", log, *words)


@pytest.mark.parametrize("kind", ["net", "pid", "user"])
def test_setns_enters_the_holders_namespace(kind, tmp_path):
    done = traced(tmp_path / "log", "-e", "trace=setns", *OUTER, "--op=setns", f"--ns={kind}", "--samples=3")
    assert done.returncode == 0, done.stdout + done.stderr
    entered = set(re.findall(rf"setns\(\d+<({kind}:\[\d+\])>.* = 0", (tmp_path / "log").read_text()))
    assert entered and os.readlink(f"/proc/self/ns/{kind}") not in entered


def test_all_but_id_maps_is_measured(tmp_path):
    done = start(*OUTER, "--op=clone,setns,userns_map,proc_remount", "--ns=none", "--ns=user", "--ns=mnt,pid,user",
                 "--samples=3", f"--out={tmp_path}/out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning: proc: of an outer pid namespace" in done.stdout
    rows = read_csv(tmp_path / "out" / "results.csv")
    refused = {row["operation"]: row for row in rows if row["status"] == "skipped"}
    assert set(refused) == {"userns_map"}
    assert refused["userns_map"]["errno"] == "ESRCH" and "--mount-proc" in refused["userns_map"]["reason"]


def test_id_maps_alone_are_refused():
    done = start(*OUTER, "--op=userns_map", "--samples=3")
    assert done.returncode == 3 and "--mount-proc" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("options", [("--op=clone", "--ns=none", "--samples=3"), ("--probe", "--op=clone", "--ns=none")])
def test_without_a_proc_that_shows_it_nothing_is_measured(options):
    done = start(*OTHER, *options)
    assert done.returncode == 3 and done.stdout == "", done.stdout + done.stderr
    assert_one_line(done.stderr)
    assert "/proc is of another pid namespace" in done.stderr and "--mount-proc" in done.stderr


@pytest.mark.parametrize("way, severity", [(OUTER, "warning"), (OTHER, "problem")])
def test_the_doctor_names_it(way, severity):
    with subprocess.Popen([way[0], "--fork", "--kill-child", *way[1:], "doctor"], stdin=subprocess.DEVNULL, encoding="utf-8",
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        # It goes on to measure, which is of no interest here.
        text = "".join(itertools.takewhile(lambda line: " smt " not in line, process.stdout or ()))
        process.kill()
    assert re.search(rf"^{severity} +proc +of an", text, re.M), text
    assert re.search(r"^note +probe ", text, re.M), text


def test_the_probe_counts_as_outside_of_all_pid_namespaces():
    done = start(*OUTER, "--probe", "--op=clone", "--ns=none", "--samples=3")
    assert "pid namespace" in done.stdout + done.stderr, done.stdout + done.stderr


def test_a_root_that_cannot_be_left_is_a_failure_but_in_an_initramfs(tmp_path):
    """pivot_root(2) gives EINVAL for many reasons; moving the new root over the old one is another measurement."""
    done = traced(tmp_path / "log", "-e", "inject=pivot_root:error=EINVAL", binary(), "--op=container", "--ns=mnt,pid",
                  "--samples=3", "--quiet", f"--csv={tmp_path}/csv")
    assert done.returncode == 3, done.stdout + done.stderr
    assert {(row["status"], row["errno"]) for row in read_csv(tmp_path / "csv")} == {("skipped", "EINVAL")}


@pytest.mark.parametrize("call", ["poll", "recvfrom", "wait4"])
def test_a_signal_that_interrupts_a_call_costs_no_block(call, tmp_path):
    done = traced(tmp_path / "log", "-e", f"inject={call}:error=EINTR:when=1", binary(), "--op=clone,setns", "--ns=uts",
                  "--stack=1M", "--samples=3", f"--csv={tmp_path}/csv", "--quiet")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {row["errno"] for row in read_csv(tmp_path / "csv")} == {""}
