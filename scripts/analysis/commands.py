"""Starting commands: each is told to end, and waited for, when this is interrupted; and where their runs go."""
import contextlib
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from analysis import outputs
from analysis.script import Unreadable

PATIENCE = 20  # seconds for an nsbench that is told to end: it takes down what it has set up
EVERY = 1.0  # seconds between two looks


def ran(command: list[str] | str, meanwhile: Callable[[], None] | None = None) -> tuple[int, str]:
    """The exit code of a command, or of a text that a shell runs, and what it said on standard error; `meanwhile` is called each
    second. What interrupts this tells the command to end, and waits for that: nothing may run on behind."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
                          shell=isinstance(command, str)) as child:
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    said = child.communicate(timeout=EVERY if meanwhile else None)[1]
                    return child.returncode, said
                if meanwhile:
                    meanwhile()
        except BaseException:
            child.terminate()
            try:
                child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                child.kill()
            raise


@contextlib.contextmanager
def folder_for_runs(out: Path | None, name: str) -> Iterator[Path]:
    """That of --out, which is to be empty (else Unreadable), or one of that name for as long as it is needed."""
    if out is None:
        with tempfile.TemporaryDirectory(prefix=f"nsbench-{name}-") as folder:
            yield Path(folder)
        return
    outputs.own_folder(out)
    if any(out.iterdir()):
        raise Unreadable(f"--out: {out} is not empty")
    yield out
