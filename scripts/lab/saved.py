"""Saved machines: a guest that has booted, settled and come into its state, stopped before its first sample.

A copy of it goes on from that very instruction, in a second QEMU, so that a figure depends on the machine and on its
case, and on nothing that was measured before. The guest's memory is a file: the copies map it privately and share what
they do not change. The rest of the machine is what QEMU's migration writes, with `x-ignore-shared`.

The folder cache/machines/KEY has `ram`, `devices` and `machine.json`; KEY is the hash of all that made the machine.
"""
import contextlib
import fcntl
import functools
import hashlib
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from analysis import outputs
from lab import initramfs, packages
from lab.errors import FAILED, LabError
from lab.guest import Crowd, Guest, Machine, changed, check_messages, is_unchanged, tail
from lab.keeping import MIB, limit, machines, prune
from lab.qmp import FLAGS, Monitor, Refused

FORMAT = 2  # of the folder; part of the key
BLOCK = 1 << 16  # bytes of memory that are hashed at once; those of zeros alone are left out
TRIES = 4  # boots until one is saved while it is idle
READY = "memory-backend-file,id=ram,mem-path={path},share={share},size={memory}M"
CAPABILITIES = [{"capability": name, "state": True} for name in ("x-ignore-shared", "events")]


class NotSaved(LabError):
    """A guest did not come as far as its stop."""


class CannotSave(LabError):
    """This QEMU cannot save a machine."""


@dataclass(frozen=True)
class Recipe:
    """All that makes a machine: the kernel, QEMU's settings, what the guest starts from. `about` is for people."""

    machine: Machine
    kernel: Path
    kernel_sha256: str
    qemu: str  # its version
    initrd: bytes
    about: str
    boot: int = 1  # another one is of another boot, for who wants to see whether they are the same

    @functools.cached_property
    def key(self) -> str:
        lockstep = initramfs.program(initramfs.LOCKSTEP).read_bytes()
        parts = [str(FORMAT), str(self.boot), self.qemu, hashlib.sha256(lockstep).hexdigest(), self.kernel_sha256,
                 hashlib.sha256(self.initrd).hexdigest(),
                 *command(self.machine, Path("vmlinuz"), Path("initrd"), Path("guest"), "on")]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]

    @property
    def folder(self) -> Path:
        return machines() / self.key


def command(machine: Machine, kernel: Path, initrd: Path, directory: Path, share: str, ram: Path = Path("ram"),
            order: Path = Path("/dev/null")) -> list[str]:
    """QEMU's command for a machine that is saved (`share` on) or a copy (off): what the guest sees is the same."""
    memory = READY.format(path=str(ram).replace(",", ",,"), share=share, memory=machine.memory)
    return [*machine.qemu(kernel, initrd, f"file:{directory / 'console'}", f"file:{directory / 'sent'}"), *FLAGS,
            "-object", memory, "-machine", "memory-backend=ram",
            "-device", "ib700", "-action", "watchdog=pause", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
            "-chardev", f"file,id=debug,path={directory / 'debug'}", "-device", "isa-debugcon,iobase=0xe9,chardev=debug",
            "-fw_cfg", f"name=opt/nsbench/order,file={order}"]


class Saving(Guest):
    """A guest that is on its way to being saved."""

    def command(self, image: Path) -> list[str]:
        (self.directory / "order").write_text("-")
        return command(self.machine, self.kernel.resolve(), image, self.directory, "on", self.directory / "ram",
                       self.directory / "order")

    def stopped(self) -> bool:
        """Whether it has asked to be stopped."""
        return self.read("debug") == b"ready\n"


def is_idle(devices: bytes) -> bool:
    """Whether the CPU of a saved machine waits for an interrupt: `halted`, the first field of QEMU's vmstate cpu_common."""
    name = b"\x0acpu_common"  # its length and itself; then an instance and a version, 4 bytes each
    at = devices.find(name) + len(name) + 8
    if at < len(name) + 8:
        raise LabError("QEMU saved no state of a CPU")
    return int.from_bytes(devices[at:at + 4], "big") == 1


