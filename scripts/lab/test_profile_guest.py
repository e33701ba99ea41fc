"""Tests of the exact profile: profiles of real kernels that balance."""
import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import thorough
from lab import exact
from lab.fake_harness import qemu_without_plugins

PROGRAM = Path(__file__).resolve().parents[1] / "lab.py"
NET = "clone/NEWNET/stack:1M"
CASES = (NET, "unshare/NEWNS", "setns/NEWPID/via:nsfd", *thorough.of((), ("clone/NEWUTS/stack:1M", "proc_remount/NEWNS-NEWPID/stack:1M")))
FILTER = f"--filter=^({'|'.join(CASES)})$"


def profile(kernel: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, PROGRAM, "profile", "--kernel", kernel, *words], text=True, capture_output=True,
                          timeout=300)


@pytest.fixture(scope="module")
def two(kernel: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], str]:
    """Two profiles of the same cases, and what the first one printed."""
    folders, printed = [], []
    for name in ("one", "other"):
        out = tmp_path_factory.mktemp(name)
        done = profile(kernel, "--out", str(out), "--", FILTER)
        assert done.returncode == 0, done.stderr
        folders += list(out.iterdir())
        printed.append(done.stdout)
    assert printed[0] == printed[1]
    return folders, printed[0]


def test_the_books_balance_and_repeat(two: tuple[list[Path], str]) -> None:
    (one, other), printed = two
    for name in ("samples.csv", "probe.csv", "stacks.folded", "callgrind.out.clone.NEWNET.stack-1M"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    for case in CASES:  # balance() has refused anything else
        assert f"{case}: " in printed
    assert "returns led to" not in printed
    create = next(line for line in printed.splitlines() if line.startswith("unshare/NEWNS: create "))
    with open(one / "results.csv", newline="") as file:
        row = next(row for row in csv.DictReader(file) if (row["case"], row["phase"]) == ("unshare/NEWNS", "create"))
    assert f"create {float(row['median']):.10g} instructions" in create  # between two samples it is a half


@pytest.mark.parametrize("operation, sets, phase, calls, calls_not", [
    ("userns_map", "user", "gid_map", "proc_gid_map_write", "proc_uid_map_write"),
    ("container", "all", "hostname", "sethostname", "pivot_root")])
def test_phases_of_a_loop_are_apart(kernel: Path, operation: str, sets: str, phase: str, calls: str, calls_not: str) -> None:
    done = profile(kernel, f"--phase={phase}", "--top=3000", "--", f"--op={operation}", f"--ns={sets}")
    assert done.returncode == 0, done.stderr  # the books of all phases balance
    assert f": {phase} " in done.stdout and re.search(rf"^\w*{calls}\b", done.stdout, re.MULTILINE)
    assert calls_not not in done.stdout and "proc_setgroups_write" not in done.stdout


@pytest.mark.parametrize("operation, sets, paths", [
    ("container", "all", {"create"}), ("userns_map", "user", {"setgroups", "uid_map", "gid_map"})])
def test_each_path_is_its_phase(kernel: Path, tmp_path: Path, operation: str, sets: str, paths: set[str]) -> None:
    """A path's stacks add up to it, and probe.csv's rows to the stacks that are the kernel's in the call."""
    done = profile(kernel, "--out", str(tmp_path), "--", f"--op={operation}", f"--ns={sets}")
    assert done.returncode == 0, done.stderr
    folder = next(tmp_path.iterdir())
    with open(folder / "results.csv", newline="") as file:
        phases = {(row["case"], row["phase"]): float(row["median"]) for row in csv.DictReader(file)}
    found: dict[tuple[str, str], float] = {}
    with open(folder / "probe.csv", newline="") as file:
        for row in csv.DictReader(file):
            found[row["case"], row["path"]] = found.get((row["case"], row["path"]), 0) + float(row["self"])
    stacks: dict[tuple[str, str], float] = {}
    kernels: dict[tuple[str, str], float] = {}
    for line in (folder / "stacks.folded").read_text().splitlines():
        (case, path, owner, *functions), own = line.rpartition(" ")[0].split(";"), float(line.rpartition(" ")[2])
        stacks[case, path] = stacks.get((case, path), 0) + own
        if owner in exact.OWN and functions and functions[-1] != exact.USER:
            kernels[case, path] = kernels.get((case, path), 0) + own
    measured = {case for case, _ in phases}  # what it is compared with has no row
    wanted = [(case, path) for case, path in found if path not in ("destroy", "async") and case in measured]
    assert {path for _, path in wanted} == paths
    for key in wanted:
        assert stacks[key] == pytest.approx(phases[key], rel=0.0002), key  # each is rounded
        assert found[key] == pytest.approx(kernels[key], rel=0.0002), key


def test_the_guest_does_not_notice(kernel: Path, two: tuple[list[Path], str], tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, PROGRAM, "run", "--machines=1", "--kernel", kernel, "--out", tmp_path, "--", FILTER],
                          text=True, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    samples = [sorted(line.split(",", 1)[1] for line in (folder / "samples.csv").read_text().splitlines())
               for folder in (next(path for path in tmp_path.iterdir() if path.is_dir()), two[0][0])]
    assert samples[0] == samples[1]


def test_functions_are_as_the_probe_has_them(two: tuple[list[Path], str]) -> None:
    with open(two[0][0] / "probe.csv", newline="") as file:
        rows = {(row["case"], row["path"], row["function"]): row for row in csv.DictReader(file)}
    assert {row["backend"] for row in rows.values()} == {"exact"}
    assert rows[NET, "create", "ops_init"]["calls_per_op"] == "84" and rows[NET, "create", "ops_init"]["kind"] == "net"
    assert float(rows[NET, "create", "copy_net_ns"]["total"]) < float(rows[NET, "create", "kernel_clone"]["total"])
    assert (NET, "async", "cleanup_net") in rows and (NET, "destroy", "__put_net") in rows


def test_callgrind_annotate_reads_it(two: tuple[list[Path], str]) -> None:
    if not shutil.which("callgrind_annotate"):
        pytest.skip("callgrind_annotate is missing: apt-get install valgrind")
    done = subprocess.run(["callgrind_annotate", "--tree=both", "--inclusive=yes",
                           two[0][0] / "callgrind.out.clone.NEWNET.stack-1M"], text=True, capture_output=True, timeout=60)
    assert done.returncode == 0 and "kernel:copy_net_ns" in done.stdout and "PROGRAM TOTALS" in done.stdout


@thorough.only
def test_hidden_symbols_and_a_qemu_without_plugins_are_told(kernel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = profile(kernel, "--append", "sysctl.kernel.kptr_restrict=2", "--", "--filter=^setns/NEWUTS/via:nsfd$")
    assert done.returncode == 1 and "/proc/kallsyms has no addresses" in done.stderr and len(done.stderr.splitlines()) <= 3
    done = profile(kernel, "--against", str(kernel), "--", "--filter=^setns/NEWUTS/via:nsfd$")
    assert done.returncode == 2 and "the same kernel" in done.stderr
    done = profile(kernel, "--", "--filter=^setns/NEWUTS$", "--probe")
    assert done.returncode == 2 and "without the probe" in done.stderr
    done = profile(kernel, "--phase=exit", "--", "--case=userns_map/NEWUSER")
    assert done.returncode == 2 and "userns_map/NEWUSER has setgroups, uid_map, gid_map, total" in done.stderr
    qemu_without_plugins(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    done = profile(kernel, "--", "--filter=^setns/NEWUTS/via:nsfd$")
    assert done.returncode == 3 and "not enabled in this build: a profile needs a QEMU with plugins" in done.stderr


def test_another_run_is_not_replaced(kernel: Path, two: tuple[list[Path], str], tmp_path: Path) -> None:
    folder = tmp_path / two[0][0].name
    shutil.copytree(two[0][0], folder)
    done = profile(kernel, "--out", str(tmp_path), "--", "--filter=^setns/NEWUTS/via:nsfd$")
    assert done.returncode == 2 and "holds a run with another arguments" in done.stderr
    assert (folder / "samples.csv").read_bytes() == (two[0][0] / "samples.csv").read_bytes()
