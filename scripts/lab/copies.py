"""Copies of a saved machine: each carries out one order, gives back its files, and is gone."""
import contextlib
import re
import shlex
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

from lab import saved
from lab.errors import FAILED, LabError
from lab.guest import Crowd, check_messages, launch, tail
from lab.qmp import Monitor


def unpack(data: bytes, console: str = "") -> dict[str, bytes]:
    """The files that a guest wrote to its debug console: for each a line "NAME SIZE", and its content. LabError if the
    last of them, `status`, is not there, with the tail of the other console."""
    files: dict[str, bytes] = {}
    at = 0
    while match := re.compile(rb"(\w[\w.-]*) (\d{1,15})\n").match(data, at):
        at = match.end() + int(match[2])
        files[match[1].decode()] = data[match.end():at]
    if at != len(data) or "status" not in files:
        raise LabError("the copy ended before its results were out whole", FAILED, tail(console))
    return files


def run(recipe: saved.Recipe, folder: Path, order: list[str], crowd: Crowd, more: list[str] | None = None) -> dict[str, bytes]:
    """What a copy of the machine in this folder sent: run.json, samples.csv, status and others. `more` are words of QEMU's
    that the guest does not see. LabError where it came to no end of its own, or the kernel complained."""
    with tempfile.TemporaryDirectory(prefix="nsbench-lab-") as name:
        directory = Path(name)
        (directory / "order").write_text("\n".join(order))
        (directory / "initrd").write_bytes(b"-")  # QEMU wants one; the guest has unpacked its own long ago
        command = saved.command(recipe.machine, recipe.kernel.resolve(), directory / "initrd", directory, "off",
                                folder / "ram", directory / "order")
        own_end, other_end = socket.socketpair()
        with other_end:
            process = launch([*command, "-incoming", "defer", *(more or [])], directory / "stderr", other_end.fileno())
        crowd.add(process)
        is_late = threading.Event()

        def end_it() -> None:
            if process.poll() is None:
                is_late.set()
                process.kill()
        timer = threading.Timer(recipe.machine.timeout, end_it)
        timer.start()
        try:
            failed = None
            try:
                monitor = Monitor(own_end)
                monitor.command("migrate-set-capabilities", capabilities=saved.CAPABILITIES)
                # They are made by the host's clock, and the CPU stands still until each is over.
                monitor.command("migrate-set-parameters", **{"announce-rounds": 0})
                monitor.command("migrate-incoming", uri=f"exec:cat {shlex.quote(str(folder / 'devices'))}")
                monitor.migrated()
                monitor.command("cont")
            except LabError as error:
                failed = error
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(2)  # it has said why by then
                process.kill()
            process.wait()
            said = (directory / "stderr").read_text(errors="replace").strip()
            if failed and not is_late.is_set():
                lines = said.splitlines()
                last = next((line for line in lines if line.startswith("nsbench-")), lines[-1] if lines else "")
                raise LabError(f"QEMU failed: {last}" if last else str(failed))
            console = (directory / "console").read_text(errors="replace").replace("\r", "")
            if is_late.is_set():
                raise LabError(f"the copy was still measuring after {recipe.machine.timeout:g} s (--timeout) and was ended",
                               FAILED, tail(console))
            check_messages(console, console)  # first: what a copy with a panic sent is not whole
            files = unpack((directory / "debug").read_bytes(), console)
            check_messages(files.get("dmesg", b"").decode(errors="replace"), console)
            return files
        finally:
            timer.cancel()
            process.kill()
            process.wait()
            own_end.close()
            crowd.remove(process)
