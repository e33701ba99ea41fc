"""What the tests of the lab's compare share."""
import os
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[1] / "lab.py"


def compare(*words: object, cwd: Path | None = None, **environment: str) -> tuple[int, str, str]:
    """The exit code, standard output and standard error; a failure is one line, never a traceback."""
    done = subprocess.run([sys.executable, PROGRAM, "compare", *map(str, words)], capture_output=True, text=True, cwd=cwd,
                          env={**os.environ, **environment})
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr
