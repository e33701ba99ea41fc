"""A run as large as the default plan's, made up: for tests of what shows it."""
import csv
import random
from itertools import combinations
from pathlib import Path

from analysis import columns, kinds, stacks
from analysis.fixtures import result_row, write_run

Fields = dict[str, object]  # of a row, by column

COST = {
    "NEWNET": 300e3,
    "NEWNS": 30e3,
    "NEWIPC": 25e3,
    "NEWUSER": 9e3,
    "NEWPID": 3e3,
    "NEWTIME": 1500.0,
    "NEWCGROUP": 1200.0,
    "NEWUTS": 1000.0,
}
STACKS = ("16K", "64K", "256K", "1M", "4M", "8M", "16M", "64M")
PHASES = {
    "clone": {"create": 1.0, "ready": 1.2, "exit": 0.7, "total": 1.9},
    "unshare": {"create": 1.0, "exit": 0.8, "total": 1.8},
    "setns": {"switch": 1.0},
    "proc_remount": {"mount": 0.2, "unmount": 0.3, "total": 1.0},
}


def all_sets() -> list[str]:
    return [kinds.set_id(chosen) for size in range(9) for chosen in combinations(kinds.KINDS, size)]


def cases() -> list[tuple[str, float]]:
    """(id, create time) of 600 cases."""

    def cost(name: str) -> float:
        return sum(COST[flag] for flag in kinds.flags(name))

    swept = [kinds.NONE, *kinds.KINDS, kinds.ALL]
    found = [(f"clone/{name}/stack:1M", 35e3 + cost(name)) for name in all_sets()]
    found += [
        (f"clone/{name}/stack:{size}", 35e3 + cost(name)) for name in swept for size in STACKS if size != "1M"
    ]
    found += [(f"unshare/{name}", 300 + cost(name)) for name in all_sets()]
    found += [(f"setns/{name}/via:{via}", 2000.0) for name in kinds.KINDS for via in ("nsfd", "pidfd")]
    return found + [(f"proc_remount/NEWNS-NEWPID/stack:{size}", 80e3) for size in STACKS]


def stack_bytes(case: str) -> object:
    size = case.split("stack:")[1] if "stack:" in case else ""
    return int(size[:-1]) * {"K": 1 << 10, "M": 1 << 20}[size[-1]] if size else ""


def _row(case: str, phase: str, median: float, clock: str, factor: float) -> Fields:
    """With a delta where it is a set's create."""
    more: Fields = {}
    if phase == "create" and case.split("/")[1] != kinds.NONE:
        delta = median - (35e3 if case.startswith("clone") else 300) * factor
        more = {"delta": delta, "delta_low": delta - 0.02 * median, "delta_high": delta + 0.02 * median}
    return result_row(
        case,
        phase,
        median,
        clock=clock,
        unit=columns.unit_of(clock),
        stack_bytes=stack_bytes(case),
        spawn="fork",
        parallel=1,
        precision=0.02,
        ci_low=median * 0.98,
        ci_high=median * 1.02,
        p90=median * 1.2,
        p99=median * 2,
        max=median * 9,
        **more,
    )


def _rows(clock: str, factor: float, random_: random.Random, samples: int) -> tuple[list[Fields], list[Fields]]:
    rows, taken = [], []
    unit = columns.unit_of(clock)
    for case, create in cases():
        name = case.split("/")[1]
        mine = [
            {
                "case": case,
                "round": index // 10 + 1,
                "block": 1,
                "sample": index,
                "counted": int(index > 1),
                "clock": clock,
                "kernel": "6.1.0",
            }
            for index in range(samples)
        ]
        for phase, part in PHASES[case.split("/")[0]].items():
            median = create * part * factor * random_.uniform(0.98, 1.02)
            rows.append(_row(case, phase, median, clock, factor))
            for sample in mine:
                sample[phase] = round(median * random_.lognormvariate(0, 0.1))
        if set(kinds.flags(name)) & {"NEWNET", "NEWIPC"} and case.startswith(("clone", "unshare")):
            rows.append(
                result_row(
                    case,
                    "drain",
                    1e6 * factor,
                    clock=clock,
                    unit=unit,
                    stack_bytes=stack_bytes(case),
                    precision=0.05,
                )
            )
        taken += mine
    rows.append(
        result_row(
            "clone3/NEWPID/stack:1M/cgroup:into",
            "create",
            None,
            clock=clock,
            unit=unit,
            status="skipped",
            errno="ENOENT",
            reason="no cgroup2, not here",
        )
    )
    return rows, taken


def _write(path: Path, rows: list[Fields]) -> None:
    with open(path, "w", newline="") as file:
        out = csv.DictWriter(
            file, list(columns.of(path.name)), restval="", extrasaction="ignore", lineterminator="\n"
        )
        out.writeheader()
        out.writerows(rows)


def full_run(
    folder: Path,
    clock: str = "wall",
    factor: float = 1.0,
    samples: int = 22,
    probed: bool = True,
    kernel: str = "6.1.0",
    run_id: str = "",
) -> Path:
    """A run of 600 cases with samples, probe, memory and folded stacks."""
    random_ = random.Random(7)
    rows, taken = _rows(clock, factor, random_, samples)
    run_id = run_id or f"id-{folder.name}"
    named: list[Fields] = [{**row, "run_id": run_id, "kernel": kernel} for row in rows]
    write_run(folder, named, warnings=["a <warning> & more"], clock=clock, kernel=kernel)
    _write(folder / "samples.csv", [{**row, "run_id": run_id, "kernel": kernel} for row in taken])
    if probed:
        shown = [f"clone/{name}/stack:1M" for name in (kinds.NONE, *kinds.KINDS, kinds.ALL)]
        common = {"run_id": run_id, "kernel": kernel, "clock": clock}
        _write(
            folder / "probe.csv",
            [
                {
                    **common,
                    "case": case,
                    "function": f"function_{number}",
                    "kind": "shared",
                    "path": path,
                    "backend": "fentry",
                    "calls_per_op": 1,
                    "total": 9000,
                    "self": 1000 * (number + 1),
                }
                for case in shown
                for path in ("create", "destroy", "async")
                for number in range(14)
            ],
        )
        _write(
            folder / "memory.csv",
            [
                {
                    **common,
                    "case": case,
                    "kind": "net",
                    "allocator": allocator,
                    "bytes_per_op": 1024 * (number + 1),
                    "calls_per_op": 1,
                    "call_site": f"site_{number}",
                }
                for case in shown
                for number, allocator in enumerate(("kmalloc", "slab", "percpu"))
            ],
        )
        (folder / stacks.FILE).write_text(
            "".join(
                f"{case};entry;middle;leaf_{number} {1000 * (number + 1)}\n"
                for case in shown
                for number in range(6)
            )
        )
    return folder
