"""The probe's object against the types of kernels that are not running: every field that it reads is found in them."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
from lab import images, packages
from lab.errors import LabError

OBJECT = Path(os.environ["NSBENCH"]).parent / "bpf" / "probe.bpf.o"
KERNELS = os.environ.get("LAB_KERNELS", "6.1").split()
BPFTOOL = shutil.which("bpftool", path=f"/usr/sbin:{os.environ['PATH']}")


@pytest.mark.parametrize("series", KERNELS)
def test_every_field_is_found(series: str, tmp_path: Path) -> None:
    if not BPFTOOL:
        pytest.skip("bpftool is not installed")
    try:
        kernel = images.unpacked(packages.fetch(packages.find([series])[0]))
    except LabError as error:
        pytest.skip(str(error))
    vmlinux = tmp_path / "vmlinux"
    vmlinux.write_bytes(kernel)
    small = tmp_path / "needed.btf"
    subprocess.run([BPFTOOL, "gen", "min_core_btf", vmlinux, small, OBJECT], check=True)
    said = subprocess.run([BPFTOOL, "btf", "dump", "file", small], capture_output=True, text=True, check=True).stdout
    fields = {(structure, field) for structure, rest in re.findall(r"STRUCT '(\w+)'.*\n((?:\t.*\n)*)", said)
              for field in re.findall(r"'(\w+)'", rest)}
    assert fields >= {("task_struct", "pid"), ("task_struct", "exit_state"), ("work_struct", "func"), ("kmem_cache", "size")}
    # 5.14 renamed it.
    assert len(fields & {("task_struct", "state"), ("task_struct", "__state")}) == 1
