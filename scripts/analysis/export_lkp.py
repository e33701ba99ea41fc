"""A folder for Intel's LKP (lkp-tests), laid out as its own tree: a program that runs nsbench and makes `key: value` of each
row, and a job that measures what a run measured."""
import json
from pathlib import Path

from analysis.exports import Wanted
from analysis.read import Run
from analysis.record import Options, Selection
from analysis.script import Unreadable

PROGRAM = Path(__file__).resolve().parent / "lkp"
FILES = ("meta.yaml", "parse", "run")


def selection(run: Run) -> str:
    """The options that select the run's cases. Unreadable where one has a blank: the job takes them as words."""
    options = run.info.get("options", Options())
    found = options.get("selection", Selection())
    words = [f"--{plan}"] if (plan := found.get("plan", "default")) != "default" else []
    words += [f"--case={case}" for case in found.get("cases", [])]
    if (pattern := found.get("filter")) is not None:
        words.append(f"--filter={pattern}")
    words += [f"--op={','.join(operations)}"] if (operations := found.get("op")) else []
    words += [f"--ns={namespaces}" for namespaces in found.get("ns", [])]
    words += [f"--with={key}:{','.join(values)}" for key, values in found.get("with", {}).items()]
    words += [f"--curve={curve}"] if (curve := found.get("curve")) else []
    numbers = {"samples": options.get("samples"), "lead-in": options.get("lead_in"), "block": options.get("block")}
    words += [f"--{name}={value}" for name, value in numbers.items() if value is not None]
    if wrong := next((word for word in words if len(word.split()) != 1), None):
        raise Unreadable(f"{run.path}: {wrong!r} has a blank, which a job of LKP cannot hold")
    return " ".join(words)


def job(run: Run) -> str:
    """The job, as YAML: a JSON text is one of YAML's."""
    options = run.info.get("options", Options())
    members = {"selection": chosen} if (chosen := selection(run)) else {}
    if (budget := options.get("budget_s")) is not None:
        members["budget"] = f"{budget:g}s"
    if "precision" in options:
        members["precision"] = f"{options['precision'] * 100:g}%"
    if "seed" in options:
        members["seed"] = str(options["seed"])
    lines = ["suite: nsbench", "testcase: nsbench", "category: benchmark", "", "nsbench:"]
    return "\n".join([*lines, *(f"  {name}: {json.dumps(value)}" for name, value in members.items()), ""])


def files_of(run: Run, _: Wanted) -> dict[str, str]:
    """The folder's files by their paths. Unreadable for a run whose options are not known, or are of the lab."""
    if run.clock != "wall":
        raise Unreadable(f"{run.path}: was measured by the clock {run.clock}, which LKP's machines do not have")
    if not run.info:
        raise Unreadable(f"{run.path}: has no run.json beside it: what it measured is not known")
    texts = {f"programs/nsbench/{name}": (PROGRAM / name).read_text(encoding="utf-8") for name in FILES}
    return texts | {"jobs/nsbench.yaml": job(run)}
