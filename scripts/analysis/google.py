"""Google Benchmark's JSON: its own, or what `nsbench --json` wrote in the same schema."""
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.exact import Key
from analysis.files import all_printable, text_of
from analysis.script import Unreadable

NANOSECONDS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
ENVIRONMENT = ("host_name", "num_cpus", "mhz_per_cpu", "cpu_scaling_enabled", "library_build_type", "kernel",
               "nsbench_version")


@dataclass
class Times:
    """A file's repetitions in ns by benchmark and phase (real_time where the name has none), in their order, and why
    others have none."""

    context: dict[str, object]
    repetitions: dict[Key, list[float]] = field(default_factory=dict)
    errors: dict[Key, str] = field(default_factory=dict)

    @property
    def clock(self) -> str:
        return str(self.context.get("clock", "wall"))

    @property
    def environment(self) -> dict[str, str]:
        return {name: str(self.context[name]) for name in ENVIRONMENT if name in self.context}


def is_google(path: Path) -> bool:
    """Whether that is to be read as Google Benchmark's JSON: by its name, as there is no other sign before reading."""
    return path.suffix == ".json" and path.name != "run.json"


def read(path: Path) -> Times:
    """Unreadable for what is none."""
    try:
        content: Any = all_printable(json.loads(text_of(path), parse_constant=lambda word: math.nan))
        times = Times(dict(content["context"]))
        for entry in content["benchmarks"]:
            _add(times, path, entry)
    except FileNotFoundError:
        raise Unreadable(f"{path}: No such file or directory") from None
    except ValueError as error:
        raise Unreadable(f"{path}: no JSON: {error}") from None
    except (KeyError, TypeError, AttributeError, RecursionError):
        raise Unreadable(f"{path}: not Google Benchmark's JSON: context or benchmarks are missing") from None
    if not times.repetitions and not times.errors:
        raise Unreadable(f"{path}: no repetitions in it: --benchmark_display_aggregates_only leaves them in the file, "
                         "--benchmark_report_aggregates_only does not")
    return times


def _add(times: Times, path: Path, entry: Mapping[str, object]) -> None:
    """One entry: aggregates are left out, since what they aggregate is there."""
    if entry.get("run_type") == "aggregate":
        return
    name = str(entry.get("run_name", entry["name"]))
    found = re.fullmatch(r"(.*)/phase:(\w+)", name)
    key = (found[1], found[2]) if found else (name, "real_time")
    if entry.get("error_occurred") or entry.get("skipped"):
        times.errors[key] = str(entry.get("error_message") or entry.get("skip_message") or "failed")
        return
    unit, time = entry.get("time_unit", "ns"), entry["real_time"]
    if not isinstance(unit, str) or unit not in NANOSECONDS:
        raise Unreadable(f"{path}: {name}: unknown time_unit {unit!r}")
    if not isinstance(time, int | float) or not math.isfinite(time):
        raise Unreadable(f"{path}: {name}: real_time is {time!r}, not a number")
    times.repetitions.setdefault(key, []).append(time * NANOSECONDS[unit])
