"""Tests of how skipped tests are reported: by pytest to ctest, by ctest, and at the end of scripts/test."""
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SKIPPED = 77
SKIP = '@pytest.mark.skip(reason="no moon tonight")\n'
ALONE = "import pytest\n" + SKIP + "def test_one():\n    pass\n"
FILES = {
    "all skipped": (ALONE, SKIPPED),
    "the file is skipped": ("import pytest\npytest.importorskip('no_such_module', reason='no moon tonight')\n", SKIPPED),
    "one passes": (ALONE + "def test_two():\n    pass\n", 0),
    "one fails": (ALONE + "def test_two():\n    assert False\n", 1),
    "one fails as expected": (ALONE + "@pytest.mark.xfail\ndef test_two():\n    assert False\n", 0),
    "a fixture fails": (ALONE + "@pytest.fixture\ndef f():\n    assert False\ndef test_two(f):\n    pass\n", 1),
    "no tests": ("", 5),
}


def command(file: Path) -> list[str]:
    """As CMakeLists.txt has it."""
    return [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", str(file)]


@pytest.mark.parametrize("what", FILES)
def test_a_file_of_which_everything_was_skipped_has_a_code_of_its_own(tmp_path: Path, what: str) -> None:
    text, code = FILES[what]
    shutil.copy(ROOT / "scripts/all_skipped.py", tmp_path / "conftest.py")
    (tmp_path / "test_it.py").write_text(text)
    done = subprocess.run(command(tmp_path / "test_it.py"), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert ("no moon tonight" in done.stdout) == (what != "no tests")


def test_ctest_takes_that_code_for_skipped(tmp_path: Path) -> None:
    """Asked elsewhere: where it runs the tests, ctest would put an empty log into the place of the one that it writes."""
    build = Path(os.environ["NSBENCH"]).resolve().parent
    if not (build / "CTestTestfile.cmake").exists():
        pytest.skip(f"{build} is not where nsbench was built")
    shutil.copy(build / "CTestTestfile.cmake", tmp_path)
    shown = subprocess.run(["ctest", "--show-only=json-v1"], cwd=tmp_path, capture_output=True, text=True, check=True)
    codes = {}
    for test in json.loads(shown.stdout)["tests"]:
        properties = {one["name"]: one["value"] for one in test["properties"]}
        if {"guard", "system"} & set(properties.get("LABELS", [])):
            codes[test["name"]] = properties.get("SKIP_RETURN_CODE")
    assert {"guard.format", "guard.shell", "guard.python", "guard.page", "system.test_cli"} <= set(codes)
    assert set(codes.values()) == {SKIPPED}


def test_the_reasons_stand_at_the_end(tmp_path: Path) -> None:
    """scripts/test in a tree that is built, with tests that only say that they were skipped."""
    build = tmp_path / "build/release"
    build.mkdir(parents=True)
    (tmp_path / "scripts").mkdir()
    for name in ("test", "setup.sh", "packages"):
        shutil.copy(ROOT / "scripts" / name, tmp_path / "scripts")
    (build / "build.ninja").touch()
    (build / "CMakeCache.txt").write_text(f"CMAKE_HOME_DIRECTORY:INTERNAL={tmp_path}\nNSB_TESTS:BOOL=ON\n")
    (tmp_path / "bin").mkdir()
    for name, said in {"dpkg-query": "installed", "ninja": "ninja: no work to do."}.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\necho {said}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    shutil.copy(ROOT / "scripts/all_skipped.py", tmp_path / "conftest.py")
    (tmp_path / "test_it.py").write_text(ALONE)
    tests = {"system.test_it": command(tmp_path / "test_it.py"),
             "guard.shell": ["sh", "-c", "echo skipped: shellcheck is missing; exit 77"],
             "unit.a": ["sh", "-c", "echo 'a_test.cpp:9: Skipped'; echo needs root; echo '[  SKIPPED ] A.b'"],
             "unit.passes": ["echo", "fine"]}
    (build / "CTestTestfile.cmake").write_text("".join(
        f"add_test({name} {' '.join(f'[==[{word}]==]' for word in words)})\n"
        f"set_tests_properties({name} PROPERTIES SKIP_RETURN_CODE {SKIPPED})\n" for name, words in tests.items()))
    environment = {**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "NSBENCH_PRESET": "release"}

    def run(*words: str) -> tuple[int, str]:
        done = subprocess.run([tmp_path / "scripts/test", *words], env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        return done.returncode, done.stdout

    code, said = run()
    assert code == 0 and "system.test_it (Skipped)" in said and "guard.shell (Skipped)" in said
    assert said.endswith("""
Skipped:
  guard.shell: shellcheck is missing
  system.test_it: test_it.py:2: no moon tonight
  unit.a: needs root

100% tests passed, 0 tests failed out of 4
"""), said
    assert "Skipped" not in run("-R", "passes")[1]
    assert run("-R", "nothing")[0] != 0
