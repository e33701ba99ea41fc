"""Tests of compare.py, as it is called: on runs written here."""
import json
import re
import subprocess
from pathlib import Path

import pytest

for module in ("numpy", "pandas", "scipy"):
    pytest.importorskip(module, reason=f"python3-{module} is missing")
import numpy as np

from analysis import columns
from analysis.fixtures import call, result_row, write_run, write_table
from analysis.fixtures_compare import CASES, PHASES, SCRIPT, compare, run, sides, verdicts


def test_runs_in_different_states_are_never_compared(tmp_path: Path) -> None:
    sides = [write_run(tmp_path / state, [result_row("clone/none/stack:1M", "create", 1000.0, state=state, clock="instructions",
                                                     unit="instructions")]) for state in ("fresh", "churned")]
    code, _, err = call(SCRIPT, sides)
    assert code == 2 and "began in different states of the kernel (churned, fresh)" in err


@pytest.mark.parametrize("resolution, new, word", [
    (0.5, 1000.0, "identical"), (0.5, 1001.0, "small"), (0.4, 1001.0, "slower"), (0.4, 999.0, "faster"), (20, 1100.0, "slower"),
    (100, 1100.0, "small"), ("", 1010.0, "small"), ("", 1011.0, "slower")])
def test_counts_change_by_more_than_their_resolution(tmp_path: Path, resolution: object, new: float, word: str) -> None:
    """Both sides have it; 1% takes its place where they have none. lab.py compare judges by the same."""
    both = [write_run(tmp_path / side, [result_row("clone/none/stack:1M", "create", median, state="fresh", clock="instructions",
                                                   ci_low=median, ci_high=median, unit="instructions", resolution=resolution)])
            for side, median in (("base", 1000.0), ("new", new))]
    code, out, _ = call(SCRIPT, [*both, "--format=json"])
    assert (list(verdicts(out).values()), code) == ([word], int(word == "slower"))


def test_counts_whose_intervals_meet_are_not_resolved(tmp_path: Path) -> None:
    both = [write_run(tmp_path / side, [result_row("clone/none/stack:1M", "create", median, state="fresh", clock="instructions",
                                                   ci_low=median - 60, ci_high=median + 60, unit="instructions", resolution=1)])
            for side, median in (("base", 1000.0), ("new", 1100.0))]
    code, out, _ = call(SCRIPT, [*both, "--format=json"])
    assert (list(verdicts(out).values()), code) == (["~"], 0)


def test_a_slower_row_is_1_and_only_that_row(tmp_path: Path) -> None:
    code, out, err = compare(*sides(tmp_path, 5, {"unshare/NEWNET": 1.05}), "--format=json")
    assert (code, err) == (1, "")
    assert {key for key, word in verdicts(out).items() if word == "slower"} == {("unshare/NEWNET", p) for p in PHASES}
    row = next(row for row in json.loads(out)["rows"] if row["case"] == "unshare/NEWNET")
    assert row["low"] < 1.05 < row["high"] and row["ratio"] == pytest.approx(row["new"] / row["base"])
    assert (row["base_runs"], row["unit"]) == (5, "ns") and row["p"] <= row["corrected"] <= 0.05


def test_faster_and_no_change_are_0(tmp_path: Path) -> None:
    code, out, _ = compare(*sides(tmp_path, 5, {"unshare/NEWNET": 0.9}))
    assert code == 0
    assert "0 of 6 rows slower by more than 2%, 2 faster" in out
    assert "geometric mean of the ratios: create 0.96" in out
    row = next(line for line in out.splitlines() if line.startswith("unshare/NEWNET"))
    assert "90.1 µs" in row and "faster" in row and "\x1b" not in out


def test_below_the_threshold_is_small(tmp_path: Path) -> None:
    words = sides(tmp_path, 8, {"unshare/NEWNET": 1.015}, scatter=0.001)
    assert compare(*words)[0] == 0
    assert verdicts(compare(*words, "--format=json")[1])["unshare/NEWNET", "create"] == "small"
    assert compare(*words, "--threshold=1%")[0] == 1


