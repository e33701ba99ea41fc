"""A kernel measured case by case, each in a copy of its own of each saved machine, into one result folder."""
import base64
import contextlib
import csv
import hashlib
import io
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from analysis import outputs
from lab import copies, guest, orders, saved
from lab.errors import FAILED, USAGE, LabError
from lab.states import State
from lab.variations import VARIATIONS

Files = dict[str, bytes]
FEW = 3  # machines that show a resolution at all


@dataclass(frozen=True)
class Subject:
    """What is measured on: saved machines of one kernel in one state, numbered by their variations from 1. Cases that the
    expression `everywhere` does not find are measured on the first three of them alone."""

    name: str
    state: State
    recipes: dict[int, saved.Recipe]
    everywhere: str = ""

    def takes(self, number: int, case: str) -> bool:
        """Whether the case is measured on the machine."""
        return number in sorted(self.recipes)[:FEW] or re.search(self.everywhere, case) is not None


@dataclass(frozen=True)
class Task:
    """One copy: of which machine, what it is to do, and the file without which it has not done it."""

    number: int
    case: str
    order: tuple[str, ...]
    gives: str = "run.json"

    def key(self, recipe: saved.Recipe) -> str:
        return f"{recipe.key} {hashlib.sha256(chr(0).join(self.order).encode()).hexdigest()[:16]}"


def subject(name: str, kernel: Path, kernel_sha256: str, machine: guest.Machine, state: State, base: bytes,
            numbers: range, everywhere: str = "", more: str = "") -> Subject:
    """The machines with these numbers (from 1, as in VARIATIONS). `more` is shell text for /init."""
    recipes = {}
    for number in numbers:
        variation = VARIATIONS[number - 1]
        one = variation.machine(machine)
        initrd = one.initrd("wait", [f"--clock={guest.CLOCKS[machine.accel]}", "--cpu=0"], base, more,
                            state=variation.script(state.script), settle=variation.settle, padding=variation.padding)
        recipes[number] = saved.Recipe(one, kernel, kernel_sha256, guest.qemu_version(), initrd,
                                       f"{name}, {state.name}, {variation}")
    return Subject(name, state, recipes, everywhere)


def tasks(plan: orders.Plan, subject: Subject) -> list[Task]:
    """A copy for each case and machine; with the probe, a second one for each case on the first machine."""
    found = [Task(number, case, tuple(plan.order(case, subject.state.name)))
             for number in subject.recipes for case in plan.every if subject.takes(number, case)]
    if plan.probed:
        first = min(subject.recipes)
        found += [Task(first, case, tuple(plan.order(case, subject.state.name, probe=True))) for case in plan.cases
                  if not case.startswith("runtime/")]
    return found


