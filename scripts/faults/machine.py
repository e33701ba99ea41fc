"""What a machine is like that nsbench has to leave as it was: one way to look at it, for the tests and for all that harms runs
on purpose."""
import ctypes
import os
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


def posix_queues() -> list[str]:
    """Their names; nothing where they cannot be looked at."""
    if os.path.isdir("/dev/mqueue") and os.path.ismount("/dev/mqueue"):
        return sorted(os.listdir("/dev/mqueue"))
    shown = subprocess.run(["unshare", "--mount", "sh", "-c", "mount -t mqueue none /mnt && ls -A /mnt"], check=False,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8")
    return shown.stdout.split()


def state() -> dict[str, object]:
    """Mounts, hostname, links and IPC objects, of the namespaces that this process is in."""
    found: dict[str, object] = {"queues": posix_queues(), "hostname": os.uname().nodename}
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        found["mounts"] = file.read()
    found["links"] = sorted(os.listdir("/sys/class/net")) if os.path.isdir("/sys/class/net") else None
    try:
        shown = subprocess.run(["ip", "-o", "link"], stdout=subprocess.PIPE, encoding="utf-8", check=True).stdout
        found["ip link"] = [line.split(":")[:2] for line in shown.splitlines()]
    except (OSError, subprocess.CalledProcessError):
        pass
    for kind in ("msg", "sem", "shm"):
        try:
            with open(f"/proc/sysvipc/{kind}", encoding="utf-8") as file:
                found[kind] = [line.split()[:2] for line in file]
        except OSError:
            pass
    return found


def _cgroups_below(folder: Path, depth: int) -> Iterator[str]:
    try:
        below = [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]
    except OSError:
        return
    for path in below:
        if path.name.startswith("nsbench"):
            yield str(path)
        elif depth > 1:
            yield from _cgroups_below(path, depth - 1)


_BPF = 321


def _bpf(command: int, *fields: int) -> bytearray | None:
    """bpf(2) with these 32-bit fields, as the kernel leaves them; None where it fails."""
    attributes = bytearray(struct.pack("=16I", *fields, *[0] * (16 - len(fields))))
    buffer = (ctypes.c_char * len(attributes)).from_buffer(attributes)
    return attributes if ctypes.CDLL(None).syscall(_BPF, command, buffer, len(attributes)) == 0 else None


def _bpf_programs() -> Iterator[int]:
    """The ids of those that are loaded."""
    at = 0
    while (answer := _bpf(11, at)) is not None:  # BPF_PROG_GET_NEXT_ID
        at = struct.unpack_from("=I", answer, 4)[0]
        yield at


def _held_programs() -> set[int]:
    """Those of them that a process has a descriptor of, by itself or through a link."""
    found = set()
    for place in Path("/proc").glob("[0-9]*/fdinfo"):
        try:
            for file in place.iterdir():
                lines = file.read_text().splitlines()
                found |= {int(line.split()[1]) for line in lines if line.startswith("prog_id:")}
        except OSError:
            pass
    return found


def shared_state() -> dict[str, set[str]]:
    """What is of the whole machine, whatever namespaces this process is in, as names: cgroups of nsbench's, BPF programs, and
    files in /run and /dev/shm whose names are nsbench's. Others have such, too, while they run."""
    found = {"cgroups": set(_cgroups_below(CGROUPS, 4)), "BPF programs": set(map(str, _bpf_programs())), "files": set[str]()}
    for folder in ("/run", "/dev/shm"):
        try:
            found["files"] |= {f"{folder}/{name}" for name in os.listdir(folder) if name.startswith("nsbench")}
        except OSError:
            pass
    return found


def added(before: dict[str, set[str]], after: dict[str, set[str]]) -> dict[str, list[str]]:
    """What is there of it behind a run and was not before. A BPF program that a process holds is that process's."""
    more = {what: sorted(after[what] - names) for what, names in before.items()}
    if more["BPF programs"]:
        held = _held_programs()
        more["BPF programs"] = [one for one in more["BPF programs"] if int(one) not in held]
    return {what: names for what, names in more.items() if names}
