"""Running nsbench and its like, and saying how far that is."""
import contextlib
import math
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from analysis.blocks import Block, blocks_of
from analysis.script import Unreadable, last_line


def output_of(*command: str | Path, prepare: Callable[[], None] | None = None, given: str | None = None) -> str:
    """A program's standard output. Unreadable where it fails: that is no answer."""
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", preexec_fn=prepare, input=given)
    if done.returncode in (-signal.SIGINT, 128 + signal.SIGINT):
        raise KeyboardInterrupt
    if done.returncode:
        raise Unreadable(f"{command[0]}: exit code {done.returncode}{last_line(done.stderr or done.stdout)}")
    return done.stdout


@contextlib.contextmanager
def progress(what: str, count: int) -> Iterator[Callable[[int], None]]:
    """Says on standard error how far it is: a function that is called after each of them."""
    last = ""

    def done(number: int) -> None:
        nonlocal last
        last = f"\r{what} {number + 1} of {count}"
        print(last, end="", file=sys.stderr)

    try:
        yield done
    finally:
        if last:
            print(file=sys.stderr)


def recorded_blocks(build: Path, *options: str) -> dict[str, list[Block]]:
    """The blocks of each case of one run."""
    with tempfile.TemporaryDirectory() as folder:
        output_of(build / "nsbench", "--quiet", f"--out={folder}/run", *options)
        return blocks_of(Path(folder) / "run")


def standard_error(share: float, trials: int) -> float:
    """Of a share counted in so many trials, were that its true value."""
    return math.sqrt(share * (1 - share) / trials)
