"""Tests of cmake --install: what is there, and that each command which is a script runs from there, away from the source tree."""
import csv
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from analysis import programs

BUILD = Path(os.environ["NSBENCH"]).resolve().parent
ROOT = Path(__file__).resolve().parents[1]
# What only a source tree needs: tests and what they share, linters, packaging, and what builds.
NOT_INSTALLED = re.compile(r"(^|/)(test_.*|conftest\.py|.*_harness\.py|fixtures.*\.py|damage\.py|all_skipped\.py|thorough\.py|manual\.py|"
                           r"__pycache__|fuzzing|linters|package|setup\.sh|.*\.cmake)$")


def packages(kind: str) -> set[str]:
    """Those of scripts/packages that are marked so; without a mark for the empty one."""
    lines = (ROOT / "scripts/packages").read_text(encoding="utf-8").splitlines()
    return {line.split()[0] for line in lines if line and line[0] != "#" and (line.split() + [""])[1] == kind}


def test_the_debian_package_is_made_with_and_recommends_what_the_tree_needs() -> None:
    control = (ROOT / "scripts/package/debian/control").read_text(encoding="utf-8")
    lists = {name: set(re.findall(r"^ ([a-z0-9.+-]+)", text, re.MULTILINE))
             for name, text in re.findall(r"^([A-Za-z-]+):\n((?: .*\n)+)", control, re.MULTILINE)}
    assert packages("") - {"g++"} <= lists["Build-Depends"]  # g++ is build-essential's
    assert {name for name in packages("analysis") if name.startswith("python3-")} <= lists["Recommends"]


@pytest.fixture(scope="module", name="prefix")
def fixture_prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `cmake --install` does it, by a copy of its script that writes the manual and the list of files elsewhere: the build
    stays as it is, and another installation's list with it."""
    script = BUILD / "cmake_install.cmake"
    if not script.exists():
        pytest.skip(f"{BUILD} is not a build's folder")
    folder = tmp_path_factory.mktemp("installed")
    text = script.read_text(encoding="utf-8")
    [build] = re.findall(r'file\(WRITE "(.*)/\$\{CMAKE_INSTALL_MANIFEST\}"', text)
    for written in ("man", "${CMAKE_INSTALL_MANIFEST}"):
        assert f"{build}/{written}" in text
        text = text.replace(f"{build}/{written}", f"{folder}/{written}")
    (folder / script.name).write_text(text, encoding="utf-8")
    prefix = folder / "prefix"
    before = {path.name: path.stat().st_mtime_ns for path in BUILD.glob("*man*")}
    subprocess.run(["cmake", f"-DCMAKE_INSTALL_PREFIX={prefix}", "-P", folder / script.name], check=True, capture_output=True)
    assert (folder / "install_manifest.txt").exists()
    assert before == {path.name: path.stat().st_mtime_ns for path in BUILD.glob("*man*")}
    return prefix


def nsbench(prefix: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The installed one, by a PATH that has nothing of the source tree."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NSBENCH")}
    return subprocess.run([prefix / "bin/nsbench", *words], capture_output=True, text=True, timeout=120, cwd=prefix, env=environment)


def test_what_only_a_source_tree_needs_is_not_there(prefix: Path) -> None:
    installed = [str(path.relative_to(prefix / "lib/nsbench")) for path in (prefix / "lib/nsbench").rglob("*")]
    assert len(installed) > 100
    assert not [name for name in installed if NOT_INSTALLED.search(name) and not name.startswith("page/")]


def test_the_rest_of_the_scripts_is(prefix: Path) -> None:
    kept = {path.relative_to(ROOT) for path in (ROOT / "scripts").rglob("*.py")}
    wanted = {str(name) for name in kept if not any(NOT_INSTALLED.search(str(part)) for part in (name, *name.parents))}
    installed = {str(path.relative_to(prefix / "lib/nsbench")) for path in (prefix / "lib/nsbench/scripts").rglob("*.py")}
    assert installed == wanted
    for name in ("compare.py", "lab.py", "lab/init"):
        assert os.access(prefix / "lib/nsbench/scripts" / name, os.X_OK)


def test_the_commands_that_are_scripts_are_those_that_nsbench_has(prefix: Path) -> None:
    commands = json.loads(nsbench(prefix, "help", "--format=json").stdout)["commands"]
    assert {one["name"] for one in commands if one["is_script"]} == set(programs.COMMANDS)


@pytest.mark.parametrize("command", programs.COMMANDS)
def test_a_command_that_is_a_script_has_its_help(prefix: Path, command: str) -> None:
    done = nsbench(prefix, command, "--help")
    assert done.returncode == 0 and done.stdout.startswith(f"usage: nsbench {command} "), done.stderr
    assert not list(prefix.rglob("__pycache__"))


def test_the_manual_and_the_completions_are_where_others_look(prefix: Path) -> None:
    share = prefix / "share"
    assert (share / "man/man1/nsbench.1").read_text(encoding="utf-8") and len(list((share / "man/man1").iterdir())) > 10
    for name in ("bash-completion/completions/nsbench", "zsh/site-functions/_nsbench", "fish/vendor_completions.d/nsbench.fish"):
        assert (share / name).stat().st_size


def test_a_run_is_measured_and_compared(prefix: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    done = nsbench(prefix, "--case=clone/NEWUTS/stack:1M", "--samples=4", "--quiet", "--out=run")
    assert done.returncode == 0, done.stderr
    with open(prefix / "run/results.csv", newline="", encoding="utf-8") as file:
        assert "clone/NEWUTS/stack:1M" in {row["case"] for row in csv.DictReader(file)}
    done = nsbench(prefix, "compare", "run", "run", "--single")
    if done.returncode == 3:
        pytest.skip(done.stderr.strip())
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_not_installed_is_said_in_a_line(prefix: Path, tmp_path: Path) -> None:
    part = tmp_path / "part"
    shutil.copytree(prefix, part, symlinks=True)
    shutil.rmtree(part / "lib/nsbench/page", ignore_errors=True)
    done = nsbench(part, "lab", "page")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    (part / "libexec/nsbench/nsbench-yardstick").unlink()
    done = nsbench(part, "validate", "yardstick", "--pairs=2")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1) and "install nsbench whole" in done.stderr, done.stderr
