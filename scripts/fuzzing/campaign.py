"""Runs the targets of src/fuzz/targets.def under clang's libFuzzer, some at a time, and says what they came to."""
import argparse
import contextlib
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.options import Parser
from analysis.script import Unreadable, main
from fuzzing.words import dictionary

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "fuzz"
CORPUS = ROOT / "src" / "fuzz" / "corpus"
TARGET = re.compile(r'^NSB_TARGET\((\w+), [\w ]+, "(.*)"\)$', re.MULTILINE)
# Of one input. What ASan adds (shadows, what was freed last) is in the second of the limits of memory alone.
SECONDS, MIB, MIB_WITH_ASAN = 10, 512, 1536
LONGEST = 8192  # bytes of an input
# An input is no longer than so many of the longest that is kept, and no shorter than that: long ones of short grammars tell nothing.
TIMES, SHORTEST = 3, 96
# Trees of files are made in memory. What a sanitizer sees ends the target, as a finding.
ENVIRONMENT = {**({"TMPDIR": "/dev/shm"} if os.path.isdir("/dev/shm") else {}),
               "ASAN_OPTIONS": "quarantine_size_mb=16:detect_leaks=1:allocator_may_return_null=0", "UBSAN_OPTIONS": "print_stacktrace=1"}
QUICK = 0.1  # of the executions a second of the quickest target
LARGEST = 2**31  # libFuzzer's numbers are below it
LONGEST_TIME = 24 * 3600  # s, of one round of those that go on
UNITS = {"s": 1, "m": 60, "h": 3600}
ENDING = (signal.SIGTERM, signal.SIGHUP)  # end it as an interrupt does, and with it the targets that run


def targets() -> dict[str, str]:
    """What each reads, by name."""
    return dict(TARGET.findall((ROOT / "src" / "fuzz" / "targets.def").read_text()))


@dataclass(frozen=True)
class Told:
    """What a target came to. `kept` are the inputs of this time that reached code which no other had. `cpu` are seconds of CPU time,
    since how fast a target is should not depend on what else runs."""

    name: str
    executions: int
    seconds: float
    cpu: float
    edges: int
    kept: int
    findings: list[Path]
    code: int

    @property
    def is_good(self) -> bool:
        return not self.findings and self.code == 0

    def line(self) -> str:
        """A row of the table."""
        rate = self.executions / self.cpu if self.cpu else 0
        return (f"{self.name:<13} {self.executions:>12,} {self.cpu:>7.0f} {rate:>9,.0f} {self.edges:>7} {self.kept:>6} "
                f"{len(self.findings) or ('-' if self.code == 0 else f'code {self.code}'):>9}")


@dataclass
class Running:
    """A target that runs, and the file that has what it says."""

    name: str
    process: "subprocess.Popen[bytes]"
    begun: float
    log: Path

    def told(self) -> Told | None:
        """When it has ended."""
        pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
        if pid == 0:
            return None
        self.process.returncode = os.waitstatus_to_exitcode(status)
        text = self.log.read_text(errors="replace")

        def last(pattern: str) -> int:
            numbers = re.findall(pattern, text)
            return int(numbers[-1]) if numbers else 0
        executions = last(r"number_of_executed_units: +(\d+)") or last(r"(?m)^#(\d+)")
        new = [Path(path) for path in re.findall(r"Test unit written to (.+)$", text, re.MULTILINE)]
        seconds = time.monotonic() - self.begun
        return Told(self.name, executions, seconds, usage.ru_utime + usage.ru_stime, last(r" cov: (\d+)"),
                    last(r"new_units_added: +(\d+)"), new, self.process.returncode)


def start(build: Path, name: str, seconds: int, seed: int) -> Running:
    """Begins with the target: what it has reached before, and what is kept in the tree, it goes on from."""
    grown, findings, log = build / "corpus" / name, build / "findings" / name, build / "findings" / f"{name}.log"
    for folder in (grown, findings):
        folder.mkdir(parents=True, exist_ok=True)
    program = build / f"fuzz-{name}"
    if not program.exists():
        raise Unreadable(f"{program}: is not built: scripts/fuzz builds it")
    words = build / "words.dict"
    longest = min(LONGEST, max(SHORTEST, TIMES * max(path.stat().st_size for path in (CORPUS / name).iterdir())))
    with open(log, "wb") as said:
        process = subprocess.Popen(
            [program, f"-max_total_time={seconds}", f"-seed={seed}", f"-timeout={SECONDS}", f"-malloc_limit_mb={MIB}",
             f"-rss_limit_mb={MIB_WITH_ASAN}", f"-max_len={longest}", f"-dict={words}", f"-artifact_prefix={findings}/",
             "-print_final_stats=1", grown, CORPUS / name],
            stdout=said, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=findings, env={**os.environ, **ENVIRONMENT})
    return Running(name, process, time.monotonic(), log)


