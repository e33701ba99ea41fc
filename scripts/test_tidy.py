"""Tests of which files scripts/tidy looks at, with programs that only say what they were asked for."""
import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("src/core/text.cpp", "src/run/plan.cpp", "src/probe/probe.cpp", "src/sys/file.cpp", "src/sys/mount.cpp")
DEPS = """core.o: #deps 3, deps mtime 1 (VALID)
    {tree}/src/core/text.cpp
    /usr/include/stdc-predef.h
    include/core/core/text.h

run.o: #deps 3, deps mtime 1 (VALID)
    ../../src/run/plan.cpp
    include/run/run/plan.h
    {tree}/build/release/include/core/core/text.h

probe.o: #deps 2, deps mtime 1 (VALID)
    {tree}/src/probe/probe.cpp
    include/bpf/bpf/events.h

again.o: #deps 1, deps mtime 1 (VALID)
    {tree}/src/core/text.cpp

several.o: #deps 4, deps mtime 1 (VALID)
    {tree}/build/release/CMakeFiles/nsb_sys.dir/Unity/unity_0_cxx.cxx
    ../../src/sys/file.cpp
    include/sys/sys/file.h
    ../../src/sys/mount.cpp
"""


def git(tree: Path, *words: str) -> None:
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-C", tree, *words], check=True, capture_output=True)


