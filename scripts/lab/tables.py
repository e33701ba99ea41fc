"""What the lab reads of a run's files, by the scripts' own reader: a file that is not as nsbench writes it is one LabError."""
from pathlib import Path

from answers import files
from answers.exact import MEASURED
from answers.files import Needed, Perhaps
from answers.script import Unreadable
from lab.errors import LabError

Row = dict[str, str]

# What the lab's commands take from run.json.
RECORD = {
    "kernel": Needed(str), "clock": Needed(str), "state": str, "options": Needed({"samples": files.NUMERIC}),
    "lab": Needed({"arguments": [str], "kernel_package": Needed(files.PERHAPS_TEXT), "kernel_sha256": Needed(str),
                   "command_line": Needed(str), "machines": Perhaps({...: {}}), "on_all_machines": files.PERHAPS_TEXT,
                   "together": files.PERHAPS_TEXT, "state": str}),
}
# Of the columns of results.csv those that are always there, and may be looked at as they are.
RESULTS = {"case": str, "phase": str, "median": float, "ci_low": float, "ci_high": float, "status": str, "errno": str,
           "reason": str, "resolution": Perhaps(float)}
# Of a run that has the differences to `none` as well.
COMPLETE = RESULTS | {"case": files.CASE, "operation": str, "namespaces": str, "delta": float, "delta_low": float, "delta_high": float,
                      "resolution": float, "delta_resolution": float}
PROBE = {"case": files.CASE, "function": str, "path": str, "self": float}
MEMORY = {"case": files.CASE, "allocator": str, "bytes_per_op": float}


def rows(path: Path, wanted: dict, code: int) -> list[Row]:
    """The rows of a CSV file with these columns. LabError with that exit code for one that is not whole."""
    try:
        found = list(files.records(path, wanted))
    except Unreadable as error:
        raise LabError(f"{path} is not whole{str(error).removeprefix(str(path))}", code) from None
    if "status" in wanted:
        for row in found:
            if row["status"] in MEASURED and not row["median"]:
                raise LabError(f"{path} is not whole: {row['case']} {row['phase']} is {row['status']} without a median", code)
    return found


def record(path: Path, shape: object, code: int, what: str = "run of the lab") -> dict:
    """The content of a run.json. LabError with that exit code for one of no such run."""
    try:
        found = files.json_of(path)
        wrong = files.misfit(found, shape)
    except Unreadable as error:
        wrong = str(error).removeprefix(f"{path}: ")
    if wrong:
        raise LabError(f"{path} is of no {what}: {wrong}", code) from None
    return found
