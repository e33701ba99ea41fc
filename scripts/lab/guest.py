"""One guest: QEMU's flags, its life, and what came out of it.

Under `tcg` the guest's clock counts executed instructions and everything that could differ between two starts is
fixed, so that a run repeats to the bit. One CPU: QEMU's instruction clock needs it.
"""
import contextlib
import ctypes
import functools
import hashlib
import io
import os
import re
import shlex
import shutil
import signal
import subprocess
import tarfile
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lab import initramfs, sessions
from lab.errors import FAILED, IMPOSSIBLE, USAGE, LabError

QEMU = "qemu-system-x86_64"
COMMON = ("-M", "q35", "-display", "none", "-nodefaults", "-no-reboot")
ACCELERATORS = {
    "tcg": ("-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-seed", "42",
            "-rtc", "base=2026-01-01T00:00:00,clock=vm", "-cpu", "max,rdrand=off,rdseed=off"),
    "kvm": ("-accel", "kvm", "-cpu", "host"),
}
SEVERAL = ("-accel", "tcg", "-cpu", "max")  # CPUs: without the instruction clock, which needs one CPU, and with the host's time
CLOCKS = {"tcg": "instructions", "kvm": "wall"}
SETTLE = {"tcg": 20, "kvm": 3}  # seconds of the guest's clock; under tcg idle time is skipped
COMMAND_LINE = "console=ttyS0 quiet panic=-1 mitigations=off nokaslr norandmaps random.trust_cpu=off"
BOOT_LIMIT = {"tcg": 180, "kvm": 20}  # seconds of real time until a guest must have reached /init; under tcg it takes 5
# Not "DEBUG:", nor what the kernel says of a mitigation, as in "Spectre V2 : WARNING: ..."
SPLATS = re.compile(r"\bBUG:|kernel BUG at|(?<!: )\bWARNING:|\bOops\b|Call Trace|Kernel panic|Out of memory")
TAIL_LINES = 15
NAME = re.compile(r"[^./\0][^/\0]*")  # of a file that a guest sends
MOST = 1 << 29  # bytes of its archive, unpacked: as much as it has memory