@pytest.fixture(name="tree")
def fixture_tree(tmp_path: Path) -> Path:
    """A repository with one commit, which is built."""
    tree = tmp_path / "tree"
    (tree / "scripts").mkdir(parents=True)
    for name in ("tidy", "setup.sh", "packages"):
        shutil.copy(ROOT / "scripts" / name, tree / "scripts")
    shutil.copytree(ROOT / "scripts/analysis", tree / "scripts/analysis", ignore=shutil.ignore_patterns("__pycache__"))
    for name in (*SOURCES, "src/core/text.h", "src/sys/file.h", "bpf/events.h", "README.md", ".clang-tidy"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(f"{name}\n")
    (tree / ".gitignore").write_text("/build/\n")
    git(tree, "init", "-q")
    git(tree, "add", ".")
    git(tree, "commit", "-q", "-m", "first")
    build = tree / "build/release"
    (build / "tidy").mkdir(parents=True)
    (build / "build.ninja").touch()
    (build / "CMakeCache.txt").write_text(f"CMAKE_HOME_DIRECTORY:INTERNAL={tree}\nNSB_TESTS:BOOL=ON\n")
    (tmp_path / "deps").write_text(DEPS.format(tree=tree))
    (build / "tidy/compile_commands.json").write_text(json.dumps([
        {"directory": f"{build}/tidy", "file": f"{tree}/{name}", "command": f"c++ -Isrc -o {name}.o -c {tree}/{name}"}
        for name in (*SOURCES, "build/release/tidy/generated.cpp")]))
    programs = {"dpkg-query": "echo installed", "cmake": '[ "$*" = "--preset debug -B ${0%/bin/*}/tree/build/release/tidy" ]',
                "ninja": f"case $* in *deps*) cat {tmp_path}/deps ;; *) echo ninja: no work to do. ;; esac",
                "c++": '[ "$1 $2" = "-Isrc -M" ] || exit 9; for last; do :; done\n'
                       'echo "a.o: $last \\\\"; echo " ${0%/bin/*}/tree/src/core/text.h"',
                "clang-tidy": 'case $* in --version) echo 14; exit ;; "-quiet -p ${0%/bin/*}/tree/build/release/tidy "*) ;;\n'
                              '*) exit 9 ;; esac\n'
                              'echo "$4" >>"$0.asked"; ! grep -H wrong "$4"'}
    (tmp_path / "bin").mkdir()
    for name, text in programs.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    return tree


def tidy(tree: Path, *words: str) -> tuple[int, list[str], str, str]:
    """The exit code, the files that were looked at, standard output, and standard error without how far it is."""
    asked = tree.parent / "bin/clang-tidy.asked"
    asked.write_text("")
    environment = {**os.environ, "PATH": f"{tree.parent}/bin:{os.environ['PATH']}", "NSBENCH_PRESET": "release"}
    done = subprocess.run([tree / "scripts/tidy", *words], env=environment, capture_output=True, text=True, check=False)
    names = sorted(str(Path(line).relative_to(tree)) for line in asked.read_text().splitlines())
    said = [line for line in done.stderr.splitlines() if not line.endswith("min left") and line not in SOURCES]
    return done.returncode, names, done.stdout, "\n".join(said)


@pytest.mark.parametrize("changed, looked_at", [
    ("src/run/plan.cpp", ["src/run/plan.cpp"]), ("src/core/text.h", ["src/core/text.cpp", "src/run/plan.cpp"]),
    ("bpf/events.h", ["src/probe/probe.cpp"]),
    ("src/sys/mount.cpp", ["src/sys/mount.cpp"]), ("src/sys/file.h", ["src/sys/file.cpp", "src/sys/mount.cpp"])])
def test_what_has_changed_and_what_includes_it(tree: Path, changed: str, looked_at: list[str]) -> None:
    (tree / changed).write_text("new\n")
    assert tidy(tree)[:2] == (0, looked_at)
    git(tree, "commit", "-q", "-a", "-m", "second")
    assert tidy(tree)[1:] == ([], "", "tidy: nothing that clang-tidy looks at has changed since HEAD")
    shutil.rmtree(tree / "build/release/tidy/clean")
    assert tidy(tree, "HEAD~")[:2] == (0, looked_at)


def test_a_build_that_cannot_be_configured_is_said(tree: Path) -> None:
    (tree.parent / "bin/cmake").write_text("#!/bin/sh\necho no such preset\nexit 1\n")
    assert tidy(tree, "--all") == (1, [], "", f"no such preset\ntidy: configuring {tree}/build/release/tidy failed")


def test_everything_and_nothing(tree: Path) -> None:
    assert tidy(tree, "--all") == (0, sorted(SOURCES), "", "tidy: of 5 sources, 0 with findings, 0 known to have none")
    (tree / "README.md").write_text("new\n")
    assert tidy(tree) == (0, [], "", "tidy: nothing that clang-tidy looks at has changed since HEAD")


def test_a_finding_is_an_error_and_is_found_again(tree: Path) -> None:
    source = tree / "src/run/plan.cpp"
    source.write_text("wrong\n")
    assert tidy(tree, "--all") == (1, sorted(SOURCES), f"{source}:wrong\n", "tidy: of 5 sources, 1 with findings, 0 known to have none")
    assert tidy(tree, "--all") == (1, ["src/run/plan.cpp"], f"{source}:wrong\n",
                                   "tidy: of 5 sources, 1 with findings, 4 known to have none")
    source.write_text("mended\n")
    assert tidy(tree, "--all")[:3] == (0, ["src/run/plan.cpp"], "")


@pytest.mark.parametrize("changes, again", [
    ("src/core/text.h", SOURCES), ("src/run/plan.cpp", ["src/run/plan.cpp"]), (".clang-tidy", SOURCES),
    ("build/release/tidy/compile_commands.json", SOURCES)])
def test_what_a_source_depends_on_has_it_looked_at_again(tree: Path, changes: str, again: Iterable[str]) -> None:
    tidy(tree, "--all")
    assert tidy(tree, "--all")[:2] == (0, [])
    (tree / changes).write_text((tree / changes).read_text().replace(".o -c", ".o -Wall -c") + "\n")
    assert tidy(tree, "--all")[:2] == (0, sorted(again))


def test_what_cannot_be_compiled_is_a_finding_and_the_others_are_looked_at(tree: Path) -> None:
    without = "case $* in *plan.cpp) echo no such header >&2; exit 1 ;; esac"
    (tree.parent / "bin/c++").write_text(f"#!/bin/sh\n{without}\necho a.o: {tree}/README.md\n")
    code, looked_at, found, said = tidy(tree, "--all")
    assert (code, looked_at) == (1, sorted({*SOURCES} - {"src/run/plan.cpp"}))
    assert found == f"{tree}/src/run/plan.cpp: the preprocessor fails: no such header\n" and "1 with findings" in said


@pytest.mark.parametrize("word, said", [("--most", "no option --most: scripts/tidy [COMMIT], or --all"), ("nowhere", "no commit nowhere")])
def test_wrong_use(tree: Path, word: str, said: str) -> None:
    assert tidy(tree, word) == (2, [], "", f"tidy: {said}")