class Journal:
    """What copies gave back, on disk as soon as they have: a plan that is stopped goes on where it was."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.done: dict[str, Files] = {}
        with contextlib.suppress(FileNotFoundError), open(path) as file:
            for line in file:
                with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):  # one that a kill cut off
                    entry = json.loads(line)
                    self.done[entry["key"]] = {name: base64.b64decode(text) for name, text in entry["files"].items()}

    def add(self, key: str, files: Files) -> None:
        self.done[key] = files
        text = json.dumps({"key": key, "files": {name: base64.b64encode(data).decode() for name, data in files.items()}})
        with open(self.path, "a", opener=outputs.no_link) as file:
            file.write(("" if self.path.stat().st_size == 0 or self.ends() else "\n") + text + "\n")

    def ends(self) -> bool:
        """Whether the file ends in a whole line."""
        with open(self.path, "rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"


@contextlib.contextmanager
def ready(subject: Subject, pool: ThreadPoolExecutor, crowd: guest.Crowd,
          show: Callable[[str], None]) -> Iterator[dict[int, Path]]:
    """The folder of each machine, saved where it was not, by its number, and kept while this lasts."""
    with contextlib.ExitStack() as stack:
        def hold(number: int) -> Path:
            return stack.enter_context(saved.held(
                subject.recipes[number], crowd, lambda what: show(f"machine {number} of {len(subject.recipes)}: {what}")))
        futures = {number: pool.submit(hold, number) for number in subject.recipes}
        yield {number: future.result() for number, future in futures.items()}


def measure(every: list[Task], subject: Subject, journal: Journal, jobs: int,
            show: Callable[[str], None]) -> dict[Task, Files]:
    """What the copies gave back. LabError, with the case, where one came to no end; the others are in the journal then."""
    done = {task: journal.done[key] for task in every if (key := task.key(subject.recipes[task.number])) in journal.done}
    waiting = [task for task in every if task not in done]
    jobs = guest.side_by_side(jobs, subject.recipes[min(subject.recipes)].machine.memory)
    crowd = guest.Crowd()
    pool = ThreadPoolExecutor(jobs)
    try:
        with ready(subject, pool, crowd, show) as folders:
            begun, count = time.monotonic(), len(waiting)
            running: dict[Future[Files], Task] = {}
            while waiting or running:
                while waiting and len(running) < jobs:
                    task = waiting.pop(0)
                    running[pool.submit(copies.run, subject.recipes[task.number], folders[task.number], list(task.order),
                                        crowd)] = task
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    task = running.pop(future)
                    try:
                        files = future.result()
                    except LabError as error:
                        raise LabError(f"{task.case}: {error}", error.code, error.tail) from None
                    if task.gives not in files:
                        raise said(files)
                    done[task] = files
                    journal.add(task.key(subject.recipes[task.number]), files)
                finished = count - len(waiting) - len(running)
                left = (time.monotonic() - begun) / finished * (count - finished) if finished else 0
                show(f"{finished} of {count} copies, {int(left) // 60}:{int(left) % 60:02} left")
    except BaseException:
        crowd.end()
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()
    return done


def said(files: Files) -> LabError:
    """The error of a copy in which nsbench measured nothing."""
    text = files.get("stderr", b"").decode(errors="replace").strip().removeprefix("nsbench: ") or "it said nothing"
    status = int(files["status"]) if re.fullmatch(rb"\d{1,3}", files["status"]) else FAILED
    return LabError(f"nsbench in the guest: exit {status}: {text.splitlines()[-1]}",
                    USAGE if status == USAGE else FAILED)


def merge(plan: orders.Plan, done: dict[Task, Files], run_id: str) -> Files:
    """run.json and samples.csv of all copies as of one run, called `run_id`; with the probe also its files. LabError where a copy
    sent what is no run of nsbench's."""
    try:
        return _merged(plan, done, run_id)
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError, csv.Error) as error:
        raise LabError(f"a copy sent what is no run of nsbench's ({type(error).__name__}: {error})") from error


def _merged(plan: orders.Plan, done: dict[Task, Files], run_id: str) -> Files:
    """As merge() says.

    The record is the first copy's, but for what is of the whole: its cases, times, counts and warnings.
    """
    plain = {(task.number, task.case): files for task, files in done.items() if "--alone" in task.order}
    probing = {task.case: files for task, files in done.items() if "--alone" not in task.order}
    records = [json.loads(files["run.json"]) for files in plain.values()]
    record = records[0]
    record["options"]["selection"] = {"cases": list(plan.cases), "filter": None, "op": [], "ns": [], "with": {}, "curve": plan.curve,
                                      "plan": "default"}
    record["options"]["alone"] = False
    record["run_id"] = run_id
    unseen = [one["measuring"]["drain_unseen"] for one in records]
    record["measuring"]["drain_unseen"] = next((reason for reason in unseen if reason), None)
    every = [*records, *(json.loads(files["run.json"]) for files in probing.values())]  # why there is no probe, these alone know
    record["warnings"] = list(dict.fromkeys(warning for one in every for warning in one["warnings"]))
    for name in ("seconds", "warm_up_seconds", "drains", "drains_incomplete", "drained_samples"):
        record["measuring"][name] = sum(one["measuring"][name] for one in records)
    rows = []
    for case in plan.every:
        for number in sorted(number for number, other in plain if other == case):
            lines = plain[number, case]["samples.csv"].decode().splitlines()
            behind = len(lines[0].split(",")) - lines[0].split(",").index("machine")  # columns, it among them
            rows += [renamed(_on_machine(line, number, behind), run_id) for line in lines[1:]]
    record["measuring"]["sample_lines"] = len(rows)
    files = {"samples.csv": "\n".join([lines[0], *rows, ""]).encode()}
    if probing:
        files |= merge_probed(record, probing)
    files["run.json"] = (json.dumps(record, indent=2) + "\n").encode()
    return files


