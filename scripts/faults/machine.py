"""What a machine is like that nsbench has to leave as it was: one way to look at it, for the tests and for all that harms runs
on purpose."""
import ctypes
import os
import re
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
# Files of unit tests that run beside, where TMPDIR is /dev/shm (src/env/fake_tree.h, src/sys/test_folder.h).
OF_TESTS = ("nsbench-env-", "nsbench-test-")
SETTINGS = ("/sys/kernel/rcu_normal", "/sys/kernel/rcu_expedited", "/sys/kernel/mm/transparent_hugepage/enabled")


_LIBC = ctypes.CDLL(None)
_BPF, _FSOPEN, _FSCONFIG, _FSMOUNT = 321, 430, 431, 432


def _queues_by_descriptor() -> list[str] | None:
    """Of a mount that no folder shows (fsopen(2), fsmount(2)): no process is needed for it. Nothing where there is none."""
    made = []
    try:
        made.append(_LIBC.syscall(_FSOPEN, b"mqueue", 1))  # FSOPEN_CLOEXEC
        if made[-1] < 0 or _LIBC.syscall(_FSCONFIG, made[-1], 6, None, None, 0) != 0:  # FSCONFIG_CMD_CREATE
            return None
        made.append(_LIBC.syscall(_FSMOUNT, made[-1], 1, 0))  # FSMOUNT_CLOEXEC
        if made[-1] < 0:
            return None
        made.append(os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=made[-1]))
        return sorted(os.listdir(made[-1]))
    finally:
        for one in filter(lambda descriptor: descriptor >= 0, made):
            os.close(one)


def posix_queues() -> list[str]:
    """Their names, in this process's own IPC namespace, which a mount that was there before may not show; nothing where they
    cannot be looked at."""
    if (found := _queues_by_descriptor()) is not None:
        return found
    shown = subprocess.run(["unshare", "--mount", "sh", "-c", "mount -t mqueue none /mnt && ls -A /mnt"], check=False,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8")
    return sorted(shown.stdout.split())


def cpus_of_rcu_worker() -> str:
    """Where the kernel's thread for expedited grace periods may run, which `doctor --prepare` sets; nothing where it is not seen."""
    for process in filter(str.isdigit, os.listdir("/proc")):
        if _text_of(Path(f"/proc/{process}/comm")).startswith("rcu_exp_gp_kthr"):
            found = re.search(r"^Cpus_allowed_list:\s+(\S+)", _text_of(Path(f"/proc/{process}/status")), re.M)
            return found[1] if found else ""
    return ""


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def state() -> dict[str, object]:
    """Mounts, hostname, links and IPC objects, of the namespaces that this process is in, and settings of the machine that
    doctor --prepare makes."""
    found: dict[str, object] = {"queues": posix_queues(), "hostname": os.uname().nodename}
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        found["mounts"] = file.read()
    indices = sorted(socket.if_nameindex())  # /sys may be another namespace's
    found |= {"links": sorted(name for _, name in indices), "links' numbers": [number for number, _ in indices]}
    found["settings"] = {name: _text_of(Path(name)) for name in SETTINGS}
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


def of_the_living(cgroup: str) -> bool:
    """Whether the process that a cgroup of nsbench's is named after is there: it is that run's then."""
    number = re.fullmatch(r"nsbench-(?:conditions-)?(\d+)(?:-[0-9a-f]+)?", Path(cgroup).name)
    return number is not None and Path(f"/proc/{number[1]}").exists()


_NAME_AT = 64  # in struct bpf_prog_info
OUR_PROGRAMS = re.compile(r"(enter|leave)(_|$)|on_|nsb_")  # the beginnings of the names in bpf/, of which the kernel keeps 15 bytes


def _bpf(command: int, attributes: bytearray) -> int:
    """bpf(2) with these attributes, which the kernel may change; below 0 where it fails."""
    buffer = (ctypes.c_char * len(attributes)).from_buffer(attributes)
    return int(_LIBC.syscall(_BPF, command, buffer, len(attributes)))


def _bpf_programs() -> Iterator[int]:
    """The ids of those that are loaded."""
    attributes = bytearray(12)  # the id behind which the next one is sought; the next one; flags
    while _bpf(11, attributes) == 0:  # BPF_PROG_GET_NEXT_ID
        attributes[:4] = attributes[4:8]
        yield int(struct.unpack_from("=I", attributes)[0])


def _name_of_program(number: int) -> str:
    """Of that id; empty where it has none, or is gone."""
    handle = _bpf(13, bytearray(struct.pack("=3I", number, 0, 0)))  # BPF_PROG_GET_FD_BY_ID
    if handle < 0:
        return ""
    try:
        info = bytearray(_NAME_AT + 16)
        place = ctypes.addressof((ctypes.c_char * len(info)).from_buffer(info))
        is_told = _bpf(15, bytearray(struct.pack("=IIQ", handle, len(info), place))) == 0  # BPF_OBJ_GET_INFO_BY_FD
        return info[_NAME_AT:].split(b"\0")[0].decode(errors="replace") if is_told else ""
    finally:
        os.close(handle)


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
            ours = [name for name in os.listdir(folder) if name.startswith("nsbench") and not name.startswith(OF_TESTS)]
            found["files"] |= {f"{folder}/{name}" for name in ours}
        except OSError:
            pass
    return found


def added(before: dict[str, set[str]], after: dict[str, set[str]]) -> dict[str, list[str]]:
    """What is there of it behind a run, whose processes have ended, and was not before. A cgroup that is named after a process that
    lives is that one's, and so is a BPF program that a process holds, or whose name is none of nsbench's."""
    more = {what: sorted(after[what] - names) for what, names in before.items()}
    more["cgroups"] = [one for one in more["cgroups"] if not of_the_living(one)]
    if more["BPF programs"]:
        held = _held_programs()
        more["BPF programs"] = [one for one in more["BPF programs"]
                                if int(one) not in held and OUR_PROGRAMS.match(_name_of_program(int(one)))]
    return {what: names for what, names in more.items() if names}
