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


def log_of(folder: Path, key: str) -> Path:
    """What the job with this key says, whatever runs it."""
    return folder / LOGS / key


def write_list(folder: Path, commands: dict[str, str]) -> Path:
    """The list of jobs, by their keys, in a folder that all machines see; what they said before is gone."""
    (folder / LOGS).mkdir(exist_ok=True)
    for key in commands:
        log_of(folder, key).unlink(missing_ok=True)
    text = "".join(f"{command} >{shlex.quote(str(log_of(folder, key)))} 2>&1\n" for key, command in commands.items()).encode()
    path = folder / f"{LIST}-{hashlib.sha256(text).hexdigest()[:12]}"
    outputs.replace(path, text)
    return path


def needs(program: str, package: str) -> None:
    if not shutil.which(program):
        raise LabError(f"{program} is missing: apt-get install {package}", IMPOSSIBLE)


def local(list_: Path, count: int, settings: Settings) -> None:
    """On this machine, so many at once (1)."""
    def one(line: str) -> None:
        subprocess.run(["sh", "-c", f"exec {line}"], stdin=subprocess.DEVNULL)
    pool = ThreadPoolExecutor(settings.at_once or 1)
    try:
        list(pool.map(one, list_.read_text().splitlines()[:count]))
    except BaseException:
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()


def parallel(list_: Path, count: int, settings: Settings) -> None:
    """By GNU parallel, on this machine or on those that --sshlogin names."""
    needs("parallel", "parallel")
    words = ["parallel", "--halt=never", "--retries=3", f"--joblog={list_.parent / 'joblog'}",
             *([f"--jobs={settings.at_once}"] if settings.at_once else []), *(f"--sshlogin={login}" for login in settings.sshlogin),
             f"--arg-file={list_}"]
    done = called(words)
    if done.returncode == NOT_RUN or done.returncode < 0:
        raise not_started(done)


def slurm(list_: Path, count: int, settings: Settings) -> None:
    """As array jobs, whose tasks Slurm starts again where a node has died; waits for their end."""
    needs("sbatch", "slurm-client")
    for part in range(math.ceil(count / LARGEST_ARRAY)):
        first = part * LARGEST_ARRAY
        tasks = min(LARGEST_ARRAY, count - first)
        limit = f"%{settings.at_once}" if settings.at_once else ""
        line = f"exec sh -c \"$(sed -n \"$(({first} + SLURM_ARRAY_TASK_ID))p\" {shlex.quote(str(list_))})\""
        words = ["sbatch", "--wait", "--requeue", f"--array=1-{tasks}{limit}", "--job-name=nsbench-history",
                 f"--output={list_.parent / LOGS}/slurm-{first}-%a", "--open-mode=append", *settings.sbatch, f"--wrap={line}"]
        done = called(words)
        if SUBMITTED not in done.stdout:
            raise not_started(done)


def called(words: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")


def not_started(done: "subprocess.CompletedProcess[str]") -> LabError:
    said = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
    return LabError(f"{done.args[0]}: {said[-1]}", FAILED)


ENGINES = {"local": local, "parallel": parallel, "slurm": slurm}
