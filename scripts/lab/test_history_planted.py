"""Tests of the history and of bisect on kernels in which steps are planted: run by scripts/test-kernels, since the first build takes
long."""
import itertools
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from lab import guest, initramfs, kernel_build
from lab.errors import LabError
from lab.planted_tree import PLANTED, Planted, Tree

FILTER = "--filter=^(clone/(none|NEW[A-Z]+)/stack:1M|setns/NEWPID/via:nsfd)$"
SMALLEST = min(one.instructions for one in PLANTED)
UTS, *OTHERS = PLANTED
OTHERS = [one for one in OTHERS if one.case != UTS.case]
PATCHES = 16
LOOKS = 4  # the logarithm of PATCHES


@pytest.fixture(scope="module")
def tree() -> Tree:
    try:
        guest.qemu_version()
        initramfs.base()
        kernel_build.check_tools()
        if not shutil.which("git"):
            pytest.skip("git is missing: apt-get install git")
        return Tree()
    except LabError as error:
        pytest.skip(str(error))


def test_each_planted_step_is_found_and_none_elsewhere(tree: Tree, tmp_path: Path) -> None:
    commits = tree.line(PLANTED)
    done = tree.lab("history", "source", "source..main", "--out", tmp_path / "out", "--work", tmp_path / "work", "--explain",
                    f"--least={SMALLEST}", "--", FILTER, log=tmp_path / "builds")
    assert done.returncode == 0, done.stderr
    entries = json.loads((tmp_path / "out" / "steps.json").read_text())
    by_commit = {commit: [one for one in entries if f"-{commit[:12]}-" in one["to"]] for commit in commits}
    assert sum(map(len, by_commit.values())) == len(entries)
    for commit, planted in zip(commits, PLANTED):
        of_function = [one for one in by_commit[commit] if one["function"] == planted.function]
        assert len(of_function) == 1, by_commit[commit]
        most = of_function[0]["rows"][0]
        assert abs(of_function[0]["instructions"] - planted.instructions) <= most["resolution"]  # as far as figures tell
        assert {row["case"] for row in of_function[0]["rows"]} == {planted.case}
        function = of_function[0]["functions"][0]
        assert (function["function"], function["after"] - function["before"]) == (planted.function, planted.instructions)
    planted_in = {(commit, one.function) for commit, one in zip(commits, PLANTED)}
    others = [one for commit, of in by_commit.items() for one in of if (commit, one["function"]) not in planted_in]
    assert [one for one in others if abs(one["instructions"]) >= SMALLEST] == []


def patches(place: int) -> list[Planted]:
    """Sixteen, of which the one at that place is executed where a uts namespace is made; each other one adds its own size."""
    others = itertools.cycle(OTHERS)
    return [UTS if at == place else replace(next(others), size=50 + 2 * at) for at in range(1, PATCHES + 1)]


@pytest.mark.parametrize("place", (1, 5, 8, 12, 16))
def test_bisect_finds_the_planted_commit(tree: Tree, tmp_path: Path, place: int) -> None:
    commits = tree.line(patches(place))
    done = tree.lab("bisect", "source", "main", "--", UTS.case, log=tmp_path / "builds")
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    found = re.match(rf"({'|'.join(commits)}): the first in which {UTS.case} create adds \d+ instructions; .* \(([+-]\d+)\)", done.stdout)
    assert found, done.stdout
    assert (found[1], int(found[2])) == (commits[place - 1], UTS.instructions)
    assert f"functions: {UTS.function} +{UTS.instructions}" in done.stdout
    assert len((tmp_path / "builds").read_text().splitlines()) <= 2 + LOOKS  # of the two ends, and between them
    assert tree.git("symbolic-ref", "--short", "HEAD") == "main"
