"""What the lab's tests share."""
import ctypes
import os
import subprocess
from pathlib import Path

import pytest

from lab import guest, initramfs, packages
from lab.errors import LabError
from lab.fake_harness import FakeLab


@pytest.fixture(scope="session")
def kernel() -> Path:
    """The image of Debian's newest 6.1; skips where it cannot be had."""
    try:
        guest.qemu_version()
        initramfs.base()
        return packages.fetch(packages.find(["6.1"])[0])
    except LabError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def own_mounts() -> None:
    """Mounts are made where only this process and its children see them: tests beside these look at those of the machine."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    if ctypes.CDLL(None, use_errno=True).unshare(0x20000):  # CLONE_NEWNS
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWNS)")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "nsbench" / "lab" / "machines"


@pytest.fixture
def lab(tmp_path: Path) -> FakeLab:
    """With a QEMU that only ends."""
    try:
        initramfs.base()
    except LabError as error:
        pytest.skip(str(error))
    made = FakeLab(tmp_path)
    made.qemu("exit 0\n")
    return made
