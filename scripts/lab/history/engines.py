"""Engines: what carries out a list of jobs. Each is a program that exists for that, and all of them get the same list.

An engine only runs command lines. Which jobs are done is told by their files, whatever an engine says: a job that failed, or whose
machine died, has no file, and is in the list again the next time.
"""
import math
import os
import shlex
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lab.errors import FAILED, IMPOSSIBLE, LabError

LIST = "jobs"  # a command line a line
LOGS = "logs"
LARGEST_ARRAY = 1000  # of Slurm, whose MaxArraySize is 1001 if nobody has changed it


@dataclass(frozen=True)
class Settings:
    """How many jobs at once (0: as the engine has it); GNU parallel's --sshlogin; more words for sbatch."""

    at_once: int = 0
    sshlogin: tuple[str, ...] = ()
    sbatch: tuple[str, ...] = ()


def write_list(folder: Path, commands: list[str]) -> Path:
    """The list of jobs, in a folder that all machines see."""
    path = folder / LIST
    path.write_text("".join(f"{command}\n" for command in commands))
    (folder / LOGS).mkdir(exist_ok=True)
    return path


def needs(program: str, package: str) -> None:
    if not shutil.which(program):
        raise LabError(f"{program} is missing: apt-get install {package}", IMPOSSIBLE)


def local(folder: Path, commands: list[str], settings: Settings) -> None:
    """On this machine, so many at once (1)."""
    def one(numbered: tuple[int, str]) -> None:
        number, command = numbered
        with open(folder / LOGS / f"{number}", "wb") as log:
            subprocess.run(["sh", "-c", f"exec {command}"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    pool = ThreadPoolExecutor(settings.at_once or 1)
    try:
        list(pool.map(one, enumerate(commands, 1)))
    except BaseException:
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()


def parallel(folder: Path, commands: list[str], settings: Settings) -> None:
    """By GNU parallel, on this machine or on those that --sshlogin names."""
    needs("parallel", "parallel")
    words = ["parallel", "--halt=never", "--retries=3", f"--joblog={folder / 'joblog'}", f"--results={folder / LOGS}/{{#}}",
             *([f"--jobs={settings.at_once}"] if settings.at_once else []), *(f"--sshlogin={login}" for login in settings.sshlogin),
             f"--arg-file={folder / LIST}"]
    ended(subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True), 100)


def slurm(folder: Path, commands: list[str], settings: Settings) -> None:
    """As array jobs, whose tasks Slurm starts again where a node has died; waits for their end."""
    needs("sbatch", "slurm-client")
    for part in range(math.ceil(len(commands) / LARGEST_ARRAY)):
        first = part * LARGEST_ARRAY
        count = min(LARGEST_ARRAY, len(commands) - first)
        limit = f"%{settings.at_once}" if settings.at_once else ""
        line = f"exec sh -c \"$(sed -n \"$(({first} + SLURM_ARRAY_TASK_ID))p\" {shlex.quote(str(folder / LIST))})\""
        words = ["sbatch", "--wait", "--requeue", f"--array=1-{count}{limit}", "--job-name=nsbench-history",
                 f"--output={folder / LOGS}/{first}-%a", "--open-mode=append", *settings.sbatch, f"--wrap={line}"]
        ended(subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True), 1)


def ended(done: "subprocess.CompletedProcess[str]", jobs_failed: int) -> None:
    """LabError where the engine itself failed, and not jobs of it: these codes say that jobs did."""
    if done.returncode > jobs_failed or done.returncode < 0 or (done.returncode and "error" in done.stderr.lower()):
        said = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
        raise LabError(f"{os.path.basename(str(done.args[0]))}: {said[-1]}", FAILED)


ENGINES = {"local": local, "parallel": parallel, "slurm": slurm}
