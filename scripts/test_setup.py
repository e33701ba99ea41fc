"""Tests of how scripts/nsbench and scripts/test build: silently where nothing is to be done, and anew in a copied tree."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STUBS = {
    "dpkg-query": "echo installed", "ninja": "echo ninja: no work to do.",
    "cmake": r"""mkdir -p build/release; printf '#!/bin/sh\necho measured\n' >build/release/nsbench
chmod +x build/release/nsbench; touch build/release/build.ninja
echo "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" >build/release/CMakeCache.txt""",
}


def test_a_build_with_nothing_to_do_is_silent() -> None:
    built = Path(os.environ["NSBENCH"]).resolve().parent
    if built.parent != ROOT / "build":
        pytest.skip(f"{built} is not one of scripts/test's")
    words = ["bash", "-euc", '. "$0"; build_all', str(ROOT / "scripts/setup.sh")]
    environment = {**os.environ, "NSBENCH_PRESET": built.name}
    subprocess.run(words, env=environment, check=True, capture_output=True)  # what was changed since the tests were built
    done = subprocess.run(words, env=environment, check=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.fixture(name="tree")
def fixture_tree(tmp_path: Path) -> Path:
    """A tree with the scripts, and programs that only say that they build."""
    tree = tmp_path / "tree"
    (tree / "scripts").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    for name in ("nsbench", "setup.sh", "packages"):
        shutil.copy(ROOT / "scripts" / name, tree / "scripts")
    for name, text in STUBS.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    return tree


def test_every_kind_that_a_script_installs_has_packages() -> None:
    kinds = {kind for folder in ("scripts", "scripts/package") for path in (ROOT / folder).iterdir() if path.is_file()
             for kind in re.findall(r"^ *install_packages (\S+)$", path.read_text(), re.MULTILINE)}
    assert {"run", "test", "kernels", "package"} < kinds
    for kind in sorted(kinds):
        done = subprocess.run(["bash", "-euc", '. "$0"; packages "$1"', ROOT / "scripts/setup.sh", kind], capture_output=True, text=True)
        assert done.returncode == 0 and done.stdout, (kind, done.stderr)


def test_a_kind_that_there_is_not_is_refused(tree: Path) -> None:
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", '. "$0"; install_packages answers; echo went on', tree / "scripts/setup.sh"],
                          env={**os.environ, "PATH": f"{tree.parent}/bin:{os.environ['PATH']}"}, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "setup.sh: packages answers: there is no such kind\n")
    assert not list(tree.glob("build/.packages-*"))


@pytest.mark.parametrize("uid", [0, 1000])
def test_nobody_is_asked_while_packages_are_installed(tree: Path, uid: int) -> None:
    """Also through sudo, which takes variables away."""
    programs = {"dpkg-query": "exit 1", "id": f"echo {uid}", "sudo": '[ "$1" = -n ] && exit; exec env -i PATH="$PATH" "$@"',
                "apt-get": 'echo "apt-get $1 $DEBIAN_FRONTEND"'}
    for name, text in programs.items():
        (tree.parent / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (tree.parent / "bin" / name).chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name != "DEBIAN_FRONTEND"}
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", '. "$0"; install_packages run', tree / "scripts/setup.sh"],
                          env={**environment, "PATH": f"{tree.parent}/bin:{os.environ['PATH']}"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[1:] == ["apt-get update ", "apt-get install noninteractive"]


def nsbench(tree: Path) -> None:
    environment = {**os.environ, "PATH": f"{tree.parent}/bin:{os.environ['PATH']}", "NSBENCH_PRESET": "release"}
    done = subprocess.run([tree / "scripts/nsbench"], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "measured\n", "")


def test_a_copied_tree_is_built_anew(tree: Path) -> None:
    nsbench(tree)
    kept = tree / "build/release/kept"
    kept.touch()
    nsbench(tree)
    assert kept.exists()
    copy = tree.with_name("copy")
    shutil.copytree(tree, copy)
    nsbench(copy)
    assert not (copy / "build/release/kept").exists() and kept.exists()
    assert (copy / "build/release/CMakeCache.txt").read_text() == f"CMAKE_HOME_DIRECTORY:INTERNAL={copy}\n"


def test_a_tree_by_another_name_is_the_same(tree: Path) -> None:
    nsbench(tree)
    (tree / "build/release/kept").touch()
    tree.with_name("link").symlink_to(tree)
    nsbench(tree.with_name("link"))
    assert (tree / "build/release/kept").exists()
