"""Tests of which files scripts/tidy looks at, with programs that only say what they were asked for."""
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
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
    for name in ("tidy", "setup.sh", "packages"):
        (tree / "scripts").mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "scripts" / name, tree / "scripts")
    for name in ("src/core/text.cpp", "src/core/text.h", "src/run/plan.cpp", "src/probe/probe.cpp", "src/sys/file.cpp",
                 "src/sys/file.h", "src/sys/mount.cpp", "bpf/events.h", "README.md"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("old\n")
    (tree / ".gitignore").write_text("/build/\n")
    git(tree, "init", "-q")
    git(tree, "add", ".")
    git(tree, "commit", "-q", "-m", "first")
    build = tree / "build/release"
    build.mkdir(parents=True)
    (build / "build.ninja").touch()
    (build / "CMakeCache.txt").write_text(f"CMAKE_HOME_DIRECTORY:INTERNAL={tree}\nNSB_TESTS:BOOL=ON\n")
    (tmp_path / "deps").write_text(DEPS.format(tree=tree))
    programs = {"dpkg-query": "echo installed", "cmake": '[ "$*" = "--preset debug -B ${0%/bin/*}/tree/build/release/tidy" ]',
                "ninja": f"case $* in *deps*) cat {tmp_path}/deps ;; *) echo ninja: no work to do. ;; esac",
                "run-clang-tidy": '[ "$3" = "${0%/bin/*}/tree/build/release/tidy" ] || exit 9\n'
                                  'shift 5; printf "%s\\n" "$@" | sed "s/^/asked /"; exit "$(cat "$0.code")"'}
    (tmp_path / "bin").mkdir()
    for name, text in programs.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "bin/run-clang-tidy.code").write_text("0")
    return tree


def tidy(tree: Path, *words: str) -> tuple[int, list[str], str]:
    """The exit code, the files that were asked for, and standard error."""
    environment = {**os.environ, "PATH": f"{tree.parent}/bin:{os.environ['PATH']}", "NSBENCH_PRESET": "release"}
    done = subprocess.run([tree / "scripts/tidy", *words], env=environment, capture_output=True, text=True, check=False)
    names = [line.removeprefix("asked ") for line in done.stdout.splitlines()]
    return done.returncode, [name.replace(f"^{tree}/", "").removesuffix("$") for name in names], done.stderr


@pytest.mark.parametrize("changed, looked_at", [
    ("src/run/plan.cpp", ["src/run/plan.cpp"]), ("src/core/text.h", ["src/core/text.cpp", "src/run/plan.cpp"]),
    ("bpf/events.h", ["src/probe/probe.cpp"]),
    ("src/sys/mount.cpp", ["src/sys/mount.cpp"]), ("src/sys/file.h", ["src/sys/file.cpp", "src/sys/mount.cpp"])])
def test_what_has_changed_and_what_includes_it(tree: Path, changed: str, looked_at: list[str]) -> None:
    (tree / changed).write_text("new\n")
    assert tidy(tree)[:2] == (0, looked_at)
    git(tree, "commit", "-q", "-a", "-m", "second")
    assert tidy(tree) == (0, [], "tidy: nothing that clang-tidy looks at has changed since HEAD\n")
    assert tidy(tree, "HEAD~")[:2] == (0, looked_at)


def test_a_build_that_cannot_be_configured_is_said(tree: Path) -> None:
    (tree.parent / "bin/cmake").write_text("#!/bin/sh\necho no such preset\nexit 1\n")
    assert tidy(tree, "--all") == (1, [], f"no such preset\ntidy: configuring {tree}/build/release/tidy failed\n")


def test_everything_and_nothing(tree: Path) -> None:
    assert tidy(tree, "--all")[:2] == (0, [".*"])
    (tree / "README.md").write_text("new\n")
    assert tidy(tree) == (0, [], "tidy: nothing that clang-tidy looks at has changed since HEAD\n")


def test_a_finding_is_an_error(tree: Path) -> None:
    (tree / "src/core/text.cpp").write_text("new\n")
    (tree.parent / "bin/run-clang-tidy.code").write_text("1")
    assert tidy(tree)[0] == 1


@pytest.mark.parametrize("word, said", [("--most", "no option --most: scripts/tidy [COMMIT], or --all"), ("nowhere", "no commit nowhere")])
def test_wrong_use(tree: Path, word: str, said: str) -> None:
    assert tidy(tree, word) == (2, [], f"tidy: {said}\n")
