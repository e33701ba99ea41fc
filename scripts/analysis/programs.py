"""Which program started a script, what the script calls itself then, and where nsbench's own programs are.

`nsbench compare` starts scripts/compare.py and names itself in the environment. Its programs stand beside it, or, installed,
in libexec/nsbench; those of a script that was started by itself are in its source tree's build, or in the installation that
it belongs to.
"""
import os
import re
from pathlib import Path

STARTED_BY = "NSBENCH_PROGRAM"  # src/cli/script.cpp sets it
SCRIPTS = Path(__file__).resolve().parents[1]
IS_TREE = (SCRIPTS.parent / "CMakeLists.txt").is_file()  # and no installation
# The commands that are scripts: src/cli/command_table.cpp; a test holds them against it.
COMMANDS = ("compare", "ab", "plot", "report", "lab", "validate", "model", "export", "curves", "scaling", "preset", "history")
AS_A_FILE = re.compile(rf"(?:\bscripts/|(?<![\w./-]))({'|'.join(COMMANDS)})\.py\b")


def started_by() -> Path | None:
    """The nsbench that has started this script."""
    named = os.environ.get(STARTED_BY)
    return Path(named) if named else None


def called(name: str) -> str:
    """What a script's messages begin with: the name that it gives itself, or nsbench's command."""
    return f"nsbench {name.removesuffix('.py')}" if started_by() else name


def as_called(text: str) -> str:
    """A text that names scripts, as who started one by nsbench knows them: scripts/lab.py is nsbench lab."""
    return AS_A_FILE.sub(r"nsbench \1", text) if started_by() or not IS_TREE else text


def folder() -> Path:
    """Where nsbench is, or would be."""
    if by := started_by():
        return by.parent
    return SCRIPTS.parent / "build" / os.environ.get("NSBENCH_PRESET", "release") if IS_TREE else SCRIPTS.parents[2] / "bin"


def find(name: str, beside: Path | None = None) -> Path | None:
    """A program of nsbench's, or a library that the lab loads, of the nsbench in a folder; None where it was not built, or not
    installed."""
    here = beside or folder()
    return next((place / name for place in (here, here.parent / "libexec/nsbench") if (place / name).exists()), None)


def page_libraries() -> Path:
    """The folder into which scripts/vendor fetches, and in which an installation has, what the page is drawn with."""
    return SCRIPTS.parent / ("build/page" if IS_TREE else "page")


def recorded() -> Path:
    """The folder of the recorded runs: the tree's, or one below the current folder."""
    return SCRIPTS.parent / "results" if IS_TREE else Path("results")


def remedy() -> str:
    """What helps where find() finds nothing."""
    return "run scripts/nsbench --version" if started_by() is None and IS_TREE else "build or install nsbench whole"
