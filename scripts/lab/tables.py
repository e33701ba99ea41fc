"""What the lab reads of a run's files, by the scripts' own reader: a file that is not as nsbench writes it, or that is missing,
is one LabError."""
from pathlib import Path

from analysis import exact, files
from analysis.files import Kinds, Perhaps
from analysis.record import Probe, Record, Schema, read
from analysis.script import Unreadable
from lab.errors import LabError

Row = dict[str, str]

# The members of run.json that the lab's commands take something from, where it is not the probe.
TAKEN = ("kernel", "clock", "state", "options", "lab")
# What a run.json must have of which the lab's commands take something, beside what is right of it anyhow.
OF_LAB = ["kernel_package", "kernel_sha256", "command_line"]
RECORD: Schema = {"required": ["kernel", "clock", "options", "lab"], "properties": {"lab": {"required": OF_LAB}}}
# Of the columns of results.csv those that are always there, and may be looked at as they are.
RESULTS: Kinds = {"case": str, "phase": str, "median": float, "ci_low": float, "ci_high": float, "status": str, "errno": str,
                  "reason": str, **{name: Perhaps(float) for names in exact.VARIES for name in names if not name.startswith("ci_")}}
# Of a run that has the differences to `none` as well.
COMPLETE: Kinds = {**RESULTS, "case": files.CASE, "delta": float, **dict.fromkeys(sum(exact.VARIES, ()), float)}
PROBE: Kinds = {"case": files.CASE, "function": str, "path": str, "calls_per_op": float, "self": float}
MEMORY: Kinds = {"case": files.CASE, "allocator": str, "bytes_per_op": float}


def probe(path: Path, needed: Schema, code: int) -> Probe:
    """What a probed run's run.json has of the probe, which alone is looked at. LabError with that exit code for one of no such
    run, or none."""
    found = record(path, needed, code, "probed run", ("probe",))["probe"]
    assert not isinstance(found, str)  # `needed` says so
    return found


def missing(path: Path, code: int) -> LabError:
    return LabError(f"{path.parent}: no {path.name} in it: a result folder of the lab is needed", code)


def rows(path: Path, wanted: Kinds, code: int) -> list[Row]:
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


def record(path: Path, needed: Schema, code: int, what: str = "run of the lab", only: tuple[str, ...] = TAKEN) -> Record:
    """The content of a run.json, of which these members are looked at. LabError with that exit code for one of no such run, or
    none."""
    try:
        return read(path, needed, only)
    except FileNotFoundError:
        raise missing(path, code) from None
    except Unreadable as error:
        raise LabError(f"{path} is of no {what}: {str(error).removeprefix(f'{path}: ')}", code) from None
