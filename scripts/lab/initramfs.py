"""The guest's root file system: a cpio archive of nsbench, its libraries, busybox and /init, the same bytes each time.

It is not compressed: the bytes then depend on no compressor's version, a kernel needs no decompressor for it, and the
guest is spared the work.
"""
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

from analysis import programs
from lab.errors import FAILED, IMPOSSIBLE, LabError

INIT = Path(__file__).resolve().parent / "init"
PROGRAMS = ("nsbench", "nsbench-sampler")
LOCKSTEP = "nsbench-lockstep.so"  # src/qemu/lockstep.c
DIRECTORIES = ("bin", "dev", "lab", "proc", "sys", "tmp")
PAGE = 4096


def program(name: str) -> Path:
    """One of nsbench's programs, or of the libraries that QEMU gets. LabError where it was not built, or not installed."""
    path = programs.find(name)
    if path is None:
        raise LabError(f"{name} is missing: {programs.remedy()}", IMPOSSIBLE)
    return path


def libraries(program: Path) -> list[Path]:
    """What the program loads, the loader included; empty for a static one. LabError for a library that is missing."""
    said = subprocess.run(["ldd", program], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}).stdout
    missing = re.findall(r"(\S+) => not found", said)
    if missing:
        raise LabError(f"{program.name} needs {missing[0]}, which is missing: build it again", FAILED)
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", said)]


def record(number: int, name: str, mode: int, content: bytes = b"", device: tuple[int, int] = (0, 0)) -> bytes:
    """One member of a newc archive: root's, of time 0, with this inode number."""
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name.encode()) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return head + b"\0" * (-len(head) % 4) + content + b"\0" * (-len(content) % 4)


def archive(members: Mapping[str, tuple[int, bytes]]) -> bytes:
    """A newc archive of name → (mode, content), its directories added, sorted, padded to whole pages."""
    every = dict(members)
    for name in members:
        for parent in Path(name).parents:
            if str(parent) != ".":
                every.setdefault(str(parent), (stat.S_IFDIR | 0o755, b""))
    parts = []
    for number, name in enumerate(sorted(every), start=1):
        mode, content = every[name]
        parts.append(record(number, name, mode, content, (5, 1) if stat.S_ISCHR(mode) else (0, 0)))
    data = b"".join(parts) + record(0, "TRAILER!!!", 0)
    return data + b"\0" * (-len(data) % PAGE)


def base(extra: Mapping[str, Path] | None = None) -> bytes:
    """The archive all guests start from; `extra` adds files: name in the guest → file here, with its permissions."""
    busybox = shutil.which("busybox")
    if not busybox:
        raise LabError("busybox is missing: apt-get install busybox-static", IMPOSSIBLE)
    if libraries(Path(busybox)):
        raise LabError("busybox is not the static one: apt-get install busybox-static", IMPOSSIBLE)
    files = {f"bin/{name}": program(name) for name in PROGRAMS}
    files["init"] = INIT
    files["bin/busybox"] = Path(busybox)
    files |= {name.strip("/"): path for name, path in (extra or {}).items()}
    for path in list(files.values()):
        files |= {str(library).strip("/"): library for library in libraries(path)}
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    members = {f"bin/{applet}": (stat.S_IFLNK | 0o777, b"busybox") for applet in applets}
    members |= {name: (stat.S_IFDIR | 0o755, b"") for name in DIRECTORIES}
    members["dev/console"] = (stat.S_IFCHR | 0o600, b"")
    for name, path in files.items():
        executable = name == "init" or bool(path.stat().st_mode & 0o100)
        members[name] = (stat.S_IFREG | (0o755 if executable else 0o644), path.read_bytes())
    return archive(members)


def settings(text: str, state: str = "", padding: int = 0) -> bytes:
    """The second archive, put behind the first: /lab/settings, the shell text that /init reads; /lab/state, the script by
    which the machine comes into its state, and /lab/padding, so many bytes that nobody reads, if there are any."""
    members = {"lab/settings": (stat.S_IFREG | 0o644, text.encode())}
    if state:
        members["lab/state"] = (stat.S_IFREG | 0o644, state.encode())
    if padding:
        members["lab/padding"] = (stat.S_IFREG | 0o644, b"." * padding)
    return archive(members)
