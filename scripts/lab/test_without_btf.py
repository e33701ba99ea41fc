"""A kernel without BTF, whose exact profile is that of the same kernel with it."""
import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest

from analysis import columns
from lab import images
from lab.errors import LabError
from lab.test_profile_guest import CASES, FILTER, PROGRAM, profile


def calls_of(folder: Path) -> dict[tuple[str, str, str], str]:
    """How often each function that the probe knows is called in the timed calls of each case."""
    known = {function["name"] for function in columns.dictionary()["functions"]}
    with open(folder / "probe.csv", newline="") as file:
        return {(row["case"], row["path"], row["function"]): row["calls_per_op"] for row in csv.DictReader(file)
                if row["function"] in known and row["path"] == "create"}


def test_a_kernel_without_btf_is_profiled_the_same(kernel: Path, tmp_path: Path) -> None:
    """The section removed, of the kernel that is in its image; nsbench then has no probe, and says so."""
    with_btf, without = tmp_path / "with", tmp_path / "without"
    try:
        with_btf.write_bytes(images.unpacked(kernel))
    except LabError as error:
        pytest.skip(str(error))
    subprocess.run(["objcopy", "--remove-section", ".BTF", with_btf, without], check=True)
    done = profile(without, "--against", str(with_btf), "--out", str(tmp_path / "profiles"), "--", FILTER)
    assert done.returncode == 0, done.stderr
    sums = {case: (int(one), int(other)) for case, one, other
            in re.findall(r"^([\w/:-]+) .*: (\d+) on .*, (\d+) on ", done.stdout, re.MULTILINE)}
    assert set(sums) == set(CASES), done.stdout
    # Memory is elsewhere without BTF's own, and addresses order trees and hash chains: of dentries, mounts, slabs, pages. And a boot
    # that takes another time reseeds the random numbers at another time: 1.1 thousand in the call that it falls into. Five machines
    # that differ in nothing else are apart by up to these shares of a case (of all clones alike, by what the processes hold; see
    # `resolution` in results/6.1*/results.csv), and these by twice as much at the most.
    apart = {"clone/NEWUTS/": 0.001, "clone/NEWNET/": 0.001, "unshare/NEWNS": 0.031, "setns/NEWPID/": 0, "proc_remount/": 0.019}
    for case, (one, other) in sums.items():
        share = next(share for name, share in apart.items() if case.startswith(name))
        assert one == pytest.approx(other, rel=2 * share, abs=0), done.stdout
    # Whatever that costs: the functions are known by their names, and called as often.
    calls = [calls_of(folder) for folder in sorted((tmp_path / "profiles").iterdir())]
    assert len(calls) == 2 and calls[0] == calls[1] and {case for case, _, _ in calls[0]} >= set(CASES)
    done = subprocess.run([sys.executable, PROGRAM, "run", "--machines=1", "--kernel", without, "--out", tmp_path / "out", "--",
                           f"--case={CASES[0]}", "--probe"], text=True, capture_output=True, timeout=300)
    assert done.returncode == 0 and "cannot be had here, measured without: /sys/kernel/btf/vmlinux" in done.stdout, done.stderr
