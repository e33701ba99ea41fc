"""A command with all that it starts, in a session of its own."""
import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO


def kill(leader: int) -> None:
    """Ends all that is in the group of this process, also where it has ended itself."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def carry_out(command: Sequence[str], folder: Path, log: IO[bytes], environment: Mapping[str, str] | None = None) -> int:
    """The exit code of a command that works in this folder, what it says in the log. If the lab ends before it, whatever the
    command has started ends, too: the folder is about to change."""
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                          start_new_session=True) as process:
        try:
            return process.wait()
        except BaseException:
            kill(process.pid)
            raise
