"""Engines: what carries out a list of jobs. Each is a program that exists for that, and all of them get the same list.

An engine only runs command lines. Which jobs are done is told by their files, whatever an engine says: a job that failed, or whose
machine died, has no file, and is in the list again the next time. What an engine says is a LabError only where it started no jobs.
"""
import hashlib
import math
import shlex
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from analysis import outputs
from lab.errors import FAILED, IMPOSSIBLE, LabError

LIST = "jobs"  # and a hash of its content behind it: a command line a line
LOGS = "logs"
LARGEST_ARRAY = 1000  # of Slurm, whose MaxArraySize is 1001 if nobody has changed it
SUBMITTED = "Submitted batch job"  # sbatch: what comes behind it is of the jobs
NOT_RUN = 255  # parallel: 1 to 101 are of the jobs


@dataclass(frozen=True)
class Settings:
    """How many jobs at once (0: as the engine has it); GNU parallel's --sshlogin; more words for sbatch."""

    at_once: int = 0
    sshlogin: tuple[str, ...] = ()
    sbatch: tuple[str, ...] = ()


def logged(command: str, log: Path) -> str:
    """The command line with what it says in a file, whatever runs it."""
    return f"{command} >{shlex.quote(str(log))} 2>&1"


def list_of(folder: Path, commands: list[str]) -> Path:
    """The file of this list: another list is another file."""
    return folder / f"{LIST}-{hashlib.sha256(text_of(commands)).hexdigest()[:12]}"


def text_of(commands: list[str]) -> bytes:
    return "".join(f"{command}\n" for command in commands).encode()


def write_list(folder: Path, commands: list[str]) -> Path:
    """The list of jobs, in a folder that all machines see."""
    path = list_of(folder, commands)
    outputs.replace(path, text_of(commands))
    (folder / LOGS).mkdir(exist_ok=True)
    return path


def needs(program: str, package: str) -> None:
    if not shutil.which(program):
        raise LabError(f"{program} is missing: apt-get install {package}", IMPOSSIBLE)


def local(folder: Path, commands: list[str], settings: Settings) -> None:
    """On this machine, so many at once (1)."""
    def one(command: str) -> None:
        subprocess.run(["sh", "-c", f"exec {command}"], stdin=subprocess.DEVNULL)
    pool = ThreadPoolExecutor(settings.at_once or 1)
    try:
        list(pool.map(one, commands))
    except BaseException:
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()


def parallel(folder: Path, commands: list[str], settings: Settings) -> None:
    """By GNU parallel, on this machine or on those that --sshlogin names."""
    needs("parallel", "parallel")
    words = ["parallel", "--halt=never", "--retries=3", f"--joblog={folder / 'joblog'}",
             *([f"--jobs={settings.at_once}"] if settings.at_once else []), *(f"--sshlogin={login}" for login in settings.sshlogin),
             f"--arg-file={list_of(folder, commands)}"]
    done = called(words)
    if done.returncode == NOT_RUN or done.returncode < 0:
        raise not_started(done)


def slurm(folder: Path, commands: list[str], settings: Settings) -> None:
    """As array jobs, whose tasks Slurm starts again where a node has died; waits for their end."""
    needs("sbatch", "slurm-client")
    for part in range(math.ceil(len(commands) / LARGEST_ARRAY)):
        first = part * LARGEST_ARRAY
        tasks = min(LARGEST_ARRAY, len(commands) - first)
        limit = f"%{settings.at_once}" if settings.at_once else ""
        line = f"exec sh -c \"$(sed -n \"$(({first} + SLURM_ARRAY_TASK_ID))p\" {shlex.quote(str(list_of(folder, commands)))})\""
        words = ["sbatch", "--wait", "--requeue", f"--array=1-{tasks}{limit}", "--job-name=nsbench-history",
                 f"--output={folder / LOGS}/slurm-{first}-%a", "--open-mode=append", *settings.sbatch, f"--wrap={line}"]
        done = called(words)
        if SUBMITTED not in done.stdout:
            raise not_started(done)


def called(words: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")


def not_started(done: "subprocess.CompletedProcess[str]") -> LabError:
    said = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
    return LabError(f"{done.args[0]}: {said[-1]}", FAILED)


ENGINES = {"local": local, "parallel": parallel, "slurm": slurm}
