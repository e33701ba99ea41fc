"""The probe against the lab's exact profile of the very executions that it follows: in one copy of a saved machine the emulator
counts what the probe's programs and trampolines execute apart from what the kernel's functions do."""
import collections
import csv
import io
import json
import os
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import thorough
from lab import alone, exact, guest, images, initramfs, orders, runs
from lab.errors import LabError
from lab.states import find

KERNELS = os.environ.get("LAB_KERNELS", "6.1").split()
CASES = ("clone/NEWUTS/stack:1M", "clone/NEWPID/stack:1M", "clone/NEWNET/stack:1M", "clone/NEWNS/stack:1M", "clone/NEWIPC/stack:1M",
         "clone/NEWUSER/stack:1M", "unshare/NEWNS", "unshare/NEWNET")
SAMPLES = 30  # the probe looks for the middle fifth among as many
TRACE = "[no symbol]"  # a trampoline, or a program: code that the kernel's symbols do not have

# In instructions. What a traced call costs inside of itself is found from the shortest call in a loop, whose own few
# instructions are taken for cost, too: 7 on 6.1, 11 on 7.3.
OWN = 12
# What it costs its caller is a mean over the loop's calls, half of which are below none, and have less to do: by 17 on 6.1, 28 on
# 5.10.
BELOW = 30
# A program that notes a namespace reads the clock twice to set aside what it takes, of which one reading is left. The one that
# follows a child at a fork is short, and reading the clock would be as long: it stays in the time of who forks.
NOTED = 60
FORKED = 150
FORKS = "kernel_clone"
FUNCTIONS = (Path(__file__).resolve().parents[2] / "bpf/functions.def").read_text()
# Called between samples, too: a mount is given up when the kernel gets to it. The probe counts such a call to an execution (11 of
# NEWNS on 6.1), and the profile to none (10): their times are not of the same calls, either.
OUTSIDE = {"mntput_no_expire", "mntput_no_expire_slowpath"}
LEAST = 10  # functions that every case has, those of a fork and of its kind
NOTES = set(re.findall(r"NSB_FUNCTION\((\w+), \w+, \w+, (?:made|gone)\)", FUNCTIONS))


@dataclass
class FunctionSums:
    """Of one function in the mean of some executions."""

    calls: float = 0
    self: float = 0
    total: float = 0
    bound: float = 0  # of self
    bound_of_total: float = 0


@dataclass
class Observed:
    """What both say of a case."""

    probe: dict[str, FunctionSums] = field(default_factory=lambda: collections.defaultdict(FunctionSums))
    exact: dict[str, FunctionSums] = field(default_factory=lambda: collections.defaultdict(FunctionSums))


def both(kernel: str, case: str) -> tuple[dict[str, bytes], exact.Profile]:
    """What a copy gave back that measured the case with the probe, and the profile of all that it did."""
    try:
        image = images.image_of(kernel)
        given = runs.arguments([f"--case={case}", "--probe=fentry", f"--samples={SAMPLES}"], "tcg")
        one = runs.wanted(image, guest.Machine("tcg", "", 512, 900), given, initramfs.base(), Path("nowhere"),
                          how=runs.How(find("fresh"), range(1, 2)))
    except LabError as error:
        pytest.skip(str(error))
    assert one.subject is not None
    number, recipe = next(iter(one.subject.recipes.items()))
    order = [*orders.plan(one.options).order(case, "fresh", probe=True), "--alone"]  # without its base
    crowd = guest.Crowd()
    with ThreadPoolExecutor(1) as pool, alone.ready(one.subject, pool, crowd, lambda _: None) as machines, \
            tempfile.TemporaryDirectory() as name:
        marks = Path(name) / "marks"
        marks.write_text(exact.marks())
        words = exact.plugin(recipe, machines[number], marks, crowd, False)
        return exact.run(recipe, machines[number], order, crowd, words)


def without_trampolines(path: exact.Path_) -> exact.Path_:
    """A traced function begins, calls its trampoline, and goes on below that: as if it had not."""
    found: list[str] = []
    for name in path:
        if len(found) > 1 and found[-1] == TRACE and found[-2] == name:
            found.pop()
        else:
            found.append(name)
    return tuple(found)


