"""Tests of the lab's compare, on folders written here."""
import csv
import json
import math
import re
import subprocess
from pathlib import Path

import pytest

from analysis.exact import Change, Figure, within
from lab import functions
from lab.compare_harness import PROGRAM, compare

COLUMNS = ["run_id", "kernel", "clock", "case", "phase", "unit", "median", "ci_low", "ci_high", "p99", "status", "errno", "reason",
           "resolution"]
BASE = {("clone/none", "create"): 1000.0, ("clone/none", "total"): 2000.0, ("clone/NEWPID", "create"): 1100.5}
UNSUPPORTED = ("skipped", "EINVAL", "clone: Invalid argument (no such flag, here)")


def write(folder: Path, medians: dict, clock: str = "instructions", samples: int = 30, spread: float = 0.002,
          resolution: object = "", state: str = "fresh") -> Path:
    """A result folder, intervals 0.2% to both sides; a median that is a tuple is a row's status, errno and reason."""
    folder.mkdir()
    lab = {"kernel_package": None, "kernel_sha256": "0" * 64, "command_line": "quiet", "arguments": [f"--samples={samples}"]}
    record = {"kernel": folder.name, "clock": clock, "state": state, "options": {"samples": samples, "clock": clock}, "lab": lab}
    (folder / "run.json").write_text(json.dumps(record))
    with open(folder / "results.csv", "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(COLUMNS)
        for (case, phase), median in medians.items():
            figures = ["", "", "", "", *median] if isinstance(median, tuple) else [
                f"{median:.3f}", f"{median * (1 - spread):.3f}", f"{median * (1 + spread):.3f}", median * 2, "ok", "", ""]
            out.writerow([f"id-{folder.name}", folder.name, clock, case, phase, clock, *figures, resolution])
    return folder


def changed(tmp_path: Path, factors: dict, *words: str) -> tuple[int, str, str]:
    """BASE against BASE with some medians multiplied."""
    new = {key: median * factors.get(key, 1) for key, median in BASE.items()}
    return compare(write(tmp_path / "base", BASE), write(tmp_path / "new", new), *words)


def test_identical_rows_are_no_change(tmp_path: Path) -> None:
    code, out, err = changed(tmp_path, {})
    assert (code, err) == (0, "")
    assert "no change: 3 rows are identical" in out
    assert "geometric mean of the ratios: create 1.0000 (2 rows), total 1.0000 (1 rows)" in out


Calls = list[tuple[int | None, str, float]]  # caller, function, own instructions


def probed(folder: Path, calls: Calls) -> None:
    """What the probe says in run.json of clone/none."""
    record = json.loads((folder / "run.json").read_text())
    nodes = [{"caller": caller, "function": name, "stage": "async" if "net" in name else "call", "self": own}
             for caller, name, own in calls]
    record["probe"] = {"cases": [{"case": "clone/none", "calls": nodes}]}
    (folder / "run.json").write_text(json.dumps(record))


def profiled(folder: Path, stacks: dict[str, int], sums: dict[str, float]) -> None:
    """An exact profile of clone/none."""
    record = json.loads((folder / "run.json").read_text())
    record["lab"]["profile"] = "exact"
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "stacks.folded").write_text("".join(f"clone/none;{stack} {own}\n" for stack, own in stacks.items()))
    (folder / "probe.csv").write_text("".join(f"{line}\n" for line in ("case,function,path,calls_per_op,self", *(
        f"clone/none,{name},create,1,{own}" for name, own in sums.items()), "clone/none,w,async,1,9", "clone/none,not_called,create,,")))


def slower(tmp_path: Path) -> list[Path]:
    return [write(tmp_path / "base", BASE), write(tmp_path / "new", BASE | {("clone/none", "create"): 1500.0})]


def behind(sides: list[Path]) -> list[list[str]]:
    """The words of the lines on the functions behind the change."""
    code, out, err = compare(*sides)
    assert code == 1, err
    lines = out.splitlines()
    return [line.split() for line in lines[lines.index("clone/none: functions that changed most, by their own time") + 1:]]


def test_names_the_functions_behind_a_change(tmp_path: Path) -> None:
    sides = slower(tmp_path)
    probed(sides[0], [(None, "copy_process", 700), (0, "alloc_pid", 90), (None, "cleanup_net", 5)])
    probed(sides[1], [(None, "copy_process", 710), (0, "alloc_pid", 80), (0, "new_one", 400), (None, "cleanup_net", 900)])
    assert behind(sides) == [["new_one", "+400", "not", "seen", "to", "400"], ["copy_process", "+10", "700", "to", "710"],
                             ["alloc_pid", "-10", "90", "to", "80"]]