def test_what_is_not_resolved_says_how_many_runs_would(tmp_path: Path) -> None:
    code, out, _ = compare(*sides(tmp_path, 3, {"unshare/NEWNET": 1.06}, scatter=0.04), "--phase=create")
    assert code == 0
    assert re.search(r"unshare/NEWNET +create .* ~ need about \d+ runs", out)
    assert "3 not resolved (~)" in out


def test_the_correction_counts_the_rows_that_were_looked_at(tmp_path: Path) -> None:
    words = sides(tmp_path, 4, {"unshare/NEWNET": 1.03}, scatter=0.004)
    narrowed = {6: (), 1: ("--phase=create", "--filter=/NEWNET/$")}  # found with a slash behind the id
    rows = {n: json.loads(compare(*words, "--format=json", *more)[1])["rows"] for n, more in narrowed.items()}
    of = {n: next(r for r in rows[n] if r["case"] == "unshare/NEWNET") for n in rows}
    assert [len(r) for r in rows.values()] == [6, 1]
    assert of[6]["p"] == of[1]["p"] == of[1]["corrected"] < of[6]["corrected"]


def test_a_steady_drift_is_no_change(tmp_path: Path) -> None:
    """Runs of one side after the other, each 1% slower than the one before."""
    random = np.random.default_rng(3)
    words = {"base": ["--base"], "new": ["--new"]}
    for i in range(16):
        side = "base" if i < 8 else "new"
        drifted = run(tmp_path / f"{i}", random, dict.fromkeys(CASES, 1.01**i), 0.003, started=f"2026-01-01T{i:02}:00:00Z")
        words[side].append(str(drifted))
    code, out, _ = compare(*words["base"], *words["new"])
    assert code == 0
    assert "the machine drifted: +1" in out and "one side was measured wholly before the other" in out


def test_disturbed_runs_are_left_out_and_named(tmp_path: Path) -> None:
    """Two of eight runs of the new side were slowed by something else, and no row is called slower for it."""
    random = np.random.default_rng(5)
    words = {"base": ["--base"], "new": ["--new"]}
    names = [f"clone/none/stack:{size}K" for size in range(1, 13)]
    for i in range(16):
        side, luck = ("base", "new")[i % 2], 1.3 if i in (5, 11) else np.exp(random.normal(0, 0.003))
        rows = [result_row(name, "create", 9000 * luck * np.exp(random.normal(0, 0.002))) for name in names]
        words[side].append(str(write_run(tmp_path / f"run{i}", rows, started=f"2026-01-01T{i:02}:00:00Z")))
    code, out, _ = compare(*words["base"], *words["new"])
    assert code == 0 and re.findall(r"left out: (\w+), .* by \+(?:29|30|31)\.\d%", out) == ["run5", "run11"]