def typical(profile: exact.Profile, bit: int) -> list[list[exact.Segment]]:
    """The probed executions that the probe takes times from."""
    paths = [profile.path(node) for node in range(len(profile.nodes))]
    detours = {node for node, path in enumerate(paths) if without_trampolines(path) != path}
    # Each is behind another that does not count.
    probed = [one for one in profile.samples() if any(cell[0] in detours for segment in one for cell in segment.cells)][1::2]
    assert len(probed) == SAMPLES
    by_time = sorted(probed, key=lambda one: sum(segment.instructions for segment in one if segment.phases >> bit & 1))
    return by_time[SAMPLES * 2 // 5:SAMPLES - SAMPLES * 2 // 5]


def exactly(observed: Observed, profile: exact.Profile, bit: int, traced: set[str]) -> None:
    """Fills in what the profile has of traced functions, with what they call that is not traced."""
    executions = typical(profile, bit)

    def first(path: exact.Path_) -> bool:
        return not (len(path) > 2 and path[-2] == TRACE and path[-3] == path[-1])

    for segment in (segment for one in executions for segment in one):
        for node, calls, own in segment.cells:
            path = profile.path(node)
            plain = without_trampolines(path)
            if path[0] not in exact.OWN or TRACE in plain:
                continue  # another task, or the probe itself
            on_path = [name for name in plain if name in traced]
            if plain[-1] in traced and first(path):
                observed.exact[plain[-1]].calls += calls
            if on_path:
                observed.exact[on_path[-1]].self += own
            for name in set(on_path):
                observed.exact[name].total += own
    for sums in observed.exact.values():
        sums.calls, sums.self, sums.total = (value / len(executions) for value in (sums.calls, sums.self, sums.total))


def probed(observed: Observed, case: dict) -> None:
    """Fills in what the probe says, without what functions waited for: that is other tasks'."""
    nodes: list[dict[str, Any]] = [{**node, "below": [], "inside": 0.0} for node in case["calls"]]
    for node in reversed(nodes):
        node["children"] = [other for other in nodes if other["caller"] is not None and nodes[other["caller"]] is node]
        node["bound"] = (OWN * node["calls_per_op"] + BELOW * sum(one["calls_per_op"] for one in node["children"])
                         + NOTED * sum(one["calls_per_op"] for one in node["children"] if one["function"] in NOTES)
                         + FORKED * (node["function"] == FORKS))
        node["whole"] = node["bound"] + sum(one["whole"] for one in node["children"])
    for node in nodes:
        if node["stage"] in ("call", "destroy"):
            sums = observed.probe[node["function"]]
            sums.calls += node["calls_per_op"]
            sums.self += node["self"] - node["waiting"] + sum(one["waiting"] for one in node["children"])
            sums.total += node["total"] - node["waiting"]
            sums.bound += node["bound"]
            sums.bound_of_total += node["whole"]


@dataclass
class Judged:
    """What does not hold, of how many functions that were compared, and a table of all."""

    wrong: list[str] = field(default_factory=list)
    compared: int = 0
    rows: list[str] = field(default_factory=lambda: [
        f"{'function':28} {'calls':>5} {'self':>9} {'exactly':>9} {'bound':>6} {'total':>9} {'exactly':>9} {'bound':>6}"])


def judge(observed: Observed) -> Judged:
    """Each function that either of them saw."""
    found = Judged()
    for name in sorted(observed.probe.keys() | observed.exact.keys()):
        said, seen = observed.probe[name], observed.exact[name]
        found.rows.append(f"{name:28} {said.calls:5g} {said.self:9.0f} {seen.self:9.0f} {said.bound:6.0f} {said.total:9.0f} "
                          f"{seen.total:9.0f} {said.bound_of_total:6.0f}")
        if said.calls != seen.calls:
            if name not in OUTSIDE or said.calls < seen.calls:
                found.wrong.append(f"{name}: {said.calls:g} calls, and {seen.calls:g} were seen")
            continue
        found.compared += 1
        if abs(said.self - seen.self) > said.bound or abs(said.total - seen.total) > said.bound_of_total:
            found.wrong.append(f"{name} is beyond its bound")
    return found


@pytest.mark.parametrize("name, calls, seen, says", [
    ("copy_creds", 1, 1, []),
    ("copy_creds", 0, 1, ["copy_creds: 0 calls, and 1 were seen"]),  # missed altogether
    ("copy_creds", 2, 1, ["copy_creds: 2 calls, and 1 were seen"]),
    ("mntput_no_expire", 2, 1, []), ("mntput_no_expire", 1, 2, ["mntput_no_expire: 1 calls, and 2 were seen"])])
def test_what_either_of_them_missed_is_told(name: str, calls: int, seen: int, says: list[str]) -> None:
    observed = Observed()
    if calls:
        observed.probe[name] = FunctionSums(calls, 100, 100, 12, 12)
    observed.exact[name] = FunctionSums(seen, 100, 100)
    assert judge(observed).wrong == says


@thorough.only
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("case", CASES)
def test_the_probe_says_what_the_profile_sees(kernel: str, case: str) -> None:
    """Of each traced function: its calls, and within the bound its own time and its total, the probe's cost taken off."""
    files, profile = both(kernel, case)
    report = json.loads(files["run.json"])["probe"]
    names = next(csv.reader(io.StringIO(files["samples.csv"].decode())))
    phases = names[names.index("counted") + 1:names.index("errno")]
    observed = Observed()
    exactly(observed, profile, phases.index("create"), {name for name, backend in report["backends"].items() if backend == "fentry"})
    probed(observed, report["cases"][0])
    found = judge(observed)
    assert not found.wrong, "\n".join([*found.wrong, *found.rows])
    assert found.compared >= LEAST
    print("\n".join(found.rows))
