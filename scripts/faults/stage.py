"""Where nsbench is run in hostile surroundings: namespaces of its own, in which a surrounding is made, and a look at what it left.

The host keeps its /proc, /sys, /tmp and cgroups: what hides them is mounted in the stage's mount namespace and goes with it.
"""
import contextlib
import csv
import fcntl
import io
import os
import pickle
import pty
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from analysis import programs
from analysis.exact import MEASURED
from analysis.script import Unreadable
from faults import machine
from faults.place import ENVIRONMENT, Place
from faults.jobs import OUT

LIMIT = 60.0  # seconds that each run may take
HUNG = -signal.SIGALRM  # the code of what had not ended by then
LINGERING = 3.0  # seconds that what a run started has to end
SAMPLER = "nsbench-sampler"
GIVEN = "given"  # the folder of a run that is there before
Seen = dict[str, str]  # what a run told: a name for each thing, and why it is lacking, or nothing


@dataclass(frozen=True)
class Work:
    """A job of nsbench that is tried everywhere, and what it tells. `own` is the code that says that all went well; `given`: it is
    given the folder of a run."""

    name: str
    words: tuple[str, ...]
    told: Callable[["Ran"], Seen]
    own: int = 0
    given: bool = False


@dataclass(frozen=True)
class Ran:
    """How a run ended, and what it wrote and left."""

    code: int
    out: str
    err: str
    seconds: float
    results: str  # the text of results.csv
    left: tuple[str, ...]


def lines_of(ran: Ran) -> Seen:
    """Each line of the text."""
    return dict.fromkeys(ran.out.splitlines(), "")


def findings_of(ran: Ran) -> Seen:
    """The doctor's, and whether it came to its end."""
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", ran.out)  # a terminal's colours
    found = dict.fromkeys(re.findall(r"^(?:ok|note|warning|problem)\s+(\w+)", text, re.MULTILINE), "")
    return found | ({"noise": ""} if re.search(r"\bwhat a budget would buy here\b", text) else {})


def verdicts_of(ran: Ran) -> Seen:
    """verify's checks."""
    return {row["check"]: "" if row["verdict"] == "passed" else f"{row['verdict']}: {row['reason']}"
            for row in csv.DictReader(io.StringIO(ran.out))}


def rows_of(ran: Ran) -> Seen:
    """Of results.csv. What the kernel does later (drain) need not be seen."""
    found = {}
    for row in csv.DictReader(io.StringIO(ran.results)):
        if (row["status"] in MEASURED) != bool(row["median"]) and row["phase"] != "drain":
            raise Unreadable(f"{row['case']} {row['phase']} is {row['status']} with the median {row['median']!r}")
        if row["phase"] != "drain":
            found[f"{row['case']} {row['phase']}"] = "" if row["median"] else f"{row['status']}: {row['errno']} {row['reason']}"
    return found


@dataclass
class Stage:
    """As it is in the process that makes a surrounding: what that may change of how nsbench is started."""

    folder: Path  # its own
    built: Path  # where nsbench was built
    program: str
    work: Path  # where results go, a folder for each job
    given: Path | None  # the run that jobs are given
    shown: str = ""  # `work` as nsbench sees it, if that is another path
    prefix: list[str] = field(default_factory=list)  # words that start nsbench
    environment: dict[str, str] = field(default_factory=lambda: dict(ENVIRONMENT))
    become: list[Callable[[], None]] = field(default_factory=list)  # in nsbench's process, right before its program
    terminal: tuple[int, int] | None = None  # rows and columns of the one that its output goes to

    def fill(self, owner: int = 0) -> None:
        """Puts what jobs are given where they look for it, as theirs who are nsbench's user."""
        self.work.mkdir(exist_ok=True)
        self.work.chmod(0o777)
        if self.given:
            place = self.work / GIVEN
            shutil.copytree(self.given, place, dirs_exist_ok=True)
            for path in (place, *place.iterdir()):
                os.chown(path, owner, owner)