def test_one_run_a_side_says_what_that_supports(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    base, new = run(tmp_path / "base", random, scatter=0), run(tmp_path / "new", random, {"unshare/NEWNET": 1.05}, 0)
    run(tmp_path / "more", random)
    code, out, err = compare(base, new)
    assert (code, out) == (2, "") and err == ("compare: not resolvable with one run a side: use nsbench --repeat=5, or scripts/ab.py "
                                              "(--single judges it all the same)\n")
    code, out, _ = compare(base, new, "--single")
    assert code == 1 and "had a row that was called changed (scripts/validate.py replicate)" in out
    assert "one run a side does not tell by how much runs differ by themselves: 1% is assumed" in out
    assert "without samples.csv only by the intervals of their medians" in out
    assert compare(base, new, "--single", "--threshold=10%")[0] == 0
    assert "--single: there are 2 and 1 runs" in compare("--single", "--base", base, base.parent / "more", "--new", new)[2]


def with_samples(folder: Path, random: np.random.Generator, factor: float) -> Path:
    """12 rounds of 20 samples of one case, in samples.csv, and what nsbench would write of them in results.csv."""
    case = CASES[0]
    rounds = random.normal(np.log(30000 * factor), 0.005, 12)
    rows = [result_row(case, "create", float(np.exp(np.median(rounds))))]
    write_run(folder, rows)
    names = list(columns.of("samples.csv"))
    lines = [",".join(names)]
    for i, level in enumerate(rounds, 1):
        for j, time in enumerate(np.exp(random.normal(level, 0.01, 22))):
            row = {"case": case, "round": i, "sample": j, "counted": int(j > 1), "block": i,
                   "run_id": f"id-{folder.name}", "create": round(time * (3 if j < 2 else 1))}
            lines.append(",".join(str(row.get(name, "")) for name in names))
    (folder / "samples.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_one_run_a_side_is_compared_by_its_rounds(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    base, same, slow = (with_samples(tmp_path / name, random, factor) for name, factor in (("a", 1), ("b", 1), ("c", 1.05)))
    code, out, _ = compare(base, same, "--single")
    assert code == 0 and "scatter of rounds" in out
    code, out, _ = compare(base, slow, "--single", "--format=json")
    row = json.loads(out)["rows"][0]
    assert code == 1 and row["base_runs"] == 12 and row["low"] < 1.05 < row["high"]


def disturbed(folder: Path, random: np.random.Generator, factor: float) -> Path:
    """A run of 200 samples, of which other work makes a share of any size slower by up to a half."""
    folder.mkdir()
    times = random.normal(30000 * factor, 150, 200) * (1 + (random.random(200) < random.uniform(0.3, 0.8)) * random.uniform(0, 0.5, 200))
    write_run(folder / "run", [result_row(CASES[0], "create", float(np.median(times)), run_id=folder.name)])
    write_table(folder / "run" / "samples.csv", [
        {"run_id": folder.name, "case": CASES[0], "round": 1, "sample": i, "counted": 1, "block": 1, "create": round(time)}
        for i, time in enumerate(times)])
    return folder / "run"


def test_of_several_runs_the_fast_end_is_compared(tmp_path: Path) -> None:
    random = np.random.default_rng(6)
    words = [*("--base", *(disturbed(tmp_path / f"a{i}", random, 1) for i in range(5))),
             *("--new", *(disturbed(tmp_path / f"b{i}", random, 1.05) for i in range(5)))]
    code, out, _ = compare(*words)
    assert code == 1 and "middle of the runs' 5% quantiles; interval" in out
    code, out, _ = compare(*words, "--quantile=50%")
    assert code == 0 and "middle of the runs' 50% quantiles" in out and "1 not resolved" in out
    (tmp_path / "b3" / "run" / "samples.csv").unlink()
    code, out, _ = compare(*words)
    assert code == 0 and "middle of the runs' medians" in out


def test_the_level_that_is_taken_off_is_named(tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    words: list[object] = []
    for side in ("base", "new"):
        words.append(f"--{side}")
        for i in range(5):
            luck = np.exp(random.normal(0, 0.03))
            rows = [result_row(f"clone/none/stack:{size}K", "create", 9000 * luck * np.exp(random.normal(0, 0.002)) * (
                1.03 if (side, size) == ("new", 4) else 1)) for size in range(1, 8)]
            words.append(write_run(tmp_path / f"{side}{i}", rows, started=f"2026-01-01T{2 * i + (side == 'new'):02}:00:00Z"))
    code, out, _ = compare(*words, "--filter=stack:4K")
    assert code == 1 and re.search(r"^create of all cases together: \S+% \(\S+% … \S+%\), no more than runs differ: taken off", out, re.M)
    assert "1 of 1 rows slower" in out


def test_what_one_side_lacks_and_what_has_changed_come_first(tmp_path: Path) -> None:
    base = [result_row("clone/none", "create", 1000.0), result_row("clone/NEWPID", "create", 1000.0),
            result_row("clone/NEWTIME", "create", 1.0)]
    new = [base[0] | {"kernel": "6.12.0"}, result_row("clone/NEWTIME", "create", None, kernel="6.12.0", status="skipped",
                                                      errno="EINVAL", reason="clone3: Invalid argument")]
    one = write_run(tmp_path / "one", base, {"mounts": "20", "mitigations": "on"}, options={"cpu": 1})
    other = write_run(tmp_path / "other", new, {"mounts": "31", "mitigations": "on"}, options={"cpu": "any"})
    _, out, _ = compare(one, other, "--single")
    before = out[:out.index("case  ")].splitlines()
    assert before[2:5] == ["kernel differs: 6.1.0 → 6.12.0", "mounts differs: 20 → 31", "pinned to CPU differs: 1 → any"]
    assert "only base has clone/NEWPID: not in the other's results" in before
    assert "only base has clone/NEWTIME: skipped: EINVAL clone3: Invalid argument" in before
    _, rows, err = compare(one, other, "--single", "--format=csv")
    assert "mounts differs: 20 → 31" in err and rows.splitlines()[0].startswith("case,phase,unit,base,new")
    assert len(rows.splitlines()) == 2
    _, text, _ = compare(one, other, "--single", "--format=markdown")
    assert "- mounts differs: 20 → 31" in text and "| clone/none | create | 1.00 µs |" in text


def test_a_time_of_zero_is_shown_and_not_judged(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, [result_row("clone/none", "create", value), result_row("clone/none", "total", 9.0)])
            for name, value in (("a", 0.0), ("b", 5.0))]
    code, out, _ = compare(*runs, "--single")
    assert code == 0 and re.search(r"^clone/none +create +0 ns +5.00 ns +\?  +~$", out, re.M)


@pytest.mark.parametrize(("one", "other", "says"), [
    ("root=/dev/vda quiet " * 5 + "mitigations=auto", "root=/dev/vda quiet " * 5 + "mitigations=off",
     "mitigations=auto → mitigations=off"),
    ("quiet " * 20, "quiet " * 20 + "nosmt", r"\(nothing\) → nosmt"),
    ("a" * 100 + "b" + "c" * 100, "a" * 100 + "d" + "c" * 100, "…a+bc+… → …a+dc+…"),
    ("6.1", "6.2", "6.1 → 6.2"),
])
def test_a_long_value_shows_what_differs(tmp_path: Path, one: str, other: str, says: str) -> None:
    runs = [write_run(tmp_path / name, [result_row("clone/none", "create", 9.0)], {"command_line": value})
            for name, value in (("a", one), ("b", other))]
    assert re.search(f"^command_line differs: {says}$", compare(*runs, "--single")[1], re.M)


def test_the_samplers_size_is_named(tmp_path: Path) -> None:
    runs = {name: write_run(tmp_path / name, [result_row("clone/none", "create", 9.0)],
                            sampler={"resident_bytes": size, "mappings": mappings})
            for name, size, mappings in (("a", 819200, 12), ("b", 827392, 12), ("c", 1048576, 14))}
    assert "sampler" not in compare(runs["a"], runs["b"], "--single")[1]
    out = compare(runs["a"], runs["c"], "--single")[1]
    assert "the sampler's mappings differs: 12 → 14" in out and "the sampler's size differs: 800 → 1024 KiB resident" in out


def test_runs_whose_blocks_differ_are_refused(tmp_path: Path) -> None:
    def of(name: str, clock: str = "wall", **shapes: tuple[int, int]) -> Path:
        measuring = {"block_shapes": {kind: {"lead_in": lead_in, "samples": samples} for kind, (lead_in, samples) in shapes.items()}}
        rows = [result_row("clone/NEWPID", "create", 9000.0, clock=clock, unit=columns.unit_of(clock))]
        return write_run(tmp_path / name, rows, measuring=measuring if shapes else {})

    one = of("one", none=(4, 16), light=(4, 12))
    code, _, err = compare(one, of("two", light=(4, 10)), "--single")
    assert code == 2 and err.count("\n") == 1 and "4 uncounted and 12 counted samples in one" in err
    assert "4 uncounted and 10 counted samples in two (class light)" in err and "--samples, --block and --lead-in" in err
    code, out, _ = compare(one, of("three", light=(4, 12), net=(4, 4)), "--single")
    assert code == 0 and "blocks" not in out
    code, out, _ = compare(one, of("old"), "--single")
    assert code == 0 and "unknown how long the blocks of old were" in out
    assert compare(of("four", "instructions", light=(1, 1)), of("five", "instructions", light=(2, 1)))[0] == 0


def test_drains_of_batches_that_differ_are_named(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, [result_row("clone/NEWNET", "drain", 9000.0)],
                      measuring={"drains": 10, "drained_samples": samples}) for name, samples in (("a", 600), ("b", 80))]
    assert "drain is not comparable: batches of 60.0 namespaces on average on the base's side, 8.0" in compare(*runs, "--single")[1]


def test_ids_are_joined_without_a_parameter(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, [result_row(f"clone/none/spawn:{name}", "create", 100.0)]) for name in ("fork", "vm")]
    assert compare(*runs)[0] == 2
    assert "clone/none  create" in compare(*runs, "--single", "--ignore=spawn")[1]
    both = write_run(tmp_path / "both", [result_row(f"clone/none/spawn:{name}", "create", 1.0) for name in ("fork", "vm")])
    assert "which would become one" in compare(both, both, "--ignore=spawn")[2]