def run(build: Path, names: Sequence[str], seconds: int, jobs: int, seed: int) -> Generator[Told, None, None]:
    """So many targets at a time, each as it has ended. All of them end with this."""
    waiting, running = list(names), list[Running]()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(start(build, waiting.pop(0), seconds, seed))
            time.sleep(0.1)
            for one in list(running):
                if (told := one.told()) is not None:
                    running.remove(one)
                    yield told
    finally:
        for one in running:
            one.process.kill()
        for one in running:
            one.process.wait()


def further(told: Sequence[Told], executions: int) -> tuple[list[str], int]:
    """Where the targets came to fewer executions than asked for: which are to go on, and for how many seconds each. It is those
    that found nothing and are quick: a slow one has had its time, and a million more of it takes hours."""
    missing = executions - sum(one.executions for one in told)
    last = {one.name: one for one in told}
    rates = {name: one.executions / one.cpu if one.is_good and one.cpu else 0.0 for name, one in last.items()}
    least = QUICK * max(rates.values())
    quick = [last[name] for name, rate in rates.items() if rate >= least > 0]
    if missing <= 0 or not quick:
        return [], 0
    in_a_second = sum(one.executions / max(one.seconds, 1) for one in quick)  # beside what else runs
    return [one.name for one in quick], min(math.ceil(missing / in_a_second), LONGEST_TIME)


def seconds_of(text: str) -> int:
    """30s, 10m, 2h."""
    found = re.fullmatch(r"(\d{1,6})([smh])", text)
    if not found or int(found[1]) == 0:
        raise argparse.ArgumentTypeError(f"{text!r}: a time such as 30s, 10m or 2h is needed")
    return int(found[1]) * UNITS[found[2]]


def positive(text: str) -> int:
    """A whole number from 1 on."""
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < LARGEST):
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number from 1 on, below 2³¹, is needed")
    return int(text)


def executions(text: str) -> int:
    """A whole number from 1 on, however large."""
    if not (text.isascii() and text.isdecimal() and len(text) < 19 and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number from 1 on is needed")
    return int(text)


def campaign(words: list[str]) -> int:
    """Runs what the words ask for. 1 where something was found."""
    known = targets()
    parser = Parser("scripts/fuzz", description="Gives each reader input that is made up as the code that it reaches says.")
    parser.add_argument("--for", dest="seconds", type=seconds_of, default=30, metavar="TIME", help="each target so long (30s)")
    parser.add_argument("--executions", type=executions, default=0, metavar="N",
                        help="so many in all: after that time, the quick ones go on")
    parser.add_argument("--target", action="append", choices=known, metavar="NAME", help="this one alone; may be given several times")
    parser.add_argument("--jobs", type=positive, default=1, metavar="N", help="so many targets at a time (%(default)s)")
    parser.add_argument("--seed", type=positive, default=1, metavar="N", help="of what is made up (%(default)s)")
    parser.add_argument("--list", action="store_true", help="says what targets there are, and what they read")
    parser.add_argument("--build", type=Path, default=BUILD, help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    if options.list:
        print("\n".join(f"{name:<13} {reads}" for name, reads in known.items()))
        return 0
    for ending in ENDING:
        if signal.getsignal(ending) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(ending, signal.default_int_handler)
    options.build.mkdir(parents=True, exist_ok=True)
    (options.build / "words.dict").write_text(dictionary())
    print(f"{'target':<13} {'executions':>12} {'CPU s':>7} {'per CPU s':>9} {'edges':>7} {'kept':>6} {'findings':>9}", flush=True)
    told = list[Told]()
    names, seconds, seed = options.target or list(known), options.seconds, options.seed
    while names:
        with contextlib.closing(run(options.build.resolve(), names, seconds, options.jobs, seed)) as ended:
            for one in ended:
                told.append(one)
                print(one.line(), flush=True)
                for path in one.findings:
                    print(f"  found: {options.build / f'fuzz-{one.name}'} {path}", flush=True)
        names, seconds = further(told, options.executions)
        seed += 1  # with the same one, it would be made up once more
    print(f"{'all':<13} {sum(one.executions for one in told):>12,} {sum(one.cpu for one in told):>7.0f}")
    bad = [one for one in told if not one.is_good]
    for one in bad:
        print(f"{one.name}: what it said: {options.build / 'findings' / f'{one.name}.log'}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    main(campaign, "fuzz")
