"""Tests of the lab's compare with what cannot be measured, and in a bisection with real guests."""
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import thorough
from lab import guest, initramfs, packages
from lab.compare_harness import PROGRAM, compare
from lab.errors import LabError
from lab.fake_harness import IMAGE, FakeLab, sent
from lab.test_compare import BASE, write


def need(condition: Callable[[], object]) -> None:
    """Skips the test, with the reason, where the parts of a guest cannot be had."""
    try:
        condition()
    except LabError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(("script", "new", "says"), [
    ("exit 0", "/nowhere/bzImage", "No such file"),
    ("exit 0", str(PROGRAM), "not a kernel image"),
    ("exit 0", "bzImage", "without a word"),
    ("echo 'Kernel panic - not syncing' >$console", "bzImage", "Kernel panic"),
    (None, "bzImage", "qemu-system-x86"),
])
def test_what_cannot_be_measured_is_125(tmp_path: Path, script: str | None, new: str, says: str) -> None:
    need(initramfs.base)
    (tmp_path / "bzImage").write_bytes(IMAGE)
    (tmp_path / "bin").mkdir()
    for name in ("ldd", "busybox", "bash", "sh", "cat") + ((guest.QEMU,) if script is None else ()):
        if name != guest.QEMU and shutil.which(name):
            (tmp_path / "bin" / name).symlink_to(shutil.which(name) or "")
    if script is not None:
        text = 'for w; do case $w in file:*/console) console=${w#file:};; esac; done\n'
        (tmp_path / "bin" / guest.QEMU).write_text(f'#!/bin/sh\n[ "$1" = --version ] && exit\n{text}{script}\n')
        (tmp_path / "bin" / guest.QEMU).chmod(0o755)
    words = ("./bzImage", f"./{new}" if new == "bzImage" else new, "--together", "--out", "runs", "--", "--samples=5")
    code, out, err = compare(*words, cwd=tmp_path, PATH=str(tmp_path / "bin"))
    assert (code, out) == (125, "")
    assert says in next(line for line in err.splitlines() if line.startswith("lab: "))
    assert not (tmp_path / "runs").exists() or [path.name for path in (tmp_path / "runs").iterdir()] == ["lock"]


def another_that_measures(lab: FakeLab, accel: str) -> Path:
    """Another kernel than the lab's; guests of both measure the same."""
    measured = write(lab.path / "measured", BASE, clock=guest.CLOCKS[accel])
    files = {path.name: path.read_bytes() for path in measured.iterdir()}
    (lab.path / "files").write_bytes(sent({"status": b"0", "samples.csv": b"", **files}))
    lab.qemu(f"cp {lab.path / 'files'} $sent; echo 'lab: done' >$console\n")
    other = lab.path / "bzImage-other"
    other.write_bytes(IMAGE + b"\n")
    return other


@pytest.mark.parametrize("accel", ["tcg", "kvm"])
def test_only_what_repeats_is_not_measured_again(lab: FakeLab, accel: str) -> None:
    other = another_that_measures(lab, accel)

    def sides() -> list[list[str]]:
        """What is said of each side."""
        code, _, err = compare(lab.kernel, other, "--together", f"--accel={accel}", "--out", lab.out, "--", "--samples=30",
                               PATH=f"{lab.bin}:{os.environ['PATH']}")
        assert code == 0, err
        return [[line.split(": ")[1].split(",")[0] for line in err.splitlines() if line.startswith(f"{side} ") and "done in" not in line]
                for side in ("base", "new")]
    assert sides() == [["started"], ["started"]]
    again = "measured before" if accel == "tcg" else "started"
    assert sides() == [[again], [again]]
    assert len([path for path in lab.out.iterdir() if path.is_dir()]) == (2 if accel == "tcg" else 4)


@pytest.mark.parametrize(("accel", "kept"), [("tcg", 2), ("kvm", 0)])
def test_only_what_repeats_stays_in_the_cache(lab: FakeLab, accel: str, kept: int) -> None:
    other = another_that_measures(lab, accel)
    (lab.path / "tmp").mkdir()
    code, out, err = compare(lab.kernel, other, "--together", f"--accel={accel}", "--", "--samples=30",
                             PATH=f"{lab.bin}:{os.environ['PATH']}", XDG_CACHE_HOME=str(lab.path), TMPDIR=str(lab.path / "tmp"))
    assert code == 0 and "no change" in out, err
    assert len([path for path in lab.path.glob("nsbench/lab/runs/*") if path.is_dir()]) == kept
    assert not list((lab.path / "tmp").iterdir())


@thorough.only
def test_git_bisect_finds_the_step(tmp_path: Path) -> None:
    """Seven commits, their kernels one of three images, or one that is missing; the copy of an image is not slower."""
    need(guest.qemu_version)
    need(initramfs.base)
    images: list[Path] = []
    need(lambda: images.extend(packages.fetch(kernel) for kernel in packages.find(["6.1", "5.10"])))
    if not shutil.which("git"):
        pytest.skip("git is missing")
    words = ["--phase=total", "--machines=1", "--threshold=0.1%", "--out", tmp_path / "runs", "--", "--filter=^unshare/NEWUTS$",
             "--samples=10"]
    code, out, err = compare(*images, *words)
    assert code in (0, 1), err
    assert "1 of 1 rows changed" in out
    good, bad = images if code == 1 else reversed(images)
    copy = tmp_path / "bzImage-copy"
    shutil.copy(good, copy)
    code, out, err = compare(good, copy, *words)
    assert (code, "started" in err) == (0, False)  # the same bits: measured before
    assert "no change: 1 rows are identical" in out

    who = {f"GIT_{role}_{part}": text for role in ("AUTHOR", "COMMITTER") for part, text in (("NAME", "t"), ("EMAIL", "t@localhost"))}
    environment = {**os.environ, **who, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}

    def git(*command: str) -> str:
        done = subprocess.run(["git", *command], cwd=tmp_path / "repo", env=environment, text=True, capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    (tmp_path / "repo").mkdir()
    git("init", "-q", ".")
    commits = []
    for number, kernel in enumerate([good, copy, good, tmp_path / "missing", copy, bad, bad]):
        (tmp_path / "repo" / "kernel").write_text(f"{kernel}\n")
        (tmp_path / "repo" / "step").write_text(f"{number}\n")
        git("add", ".")
        git("commit", "-q", "-m", f"step {number}")
        commits.append(git("rev-parse", "HEAD"))
    git("bisect", "start", commits[-1], commits[0])
    step = tmp_path / "step.sh"
    step.write_text('exec "$1" "$2" compare "$3" "$(cat kernel)" "$4" "$5" "$6" "$7" "$8" -- "$9" "${10}"\n')
    said = git("bisect", "run", "sh", str(step), sys.executable, str(PROGRAM), str(good),
               *(str(word) for word in words if word != "--"))
    assert f"{commits[5]} is the first bad commit" in said
    assert f"skip {commits[3]}" in git("bisect", "log")
