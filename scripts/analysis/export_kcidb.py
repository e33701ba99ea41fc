"""A run as reports for KCIDB, the database of kernel test results: schema 5.3, where a test may have a number.

A build is needed, since a test is of one. Where the kernel was built and reported by a CI, its build's id is given; else the
run reports the kernel that it ran on as a checkout and a build of which nothing but the release is known.
"""
import json
import re

from analysis.exact import MEASURED
from analysis.exports import Wanted
from analysis.read import Run
from analysis.script import Unreadable

VERSION = {"major": 5, "minor": 3}
ORIGIN, BUILD = re.compile(r"[a-z0-9_]+"), re.compile(r"[a-z0-9_]+:[^\0]*")
STATUS = {"skipped": "SKIP", "failed": "ERROR"}  # of rows without figures; a performance figure is DONE, which judges nothing
EXCERPT = 16384  # characters, the longest that the schema takes
FIGURES = ("ci_low", "ci_high", "p99", "samples", "delta", "delta_low", "delta_high")


def path_of(case: str, phase: str) -> str:
    """nsbench.clone.NEWPID.stack_1M.create: dots between letters, digits, _ and -."""
    parts = [re.sub(r"[^A-Za-z0-9_-]", "_", part) for part in (*case.split("/"), phase)]
    return ".".join(["nsbench", *parts])


def _number(value: float, run: Run) -> dict[str, object]:
    if run.clock == "wall":
        return {"value": value / 1e9, "unit": "s", "prefix": "metric"}
    return {"value": value, "unit": run.unit, "prefix": "metric"}


def _test(row: dict[str, object], run: Run) -> dict[str, object]:
    case, phase, status = str(row["case"]), str(row["phase"]), str(row["status"])
    test: dict[str, object] = {"path": path_of(case, phase), "comment": f"{case} {phase}"}
    misc = {"clock": run.clock, "status": status, "unit": run.unit}
    if status in MEASURED:
        figures = {name: row[name] for name in FIGURES if row[name] == row[name]}  # no NaN
        return test | {"status": "DONE", "number": _number(float(str(row["median"])), run), "misc": misc | figures}
    return test | {"status": STATUS[status], "log_excerpt": f"{row['errno']} {row['reason']}".strip()[:EXCERPT], "misc": misc}


def _kernel(run: Run, origin: str, build: str) -> dict[str, object]:
    """What is reported of a kernel that nobody else reports."""
    about = {"origin": origin, "comment": f"the kernel that ran, {run.kernel}: where it comes from is not known"}
    name = run.environment.get("architecture", "")
    architecture = {"architecture": name} if re.fullmatch(r"[a-z0-9_]+", name) else {}
    return {"checkouts": [{"id": build, "valid": True} | about],
            "builds": [{"id": build, "checkout_id": build, "status": "PASS"} | about | architecture]}


def files_of(run: Run, wanted: Wanted) -> dict[str, str]:
    """The JSON. Unreadable for a name that is none."""
    origin, build = wanted.origin, wanted.build_id
    if not ORIGIN.fullmatch(origin):
        raise Unreadable(f"--origin={origin}: lower-case letters, digits and _ are needed")
    if build is not None and not BUILD.fullmatch(build):
        raise Unreadable(f"--build-id={build}: ORIGIN:ID is needed, as the CI has reported it")
    kernel = {} if build else _kernel(run, origin, f"{origin}:{run.kernel}")
    common: dict[str, object] = {"origin": origin, "build_id": build or f"{origin}:{run.kernel}",
                                 "environment": {"comment": run.identity()}}
    if started := run.info.get("started"):
        common["start_time"] = started
    whole = common | {"id": f"{origin}:{run.run_id}", "path": "nsbench", "status": "DONE", "comment": f"the run {run.run_id}",
                      "environment": {"comment": run.identity(), "misc": dict(run.environment)}}
    if (seconds := run.info.get("measuring", {}).get("seconds")) is not None:
        whole["duration"] = seconds
    rows = [common | {"id": f"{origin}:{run.run_id}/{row['case']}/{row['phase']}"} | _test(row, run)
            for row in run.results.to_dict("records")]
    report = {"version": VERSION} | kernel | {"tests": [whole, *rows]}
    return {"": json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n"}
