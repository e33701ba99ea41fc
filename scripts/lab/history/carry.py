"""Jobs carried out by an engine, and what they gave, its hash checked."""
import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from analysis import outputs
from lab.errors import FAILED, LabError
from lab.history import engines, job, plan
from lab.history.plan import Job

FAILED_JOBS = "failed"  # in the folder of work: the keys of those that gave nothing the last time


def check(one: Job, digest: str, content: dict[str, object]) -> None:
    """LabError where a file is not what the job gives: another plan, kernel or case."""
    if content.get("plan") != digest:
        raise LabError(f"it is of plan {content.get('plan')}, and not of {digest}")
    if one.profile:
        stacks = content.get("stacks")
        cases = set(stacks) if isinstance(stacks, dict) else set()
        if not isinstance(content.get("figures"), dict):
            raise LabError("it has no figures beside the stacks: an older lab made it")
    else:
        rows = job.rows_of(content)
        wrong = next((row for row in rows if row.of != one.of or row.plan != digest or row.kernel_sha256 != content.get("kernel")), None)
        if wrong:
            raise LabError(f"it is of {wrong.kernel} {wrong.version} by plan {wrong.plan}, and not of {one.name} {one.of[1]} by {digest}")
        cases = {row.case for row in rows}
    asked = set(one.cases)
    others = {case for case in cases - asked if case.split("/")[1] != "none"}  # what a case is compared with comes with it
    if not asked <= cases or others:
        raise LabError(f"its cases are not those of the job: {', '.join(sorted(asked - cases | others))}")


def collected(folder: Path, keys: Mapping[Job, str], digest: str) -> tuple[dict[Job, dict[str, object]], list[Job]]:
    """What is in the files of these jobs, and those without a file. A file that is not whole, or another job's, is said and removed."""
    found: dict[Job, dict[str, object]] = {}
    missing = []
    for one, key in keys.items():
        path = path_of(folder, key)
        try:
            if path.exists():
                content = job.opened(path)
                check(one, digest, content)
                found[one] = content
                continue
        except LabError as error:
            print(f"lab: {path.name}: {error}", file=sys.stderr)
            path.unlink()
        missing.append(one)
    return found, missing


def carry_out(every: list[Job], chosen: plan.Plan, digest: str, options: argparse.Namespace) -> dict[Job, dict[str, object]]:
    """What the jobs gave, of those that came to their end; in the folder of work, what an earlier call left is used. LabError where the
    engine is not on this machine; one that fails is said, and what came of it counts."""
    work = options.work.resolve()
    folder = work / "results"
    folder.mkdir(parents=True, exist_ok=True)
    keys = {one: one.key(digest) for one in every}
    _, waiting = collected(folder, keys, digest)
    if waiting:
        plan.mean(folder, digest, chosen.about())
        for one in waiting:
            log_of(work, keys[one]).unlink(missing_ok=True)
        commands = [engines.logged(plan.command(one, chosen, digest, path_of(folder, keys[one])), log_of(work, keys[one]))
                    for one in waiting]
        print(f"lab: {len(waiting)} jobs, {engines.write_list(work, commands)}", file=sys.stderr)
        settings = engines.Settings(options.at_once, tuple(options.sshlogin), tuple(options.sbatch))
        try:
            engines.ENGINES[options.engine](work, commands, settings)
        except LabError as error:
            if error.code != FAILED:
                raise
            print(f"lab: {error}", file=sys.stderr)
    found, missing = collected(folder, keys, digest)
    for one in missing:
        print(f"lab: {one.name}: {said_of(work, keys[one])}", file=sys.stderr)
    failed = (failed_before(options.work) - set(keys.values())) | {keys[one] for one in missing}
    write_json(options.work / FAILED_JOBS, sorted(failed))
    return found


def path_of(folder: Path, key: str) -> Path:
    """Where a job puts what it gives."""
    return folder / f"{key}.json"


def log_of(work: Path, key: str) -> Path:
    """What a job says."""
    return work / engines.LOGS / key


def failed_before(work: Path) -> set[str]:
    """The keys of jobs that gave nothing the last time that they were carried out."""
    try:
        found = json.loads((work / FAILED_JOBS).read_bytes())
    except (OSError, ValueError):
        return set()
    return {key for key in found if isinstance(key, str)} if isinstance(found, list) else set()


def failed_last(every: Iterable[Job], digest: str, work: Path) -> list[Job]:
    """The jobs with those behind all others that failed the last time: a few at a time, they would be the first each time."""
    failed = failed_before(work)
    return sorted(every, key=lambda one: one.key(digest) in failed)


def said_of(work: Path, key: str) -> str:
    """The last line of a job's log."""
    try:
        text = log_of(work, key).read_text(errors="replace").strip()
    except FileNotFoundError:
        text = ""
    return text.splitlines()[-1].removeprefix("lab: ") if text else "it gave no result"


def write_json(path: Path, content: object) -> None:
    outputs.replace(path, (json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode())