def test_what_steers_a_terminal_is_escaped(tmp_path: Path) -> None:
    sides = slower(tmp_path)
    for side, own in zip(sides, (1, 900)):
        probed(side, [(None, "\x1b[31mred", own)])
    assert behind(sides) == [["\\x1b[31mred", "+899", "1", "to", "900"]]


def test_what_the_compiler_does_is_no_change(tmp_path: Path) -> None:
    """A part of its caller on one side, or of another name."""
    sides = slower(tmp_path)
    probed(sides[0], [(None, "copy_process", 700), (0, "small", 90), (0, "alloc_pid.isra.0", 50)])
    probed(sides[1], [(None, "copy_process", 1190), (0, "alloc_pid.constprop.0.part.0", 50)])
    assert behind(sides) == [["copy_process", "+400", "790", "to", "1190"],
                             "1 function is inlined on one side, and counted with their callers: small (copy_process)".split()]


def test_profiles_are_held_against_each_other_as_they_are_explained(tmp_path: Path) -> None:
    """Stacks have the callers, rounded; probe.csv has the sums."""
    sides = slower(tmp_path)
    profiled(sides[0], {"create;[call];a": 101, "create;[call];a;small": 40, "create;[call];b": 2, "create;[call];b;a": 2,
                        "async;w": 900, "create;[interrupts];tick": 70}, {"a": 102.5, "small": 40, "b": 2})
    profiled(sides[1], {"create;[call];a": 140, "create;[call];b": 602, "create;[call];b;a": 2, "async;w": 1}, {"a": 142.5, "b": 602})
    assert behind(sides) == [["b", "+600", "2", "to", "602"],
                             "1 function is inlined on one side, and counted with their callers".split()]


SHOWN = {"create;[call];a": 101, "destroy;do_exit": 50, "destroy;do_exit;a": 30, "destroy;[call];umount": 20}


@pytest.mark.parametrize("summed", [(0, 1), (0,), (1,), ()])
def test_what_gives_it_back_belongs_to_a_profile(tmp_path: Path, summed: tuple[int, ...]) -> None:
    """Of a profile that the other side has, too, nothing has changed, whatever files beside it say the sums."""
    sides = slower(tmp_path)
    for number, side in enumerate(sides):
        profiled(side, SHOWN, {"a": 101.4})
        with open(side / "probe.csv", "a") as file:
            file.write("clone/none,do_exit,destroy,1,50.3\nclone/none,a,destroy,1,30.2\nclone/none,umount,destroy,1,20\n")
        if number not in summed:
            (side / "probe.csv").unlink()
    assert behind(sides) == []
    own = functions.profiled(sides[1], 1 in summed)["clone/none"]
    assert [own[path].self for path in (("do_exit",), ("do_exit", "a"), ("umount",))] == pytest.approx(
        [50.3, 30.2, 20] if 1 in summed else [50, 30, 20])
    (sides[1] / "stacks.folded").write_text((sides[1] / "stacks.folded").read_text().replace("do_exit 50", "do_exit 90"))
    for side in sides:
        (side / "probe.csv").unlink(missing_ok=True)
    assert behind(sides) == [["do_exit", "+40", "50", "to", "90"]]


def test_a_profile_and_a_probed_run_have_other_functions(tmp_path: Path) -> None:
    sides = slower(tmp_path)
    probed(sides[0], [(None, "copy_process", 700)])
    profiled(sides[1], {"create;[call];copy_process": 710}, {"copy_process": 710})
    code, out, _ = compare(*sides)
    assert code == 1 and "a profile has all functions and the probe some of them" in out and "copy_process" not in out


@pytest.mark.parametrize("calls", [
    [(0, "copy_process", 1)], [(None, "copy_process", 1), (5, "alloc_pid", 1)], [(None, "copy_process", "x")]])
def test_calls_that_are_none_are_125(tmp_path: Path, calls: Calls) -> None:
    sides = slower(tmp_path)
    for side in sides:
        probed(side, calls)
    code, _, err = compare(*sides)
    assert code == 125 and "is of no probed run" in err and len(err.splitlines()) == 1


def test_slower_is_1_with_the_largest_change_first(tmp_path: Path) -> None:
    code, out, _ = changed(tmp_path, {("clone/none", "create"): 1.02, ("clone/none", "total"): 1.5, ("clone/NEWPID", "create"): 1.005})
    assert code == 1
    rows = [line.split() for line in out.splitlines() if line.startswith("clone/")]
    assert rows == [["clone/none", "total", "2000", "3000", "+1000", "1.5000"],
                    ["clone/none", "create", "1000", "1020", "+20", "1.0200"]]
    assert "2 of 3 rows changed by more than 1%: 2 slower, 0 faster" in out
    assert "create 1.0125 (2 rows), total 1.5000 (1 rows)" in out


