"""Tests of modules for guests: who gets which, in what order; and veth cases, measured in a guest."""
import csv
import lzma
import subprocess
import sys
from pathlib import Path

import pytest

import thorough
from lab import modules, packages
from lab.errors import LabError
from lab.images import Image

PROGRAM = Path(__file__).resolve().parents[1] / "lab.py"


def test_only_a_plan_whose_cases_all_need_modules_has_some() -> None:
    assert modules.needed(["veth/NEWNET/made:inside", "veth/NEWNET/made:moved"]) == ("bridge", "veth")
    assert modules.needed(["clone/none/stack:1M"]) == modules.needed(["clone/none/stack:1M", "veth/NEWNET/made:inside"]) == ()
    assert modules.needed([]) == ()


def module(folder: Path, name: str, depends: str) -> Path:
    path = folder / name
    data = b"\x7fELF...license=GPL\0depends=" + depends.encode() + b"\0name=x\0"
    path.write_bytes(lzma.compress(data) if name.endswith(".xz") else data)
    return path


def test_modules_come_behind_what_they_depend_on(tmp_path: Path) -> None:
    found = {name: module(tmp_path, f"{name}.ko{suffix}", depends)
             for name, depends, suffix in (("bridge", "stp,llc", ".xz"), ("stp", "llc", ""), ("llc", "", ".xz"), ("veth", "", ""))}
    taken = modules.in_order(found, ("bridge", "veth"))
    assert list(taken) == ["llc", "stp", "bridge", "veth"] and all(data.startswith(b"\x7fELF") for data in taken.values())
    del found["llc"]
    with pytest.raises(LabError, match="no module llc"):
        modules.in_order(found, ("bridge",))


def test_a_module_packed_otherwise_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="veth.ko.zst: a module packed"):
        modules.in_order({"veth": module(tmp_path, "veth.ko.zst", "")}, ("veth",))


def test_a_kernel_of_ones_own_brings_none(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="build veth into it"):
        modules.fetch(Image("own", tmp_path, "0"), ("veth",))


@pytest.mark.parametrize("shown", ["6.1.0-9-cloud-amd64", "base 6.1.0-9-cloud-amd64"])  # `compare` names the side, too
def test_modules_are_of_the_kernel_whatever_it_is_shown_as(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shown: str) -> None:
    asked: list[packages.Kernel] = []

    def download(kernel: packages.Kernel, into: Path) -> Path:
        asked.append(kernel)
        module(into, "veth.ko", "")
        return into

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(modules, "_download", download)
    kernel = packages.Kernel("linux-image-6.1.0-9-cloud-amd64", "6.1.0-9-cloud-amd64", "6.1.27-1", 0)
    kernel.image.parent.mkdir(parents=True)
    found = modules.fetch(Image(shown, kernel.image, "0", f"{kernel.package} {kernel.version}"), ("veth",))
    assert asked == [kernel] and found == [kernel.image.parent / "modules-veth/00-veth.ko"]


@thorough.only
def test_veth_is_measured_in_a_guest(kernel: Path, tmp_path: Path) -> None:
    assert kernel
    done = subprocess.run([sys.executable, PROGRAM, "run", "--kernel=6.1", "--machines=1", "--out", tmp_path, "--", "--op=veth",
                           "--with=bridged:no,yes", "--samples=2"], capture_output=True, text=True, check=False)
    if "download failed" in done.stderr or "apt-get failed" in done.stderr:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((next(tmp_path.glob("*/results.csv"))).read_text().splitlines()))
    assert {row["status"] for row in rows if row["phase"] in ("create", "link", "up")} <= {"ok", "imprecise"}
    assert len({row["case"] for row in rows}) == 4
