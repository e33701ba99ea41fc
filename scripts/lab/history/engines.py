"""Engines: what carries out a list of jobs. Each is a program that exists for that, and all of them get the same list.

An engine only runs command lines. Which jobs are done is told by their files, whatever an engine says: a job that failed, or whose
machine died, has no file, and is in the list again the next time. What an engine says is a LabError only where it started no jobs.
One that is interrupted ends the jobs that run. Its programs are in sessions of their own: what interrupts the lab in a terminal would
reach them, too, and a second signal would disturb what they clear up.
"""
import contextlib
import hashlib
import math
import select
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from analysis import outputs
from lab.errors import FAILED, IMPOSSIBLE, LabError
from lab.guest import Crowd

LIST = "jobs"  # and a hash of its content behind it: a command line a line
LOGS = "logs"
LARGEST_ARRAY = 1000  # of Slurm, whose MaxArraySize is 1001 if nobody has changed it
NOT_RUN = 255  # parallel: 1 to 101 are of the jobs
GRACE = 10  # seconds in which a job that is ended clears up
ENDING = "lab: the jobs that run are ended"


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


def carry_out(command: str, crowd: Crowd) -> None:
    """One job, to its end."""
    job = started(["sh", "-c", f"exec {command}"])
    crowd.add(job)
    _, said = job.communicate()
    crowd.remove(job)
    if said:  # by the shell: what the job says is in its log
        print(said, end="", file=sys.stderr)


def local(folder: Path, commands: list[str], settings: Settings) -> None:
    """On this machine, so many at once (1)."""
    crowd = Crowd()
    pool = ThreadPoolExecutor(settings.at_once or 1)
    futures = [pool.submit(carry_out, command, crowd) for command in commands]
    try:
        for future in futures:
            future.result()
    except BaseException:
        try:
            print(ENDING, file=sys.stderr)
            pool.shutdown(wait=False, cancel_futures=True)
            crowd.ask()
            wait([future for future in futures if not future.cancelled()], GRACE)
        finally:
            crowd.end()
        raise
    finally:
        pool.shutdown()


def parallel(folder: Path, commands: list[str], settings: Settings) -> None:
    """By GNU parallel, on this machine or on those that --sshlogin names."""
    needs("parallel", "parallel")
    words = ["parallel", "--halt=never", "--retries=3", f"--joblog={folder / 'joblog'}", f"--termseq=TERM,{GRACE * 1000},KILL,25",
             *([f"--jobs={settings.at_once}"] if settings.at_once else []), *(f"--sshlogin={login}" for login in settings.sshlogin),
             f"--arg-file={list_of(folder, commands)}"]
    process = started(words)
    try:
        _, said = process.communicate()
    except BaseException:
        print(ENDING, file=sys.stderr)
        while process.poll() is None:  # an older one starts no more jobs then, and ends those that run at the second
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=GRACE + 2)
        raise
    if process.returncode == NOT_RUN or process.returncode < 0:
        raise not_started("parallel", said, process.returncode)


def slurm(folder: Path, commands: list[str], settings: Settings) -> None:
    """As array jobs, whose tasks Slurm starts again where a node has died; waits for their end."""
    needs("sbatch", "slurm-client")
    for part in range(math.ceil(len(commands) / LARGEST_ARRAY)):
        first = part * LARGEST_ARRAY
        tasks = min(LARGEST_ARRAY, len(commands) - first)
        limit = f"%{settings.at_once}" if settings.at_once else ""
        line = f"exec sh -c \"$(sed -n \"$(({first} + SLURM_ARRAY_TASK_ID))p\" {shlex.quote(str(list_of(folder, commands)))})\""
        submitted(["sbatch", "--parsable", "--wait", "--requeue", f"--array=1-{tasks}{limit}", "--job-name=nsbench-history",
                   f"--output={folder / LOGS}/slurm-{first}-%a", "--open-mode=append", *settings.sbatch, f"--wrap={line}"])


def submitted(words: list[str]) -> None:
    """An array job, from sbatch's words to its end; one that is interrupted is cancelled. LabError where there is none."""
    process = started(words)
    assert process.stdout
    job = ""
    try:
        job = process.stdout.readline().strip()  # it says so at once, and then waits
        _, said = process.communicate()
    except BaseException:
        call_off(process, job)
        raise
    if not job:
        raise not_started(words[0], said, process.returncode)


def call_off(process: "subprocess.Popen[str]", job: str) -> None:
    """Cancels the array job of an sbatch that is interrupted, and ends sbatch: without a controller it tries for minutes."""
    assert process.stdout
    try:
        if not job and select.select([process.stdout], [], [], GRACE)[0]:
            job = process.stdout.readline().strip()
        if job:
            cancel(job)
    finally:
        process.kill()
        process.wait()
        if not job and process.returncode < 0:
            print("lab: sbatch named no job, and is ended; if it had submitted one, that goes on: squeue --me", file=sys.stderr)


def cancel(job: str) -> None:
    """Ends an array job, of which sbatch --parsable said NUMBER or NUMBER;CLUSTER, and says so; or that it goes on."""
    number, _, cluster = job.partition(";")
    words = ["scancel", *([f"--clusters={cluster}"] if cluster else []), number]
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", start_new_session=True,
                              timeout=GRACE)
        wrong = done.stderr.strip() or f"exit {done.returncode}" if done.returncode else ""
    except subprocess.TimeoutExpired:
        wrong = f"no answer within {GRACE} s"
    except OSError as error:
        wrong = str(error.strerror)
    print(f"lab: Slurm's job {number} goes on: {wrong.splitlines()[-1]}; {shlex.join(words)} ends it" if wrong
          else f"lab: Slurm's job {number} is cancelled", file=sys.stderr)


def started(words: list[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
                            start_new_session=True)


def not_started(program: str, said: str, code: int) -> LabError:
    lines = said.strip().splitlines() or [f"exit {code}"]
    return LabError(f"{program}: {lines[-1]}", FAILED)


ENGINES = {"local": local, "parallel": parallel, "slurm": slurm}
