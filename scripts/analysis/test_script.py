"""Tests of how the scripts end where nobody reads on."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

from analysis import programs, script

SCRIPTS = Path(__file__).parents[1]


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("name", programs.COMMANDS)
def test_a_reader_that_has_seen_enough_is_no_error(name: str, unbuffered: str) -> None:
    """As `nsbench list | head`: the exit code that a shell gives for SIGPIPE, and not a word."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        done = subprocess.run([sys.executable, SCRIPTS / f"{name}.py", "--help"], stdout=pipe, stderr=subprocess.PIPE, text=True,
                              timeout=60, check=False, env={**os.environ, "PYTHONUNBUFFERED": unbuffered})
    assert (done.returncode, done.stderr) == (script.UNREAD, "")
