"""What the lab's tests share."""
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