def _on_machine(line: str, number: int, behind: int) -> str:
    """A line of samples.csv with that number as its `machine`, which is 0 in the guest, and empty behind a failure. Only what
    stands before it may have a comma in quotes."""
    fields = line.rsplit(",", behind)
    if fields[1] == "0":
        fields[1] = str(number)
    return ",".join(fields)


def renamed(line: str, run_id: str) -> str:
    """A line of CSV whose first field is the run's id, with this one in its place."""
    return f"{run_id},{line.split(',', 1)[1]}"


def merge_probed(record: dict[str, object], probing: dict[str, Files]) -> Files:
    """probe.csv, memory.csv and others of all probing copies; their records go into `record`. A base that several have
    is taken from the first."""
    first = json.loads(next(iter(probing.values()))["run.json"])["probe"]
    if first == "off":
        record["probe"] = first
        return {}
    seen: dict[str, str] = {}  # case → of which copy
    merged: dict[str, list[str]] = {}
    cases, notes, seconds = [], [], 0.0
    for case, files in probing.items():
        probe = json.loads(files["run.json"])["probe"]
        notes += probe["notes"]
        seconds += probe["seconds"]
        for one in probe["cases"]:
            if seen.setdefault(one["case"], case) == case:
                cases.append({**one, "cost_of_a_traced_call": probe["cost_of_a_traced_call"]})
        for name in ("probe.csv", "memory.csv"):
            text = files[name].decode()
            reader = csv.DictReader(io.StringIO(text))
            lines = text.splitlines()
            own = [renamed(line, str(record["run_id"])) for line, row in zip(lines[1:], reader) if seen.get(row["case"]) == case]
            merged[name] = [*merged.get(name, lines[:1]), *own]
    record["probe"] = {**first, "cases": cases, "notes": list(dict.fromkeys(notes)), "seconds": seconds}
    found = {name: "\n".join([*lines, ""]).encode() for name, lines in merged.items()}
    for case, files in probing.items():
        for name in files:
            if name.endswith(".folded"):  # a line's first frame is its case
                stacks = [line for line in files[name].splitlines(True) if seen.get(line.split(b";")[0].decode()) == case]
                found[name] = found.get(name, b"") + b"".join(stacks)
    found["probe.txt"] = probe_text({case: files["probe.txt"].decode() for case, files in probing.items()}).encode()
    return found


def probe_text(printed: dict[str, str]) -> str:
    """What the probe printed in each case's copy, with its closing lines at the end: once where all copies said the same,
    and else with the cases that did. How long it took says nothing of a copy."""
    body = ""
    closing: dict[str, list[str]] = {}
    for case, text in printed.items():
        for line in text.splitlines(True):
            if line.startswith("probe: "):
                closing.setdefault(re.sub(r"; [\d.]+ s$", "", line.removeprefix("probe: ").rstrip()), []).append(case)
            else:
                body += line
    said = [f"probe: {line}" if len(cases) == len(printed) else f"probe: {line} ({', '.join(cases)})"
            for line, cases in closing.items()]
    return "\n".join([body.rstrip("\n"), "", *said, ""])


def summarise(files: Files, plan: orders.Plan) -> tuple[int, str, str]:
    """Makes results.csv of the merged files, by nsbench's own statistics. Its exit code, and what it printed."""
    showing = [word for word in plan.rest if word.split("=")[0] in ("--sort", "--quiet", "--all", "--format")]
    with tempfile.TemporaryDirectory(prefix="nsbench-lab-") as name:
        folder = Path(name)
        for one in ("run.json", "samples.csv"):
            (folder / one).write_bytes(files[one])
        done = orders.nsbench("summary", name, *showing)
        if not (folder / "results.csv").exists():
            raise LabError(f"nsbench summary: {done.stderr.strip() or f'exit {done.returncode}'}")
        files["results.csv"] = (folder / "results.csv").read_bytes()
    probe = files.pop("probe.txt", b"").decode()
    return done.returncode, done.stdout + ("\n" + probe if probe else ""), done.stderr
