"""Carries out a command with many mounts, or net namespaces, around it, which are gone with it.

    crowded.py --place=FOLDER [--mounts=N] [--peers=N] [--netns=N] -- COMMAND...

This process keeps them; the command is its child. FOLDER is empty, and of its own mounts nobody else sees anything. Exit codes: the
command's; 3 what could not be set up, with the call and its errno.
"""
import argparse
import contextlib
import ctypes
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

NEWNS, NEWNET = 0x20000, 0x40000000
BIND, REC, PRIVATE, SLAVE, SHARED = 0x1000, 0x4000, 1 << 18, 1 << 19, 1 << 20
PR_SET_PDEATHSIG = 1
NOT_PERMITTED = 3
ENDED = (128 + signal.SIGINT, 128 + signal.SIGTERM)  # exit codes of a command that somebody ended
SPARE = 256  # descriptors besides those of namespaces
PATIENCE, EACH = 5.0, 0.1  # seconds for the kernel to free them: at least, and for each one more
_LIBC = ctypes.CDLL(None, use_errno=True)


class Refused(Exception):
    """A call that failed: its name and the errno."""


def _call(name: str, *arguments: object) -> None:
    if getattr(_LIBC, name)(*arguments) != 0:
        error = ctypes.get_errno()
        raise Refused(f"{name}: {os.strerror(error)}" + (" (as root it may be permitted)" if os.geteuid() else ""))


def _mount(source: str, target: Path | str, kind: str | None, flags: int) -> None:
    _call("mount", source.encode(), os.fsencode(target), kind and kind.encode(), ctypes.c_ulong(flags), None)


def _own_mounts(place: Path) -> None:
    """A mount namespace of this process, whose mounts go nowhere, with a tmpfs of its own."""
    _call("unshare", NEWNS)
    _mount("none", "/", None, REC | PRIVATE)
    _mount("tmpfs", place, "tmpfs", 0)


def set_up_mounts(place: Path, count: int) -> None:
    """There are so many mounts in all then."""
    _own_mounts(place)
    there = Path("/proc/self/mountinfo").read_text().count("\n")
    if there > count:
        raise Refused(f"there are {there - 1} mounts already, and {count} are wanted")
    for number in range(count - there):
        target = place / str(number)
        target.mkdir()
        _mount(str(place), target, None, BIND)


def set_up_peers(place: Path, count: int) -> None:
    """One peer group of so many mounts; below() then makes the slaves."""
    _own_mounts(place)
    source = place / "source"
    source.mkdir()
    _mount(str(source), source, None, BIND)
    _mount("none", source, None, SHARED)
    for number in range(1, count):
        target = place / str(number)
        target.mkdir()
        _mount(str(source), target, None, BIND)


def below_peers() -> None:
    """In the command's process: each mount becomes a slave of the one that it is a copy of."""
    _call("unshare", NEWNS)
    _mount("none", "/", None, REC | SLAVE)


def net_namespaces(count: int) -> list[int]:
    """Descriptors that keep so many; this process is back in its own afterwards."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count + SPARE, max(limit, count + SPARE)))
    except (OSError, ValueError) as error:
        raise Refused(f"setrlimit(RLIMIT_NOFILE, {count + SPARE}): {error}") from None
    own = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    kept = []
    for _ in range(count):
        _call("unshare", NEWNET)
        kept.append(os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
    _call("setns", own, NEWNET)
    os.close(own)
    return kept


def _counted() -> int | None:
    """The net namespaces that the kernel has memory for; None where it does not tell. What CPUs have in stock passes for memory
    in use, and is given back before."""
    with contextlib.suppress(OSError):
        Path("/sys/kernel/slab/net_namespace/shrink").write_text("1")
    with contextlib.suppress(OSError):
        for line in Path("/proc/slabinfo").read_text().splitlines():
            if line.startswith("net_namespace "):
                return int(line.split()[1])
    return None


def let_go(kept: list[int]) -> None:
    """Waits until the kernel has freed them: what comes next would be measured beside that."""
    before = _counted()
    for descriptor in kept:
        os.close(descriptor)
    deadline = time.monotonic() + PATIENCE + EACH * len(kept)
    while before is not None and time.monotonic() < deadline:
        now = _counted()
        if now is None or now <= before - 0.9 * len(kept):
            return
        time.sleep(0.1)


def carry_out(command: list[str], below: Callable[[], None] | None) -> int:
    """The command's exit code. What ends this process ends the command."""
    child = os.fork()
    if child == 0:
        try:
            _call("prctl", PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
            if below:
                below()
            os.execv(command[0], command)
        except (Refused, OSError) as error:
            print(f"crowded: {error}", file=sys.stderr, flush=True)
        os._exit(NOT_PERMITTED)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal tells the command itself
    signal.signal(signal.SIGTERM, lambda number, _: os.kill(child, number))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for number in (signal.SIGINT, signal.SIGTERM):  # the number of a process that is gone may be another one's
        signal.signal(number, signal.SIG_DFL)
    return code


def main() -> int:
    words = argparse.ArgumentParser()
    words.add_argument("--place", type=Path, required=True)
    for what in ("mounts", "peers", "netns"):
        words.add_argument(f"--{what}", type=int, default=0)
    words.add_argument("command", nargs="+")
    options = words.parse_args()
    kept: list[int] = []
    try:
        if options.mounts:
            set_up_mounts(options.place, options.mounts)
        if options.peers:
            set_up_peers(options.place, options.peers)
        kept = net_namespaces(options.netns) if options.netns else []
        code = carry_out(options.command, below_peers if options.peers else None)
    except Refused as error:
        print(f"crowded: {error}", file=sys.stderr)
        code = NOT_PERMITTED
    sys.stderr.flush()
    if code >= 0 and code not in ENDED:  # after those nothing else is measured
        let_go(kept)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
