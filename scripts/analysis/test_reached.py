"""Tests of which lines and branches are told to be reached: of what llvm-cov exports, and of a program whose processes are killed."""
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from analysis import reached
from analysis.reached import IN_GUESTS, OTHERWISE, Counted, Sum, add_branches, lines_of, told, unreached, without_counts


@pytest.fixture(name="root")
def fixture_root(tmp_path: Path) -> Path:
    """A tree whose header is found by a link in the build."""
    (tmp_path / "src/core").mkdir(parents=True)
    (tmp_path / "build/include").mkdir(parents=True)
    (tmp_path / "build/include/core").symlink_to(tmp_path / "src/core")
    for name in ("src/core/one.h", "src/core/one.cpp", "src/core/one_test.cpp"):
        (tmp_path / name).touch()
    return tmp_path


def test_lines_of_a_header_are_found_by_its_link(root: Path) -> None:
    text = (f"SF:{root}/build/include/core/one.h\nDA:3,2\nDA:4,0\nend_of_record\nSF:{root}/src/core/one.h\nDA:4,1\nend_of_record\n"
            f"SF:{root}/src/core/one_test.cpp\nDA:1,1\nend_of_record\nSF:/usr/include/stdio.h\nDA:1,1\nend_of_record\n")
    found = lines_of(text, root)
    assert {name: one.lines for name, one in found.items()} == {"src/core/one.h": {3: 2, 4: 1}}


def test_branches_of_instantiations_are_one(root: Path) -> None:
    found = {"src/core/one.cpp": Counted({5: 1})}
    branches = [[5, 9, 5, 12, 0, 3, 0, 0, 4], [5, 9, 5, 12, 2, 0, 0, 0, 4], [5, 20, 5, 22, 1, 0, 0, 0, 4]]
    add_branches(json.dumps({"data": [{"files": [{"filename": f"{root}/src/core/one.cpp", "branches": branches},
                                                 {"filename": "/usr/include/c++/12/vector", "branches": branches}]}]}), root, found)
    assert found["src/core/one.cpp"].branches == {(5, 9, 5, 12): [2, 3], (5, 20, 5, 22): [1, 0]}


def test_what_is_not_reached_has_a_reason() -> None:
    counted = Counted({1: 1, 2: 0, 3: 0, 4: 5, 5: 0, 6: 0}, {(1, 9, 1, 12): [0, 1], (4, 5, 4, 6): [3, 0], (4, 9, 4, 10): [0, 0]})
    source = ["if (!file) return;", "constexpr int two() {", "}", "if (is_shown) show();", "show_more();", "return 1;"]
    assert [str(one) for one in unreached("src/core/one.cpp", counted, source)] == [
        "src/core/one.cpp:2-3: not run: evaluated when it is compiled",
        f"src/core/one.cpp:5-6: not run: {OTHERWISE}",
        "src/core/one.cpp:1:9: never true: where a call fails, or input is refused",
        f"src/core/one.cpp:4:5: never false: {OTHERWISE}",
        f"src/core/one.cpp:4:9: never asked: {OTHERWISE}"]
    assert sum(one.size for one in unreached("src/core/one.cpp", counted, source) if one.is_branch) == counted.outcomes().count(0)
    assert {one.why for one in unreached("src/cli/guest.cpp", counted, source)} == {IN_GUESTS}


def test_what_no_program_counts_is_said(root: Path) -> None:
    (root / "bench").mkdir()
    (root / "bench/inside.c").touch()
    assert without_counts({"src/core/one.cpp": Counted()}, root) == ["bench/inside.c"]


def test_less_than_is_wanted_is_said() -> None:
    enough = {"src/core/a.cpp": Counted(dict.fromkeys(range(95), 1) | dict.fromkeys(range(95, 100), 0), {(1, 1, 1, 2): [1, 1]})}
    text, is_enough = told(enough)
    assert is_enough and text[-1].split() == ["all", "95", "of", "100", "95.0%", "2", "of", "2", "100.0%"]
    enough["bench/b.cpp"] = Counted({1: 0})
    text, is_enough = told(enough)
    assert not is_enough and [line.split()[0] for line in text] == ["folder", "bench", "src/core", "all"]
    assert Sum().share == 1.0


PROGRAM = """#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static void killed(void) {
    kill(getpid(), SIGKILL);
}
static void gone(void) {
    _exit(0);
}
static void never(void) {
    _exit(1);
}
int main(int count, char** words) {
    (void)words;
    if (count > 1) never();
    if (fork() == 0) killed();
    if (fork() == 0) gone();
    while (wait(0) > 0) {
    }
    kill(getpid(), SIGKILL);
}
"""


def test_a_process_that_is_killed_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if missing := [name for name in ("clang-14", reached.PROFDATA, reached.COV) if not shutil.which(name)]:
        pytest.skip(f"{missing[0]} is missing, which scripts/coverage installs")
    (tmp_path / "src/core").mkdir(parents=True)
    build = tmp_path / "build"
    (build / "counts").mkdir(parents=True)
    (tmp_path / "src/core/one.c").write_text(PROGRAM)
    done = subprocess.run(["clang-14", "-O0", f"-fprofile-instr-generate={build}/counts/%m%c.profraw", "-fcoverage-mapping", "-mllvm",
                           "-runtime-counter-relocation", tmp_path / "src/core/one.c", "-o", build / "one"],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"clang-14 cannot count here: {done.stderr.splitlines()[0]}")
    subprocess.run([build / "one"], env={"PATH": ""}, check=False)
    monkeypatch.setattr(reached, "ROOT", tmp_path)
    lines = reached.counted(build)["src/core/one.c"].lines
    assert lines[5] > 0 and lines[8] > 0 and lines[11] == 0
