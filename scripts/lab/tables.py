"""What the lab reads of a run's files, by the scripts' own reader: a file that is not as nsbench writes it, or that is missing,
is one LabError."""
import re
from pathlib import Path

from answers import exact, files
from answers.files import Needed, Perhaps
from answers.script import Unreadable
from lab.errors import LabError

Row = dict[str, str]

CLOCK = re.compile("wall|instructions")
STATE = re.compile(r"[\w.-]{1,255}", re.ASCII)
RELEASE = re.compile(r"[!-~]{1,64}")  # of uname -r: __NEW_UTS_LEN
PACKAGE = re.compile(r"[!-~]+ \d{1,9}(\.\d{1,9})*([+~-][!-~]*)?", re.ASCII)  # its name and version
MACHINE = re.compile(r"[1-9]\d{0,3}", re.ASCII)  # the number of a saved machine
# What the lab's commands take from run.json.
RECORD = {
    "kernel": Needed(RELEASE), "clock": Needed(CLOCK), "state": STATE, "options": Needed({"samples": files.NUMERIC}),
    "lab": Needed({"arguments": [str], "kernel_package": Needed(Perhaps(PACKAGE)), "kernel_sha256": Needed(str),
                   "command_line": Needed(str), "machines": Perhaps({...: {}}), "on_all_machines": files.PERHAPS_TEXT,
                   "together": files.PERHAPS_TEXT, "state": STATE}),
}
# Of the columns of results.csv those that are always there, and may be looked at as they are.
RESULTS = {"case": str, "phase": str, "median": float, "ci_low": float, "ci_high": float, "status": str, "errno": str,
           "reason": str, **{name: Perhaps(float) for names in exact.VARIES for name in names if not name.startswith("ci_")}}
# Of a run that has the differences to `none` as well.
COMPLETE = RESULTS | {"case": files.CASE, "delta": float, **dict.fromkeys(sum(exact.VARIES, ()), float)}
PROBE = {"case": files.CASE, "function": str, "path": str, "self": float}
MEMORY = {"case": files.CASE, "allocator": str, "bytes_per_op": float}


def missing(path: Path, code: int) -> LabError:
    return LabError(f"{path.parent}: no {path.name} in it: a result folder of the lab is needed", code)


def rows(path: Path, wanted: dict, code: int) -> list[Row]:
    """The rows of a CSV file with these columns. LabError with that exit code for one that is not whole, or not there."""
    is_results = "status" in wanted
    try:
        found = list(files.records(path, wanted, exact.wrong if is_results else lambda _: None))
    except FileNotFoundError:
        raise missing(path, code) from None
    except Unreadable as error:
        raise LabError(f"{path} is not whole{str(error).removeprefix(str(path))}", code) from None
    seen: set[exact.Key] = set()
    for row in found if is_results else ():
        if (key := (row["case"], row["phase"])) in seen:
            raise LabError(f"{path} is not whole: {' '.join(key)} stands there twice", code)
        seen.add(key)
    return found


def record(path: Path, shape: object, code: int, what: str = "run of the lab") -> dict:
    """The content of a run.json. LabError with that exit code for one of no such run, or none."""
    try:
        found = files.json_of(path)
        wrong = files.misfit(found, shape)
        if not wrong and (odd := next((name for name in machines(found) if not MACHINE.fullmatch(name)), None)) is not None:
            wrong = f"lab: machines: {files.shown(odd)} is no machine's number"
    except FileNotFoundError:
        raise missing(path, code) from None
    except Unreadable as error:
        wrong = str(error).removeprefix(f"{path}: ")
    if wrong:
        raise LabError(f"{path} is of no {what}: {wrong}", code) from None
    return found


def machines(found: dict) -> dict[str, dict]:
    """The saved machines by their numbers; none where the cases were measured together."""
    return found.get("lab", {}).get("machines") or {}
