"""run.json: what it says, by run.schema.json, and what of that the scripts take from it."""
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict, cast

from analysis import files
from analysis.files import shown
from analysis.script import Unreadable

SCHEMA = Path(__file__).resolve().parent / "run.schema.json"
# What a kind of JSON is called.
KINDS = {"object": "an object", "array": "a list", "string": "text", "number": "a number", "integer": "a number",
         "boolean": "true or false"}


class Finding(TypedDict):
    id: str
    severity: str
    observed: str
    effect: str
    remedy: str


# What selects cases: `with` is a word of Python's.
Selection = TypedDict("Selection", {"plan": str, "cases": list[str], "filter": str | None, "op": list[str], "ns": list[str],
                                    "with": dict[str, list[str]], "curve": str | None}, total=False)


class Options(TypedDict, total=False):
    selection: Selection
    budget_s: float | None
    precision: float
    samples: int | None
    lead_in: int | None
    block: int | None
    seed: int
    cpu: int | str
    disturbed: str


class Repeat(TypedDict):
    """One of several runs of a plan; `number` is None for all of them together."""

    number: int | None
    count: int
    apart_s: float
    complete: bool


class Sampler(TypedDict, total=False):
    resident_bytes: float | None
    mappings: float | None
    cpus: list[int]


class Shape(TypedDict):
    lead_in: int
    samples: int


class Measuring(TypedDict, total=False):
    seconds: float
    drains: float | None
    drained_samples: float | None
    sample_lines: int | None
    block_shapes: dict[str, Shape]


class Added(TypedDict):
    function: str
    self: float | None


class Call(TypedDict):
    caller: int | None
    function: str
    stage: str
    self: float | None


class Case(TypedDict, total=False):
    """A probed case."""

    case: str
    error: str | None
    unprobed_median: float | None
    base: str | None
    adds_to_none: list[Added]
    calls: list[Call]


class Probe(TypedDict):
    cases: list[Case]


class MachineRecord(TypedDict, total=False):
    key: str
    variation: str


class Lab(TypedDict, total=False):
    arguments: list[str]
    kernel_package: str | None
    kernel_sha256: str
    command_line: str
    machines: dict[str, MachineRecord] | None
    on_all_machines: str | None
    together: str | None
    state: str
    status: int
    profile: str


class Record(TypedDict, total=False):
    """A run.json; an earlier nsbench may have written less."""

    nsbench_version: str
    run_id: str
    started: str
    kernel: str
    clock: str
    state: str | None
    arguments: list[str]
    options: Options
    repeat: Repeat | None
    in_userns: bool
    base_set: str
    warnings: list[str]
    environment: dict[str, str]
    findings: list[Finding]
    sampler: Sampler
    measuring: Measuring
    probe: str | Probe
    lab: Lab


Schema = Mapping[str, object]  # of JSON Schema
ANY: Schema = {}


@functools.cache
def _schema(only: tuple[str, ...]) -> Schema:
    """run.schema.json, or what it says of these members."""
    whole = json.loads(SCHEMA.read_text(encoding="utf-8"))
    members = whole["properties"]
    return {**whole, "properties": {name: members[name] for name in only or members}}


def misfit(value: object, needed: Schema = ANY, only: tuple[str, ...] = ()) -> str | None:
    """What of a run.json, or of these members alone, is not as run.schema.json has it, or is lacking of what is needed, a schema
    as well; None where nothing."""
    import jsonschema  # only now: most commands of the lab read none
    for schema in (_schema(only), needed):
        error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(value))
        if error is not None:
            label = ": ".join(name if name.isidentifier() else shown(name) for name in error.absolute_path if isinstance(name, str))
            if "propertyNames" in error.absolute_schema_path or error.validator == "pattern" and "title" in error.schema:
                return f"{label}: {shown(error.instance)} is no {error.schema['title']}"
            return _said(error.validator, error.validator_value, error.instance, label)
    return None


def _said(rule: str, wanted: object, value: object, label: str) -> str:
    """One line of a rule that the value at that place breaks."""
    if rule == "required" and isinstance(wanted, list) and isinstance(value, dict):
        return f"{label + ': ' if label else ''}{next(name for name in wanted if name not in value)} is missing"
    kinds = wanted if isinstance(wanted, list) else [wanted]
    if rule in ("type", "minimum", "maximum"):
        return f"{label or 'it'} is {shown(value)}, not {KINDS[kinds[0]] if rule == 'type' else KINDS['number']}"
    return f"{label or 'it'} is {shown(value)}, which nsbench does not write"


def read(path: Path, needed: Schema = ANY, only: tuple[str, ...] = ()) -> Record:
    """The content of a run.json. Unreadable, with the file, for what misfit() tells; FileNotFoundError where there is none."""
    found = files.json_of(path)
    if wrong := misfit(found, needed, only):
        raise Unreadable(f"{path}: {wrong}")
    return cast(Record, found)


def machines(record: Record) -> dict[str, MachineRecord]:
    """The saved machines of a run of the lab by their numbers; none where the cases were measured together."""
    return record.get("lab", Lab()).get("machines") or {}
