"""Tests of fetching several kernels, and of which file of a package is its kernel."""
import importlib.util
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from lab import packages
from lab.errors import LabError

IMAGE = bytes(0x202) + b"HdrS" + bytes(4096)


@pytest.fixture(name="program")
def fixture_program() -> Iterator[ModuleType]:
    """lab.py."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    spec = importlib.util.spec_from_file_location("lab_program", Path(__file__).resolve().parents[1] / "lab.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_a_kernel_that_cannot_be_had_costs_none_of_the_others(program: ModuleType, monkeypatch: pytest.MonkeyPatch,
                                                              capsys: pytest.CaptureFixture) -> None:
    def find(names: list[str]) -> list[packages.Kernel]:
        if "9.9" in names:
            raise LabError("kernel '9.9' is neither a file nor a package", 2)
        return [packages.Kernel(f"linux-image-{name}", name, name, 1) for name in names]

    def fetched(kernel: packages.Kernel) -> Path:
        if kernel.release == "6.19":
            raise LabError("no image in it")
        return Path(kernel.release)

    monkeypatch.setattr(packages, "find", find)
    monkeypatch.setattr(packages, "fetch", fetched)
    assert program.main(["fetch", "9.9", "6.1", "6.19", "7.0", "6.1"]) == 2
    out, err = capsys.readouterr()
    assert out.split() == ["6.1", "7.0"]
    assert [line.split(":")[1] for line in err.splitlines()] == [" 9.9", " 6.19"]


@pytest.mark.parametrize("place", ["boot/vmlinuz-6.19.14", "usr/lib/modules/6.19.14/vmlinuz"])
def test_the_image_is_found_wherever_a_package_has_it(place: str, tmp_path: Path) -> None:
    """It has moved more than once."""
    root = tmp_path / "package"
    (root / "DEBIAN").mkdir(parents=True)
    (root / "DEBIAN/control").write_text("Package: linux-image-6.19.14\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n")
    (root / place).parent.mkdir(parents=True)
    (root / place).write_bytes(IMAGE)
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", root, tmp_path / "a.deb"], check=True, capture_output=True)
    kernel = packages.Kernel("linux-image-6.19.14", "6.19.14", "6.19.14-1", 1)
    packages.unpack(tmp_path / "a.deb", kernel.names, tmp_path / "vmlinuz")
    assert (tmp_path / "vmlinuz").read_bytes() == IMAGE