def mount(kind: str, where: str | Path, options: str = "", source: str = "none") -> None:
    """In this mount namespace. OSError where it is refused."""
    words = ["mount", *(["-t", kind] if kind else []), *(["-o", options] if options else []), source, str(where)]
    done = subprocess.run(words, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        raise OSError(0, f"{' '.join(words)}: {done.stderr.strip()}")


class _Terminal:
    """A pseudo-terminal of that size, which is read until nobody writes to it."""

    def __init__(self, rows: int, columns: int) -> None:
        self.leader, self.follower = pty.openpty()
        fcntl.ioctl(self.follower, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.seen = bytearray()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # the last writer has closed it
            while chunk := os.read(self.leader, 65536):
                self.seen += chunk

    def text(self) -> str:
        """All of it, once nsbench has ended."""
        os.close(self.follower)
        self.reader.join(LINGERING)
        return self.seen.decode("utf-8", errors="replace").replace("\r\n", "\n")


def _gone(proc: int) -> tuple[str, ...]:
    """The names of processes that stay, which are ended. As a subreaper this process is their parent; `proc` is /proc as it was
    before a surrounding took it away."""
    end, left = time.monotonic() + LINGERING, ""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0]:
                continue
        except ChildProcessError:
            return (f"a process: {left}",) if left else ()
        if time.monotonic() > end:
            with os.fdopen(os.open(f"self/task/{os.getpid()}/children", os.O_RDONLY, dir_fd=proc)) as file:
                for pid in map(int, file.read().split()):
                    with os.fdopen(os.open(f"{pid}/comm", os.O_RDONLY, dir_fd=proc)) as name:
                        left += name.read().strip() + " "
                    os.kill(pid, signal.SIGKILL)
            end += LINGERING
        time.sleep(0.01)


class _Look:
    """What a run must leave as it was."""

    def __init__(self) -> None:
        self.mounts = os.open("/proc/self/mountinfo", os.O_RDONLY)  # of this mount namespace, also where /proc is hidden later
        self.proc = os.open("/proc", os.O_PATH)
        self.null = os.open("/dev/null", os.O_RDONLY)

    def now(self) -> dict[str, object]:
        """Mounts, hostname and links of the stage's namespaces."""
        os.lseek(self.mounts, 0, os.SEEK_SET)
        text = b"".join(iter(lambda: os.read(self.mounts, 65536), b""))
        return {"mounts": text, "hostname": os.uname().nodename, "links": socket.if_nameindex()}


def _start(stage: Stage, words: list[str], null: int) -> tuple[int, str, str]:
    """nsbench to its end, or to its time's: code, standard output and error, which are files of no file system."""
    terminal = _Terminal(*stage.terminal) if stage.terminal else None
    with os.fdopen(os.memfd_create("stdout"), "w+b") as out, os.fdopen(os.memfd_create("stderr"), "w+b") as err:

        def become() -> None:
            for one in stage.become:
                one()

        streams = (terminal.follower, terminal.follower) if terminal else (out.fileno(), err.fileno())
        with subprocess.Popen([*stage.prefix, stage.program, *words], stdin=null, stdout=streams[0], stderr=streams[1],
                              env=stage.environment, cwd=stage.folder, preexec_fn=become) as process:
            try:
                code = process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                code = HUNG
        if terminal:
            return code, terminal.text(), ""
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", errors="replace"))
        return code, texts[0], texts[1]


def _try(stage: Stage, work: Work, look: _Look) -> Ran:
    name = GIVEN if work.given else work.name
    before, begun = look.now(), time.monotonic()
    folder = f"{stage.shown or stage.work}/{name}"
    code, out, err = _start(stage, [word.replace(OUT, folder) for word in work.words], look.null)
    seconds = time.monotonic() - begun
    left = _gone(look.proc)
    left += tuple(what for what, state in look.now().items() if before[what] != state)
    left += tuple(f"the file {path.name}" for path in (stage.work / name).glob(".part-*"))
    try:
        results = (stage.work / name / "results.csv").read_text(encoding="utf-8")
    except OSError:
        results = ""
    return Ran(code, out, err, seconds, results, left)


def sampler_of(program: Path) -> Path:
    """The sampler of that nsbench. Unreadable where it has none."""
    sampler = programs.find(SAMPLER, program.parent)
    if not program.exists() or not sampler:
        missing = SAMPLER if program.exists() else program.name
        raise Unreadable(f"surroundings: {missing} is not there: {programs.remedy()}")
    return sampler


Told = dict[str, Ran] | str  # by the jobs' names, or why the surrounding cannot be made


def _staged(program: Path, works: "tuple[Work, ...]", make: Callable[[Stage], None], given: Path | None, folder: Path) -> Told:
    """In a process of its own."""
    Place.enter()
    look = _Look()
    (folder / "bin").mkdir()
    for path in (program, sampler_of(program)):
        shutil.copy(path, folder / "bin" / path.name)
        (folder / "bin" / path.name).chmod(0o755)
    (folder / "tmp").mkdir()
    stage = Stage(folder, program.parent, str(folder / "bin" / program.name), folder / "work", given)
    stage.environment["TMPDIR"] = str(folder / "tmp")
    stage.fill()
    try:
        make(stage)
    except OSError as error:
        return error.strerror or str(error)
    told = {work.name: _try(stage, work, look) for work in works}
    if left := os.listdir(folder / "tmp"):
        raise OSError(0, f"files in TMPDIR: {', '.join(left)}")
    return told


def _tell(writing: int, play: Callable[[], Told]) -> None:
    """Into a pipe: what it comes to, or why it cannot."""
    with os.fdopen(writing, "wb") as pipe:
        try:
            told: Told = play()
        except OSError as error:
            told = f"no namespaces of its own: {error.filename or ''} {error.strerror or error}"
        pickle.dump(told, pipe)


def played(program: Path, works: "tuple[Work, ...]", make: Callable[[Stage], None] = lambda _: None,
           given: Path | None = None, keep: Path | None = None) -> Told:
    """The jobs in a surrounding, in a process and namespaces of their own. With `keep` the folders of results go there. Unreadable where
    nsbench was not built whole."""
    sampler_of(program)
    folder = Path(tempfile.mkdtemp(prefix="nsbench-hostile-", dir="/var/tmp" if os.access("/var/tmp", os.W_OK) else None))
    folder.chmod(0o755)
    shared = machine.shared_state()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reading)
            _tell(writing, lambda: _staged(program, works, make, given, folder))
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as pipe:
            text = pipe.read()
        os.waitpid(pid, 0)
        if not text:
            raise Unreadable("surroundings: the process that makes one has not come to its end")
        told: Told = pickle.loads(text)
        if keep and not isinstance(told, str):
            shutil.copytree(folder / "work", keep)
        return told if isinstance(told, str) else _blamed(told, shared)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _blamed(told: dict[str, Ran], shared: dict[str, set[str]]) -> Told:
    """With what they have left that is no namespace's: cgroups, BPF programs, files. The last is blamed."""
    end = time.monotonic() + LINGERING
    while (more := machine.added(shared, machine.shared_state())) and time.monotonic() < end:
        time.sleep(0.1)
    if more:
        name, last = list(told.items())[-1]
        told[name] = replace(last, left=(*last.left, *(f"{what} {', '.join(names)}" for what, names in more.items())))
    return told
