"""Other saved machines than those that resolutions are made from. scripts/test-kernels runs it: it makes ten of them."""
import subprocess
import sys
from pathlib import Path

import pytest

from lab import guest, initramfs, packages
from lab.errors import LabError

PROGRAM = Path(__file__).resolve().parents[1] / "lab.py"


def test_variations_that_no_resolution_is_made_of_change_nothing(tmp_path: Path) -> None:
    try:
        guest.qemu_version()
        initramfs.base()
        packages.fetch(packages.find(["6.1"])[0])
    except LabError as error:
        pytest.skip(str(error))
    cases = "--filter=^(clone/(none|NEWPID)/stack:1M|unshare/(NEWNS|NEWIPC))$"
    done = subprocess.run([sys.executable, PROGRAM, "compare", "6.1", "6.1", "--machines-new=16-20", "--out", tmp_path, "--", cases],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "no change" in done.stdout and "unresolved" not in done.stdout
