"""The jobs of nsbench that faults are tried on: what is run, and what it has to have told where it says that all went well."""
import csv
import io
import json
import math
import re
import resource
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.exact import MEASURED
from analysis.script import Unreadable

IN_USERNS = "in a user namespace"  # in a run's facts: each set had one
OUT = "{out}"  # in a job's words: the folder that it writes to
SMALL = ("--samples=2", "--block=1", "--quiet", f"--out={OUT}")


@dataclass(frozen=True)
class Told:
    """What a run said."""

    code: int
    out: str
    err: str
    folder: Path  # what it wrote, if anything


def nothing(_: Told) -> str:
    """No reason is told but on standard error."""
    return ""


Facts = dict[str, str]  # what a whole run has: a name for each thing, and what has to be the same each time


@dataclass(frozen=True)
class Job:
    """`facts` tells what a run has, `complaints` what is wrong with one, however it ended. Both throw Unreadable for what is
    not whole. `given` are the words of a run that has been made before, for which it is the folder."""

    name: str
    words: tuple[str, ...]
    facts: Callable[[Told], Facts]
    # That a run may take: an answer is waited for 10 s (src/run/sampler.cpp), more than one may be, and others may have the CPUs.
    seconds: float = 120
    given: tuple[str, ...] = ()
    own_codes: tuple[int, ...] = field(default=(0,))  # that say that all went well
    refusals: tuple[int, ...] = ()  # that say that its command cannot be started
    is_for_kills: bool = False  # alone: it takes long enough to be met within, and is no other work than another job's
    is_surrounded: bool = False  # it goes on until it is stopped, and most of its time a condition is set up or taken down
    reasons: Callable[[Told], str] = nothing  # what its output, but for files, says of why it did not go well
    is_alone: bool = False  # one at a time, since it changes what is the machine's
    runs_command: bool = False  # and ends with its code, or 128 and the signal that ended it


def text_of(told: Told) -> Facts:
    """All of the text is the same each time."""
    return {"standard output": told.out}


def findings_of(told: Told) -> Facts:
    """The doctor's findings, by their names; what they say may be that something cannot be read."""
    found = {words[1]: "" for line in told.out.splitlines() if len(words := line.split()) > 1
             and words[0] in ("ok", "note", "warning", "problem", "unknown")}
    if not told.out.strip().splitlines()[-1:] or not re.search(r"\b(median|not measured)\b", told.out):
        raise Unreadable("the doctor did not come to its end")
    return found


def verdicts_of(told: Told) -> Facts:
    """verify's checks. One that says that a kind does not isolate is wrong: a call that failed is no evidence."""
    rows = list(csv.DictReader(io.StringIO(told.out)))
    if wrong := next((row for row in rows if row["verdict"] == "failed"), None):
        raise Unreadable(f"verify: {wrong['check']} is said not to isolate: {wrong['reason']}")
    return {row["check"]: "" for row in rows}


def errors_of(told: Told) -> str:
    """The reasons of verify's checks that did not come to a verdict."""
    rows = csv.DictReader(io.StringIO(told.out))
    return "\n".join(row["reason"] or "" for row in rows if row.get("verdict") == "error")


def _figures_of(rows: "list[dict[str, Any]]") -> Facts:
    """The samples of each row with figures; the rows without have none, and a reason."""
    found = {}
    for row in rows:
        name = f"{row['case']} {row['phase']}"
        if row["status"] in MEASURED:
            # How many are seen of what the kernel does later is not for a run to say. Of repeats: of each that the row has, whose
            # number it tells; one in which it was skipped is none of them.
            samples = row["samples"] / (1 if math.isnan(row["repeats"]) else row["repeats"])
            found[name] = f"{samples:g}" if row["phase"] != "drain" else ""
            continue
        if not math.isnan(row["median"]):
            raise Unreadable(f"{name} is {row['status']} and has a median")
        if not row["reason"]:
            raise Unreadable(f"{name} is {row['status']} without a reason")
        found[name] = row["status"]
    return found


def rows_of(told: Told) -> Facts:
    """The rows of the run in the folder, with their samples."""
    from analysis import columns, read  # pandas, for which --help does not wait
    if parts := sorted(path.name for path in told.folder.glob("**/.part-*")):
        raise Unreadable(f"{parts[0]} was left")
    if not (told.folder / "run.json").exists():
        if alone := sorted(path.name for path in told.folder.glob("*.csv")):
            raise Unreadable(f"{alone[0]} is there, and no run.json")
        return {}
    if told.code != 0 and not any(told.folder.glob("*.csv")):
        return {}  # before the first round: --resume begins there
    run = read.read_run(told.folder)
    samples = run.samples
    if samples is None:
        raise Unreadable("run.json is there, and no samples.csv")
    if samples.loc[samples["errno"] != "", columns.phases()].notna().any(axis=None):
        raise Unreadable("a sample that failed has a time")
    return _figures_of(run.results.to_dict("records")) | ({IN_USERNS: ""} if run.info.get("in_userns") else {})


def benchmarks_of(told: Told) -> Facts:
    """The entries of Google Benchmark's JSON; one that failed, or was skipped, has no time."""
    try:
        entries = json.loads(told.out)["benchmarks"]
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable(f"benchmark: its JSON is not whole: {error}") from error
    if wrong := next((one for one in entries if one.get("error_occurred") and one.get("real_time")), None):
        raise Unreadable(f"benchmark: {wrong['name']} failed and has a time")
    found = {one["name"]: one["error_message"].partition(":")[0] if one.get("error_occurred") else "1" for one in entries}
    return found | ({IN_USERNS: ""} if any("NEWUSER" in name for name in found) else {})


