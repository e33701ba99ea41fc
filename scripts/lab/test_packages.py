"""Tests of Debian's kernels: which there are, and that an image is in the cache whole or not at all."""
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lab import packages
from lab.errors import IMPOSSIBLE, LabError
from lab.fake_harness import PROGRAM


def kernel(version: str, release: str = "") -> packages.Kernel:
    release = release or version.split("-")[0] + "-cloud-amd64"
    return packages.Kernel(f"linux-image-{release}", release, version, 1)


def test_versions_sort_as_dpkg_sorts_them() -> None:
    texts = ["6.1.9-1", "6.1.10-1", "6.12.117-1~deb12u1", "6.12.117-1", "6.12.117-1+b1", "6.2-1", "7.3.4-1~bpo13+1"]
    ordered = [k.version for k in packages.by_version([kernel(text) for text in texts])]
    assert ordered == ["6.1.9-1", "6.1.10-1", "6.2-1", "6.12.117-1~deb12u1", "6.12.117-1", "6.12.117-1+b1", "7.3.4-1~bpo13+1"]
    for one, other in zip(ordered, ordered[1:]):
        assert subprocess.run(["dpkg", "--compare-versions", one, "lt", other]).returncode == 0


def test_without_apts_library_its_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    modules: dict[str, Any] = sys.modules
    monkeypatch.setitem(modules, "apt_pkg", None)
    with pytest.raises(LabError, match="apt-get install python3-apt, or give --kernel a path") as error:
        packages.by_version([])
    assert error.value.code == IMPOSSIBLE


def test_a_series_is_its_newest_kernel() -> None:
    known = [kernel("6.1.176-1", "6.1.0-50-cloud-amd64"), kernel("6.1.192-2", "6.1.0-56-cloud-amd64"),
             kernel("6.12.117-1"), kernel("7.2.13-1"), kernel("7.3.4-1~bpo13+1")]
    chosen = {name: packages.select(known, name) for name in ("6.1", "6.12", "7", "7.2", "6.1.176-1", "6.1.0-50", "5.10", "6.")}
    assert {name: k and k.version for name, k in chosen.items()} == {
        "6.1": "6.1.192-2", "6.12": "6.12.117-1", "7": "7.3.4-1~bpo13+1", "7.2": "7.2.13-1",
        "6.1.176-1": "6.1.176-1", "6.1.0-50": "6.1.176-1", "5.10": None, "6.": None,
    }


def test_metapackages_are_no_kernels() -> None:
    assert packages.PACKAGE.fullmatch("linux-image-6.1.0-50-cloud-amd64")
    assert packages.PACKAGE.fullmatch("linux-binary-7.2.13+deb14-cloud-amd64")
    for name in ("linux-image-6.1-cloud-amd64", "linux-image-6.1.0-50-rt-amd64", "linux-image-6.1.0-50-cloud-amd64-dbg"):
        assert not packages.PACKAGE.fullmatch(name)


def test_an_interrupted_download_leaves_no_kernel(tmp_path: Path) -> None:
    """apt-get's place is taken by a program that writes half a package and waits."""
    tool = tmp_path / "bin" / "apt-get"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho half >kernel.deb; touch $XDG_CACHE_HOME/begun; exec sleep 1000\n")
    tool.chmod(0o755)
    code = "from lab import packages\n" \
           "packages.fetch(packages.Kernel('linux-image-9.9.9-cloud-amd64', '9.9.9-cloud-amd64', '9.9.9-1', 1))"
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "PATH": f"{tool.parent}:{os.environ['PATH']}",
                   "PYTHONPATH": str(PROGRAM.parent)}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, start_new_session=True)
    limit = time.monotonic() + 30
    while not (tmp_path / "begun").exists():
        assert time.monotonic() < limit
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    cache = tmp_path / "nsbench" / "lab"
    assert process.returncode != 0
    assert not list(cache.glob("part-*")) and not list(cache.glob("kernels/*"))


def fetching(tmp_path: Path, cache: Path, image: bytes) -> subprocess.CompletedProcess[str]:
    """Fetches a package with this image through an apt-get that copies it."""
    (tmp_path / "deb" / "DEBIAN").mkdir(parents=True)
    (tmp_path / "deb" / "DEBIAN" / "control").write_text(
        "Package: linux-image\nVersion: 9\nArchitecture: amd64\nMaintainer: t\nDescription: t\n")
    (tmp_path / "deb" / "boot").mkdir()
    (tmp_path / "deb" / "boot" / "vmlinuz-9.9.9-cloud-amd64").write_bytes(image)
    subprocess.run(["dpkg-deb", "-Znone", "--root-owner-group", "-b", tmp_path / "deb", tmp_path / "made.deb"], check=True,
                   stdout=subprocess.DEVNULL)
    tool = tmp_path / "bin" / "apt-get"
    tool.parent.mkdir()
    tool.write_text(f"#!/bin/sh\nln -s {tmp_path}/made.deb kernel.deb\n")
    tool.chmod(0o755)
    code = "import sys\nfrom lab import errors, packages\ntry:\n" \
           "    packages.fetch(packages.Kernel('linux-image-9.9.9-cloud-amd64', '9.9.9-cloud-amd64', '9.9.9-1', 1))\n" \
           "except errors.LabError as error:\n    sys.exit(str(error))"
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "PATH": f"{tool.parent}:{os.environ['PATH']}",
                   "PYTHONPATH": str(PROGRAM.parent)}
    return subprocess.run([sys.executable, "-c", code], env=environment, text=True, capture_output=True)


IMAGE = b"\0" * 0x202 + b"HdrS" + bytes(3 << 20)


def test_a_package_gives_its_image_or_none(tmp_path: Path) -> None:
    done = fetching(tmp_path, tmp_path / "cache", IMAGE)
    assert (done.returncode, done.stderr) == (0, "")
    assert next((tmp_path / "cache").glob("nsbench/lab/kernels/*/vmlinuz")).read_bytes() == IMAGE


def test_a_package_with_another_file_in_the_image_s_place_is_told(tmp_path: Path) -> None:
    done = fetching(tmp_path, tmp_path / "cache", b"text")
    assert done.returncode == 1 and "not a kernel image" in done.stderr
    assert not list((tmp_path / "cache").glob("nsbench/lab/kernels/*"))


@pytest.mark.usefixtures("own_mounts")
def test_a_full_disk_leaves_no_cut_off_kernel_in_the_cache(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "full", tmp_path / "cache"], check=True)
    try:
        done = fetching(tmp_path, tmp_path / "cache", IMAGE)
        left = list((tmp_path / "cache").glob("nsbench/lab/kernels/*"))
    finally:
        subprocess.run(["umount", tmp_path / "cache"], check=True)
    assert (done.returncode, left) == (1, [])
    assert done.stderr.startswith(f"{tmp_path}/cache/nsbench/lab: No space left on device: ")


def test_without_a_network_there_is_no_empty_list(tmp_path: Path) -> None:
    """A proxy that does not answer: apt-get update then says so in warnings, and exits with 0."""
    if not shutil.which("apt-get"):
        pytest.skip("apt is missing")
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "http_proxy": "http://127.0.0.1:9",
                   "https_proxy": "http://127.0.0.1:9"}
    for words in (["kernels"], ["fetch", "6.1"]):
        done = subprocess.run([sys.executable, PROGRAM, *words], env=environment, text=True, capture_output=True)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (IMPOSSIBLE, "", 1)
        assert "http_proxy" in done.stderr or "no Debian archive" in done.stderr
    assert not (tmp_path / "nsbench" / "lab" / "apt" / "updated").exists()
