"""Tests of the exact profile on kernels that are built for them: run by scripts/test-kernels, since the first builds take long."""
import io
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from lab import images

PROGRAM = Path(__file__).resolve().parents[1] / "lab.py"
SERIES = "6.12"
FILTER = r"--filter=^(clone/NEW[A-Z]+/stack:1M|unshare/NEW[A-Z]+|setns/NEW[A-Z]+/via:nsfd|proc_remount/NEWNS-NEWPID/stack:1M)$"
CASES = 8 + 8 + 8 + 1
SAME = "no function differs"
# Instructions by which two net namespaces may differ, of 189000: where their memory is, which another kernel's image moves, decides
# how long a chain of a hash is, and whether a slab has room. -12 and +6 were seen.
APART = 32
# 200 no-ops behind the condition, so that they are executed where a uts namespace is made, and nowhere else.
PATCH = Path(__file__).with_name("nops.patch")


def lab(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, PROGRAM, *words], text=True, capture_output=True)


def built(folder: Path, name: str, *words: str | Path) -> Path:
    """A kernel of Debian's source with the small configuration."""
    out = folder / f"bzImage-{name}"
    done = lab("kernel-build", SERIES, "--out", out, *words)
    if done.returncode == 3:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kernels")


@pytest.fixture(scope="module")
def small(folder: Path) -> Path:
    return built(folder, "small")


@pytest.fixture(scope="module")
def with_nops(folder: Path) -> Path:
    return built(folder, "nops", "--patch", PATCH)


def sections(image: Path) -> set[str]:
    return {section.name for section in ELFFile(io.BytesIO(images.unpacked(image))).iter_sections()}


@dataclass(frozen=True)
class Said:
    """The sentence on a case: by how much it changed, and in which functions."""

    sum: int
    functions: str


def changes(new: Path, base: Path) -> dict[str, Said]:
    """By case."""
    done = lab("profile", "--kernel", new, "--against", base, "--", FILTER)
    assert done.returncode == 0, done.stderr
    found = re.findall(r"^([\w/:-]+) [+−].*: (\d+) on .*, (\d+) on .*\): (.*)$", done.stdout, re.MULTILINE)
    assert len(found) == CASES, done.stdout
    return {case: Said(int(after) - int(before), functions) for case, before, after, functions in found}


def test_a_planted_change_is_named_and_nothing_else(small: Path, with_nops: Path) -> None:
    """200 ± 0, in the right function. Net namespaces may differ a little."""
    found = changes(with_nops, small)
    net = {case: found.pop(case) for case in ("clone/NEWNET/stack:1M", "unshare/NEWNET")}
    makes_uts = {case for case in found if case.startswith(("clone/NEWUTS/", "unshare/NEWUTS"))}
    assert len(makes_uts) == 2
    changed = {case: said for case, said in found.items() if said.functions != SAME}
    assert changed == dict.fromkeys(makes_uts, Said(200, "copy_utsname +200"))
    assert all(abs(said.sum) <= APART and "copy_utsname" not in said.functions for said in net.values())


def test_the_books_of_a_kernel_without_btf_balance(small: Path) -> None:
    assert ".BTF" not in sections(small)
    done = lab("balance", "--kernel", small)
    assert done.returncode == 0, done.stdout + done.stderr