def error_messages_of(told: Told) -> str:
    """Of the entries of Google Benchmark's JSON, also where it broke off."""
    return "\n".join(re.findall(r'"error_message": "(.+)"', told.out))


def early_end_of(told: Told) -> str:
    """What churn says of workers that did not stay."""
    return "\n".join(re.findall(r".*(?:ended before their time|the process of the workers was killed).*", told.out))


def load_of(told: Told) -> Facts:
    """churn's files: its parts. Each file is whole, or not there."""
    from analysis import files
    try:
        files.json_of(told.folder / "churn.json")
        found = files.table(told.folder / "churn.csv")
    except FileNotFoundError:
        return {}
    found.need(["part", "operations"], "churn.csv")
    place = found.header.index("part")
    return {fields[place]: "" for fields in found.rows()}


def _measuring(name: str, *words: str, given: tuple[str, ...] = ()) -> Job:
    return Job(name, words, rows_of, given=given)


def _surrounded(name: str, *conditions: str) -> Job:
    """A block is one sample, and the rest its condition."""
    words = ("--op=clone", "--ns=none", "--stack=1M", "--block=1", "--lead-in=1", "--alone", "--budget=600s", "--precision=0.001%",
             "--quiet", "--no-progress", f"--out={OUT}", *conditions)
    return Job(f"with {name}", words, rows_of, own_codes=(), is_for_kills=True, is_surrounded=True)


# So many that most of a block's time is their setting up and taking down.
LEVELS = {"mounts": "2000", "peers": "300", "netns": "60", "dying": "60", "pidns": "300", "procs": "500", "rss": "96M",
          "fds": str(min(20_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] // 2)), "depth": "8", "cgroups": "200"}
FEW = {"mounts": "50", "peers": "20", "netns": "5", "dying": "5", "pidns": "5", "procs": "20", "rss": "4M", "fds": "200", "depth": "2",
       "cgroups": "20"}
INSIDE = "echo inside; exit 7"
TINY = ("--op=clone", "--ns=none", "--ns=uts", "--stack=1M")
JOBS = (
    Job("version", ("--version",), text_of),
    Job("list", ("list",), text_of),
    Job("dictionary", ("dictionary",), text_of),
    # 1: nothing is wrong but that a busy machine leaves it no time to measure.
    Job("doctor", ("doctor",), findings_of, own_codes=(0, 1)),
    Job("verify", ("verify", "--format=csv"), verdicts_of, reasons=errors_of),
    Job("exec", ("exec", "--ns=all", "--proc", "--hostname=box", "--net-lo", "--map-root", "--", "/bin/sh", "-c", INSIDE), text_of,
        own_codes=(7,), refusals=(126, 127), runs_command=True),
    _measuring("clone", "--op=clone,clone3", "--ns=none", "--ns=all", "--stack=1M", *SMALL),
    _measuring("vm", "--op=clone", "--ns=uts", "--stack=1M", "--spawn=vm", "--with=touch:all", *SMALL),
    _measuring("unshare", "--op=unshare", "--ns=net", "--ns=mnt,pid", *SMALL),
    _measuring("setns", "--op=setns", "--ns=uts", "--ns=net", "--with=via:nsfd,pidfd", *SMALL),
    _measuring("proc_remount", "--op=proc_remount", "--stack=1M", "--with=via:mount,fsmount", *SMALL),
    _measuring("userns_map", "--op=userns_map", *SMALL),
    _measuring("container", "--op=container", *SMALL),
    _measuring("mount_ns", "--op=mount_ns", *SMALL),
    _measuring("cgroup", "--op=cgroup", *SMALL),
    _measuring("veth", "--op=veth", "--with=bridged:no,yes", *SMALL),
    _measuring("mountinfo", "--op=mountinfo", *SMALL),
    _measuring("runtime", "--op=runtime", *SMALL),
    _measuring("conditions", "--op=clone", "--ns=uts", "--stack=1M", "--with=mounts:2", "--with=netns:1", "--with=fds:2",
               "--with=procs:1", *SMALL),
    _measuring("cgroups", "--op=clone", "--ns=uts", "--stack=1M", "--with=cgroups:2", *SMALL),
    _measuring("parallel", *TINY, "--parallel=2", *SMALL),
    _measuring("threads", *TINY, "--parallel=2", "--with=workers:threads", *SMALL),
    _measuring("repeat", *TINY, "--repeat=3", *SMALL),
    _measuring("resume", f"--resume={OUT}", "--budget=100ms", "--quiet", given=(*TINY, *SMALL)),
    _measuring("summary", "summary", OUT, "--quiet", given=(*TINY, *SMALL)),
    _measuring("probe", *TINY, "--probe", *SMALL),
    Job("inside", ("exec", "--ns=all", "--proc", "--", "/bin/sh", "-c", "sleep 0.3 & sleep 0.3; wait"), text_of, refusals=(126, 127),
        is_for_kills=True, runs_command=True),
    Job("prepare", ("doctor", "--prepare", "--leave=governor,turbo,irq_affinity,cpuset,smt", "--", "/bin/sleep", "0.2"), text_of,
        refusals=(126, 127), is_alone=True, runs_command=True),
    Job("benchmark", ("benchmark", *TINY, "--benchmark_min_time=0.002", "--benchmark_format=json"), benchmarks_of,
        reasons=error_messages_of),
    Job("churn", ("churn", "--ns=uts", "--for=200ms", "--drain=50ms", "--quiet", f"--out={OUT}"), load_of, reasons=early_end_of),
    *(_surrounded(key, f"--with={key}:{level}") for key, level in LEVELS.items()),
    _surrounded("all", *(f"--with={key}:{level}" for key, level in FEW.items())),
)
BY_NAME = {job.name: job for job in JOBS}