def test_faster_is_0(tmp_path: Path) -> None:
    code, out, _ = changed(tmp_path, {("clone/none", "total"): 0.5})
    assert code == 0
    assert "1 of 3 rows changed by more than 1%: 0 slower, 1 faster" in out


@pytest.mark.parametrize(("words", "code"), [
    ([], 1), (["--threshold=1.9%"], 1), (["--threshold=2%"], 0), (["--phase=total"], 0), (["--phase=total,create"], 1),
])
def test_threshold_and_phase_choose_what_counts(tmp_path: Path, words: list[str], code: int) -> None:
    got, out, _ = changed(tmp_path, {("clone/none", "create"): 1.02}, *words)
    assert got == code
    assert ("0 of 3 rows, 2 identical; largest +2.0000% (clone/none create)" in out) == (words == ["--threshold=2%"])


@pytest.mark.parametrize(("resolutions", "code", "limit"), [
    ((4, 5), 1, "their resolution"), ((5, 5), 0, "their resolution"), ((0, 0), 1, "their resolution"), (("", 5), 0, "1%"),
    ((0, ""), 0, "1%"),
])
def test_what_meaningless_variations_do_is_no_change(tmp_path: Path, resolutions: tuple, code: int, limit: str) -> None:
    """A row that moves by 10 of 2000 changed where both sides' resolutions are below that; without one, 1% is assumed."""
    sides = [write(tmp_path / name, {("clone/none", "create"): median}, spread=0, resolution=resolution)
             for name, median, resolution in zip(("base", "new"), (2000, 2010), resolutions)]
    got, out, _ = compare(*sides)
    assert got == code and re.search(f"(changed by more than|no change beyond) {limit}:", out)


def test_what_changes_are_held_to_is_said() -> None:
    known, unknown = (Change("a", "create", Figure(9, resolution=1), Figure(9, resolution=new), True) for new in (1, math.nan))
    assert [within(of) for of in ([known], [unknown], [known, unknown])] == [
        "their resolution", "1%", "their resolution, or 1% without one"]


def test_runs_in_different_states_are_refused(tmp_path: Path) -> None:
    code, _, err = compare(write(tmp_path / "base", BASE), write(tmp_path / "new", BASE, state="churned"))
    assert code == 129 and "the base's state is fresh, the new one's churned" in err


def test_a_median_beyond_with_intervals_that_meet_is_unresolved(tmp_path: Path) -> None:
    sides = [write(tmp_path / name, {key: median * factor for key, median in BASE.items()}, spread=0.05)
             for name, factor in (("base", 1), ("new", 1.02))]
    code, out, _ = compare(*sides, "--phase=create")
    assert code == 0
    assert "0 of 2 rows changed by more than 1%: 0 slower, 0 faster" in out
    assert "unresolved: 2 rows" in out and "clone/none create +2.00%" in out


def test_a_failed_case_is_125(tmp_path: Path) -> None:
    failed = ("failed", "ENOMEM", "clone: Cannot allocate memory")
    sides = write(tmp_path / "base", BASE), write(tmp_path / "new", BASE | {("clone/none", "total"): failed})
    code, out, err = compare(*sides)
    assert (code, out) == (125, "")
    assert "new: clone/none total: ENOMEM clone: Cannot" in err
    assert compare(*sides, "--phase=create")[0] == 0


def test_csv_has_only_the_rows(tmp_path: Path) -> None:
    code, out, err = changed(tmp_path, {("clone/none", "total"): 0.5}, "--format=csv")
    assert (code, out) == (0, "case,phase,base,new,difference,ratio\nclone/none,total,2000,1000,-1000,0.5000\n")
    assert "1 of 3 rows changed" in err


def test_a_zero_is_no_division(tmp_path: Path) -> None:
    base = write(tmp_path / "base", {("a", "create"): 0.0, ("a", "total"): 0.0})
    code, out, _ = compare(base, write(tmp_path / "new", {("a", "create"): 5.0, ("a", "total"): 0.0}))
    assert code == 1
    assert ["a", "create", "0", "5", "+5", "inf"] in [line.split() for line in out.splitlines()]


