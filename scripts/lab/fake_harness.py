"""What tests of the lab's command line share: a fake QEMU, and a file that passes for a kernel."""
import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

from lab import guest, sessions

IMAGE = (b"\0" * 0x202 + b"HdrS").ljust(5 * 512, b"\0")  # a bzImage without a kernel
PROGRAM = Path(__file__).resolve().parents[1] / "lab.py"
OPTIONS = ["--filter=^clone/NEWPID/stack:1M$", "--samples=5"]


def qemu_without_plugins(folder: Path) -> None:
    """A QEMU that starts what it is told to, but for a plugin."""
    (folder / guest.QEMU).write_text(f"""#!/bin/sh
case " $* " in *" -plugin "*) echo 'qemu: -plugin x: plugin interface not enabled in this build' >&2; exit 1;; esac
exec {shutil.which(guest.QEMU)} "$@"
""")
    (folder / guest.QEMU).chmod(0o755)


def interrupted(process: "subprocess.Popen[str]", begun: Callable[[], bool], number: int = signal.SIGTERM, again: int = 0) -> str:
    """What a command, the first of its session, says on standard error that gets a signal when something has begun, and perhaps
    another one a second later. Nothing of its session is left, whatever comes."""
    limit = time.monotonic() + 60
    try:
        while not begun() and time.monotonic() < limit and process.poll() is None:
            time.sleep(0.05)
        has_begun = begun()
        process.send_signal(number)
        if again:
            time.sleep(1)
            process.send_signal(again)
        said = process.communicate(timeout=30)[1]
    finally:
        sessions.kill(process.pid)
    assert has_begun, said
    return said


def is_gone(pid: int) -> bool:
    """Whether the process has ended, within seconds; whoever it was left to may not have seen it."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state in "ZX":
            return True
        time.sleep(0.05)
    return False


def sent(files: dict[str, bytes]) -> bytes:
    """What a guest sends that measured: /init's archive, with a line behind it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    data = packed.getvalue()
    return data + f"\nlab {len(data)} {hashlib.sha256(data).hexdigest()}\n".encode()


class FakeLab:
    """The command line with a fake QEMU and a file that passes for a kernel, in a folder of its own."""

    def __init__(self, path: Path) -> None:
        self.path, self.bin, self.out = path, path / "bin", path / "out"
        self.bin.mkdir()
        self.kernel = path / "bzImage"
        self.kernel.write_bytes(IMAGE)

    def qemu(self, script: str) -> None:
        """A QEMU of shell code, with $console and $sent the files of its serial ports."""
        ports = 'for w; do case $w in file:*/console) console=${w#file:};; file:*/sent) sent=${w#file:};; esac; done\n'
        text = "#!/bin/sh\n[ \"$1\" = --version ] && { echo QEMU emulator version 0.0; exit; }\n" + ports + script
        (self.bin / guest.QEMU).write_text(text)
        (self.bin / guest.QEMU).chmod(0o755)

    def start(self, *words: str, options: list[str] = OPTIONS) -> subprocess.Popen[str]:
        environment = {**os.environ, "PATH": f"{self.bin}:{os.environ['PATH']}"}
        command: list[str | Path] = [sys.executable, PROGRAM, *(words or ("run", "--together", "--kernel", str(self.kernel))),
                                     "--out", self.out, "--", *options]
        return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *words: str, options: list[str] = OPTIONS) -> tuple[int, str]:
        """The exit code and standard error; nothing may be left in the results' folder."""
        process = self.start(*words, options=options)
        _, stderr = process.communicate(timeout=60)
        assert not self.out.exists() or not list(self.out.iterdir())
        assert "Traceback" not in stderr
        return process.returncode, stderr