def test_instructions_are_compared_without_statistics(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    base = run(tmp_path / "base", random, scatter=0, clock="instructions")
    code, out, _ = compare(base, run(tmp_path / "same", random, scatter=0, clock="instructions"))
    assert code == 0 and "6 identical in every figure" in out
    slower = run(tmp_path / "new", random, {"unshare/NEWNET": 1.0001}, 0, clock="instructions")
    code, out, _ = compare(base, slower)
    assert code == 0 and "2 changed by less, 0 with the same median, 4 identical" in out
    assert re.search(r"^unshare/NEWNET +create +90000 +90009 .* small$", out, re.M)


def test_counts_whose_ids_differ_by_a_parameter(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, [
        result_row(f"clone/{kind}/spawn:{name}", "create", median, spawn=name, clock="instructions", unit="instructions")
        for kind, median in (("none", 1000.0), ("NEWPID", changed))])
        for name, changed in (("fork", 2000.0), ("vm", 2001.0))]
    code, out, _ = compare(*runs, "--ignore=spawn", "--format=json")
    assert code == 0
    assert verdicts(out) == {("clone/none", "create"): "identical", ("clone/NEWPID", "create"): "small"}


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_a_long_table_shows_what_changed_by_less(tmp_path: Path, form: str) -> None:
    runs = [write_run(tmp_path / name, [
        result_row(f"clone/none/stack:{i}K", "create", 1e6 + (i % 2 and more), clock="instructions", unit="instructions")
        for i in range(1, 101)]) for name, more in (("a", 0), ("b", 5))]
    out = compare(*runs, f"--format={form}")[1]
    assert out.count("1000005") == 40 and "60 rows (10 small, 50 identical) not shown: --all" in out
    out = compare(*runs, f"--format={form}", "--all")[1]
    assert out.count("1000005") == 50 and out.count("clone/none") == 100 and "not shown" not in out


def test_it_starts_as_a_program(tmp_path: Path) -> None:
    folder = run(tmp_path / "a", np.random.default_rng(1))
    done = subprocess.run([SCRIPT, "--single", folder, folder / "results.csv"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "") and "both sides have a run in common" in done.stdout


def test_a_hundred_runs_at_once(tmp_path: Path) -> None:
    code, out, _ = compare(*sides(tmp_path, 12, {"unshare/NEWNET": 1.05}), "--base",
                           *(run(tmp_path / f"more{i}", np.random.default_rng(i), started=f"2026-01-{i % 28 + 1:02}T00:00:00Z")
                             for i in range(88)))
    assert code == 1 and ", and 87 more" in out and "88" not in out.split("case  ")[1]