@functools.cache
def qemu_version() -> str:
    """Such as '7.2.22'. LabError where QEMU is missing."""
    if not shutil.which(QEMU):
        raise LabError(f"{QEMU} is missing: apt-get install --no-install-recommends qemu-system-x86", IMPOSSIBLE)
    said = subprocess.run([QEMU, "--version"], capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
    match = re.search(r"version (\S+)", said)
    return match[1] if match else "unknown"


def setup_size(image: bytes) -> int:
    """Bytes of a bzImage before the kernel itself; Documentation/arch/x86/boot.rst: sectors beyond the first, of which 0 stands for
    4."""
    return ((image[0x1F1] or 4) + 1) * 512


def check_image(path: Path) -> str:
    """The SHA-256 of a kernel image, in hexadecimal. LabError for a file that is none."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LabError(f"kernel {path}: {error.strerror}", USAGE) from None
    if data[0x202:0x206] != b"HdrS" and data[:4] != b"\x7fELF":
        raise LabError(f"kernel {path}: not a kernel image for x86 (bzImage)", USAGE)
    if data[:4] != b"\x7fELF":
        # Documentation/arch/x86/boot.rst: the size of what is behind the setup, in 16 bytes
        size = setup_size(data) + int.from_bytes(data[0x1F4:0x1F8], "little") * 16
        if len(data) < size:
            raise LabError(f"kernel {path}: cut off: {len(data)} bytes of {size}", USAGE)
    return hashlib.sha256(data).hexdigest()


def is_unchanged(path: Path, digest: str) -> bool:
    """Whether a kernel image is still the one of this digest: each boot opens the file anew."""
    try:
        return check_image(path) == digest
    except LabError:  # half written, or gone
        return False


def changed(path: Path) -> LabError:
    return LabError(f"kernel {path}: the file has changed since the run began: measure again, or a copy of it")


def splat(text: str) -> str | None:
    """The first line of a kernel's messages that tells of a fault, if any."""
    return next((line.strip() for line in text.splitlines() if SPLATS.search(line)), None)


def tail(text: str) -> str:
    """The last lines of a console, without control characters."""
    clean = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1bc|[^\x20-\x7e\n\t]", "", text)
    return "\n".join([line for line in clean.splitlines() if line.strip()][-TAIL_LINES:])


def check_messages(messages: str, console: str) -> None:
    """LabError, with the console's tail, where a kernel's messages tell of a fault."""
    if bad := splat(messages):
        raise LabError(f"the guest's kernel said: {bad}", FAILED, tail(console))


def unpack(sent: bytes) -> dict[str, bytes] | None:
    """The files of what a guest sends: an archive packed by gzip, and behind it a line with its length and digest. None where it is not
    whole, or has names that no file of ours has."""
    match = re.search(rb"\nlab (\d{1,15}) ([0-9a-f]{64})\n\Z", sent)
    data = sent[:match.start()] if match else b""
    if not match or len(data) != int(match[1]) or hashlib.sha256(data).hexdigest().encode() != match[2]:
        return None
    try:
        packed = zlib.decompressobj(wbits=31)
        plain = packed.decompress(data, MOST)
        if not packed.eof:
            return None
        with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as tar:
            members = [m for m in tar if m.isfile()]
            names = [Path(m.name).name for m in members]
            if not all(map(NAME.fullmatch, names)) or sum(m.size for m in members) > len(plain):  # with holes
                return None
            return {name: file.read() for name, m in zip(names, members) if (file := tar.extractfile(m))}
    except (zlib.error, tarfile.TarError, ValueError, OverflowError):
        return None


def side_by_side(jobs: int, memory: int) -> int:
    """How many guests of so many MB at once: as many as asked for, or as there are CPUs and memory for them."""
    if jobs:
        return jobs
    with open("/proc/meminfo") as file:
        available = next((int(line.split()[1]) for line in file if line.startswith("MemAvailable:")), 1 << 40)  # in KiB
    return max(1, min(os.cpu_count() or 1, available // (memory << 10)))


def die_with_parent() -> None:
    """In a child before exec: it gets SIGKILL when the lab ends, however that happens."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


@dataclass(frozen=True)
class Machine:
    """What a guest is started with, apart from the kernel: memory in MB, `append` goes behind the command line."""

    accel: str = "tcg"
    append: str = ""
    memory: int = 512
    timeout: float = 1800.0  # seconds of real time for the whole guest
    cpus: int = 1  # with several: tests of what needs them, whose figures are nobody's

    @property
    def command_line(self) -> str:
        return f"{COMMAND_LINE} {self.append}".strip()

    def qemu(self, kernel: Path, initrd: Path, *serial: str) -> list[str]:
        """The whole command, its serial ports given last."""
        ports = [word for port in serial for word in ("-serial", port)]
        several = ("-smp", str(self.cpus)) if self.cpus > 1 else ()
        return [QEMU, *COMMON, *(SEVERAL if several else ACCELERATORS[self.accel]), *several, "-m", str(self.memory), *ports,
                "-kernel", str(kernel), "-initrd", str(initrd), "-append", self.command_line]

    def initrd(self, mode: str, arguments: list[str] | None = None, base: bytes | None = None, more: str = "",
               state: str = "", settle: int = 0, padding: int = 0) -> bytes:
        """The initramfs with /init's settings: mode 'run', 'shell', 'wait' or 'boot' (and nothing else), nsbench's
        arguments, more shell text, the script of a state, seconds more to settle in, and bytes that nobody reads."""
        accel = "kvm" if self.cpus > 1 else self.accel  # whose clock is the host's too
        text = f"mode={mode}\nsettle={SETTLE[accel] + settle}\nclock={CLOCKS[accel]}\n" \
               f"set -- {shlex.join(arguments or [])}\n{more}"
        return (initramfs.base() if base is None else base) + initramfs.settings(text, state, padding)


def launch(command: list[str], messages: Path, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """Starts QEMU, its messages into a file."""
    environment = dict(os.environ)
    if "-icount" in command:  # a CPU of KVM's does not wait as lockstep expects
        preloaded = filter(None, [str(initramfs.program(initramfs.LOCKSTEP)), os.environ.get("LD_PRELOAD")])
        environment["LD_PRELOAD"] = ":".join(preloaded)
    with open(messages, "wb") as stderr:
        return subprocess.Popen(command, stdin=stdin, stdout=stderr, stderr=stderr, process_group=0,
                                preexec_fn=die_with_parent, env=environment)


Process = subprocess.Popen[bytes] | subprocess.Popen[str]


@dataclass
class Crowd:
    """The processes, each first of its group, that several threads have started, so that all of them can be ended."""

    processes: set[Process] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: bool = False

    def add(self, process: Process) -> None:
        with self.lock:
            self.processes.add(process)
            if self.over:
                sessions.kill(process.pid)

    def remove(self, process: Process) -> None:
        with self.lock:
            self.processes.discard(process)

    def ask(self) -> None:
        """Has them clear up and end; none starts any more."""
        with self.lock:
            self.over = True
            for process in self.processes:
                process.terminate()

    def end(self) -> None:
        """Kills them with their groups; none starts any more."""
        with self.lock:
            self.over = True
            for process in self.processes:
                sessions.kill(process.pid)


@dataclass
class Guest:
    """A running guest. `directory` (which exists) gets its console, what it sends, and QEMU's messages."""

    machine: Machine
    kernel: Path
    directory: Path
    initrd: bytes
    stdin: int = subprocess.DEVNULL
    process: subprocess.Popen[bytes] = field(init=False)
    started: float = field(init=False)

    def __post_init__(self) -> None:
        image = self.directory / "initrd"
        image.write_bytes(self.initrd)
        qemu_version()
        self.started = time.monotonic()
        self.process = launch(self.command(image), self.directory / "stderr", self.stdin)

    def command(self, image: Path) -> list[str]:
        """QEMU's command; `image` is the initramfs."""
        return self.machine.qemu(self.kernel.resolve(), image, f"file:{self.directory / 'console'}",
                                 f"file:{self.directory / 'sent'}")

    def read(self, name: str) -> bytes:
        """A file that the guest writes to, empty while it has not."""
        path = self.directory / name
        return path.read_bytes() if path.exists() else b""

    @property
    def console(self) -> str:
        return self.read("console").decode(errors="replace").replace("\r", "")

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def state(self) -> str:
        """booting, settling, measuring, sending or done, from what /init said."""
        said = re.findall(r"lab: (\w+)", self.console)
        return {"booted": "settling"}.get(said[-1], said[-1]) if said else "booting"

    def running(self) -> bool:
        """Whether it still runs. LabError after its time is over; it is killed then."""
        if self.process.poll() is not None:
            return False
        limit = BOOT_LIMIT[self.machine.accel]
        if self.seconds > limit and self.state() == "booting":
            self.kill()
            if self.machine.accel == "kvm":
                raise LabError(f"KVM does not work here: no boot within {limit} s; use --accel=tcg", IMPOSSIBLE,
                               tail(self.console))
            raise LabError(f"the guest had not booted after {limit} s and was ended", FAILED, tail(self.console))
        if self.seconds > self.machine.timeout:
            state = self.state()
            self.kill()
            raise LabError(f"the guest was still {state} after {self.machine.timeout:g} s (--timeout) and was ended",
                           FAILED, tail(self.console))
        return True

    def kill(self) -> None:
        """Ends it at once; also after it has ended."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def files(self) -> dict[str, bytes]:
        """What an ended guest sent, by name: stdout, stderr, status, dmesg and nsbench's files. LabError if not whole."""
        console, stderr = self.console, self.read("stderr").decode(errors="replace").strip()
        if "Unable to mount root" in console:
            raise LabError("the kernel did not use the initramfs (it needs CONFIG_BLK_DEV_INITRD)", FAILED, tail(console))
        check_messages(console, console)
        found = unpack(self.read("sent"))
        if found is not None:
            check_messages(found.get("dmesg", b"").decode(errors="replace"), console)
            return found
        if self.process.returncode and self.machine.accel == "kvm" and self.state() == "booting":
            raise LabError(f"KVM does not work here: {(stderr or 'QEMU failed').splitlines()[-1]}; use --accel=tcg", IMPOSSIBLE)
        if self.process.returncode:
            why = stderr.splitlines()[-1] if stderr else f"exit {self.process.returncode}"
            raise LabError(f"QEMU failed: {why}", FAILED, tail(console))
        if not console.strip():
            raise LabError("the guest ended without a word on its console: is this a kernel for x86-64 with a serial "
                           f"console, and are {self.machine.memory} MB enough (--memory)?")
        raise LabError("the guest ended before its results were out whole (a full disk, or too little --memory?)", FAILED,
                       tail(console))


@contextlib.contextmanager
def ended(machine: Machine, kernel: Path, initrd: bytes) -> Iterator[Guest]:
    """A guest that has come to its end. LabError as Guest.running()."""
    with tempfile.TemporaryDirectory(prefix="nsbench-lab-") as name:
        guest = Guest(machine, kernel, Path(name), initrd)
        try:
            while guest.running():
                time.sleep(0.1)
            yield guest
        finally:
            guest.kill()


def carry_out(machine: Machine, kernel: Path, initrd: bytes) -> dict[str, bytes]:
    """A guest from its start to its end: the files that it sent. LabError if they are not whole."""
    with ended(machine, kernel, initrd) as guest:
        return guest.files()


def try_boot(machine: Machine, kernel: Path) -> None:
    """Boots a guest that does nothing. LabError where it does not reach /init: a KVM that opens can hang all the same."""
    with ended(machine, kernel, machine.initrd("boot")) as guest:
        if guest.state() == "booting":
            guest.files()  # raises, and says what happened
