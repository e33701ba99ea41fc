"""Jobs carried out by an engine, and what they gave, its hash checked."""
import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from analysis import outputs
from lab.errors import LabError
from lab.history import engines, job, plan
from lab.history.plan import Job


def collected(folder: Path, keys: Iterable[str]) -> tuple[dict[str, dict[str, object]], list[str]]:
    """What is in the files of these jobs, by key, and those without a file. A file that is not whole is said, and counts as none."""
    found: dict[str, dict[str, object]] = {}
    missing = []
    for key in keys:
        path = folder / f"{key}.json"
        try:
            if path.exists():
                found[key] = job.opened(path)
                continue
        except LabError as error:
            print(f"lab: {error}", file=sys.stderr)
            path.unlink()
        missing.append(key)
    return found, missing


def carry_out(every: list[Job], chosen: plan.Plan, digest: str, options: argparse.Namespace) -> dict[Job, dict[str, object]]:
    """What the jobs gave, of those that came to their end; in the folder of work, what an earlier call left is used."""
    folder = options.work.resolve() / "results"
    folder.mkdir(parents=True, exist_ok=True)
    keys = {one: one.key(digest) for one in every}
    _, missing = collected(folder, keys.values())
    waiting = [one for one in every if keys[one] in missing]
    if waiting:
        commands = [plan.command(one, chosen, digest, folder / f"{keys[one]}.json") for one in waiting]
        engines.write_list(options.work.resolve(), commands)
        print(f"lab: {len(waiting)} jobs, {options.work / engines.LIST}", file=sys.stderr)
        settings = engines.Settings(options.at_once, tuple(options.sshlogin), tuple(options.sbatch))
        engines.ENGINES[options.engine](options.work.resolve(), commands, settings)
    found, missing = collected(folder, keys.values())
    for one in every:
        if keys[one] in missing:
            print(f"lab: {one.name}: {said_of(one, waiting, options.work)}", file=sys.stderr)
    return {one: found[keys[one]] for one in every if keys[one] in found}


def said_of(one: Job, waiting: list[Job], work: Path) -> str:
    """The last line of a job's log."""
    number = waiting.index(one) + 1
    logs = [work / engines.LOGS / name for name in (f"{number}", f"{number}.seq", f"{number}/stderr", f"0-{number}")]
    text = next((path.read_text(errors="replace").strip() for path in logs if path.is_file()), "")
    return text.splitlines()[-1].removeprefix("lab: ") if text else "it gave no result"


def write_json(path: Path, content: object) -> None:
    outputs.replace(path, (json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode())