def digest(path: Path) -> str:
    """The hash of a file's blocks that are not all zeros, with their offsets: the same with and without holes."""
    found = hashlib.sha256()
    zeros = bytes(BLOCK)
    with open(path, "rb", buffering=0) as file:
        size, at = os.fstat(file.fileno()).st_size, 0
        while at < size:
            try:
                data = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:  # ENXIO: only a hole is left
                break
            end = os.lseek(file.fileno(), data, os.SEEK_HOLE)
            at = max(at, data // BLOCK * BLOCK)
            file.seek(at)
            while at < end:
                block = file.read(BLOCK)
                if block != zeros[:len(block)]:
                    found.update(at.to_bytes(8, "little") + block)
                at += BLOCK
        found.update(size.to_bytes(8, "little"))
    return found.hexdigest()


def save(guest: Saving, monitor: Monitor, part: Path) -> bool:
    """Writes `ram` and `devices` of a guest whose watchdog is about to stop it. False where its CPU was at work then: it
    went on until QEMU noticed, at another instruction in each boot. An idle one waits for its next timer."""
    monitor.event("WATCHDOG")
    monitor.command("migrate-set-capabilities", capabilities=CAPABILITIES)
    monitor.command("migrate-set-parameters", **{"max-bandwidth": 1 << 40})
    name = shlex.quote(str(part / "devices"))
    monitor.command("migrate", uri=f"exec:cat > {name}.part && mv {name}.part {name}")
    monitor.migrated()
    monitor.command("quit")
    guest.process.wait()
    for _ in range(100):  # QEMU does not wait for the program that writes
        if (part / "devices").exists():
            break
        time.sleep(0.05)
    else:
        raise LabError(f"{part}: QEMU's state could not be written: is the disk full?")
    return is_idle((part / "devices").read_bytes())


def boot(recipe: Recipe, part: Path, crowd: Crowd) -> bool:
    """Boots the recipe's guest and saves it in `part`; False as save(). LabError where it does not come to its stop."""
    with tempfile.TemporaryDirectory(prefix="nsbench-lab-") as name:
        directory = Path(name)
        (part / "ram").touch()  # QEMU does not make the file that a link points to
        (directory / "ram").symlink_to(part / "ram")
        own_end, other_end = socket.socketpair()
        with other_end:
            guest = Saving(recipe.machine, recipe.kernel, directory, recipe.initrd, other_end.fileno())
        crowd.add(guest.process)
        try:
            try:
                monitor = Monitor(own_end)  # from the start: no event is told to one that comes later
            except LabError:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    guest.process.wait(2)
                guest.kill()
                guest.files()  # raises, and says better what happened
                raise
            while guest.running():
                if guest.stopped():
                    check_messages(guest.console, guest.console)
                    return save(guest, monitor, part)
                time.sleep(0.02)
            match = re.search(r"lab: preparing\n(.*)lab: state ended with (\d+)", guest.console, re.DOTALL)
            if match:
                said = tail(match[1]).splitlines() or ["it said nothing"]
                raise LabError(f"the state's script ended with {match[2]}: {said[-1]}", FAILED, tail(guest.console))
            guest.files()  # raises, and says what happened
            raise LabError("the guest ended before it could be saved", FAILED, tail(guest.console))
        finally:
            guest.kill()
            crowd.remove(guest.process)
            own_end.close()


def make(recipe: Recipe, crowd: Crowd) -> None:
    """Makes the machine's folder, whole or not at all."""
    free = os.statvfs(machines())
    if free.f_bavail * free.f_frsize < recipe.machine.memory * MIB:  # else QEMU would die of a SIGBUS when it is full
        raise LabError(f"{machines()}: no room: {free.f_bavail * free.f_frsize // MIB} MiB are free, and a machine may take "
                       f"{recipe.machine.memory}: free some, or set XDG_CACHE_HOME")
    part = Path(tempfile.mkdtemp(dir=machines(), prefix="part-"))
    try:
        with packages.full():
            for _ in range(TRIES):
                try:
                    if boot(recipe, part, crowd):
                        break
                except Refused as error:
                    raise CannotSave(str(error)) from None
                except LabError as error:
                    raise NotSaved(str(error), error.code, error.tail) from None
                for name in ("ram", "devices"):
                    (part / name).unlink(missing_ok=True)
            else:
                raise LabError(f"in {TRIES} boots the machine was never idle when it was to be saved")
            if not is_unchanged(recipe.kernel, recipe.kernel_sha256):  # else another kernel would be kept by this one's name
                raise changed(recipe.kernel)
            record = {"about": recipe.about, "qemu": recipe.qemu, "kernel_sha256": recipe.kernel_sha256,
                      "digests": {name: digest(part / name) for name in ("ram", "devices")}}
            (part / "machine.json").write_text(json.dumps(record, indent=2) + "\n")
            for name in ("ram", "devices", "machine.json"):
                with open(part / name, "rb+") as file:
                    os.fsync(file.fileno())
        part.rename(recipe.folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def damage(folder: Path) -> str | None:
    """What is wrong with a saved machine, if anything."""
    try:
        record = json.loads((folder / "machine.json").read_text())
        for name, wanted in record["digests"].items():
            if digest(folder / name) != wanted:
                return f"{name} is not what was saved"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"it cannot be read ({error})"
    return None


def wait_for(lock: IO[str], how: int, crowd: Crowd) -> None:
    """Takes the lock when it can be had. LabError where all is to end meanwhile."""
    while not try_for(lock, how):
        if crowd.over:
            raise LabError("ended while it waited for another lab")
        time.sleep(0.1)


def try_for(lock: IO[str], how: int) -> bool:
    """Takes the lock if it can be had at once."""
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def held(recipe: Recipe, crowd: Crowd, say: Callable[[str], None] = lambda _: None) -> Iterator[Path]:
    """The saved machine of a recipe, made or made again if need be, and not removed while this lasts.

    Two labs that want the same one make it once. `say` gets what is being done.
    """
    folder = recipe.folder
    with open(machines() / f"{recipe.key}.lock", "w", opener=outputs.no_link) as lock:
        limit()  # a wrong one is told before a machine is made
        if not try_for(lock, fcntl.LOCK_SH):
            say("waiting for another lab")
            wait_for(lock, fcntl.LOCK_SH, crowd)
        while not folder.exists() or damage(folder):
            # Whoever gets the lock for itself makes it; the others, who have let go of theirs, then find it.
            if try_for(lock, fcntl.LOCK_EX):
                if folder.exists() and (wrong := damage(folder)):
                    print(f"lab: saved machine {recipe.key}: {wrong}; it is made again", file=sys.stderr)
                    shutil.rmtree(folder)
                if not folder.exists():
                    say("booting, to be saved")
                    make(recipe, crowd)
            else:
                fcntl.flock(lock, fcntl.LOCK_UN)
                time.sleep(0.1)
            wait_for(lock, fcntl.LOCK_SH, crowd)
        os.utime(folder)
        prune()
        yield folder