def test_what_one_side_lacks_is_said(tmp_path: Path) -> None:
    new = {("clone/none", "create"): 1000.0, ("clone/none", "total"): UNSUPPORTED, ("setns/NEWNET", "switch"): 7.0}
    code, out, _ = compare(write(tmp_path / "base", BASE), write(tmp_path / "new", new))
    assert code == 0
    assert "no change: 1 rows are identical" in out
    assert [line for line in out.splitlines() if line.startswith("only")] == [
        "only base has clone/NEWPID: not in the other's results",
        "only base has clone/none total: skipped: EINVAL clone: Invalid argument (no such flag, here)",
        "only new has setns/NEWNET: not in the other's results",
    ]


def test_nothing_in_common_is_125(tmp_path: Path) -> None:
    new = {key: UNSUPPORTED for key in BASE}
    code, _, err = compare(write(tmp_path / "base", BASE), write(tmp_path / "new", new))
    assert code == 125
    assert err.startswith("lab: no case was measured on both sides; clone/NEWPID: skipped: EINVAL")


@pytest.mark.parametrize(("other", "says"), [
    ({"clock": "wall"}, "the base's clock is instructions, the new one's wall"),
    ({"samples": 10}, "options differ: samples 30 and 10"),
])
def test_runs_that_are_not_alike_are_refused(tmp_path: Path, other: dict, says: str) -> None:
    code, out, err = compare(write(tmp_path / "base", BASE), write(tmp_path / "new", BASE, **other))
    assert (code, out, len(err.splitlines())) == (129, "", 1)
    assert says in err


@pytest.mark.parametrize(("words", "says"), [
    (["--threshold=1"], "percentage"), (["--threshold=x%"], "percentage"), (["--append-new=a\nb"], "printable ASCII"),
    (["--append-base=x"], "measured already"), (["--phase=creat"], "the phases are create, total"),
    (["--", "--samples=3"], "measured already"), (["--format=xml"], "invalid choice"), (["--treshold=1%"], "unrecognized"),
])
def test_wrong_usage_ends_a_bisection(tmp_path: Path, words: list[str], says: str) -> None:
    code, _, err = changed(tmp_path, {}, *words)
    assert code == 129
    assert says in err.splitlines()[-1]


@pytest.mark.parametrize("keep", [-1, -3, 150, 40])
def test_a_truncated_csv_is_125(tmp_path: Path, keep: int) -> None:
    new = write(tmp_path / "new", BASE)
    (new / "results.csv").write_text((new / "results.csv").read_text()[:keep])
    code, _, err = compare(write(tmp_path / "base", BASE), new)
    assert (code, len(err.splitlines())) == (125, 1)
    assert "results.csv is not whole" in err


def test_a_field_that_goes_on_in_the_next_line_is_125(tmp_path: Path) -> None:
    new = write(tmp_path / "new", BASE)
    text = (new / "results.csv").read_text()
    (new / "results.csv").write_text(text.replace("clone/none", '"clone/none\n"', 1))
    code, _, err = compare(write(tmp_path / "base", BASE), new)
    assert code == 125 and "results.csv is not whole, line 2: a field goes on in the next line" in err


@pytest.mark.parametrize("series", [("5.10", "6.1"), ("6.1", "6.12"), ("6.1", "6.1")])
def test_both_comparing_commands_judge_alike(series: tuple[str, str]) -> None:
    """All recorded rows of two kernels, and of one with itself."""
    sides = [next((PROGRAM.parents[1] / "results").glob(f"{name}.*")) for name in series]
    code, out, _ = compare(*sides, "--format=csv")
    ours = {(row["case"], row["phase"]): "slower" if float(row["difference"]) > 0 else "faster"
            for row in csv.DictReader(out.splitlines())}
    done = subprocess.run([PROGRAM.with_name("compare.py"), *sides, "--format=csv"], capture_output=True, text=True)
    theirs = {(row["case"], row["phase"]): row["verdict"] for row in csv.DictReader(done.stdout.splitlines())}
    assert len(theirs) > 2000 and bool(ours) == (series[0] != series[1])
    assert ours == {key: word for key, word in theirs.items() if word in ("slower", "faster")}
    assert done.returncode == code


@pytest.mark.parametrize("name", ["run.json", "results.csv"])
def test_a_folder_without_its_files_is_125(tmp_path: Path, name: str) -> None:
    new = write(tmp_path / "new", BASE)
    (new / name).unlink()
    code, _, err = compare(write(tmp_path / "base", BASE), new)
    assert (code, len(err.splitlines())) == (125, 1)
    assert name in err


def test_a_run_that_is_not_the_labs_is_125(tmp_path: Path) -> None:
    new = write(tmp_path / "new", BASE)
    for text in ("{}", "[]", '{"kernel"'):
        (new / "run.json").write_text(text)
        code, _, err = compare(new, new)
        assert code == 125
        assert "no run of the lab" in err
