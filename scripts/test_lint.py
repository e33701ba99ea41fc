"""Tests of scripts/lint: each check finds what is wrong in a file of its kind, and says so where its tool is missing."""
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# The file that is wrong, its text, and what is said about it.
WRONG = {
    "format": ("src/core/wrong.h", "int  two;\n", "wrong.h:1"),
    "cpp": ("src/core/wrong.cpp", "int main() {\n    int a[2] = {};\n    return a[2];\n}\n", "wrong.cpp:3: error"),
    "shell": ("scripts/wrong", "#!/bin/sh\nrm -r $1\n", "SC2086"),
    "python": ("scripts/wrong.py", "import os\n", "F401 'os' imported but unused"),
    "types": ("scripts/wrong.py", "def two() -> int:\n    return 'two'\n", 'scripts/wrong.py:2: error: Incompatible return value type'),
    "page": ("scripts/page/wrong.js", '"use strict";\nconst one = noSuchName(CONSTANT);\n', "'noSuchName' is not defined"),
    "licences": (".reuse/dep5", "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n", "scripts/good.py"),
}
TOOLS = {"format": "clang-format", "cpp": "cppcheck", "shell": "shellcheck", "python": "flake8",
         "types": "mypy", "page": "npm", "licences": "reuse"}


@pytest.fixture(name="tree")
def fixture_tree(tmp_path: Path) -> Path:
    """A tree with the checks and their settings, and a good file of each kind."""
    shutil.copytree(ROOT / "scripts/linters", tmp_path / "scripts/linters")
    for name in (".reuse", "LICENSES"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("scripts/lint", ".clang-format", ".gitignore", "scripts/lab/nops.patch"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name, text in {"src/core/good.h": "int two;\n", "src/core/good.cpp": "int one = 1;\n",
                       "scripts/good.py": "import os\n\nprint(os.name)\n",
                       "scripts/page/good.js": '"use strict";\nconst CONSTANT = 1;\n',
                       "build/release/other.h": "int  two;\n"}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    if (ROOT / "build/linters").exists():  # what npm has fetched, which need not be fetched again
        (tmp_path / "build/linters").symlink_to(ROOT / "build/linters")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    return tmp_path


def lint(tree: Path, *names: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([tree / "scripts/lint", *names], text=True, timeout=300, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env)


def lint_where_possible(tree: Path, name: str) -> subprocess.CompletedProcess[str]:
    """Skips the test where the tool is missing."""
    done = lint(tree, name)
    if done.returncode == 77:
        pytest.skip(done.stdout.strip())
    return done


@pytest.mark.parametrize("check", WRONG)
def test_it_finds_what_is_wrong(tree: Path, check: str) -> None:
    done = lint_where_possible(tree, check)
    assert (done.returncode, done.stdout) == (0, "")
    name, text, said = WRONG[check]
    (tree / name).write_text(text)
    done = lint(tree, check)
    assert done.returncode == 1 and said in done.stdout, done.stdout


def test_what_the_formatter_would_change_is_a_diff(tree: Path) -> None:
    """Also where flake8 finds nothing."""
    (tree / "scripts/wrong.py").write_text('print(\n        "two")\n')
    done = lint_where_possible(tree, "python")
    assert done.returncode == 1
    assert done.stdout.splitlines()[2:] == ["@@ -1,2 +1,2 @@", " print(", '-        "two")', '+    "two")']


def test_it_finds_what_clang_cannot_compile(tree: Path) -> None:
    (tree / "src/core/wrong.cpp").write_text("#include <vector>\nauto all = std::views::all;\n")
    done = lint_where_possible(tree, "cpp")
    assert done.returncode == 1 and done.stdout.startswith("./src/core/wrong.cpp:2:auto all"), done.stdout
    assert "scripts/coverage" in done.stdout


def test_it_finds_what_is_wrong_in_c(tree: Path) -> None:
    (tree / "src/core/wrong.c").write_text("int main(void) {\n    int a[2] = {0};\n    return a[2];\n}\n")
    done = lint_where_possible(tree, "cpp")
    assert done.returncode == 1 and "wrong.c:3: error" in done.stdout, done.stdout


def test_a_page_script_may_not_declare_what_another_has(tree: Path) -> None:
    (tree / "scripts/page/wrong.js").write_text('"use strict";\nfunction CONSTANT() {}\n')
    done = lint_where_possible(tree, "page")
    assert done.returncode == 1 and "no-redeclare" in done.stdout, done.stdout


@pytest.mark.parametrize("check", WRONG)
def test_a_missing_tool_is_said(tree: Path, check: str) -> None:
    here = tree / "bin"
    here.mkdir()
    for program in ("bash", "dirname", "env"):
        (here / program).symlink_to(shutil.which(program) or "missing")
    done = lint(tree, check, env={**os.environ, "PATH": str(here)})
    assert (done.returncode, done.stdout) == (77, f"skipped: {TOOLS[check]} is missing: apt-get install {TOOLS[check]}\n")


def test_licences_of_a_built_tree_without_its_repository_are_not_looked_at(tree: Path) -> None:
    if not shutil.which("reuse"):
        pytest.skip("reuse is missing")
    shutil.rmtree(tree / ".git")
    done = lint(tree, "licences")
    assert (done.returncode, done.stdout) == (
        77, "skipped: reuse tells sources from what was built by git, and this is no repository\n")


def test_wrong_use(tree: Path) -> None:
    done = lint(tree, "poetry")
    assert (done.returncode, done.stdout) == (2, "lint: no check poetry: format, cpp, shell, python, types, page or licences\n")
