"""validate.py: what it cannot find out is one line and 2, never the 1 that says 'outside of the limits'."""
import csv
import io
import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from analysis import bare_loop, coverage, holding
from analysis.fixtures import call, result_row

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
VALIDATE = Path(__file__).resolve().parents[1] / "validate.py"


@pytest.fixture(name="build")
def fixture_build(tmp_path: Path) -> Path:
    """Where nsbench does as it is told by said(), and the yardstick measures all alike."""
    record = ('for word; do case $word in --out=*)\nmkdir "${word#--out=}" && cp "${0%/*}/samples" "${word#--out=}/samples.csv" && '
              'cp "${0%/*}/rounds" "${word#--out=}/rounds.csv";;\nesac; done')
    for name, script in (("nsbench", f"{record}\ncat ${{0%/*}}/csv\ncat ${{0%/*}}/error >&2\nexit $(cat ${{0%/*}}/code)"),
                         ("nsbench-yardstick", "yes 9 9 | head -n $(($2 * $3))")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    said(tmp_path, [result_row(f"clone/{kinds}/stack:1M", phase, 9.0, delta_low="-1", delta_high="1")
                    for kinds in ("none", "NEWPID") for phase in ("create", "total")])
    recorded(tmp_path, [9.0] * 40)
    return tmp_path


def recorded(build: Path, times: list[float], lead_in: int = 2) -> None:
    """Each of the yardstick's cases has three blocks of these times."""
    lines = ["case,round,block,counted,errno,create,total", "clone/none/stack:1M,0,1,0,,9,9"]
    lines += [f"clone/{name}/stack:1M,{number},{number},{int(place >= lead_in)},,{time},{time}"
              for name in ("none", "NEWPID", "NEWNET") for number in (1, 2, 3) for place, time in enumerate(times)]
    (build / "samples").write_text("\n".join([*lines, ""]))
    (build / "rounds").write_text("round,seconds\n0,5\n1,0.5\n2,0.25\n3,0.75\n")


def said(build: Path, rows: list[dict], code: int = 0, error: str = "") -> None:
    text = io.StringIO()
    out = csv.DictWriter(text, list(result_row("clone/none", "create", None)), lineterminator="\n")
    out.writeheader()
    out.writerows(rows)
    for name, what in (("csv", text.getvalue()), ("code", str(code)), ("error", error)):
        (build / name).write_text(what)


@pytest.mark.parametrize("words", [
    ["yardstick", "--pairs=1"], ["aa", "--trials=0"], ["aa", "--trials=²"], ["compare", "--trials=-1"],
    ["compare", "--seed=-1"], ["median", "--trials=0"], ["kills", "--moment=nan"],
    ["kills", "--moment=1.5"],
    ["compare", "--seed=x"], [], ["--build=/no/folder", "aa"],
])
def test_wrong_use_is_one_line(words: list[str]) -> None:
    code, out, err = call(VALIDATE, words)
    assert (code, out, err.count("\n")) == (2, "", 1) and err.startswith("validate: ")


def test_the_yardstick_waits_as_long_as_nsbench(tmp_path: Path) -> None:
    (tmp_path / "samples.csv").write_text("round,total\n0,9000000000\n1,200000000\n2,100000000\n2,\n")
    (tmp_path / "rounds.csv").write_text("round,seconds\n0,5\n1,0.5\n2,0.25\n")
    assert bare_loop.seconds_between(tmp_path, 3) == pytest.approx((0.75 - 0.3) / 3)
    (tmp_path / "rounds.csv").write_text("round,seconds\n1,0.1\n")
    assert bare_loop.seconds_between(tmp_path, 3) == 0


def test_a_yardstick_that_failed_is_no_answer(build: Path) -> None:
    (build / "nsbench-yardstick").write_text("#!/bin/sh\nexit 1\n")
    code, out, err = call(VALIDATE, [f"--build={build}", "yardstick"])
    assert (code, out) == (2, "")
    assert re.fullmatch(r"validate: \S+/nsbench-yardstick [0-9a-f]+ 40 10 \d+ ended with 1", err.splitlines()[-1])


def test_what_was_measured_is_an_answer(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    code, out, _ = call(VALIDATE, [f"--build={build}", "yardstick", "--pairs=2"])
    assert code == 0 and out.count("  1.000 ") == 6
    code, out, _ = call(VALIDATE, [f"--build={build}", "aa", "--trials=2"])
    assert code == 0 and "NEWPID   total      0 of 2 intervals leave out zero" in out


def test_rows_without_an_interval_are_not_within_the_limit(build: Path) -> None:
    said(build, [result_row("clone/NEWPID/stack:1M", "create", 9.0)])
    code, out, _ = call(VALIDATE, [f"--build={build}", "aa", "--trials=2"])
    assert (code, out) == (1, "no row has an interval\nat most 8% may\n")


@pytest.mark.parametrize(("times", "code"), [
    ([9.0] * 40, 0),
    ([90.0, 20.0] + [9.0] * 38, 0),  # what does not count may take as long as it likes
    ([9.0] * 2 + [9.05] * 22 + [9.0] * 16, 0),
    ([9.0] * 2 + [9.2] * 22 + [9.0] * 16, 1),
    ([9.0] * 20, 1),  # no block has late ones: nothing is known
])
def test_what_counts_of_a_block_is_like_its_late_samples(build: Path, times: list[float], code: int) -> None:
    recorded(build, times)
    found, out, _ = call(VALIDATE, [f"--build={build}", "position", "--seconds=1"])
    assert found == code and out.count("clone         2+38") == (2 if len(times) == 40 else 0), out


@pytest.mark.parametrize("command", ["aa", "yardstick", "position"])
def test_an_nsbench_that_failed_is_no_answer(build: Path, command: str) -> None:
    said(build, [], 3, "nsbench: first line\nnsbench: not permitted\n")
    assert call(VALIDATE, [f"--build={build}", command]) == (2, "", f"validate: {build}/nsbench: exit code 3: nsbench: not permitted\n")


def test_rows_without_figures_are_no_answer(build: Path) -> None:
    said(build, [result_row("clone/NEWPID/stack:1M", "create", None, status="skipped", errno="EPERM", reason="not permitted")])
    assert call(VALIDATE, [f"--build={build}", "aa"]) == (2, "", f"validate: {build}/nsbench: clone/NEWPID/stack:1M: EPERM not permitted\n")
    said(build, [])
    assert call(VALIDATE, [f"--build={build}", "aa"]) == (2, "", f"validate: {build}/nsbench: it has measured nothing\n")


def test_a_program_that_is_missing_is_named(build: Path) -> None:
    (build / "nsbench-yardstick").unlink()
    code, _, err = call(VALIDATE, [f"--build={build}", "yardstick"])
    assert code == 2 and err.splitlines()[-1].startswith("validate: nsbench-yardstick is missing: ")


SIDES = """#!/bin/sh
# As nsbench: a run of its own for each --out, whose create of NEWNS is as the planted mounts make it.
for word; do case $word in --out=*) out=${word#--out=} ;; --version) echo 'nsbench 1.2.3'; exit ;; esac; done
[ -e ${0%/*}/stop ] && [ "$(cat ${0%/*}/count)" -ge "$(cat ${0%/*}/stop)" ] && { echo 'nsbench: stopped' >&2; exit 1; }
echo $(($(cat ${0%/*}/count) + 1)) > ${0%/*}/count
exec /usr/bin/python3 ${0%/*}/write.py "$out" "$(cat ${0%/*}/count)" "$(grep -c 'nsbench-mounts' /proc/self/mountinfo)"
"""
WRITE = """import sys
sys.path.insert(0, {scripts!r})
from pathlib import Path
from random import Random
from statistics import median
from analysis.fixtures import result_row, write_run, write_table
out, number, mounts = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
random = Random(number)
rows, samples = [], []
for kind in ("none", "NEWIPC", "NEWNET", "NEWNS", "NEWPID", "NEWUTS"):
    case = f"clone/{{kind}}/stack:1M"
    times = [random.gauss(30000, 100) * (1 + 0.01 * mounts * (kind == "NEWNS")) for _ in range(40)]
    rows.append(result_row(case, "create", median(times), run_id=f"run-{{number}}"))
    samples += [{{"run_id": f"run-{{number}}", "kernel": "6.1.0", "clock": "wall", "case": case, "round": 1, "block": 1, "sample": i,
                 "counted": 1, "create": round(time)}} for i, time in enumerate(times)]
write_run(out, rows, started=f"2026-01-01T{{number // 60:02}}:{{number % 60:02}}:00Z")
write_table(out / "samples.csv", samples)
"""


@pytest.fixture(name="sides")
def fixture_sides(tmp_path: Path) -> Path:
    """Where nsbench writes runs that scatter by 0.3%, and by 1% for each mount that was planted."""
    pytest.importorskip("pandas", reason="python3-pandas is missing")
    (tmp_path / "nsbench").write_text(SIDES)
    (tmp_path / "nsbench").chmod(0o755)
    (tmp_path / "write.py").write_text(WRITE.format(scripts=str(VALIDATE.parent)))
    (tmp_path / "count").write_text("0")
    return tmp_path


@needs_root
def test_sides_are_recorded_once_and_judged(sides: Path) -> None:
    words = [f"--build={sides}", "replicate", "--comparisons=2", "--planted=2", f"--keep={sides / 'kept'}"]
    (sides / "stop").write_text("25")  # 18 that tell what a mount costs, and one side and two runs
    code, out, err = call(VALIDATE, words)
    assert (code, out) == (2, "") and err.endswith("nsbench: exit code 1: nsbench: stopped\n")
    assert sorted(path.name for path in (sides / "kept").iterdir()) == ["S001", "S002.part", "plan.json"]
    assert json.loads((sides / "kept" / "plan.json").read_text())["version"] == "nsbench 1.2.3"
    (sides / "stop").unlink()
    code, out, err = call(VALIDATE, words)
    assert code == 0, out + err
    assert (sides / "count").read_text() == f"{18 + 6 * 5 + 2}\n"  # six sides, and the two runs that were not a whole one
    assert re.search(r"^nothing changed, 5 runs a side: any row changed +0 of 2 +0.0%", out, re.M)
    assert re.search(r"^5% planted in one row: found +2 of 2 +100.0%  \(15.8% … 100.0%\)$", out, re.M)
    assert call(VALIDATE, words)[:2] == (code, out) and (sides / "count").read_text() == "50\n"
    assert "was recorded with --budget=2s" in call(VALIDATE, [*words, "--budget=3s"])[2]


@needs_root
def test_sides_that_differ_are_outside_of_the_limits(sides: Path) -> None:
    """S002 is of runs that nothing is wrong with, but with mounts."""
    words = [f"--build={sides}", "replicate", "--comparisons=1", "--planted=1", f"--keep={sides / 'kept'}"]
    assert call(VALIDATE, words)[0] == 0
    for one, other in (("S001", "B001"), ("S002", "P001")):
        (sides / "kept" / one).rename(sides / "kept" / "away")
        (sides / "kept" / other).rename(sides / "kept" / one)
        (sides / "kept" / "away").rename(sides / "kept" / other)
    code, out, _ = call(VALIDATE, words)
    assert code == 1 and "wrong: S001 S002: clone/NEWNS/stack:1M create slower" in out
    assert re.search(r"any row changed +1 of 1 +100.0%", out) and re.search(r"in one row: found +0 of 1 ", out)


def test_another_folder_is_refused(sides: Path) -> None:
    (sides / "kept").mkdir()
    (sides / "kept" / "mine").touch()
    assert "has files, but no plan.json" in call(VALIDATE, [f"--build={sides}", "replicate", f"--keep={sides / 'kept'}"])[2]


@pytest.mark.parametrize(("step", "code"), [(0, 0), (5, 1)])
def test_intervals_cover_what_runs_differ_by_or_do_not(build: Path, step: int, code: int) -> None:
    """Runs with intervals of ±1 µs, all alike, or each 5 µs above the one before."""
    said(build, [result_row("clone/NEWPID/stack:1M", "create", 9000.0, delta="#", delta_low="#", delta_high="+")])
    (build / "nsbench").write_text(f"""#!/bin/sh
n=$(cat ${{0%/*}}/n 2>/dev/null || echo 0); echo $((n + 1)) > ${{0%/*}}/n
sed "s/#,#,+/$((n * {step}000 + 5000)),$((n * {step}000 + 4000)),$((n * {step}000 + 6000))/" ${{0%/*}}/csv
""")
    found, out, _ = call(VALIDATE, [f"--build={build}", "runs", "--runs=4"])
    assert found == code and (f"{0 if step else 4} of 4 intervals of 1 rows" in out)


@pytest.mark.parametrize(("rows", "code", "word"), [(1, 0, "scatters ×0.10"), (0, 1, "no row scatters")])
def test_what_preparing_wins(build: Path, rows: int, code: int, word: str) -> None:
    """Runs that scatter by a tenth where nsbench doctor --prepare has started them."""
    said(build, [result_row("clone/NEWPID/stack:1M", "create", 9000.0)])
    (build / "nsbench").write_text(f"""#!/bin/sh
[ "$1" = doctor ] && {{ while [ "$1" != -- ]; do shift; done; shift; export STEP=1; exec "$@"; }}
n=$(cat ${{0%/*}}/n$STEP 2>/dev/null || echo 0); echo $((n + 1)) > ${{0%/*}}/n$STEP
sed "s/9000.0/$((100000 + {rows} * n * ${{STEP:-10}}))/" ${{0%/*}}/csv
""")
    found, out, err = call(VALIDATE, [f"--build={build}", "prepare", "--runs=4", "--leave=smt"])
    assert found == code and word in out, out + err


def test_runs_of_known_times_are_read_by_nsbench(tmp_path: Path) -> None:
    program = os.environ.get("NSBENCH")
    if program is None:
        pytest.skip("NSBENCH is not set: scripts/test does that")
    info, header = holding.template(Path(program).parent, tmp_path / "template")
    base, new = coverage.pairs(coverage.MODELS[0], np.random.default_rng(1), 8, 10, 4)
    coverage.write(tmp_path, info, header, base, new)
    subprocess.run([program, "summary", tmp_path, "--quiet"], check=True, capture_output=True)
    with (tmp_path / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["case"], row["phase"]) for row in rows] == [
        (f"clone/NEWUTS/stack:{size}K", phase) for size in (16, 20) for phase in coverage.PHASES]
    for row, times, of_base in zip(rows, new, base):
        assert int(row["samples"]) == times.size and float(row["median"]) == np.median(times)
        assert float(row["delta"]) == np.median(np.median(times, axis=1) - np.median(of_base, axis=1))
    everything, nothing = (float(new.min()), 0.0), (2 * float(new.max()), 0.0)
    assert [held for held, _, _ in coverage.held(rows, nothing)] == [False] * 8
    assert [held for held, _, _ in coverage.held(rows, everything)] == [False] * 8
    assert all(held for held, _, _ in coverage.held(rows, (float(np.median(new)), 0.0)))


def test_without_the_program_that_stops_half_of_the_answer_is_missing(build: Path) -> None:
    code, out, err = call(VALIDATE, [f"--build={build}", "median"])
    assert (code, out) == (2, "") and err.startswith(f"validate: no nsbench-stops in {build}: ") and err.count("\n") == 1


def test_without_the_program_nothing_is_known_of_a_large_run(build: Path) -> None:
    code, out, err = call(VALIDATE, [f"--build={build}", "size"])
    assert (code, out) == (2, "") and err.startswith(f"validate: no nsbench-size in {build}: ") and err.count("\n") == 1


@pytest.mark.parametrize(("seconds", "peak", "expected"), [(10.0, 512, 0), (10.1, 100, 1), (1.0, 513, 1)])
def test_a_large_run_is_held_to_memory_and_time(build: Path, seconds: float, peak: int, expected: int) -> None:
    (build / "nsbench-size").write_text("#!/bin/sh\n" + "".join(
        f"echo {stage} {7 * 3} {taken} {held}\n" for stage, taken, held in (
            ("taken", 99, 50), ("rows", 99, 60), ("written", seconds, 70), ("read", 99, peak))))
    (build / "nsbench-size").chmod(0o755)
    code, out, _ = call(VALIDATE, [f"--build={build}", "size", "--cases=7", "--samples=3"])
    assert code == expected and "7 cases" in out


def test_a_run_made_up_is_read_as_it_was_written(tmp_path: Path) -> None:
    program = Path(os.environ.get("NSBENCH", "/none")).with_name("nsbench-size")
    if not program.exists():
        pytest.skip("NSBENCH is not set, or nsbench-size is not built: scripts/test does both")
    said = subprocess.run([program, "600", "25", tmp_path / "run"], text=True, capture_output=True, check=True)
    stages = {line.split()[0]: line.split()[1:] for line in said.stdout.splitlines()}
    assert list(stages) == ["taken", "rows", "written", "read"] and {count for count, *_ in stages.values()} == {"15000"}
    assert json.loads((tmp_path / "run/run.json").read_text())["measuring"]["sample_lines"] == 15000
    with (tmp_path / "run/samples.csv").open() as file:
        assert sum(1 for _ in file) == 15001
    again = subprocess.run([program, "600", "25", tmp_path / "run"], text=True, capture_output=True, check=False)
    assert again.returncode == 1 and "holds a run already" in again.stderr
    assert subprocess.run([program, "600", "0", tmp_path / "new"], capture_output=True).returncode == 2


def test_where_a_run_stops_is_told() -> None:
    program = Path(os.environ.get("NSBENCH", "/none")).with_name("nsbench-stops")
    if not program.exists():
        pytest.skip("NSBENCH is not set, or nsbench-stops is not built: scripts/test does both")
    alike, apart = "100 101 " * 32, "100 101 300 301 " * 16
    said = subprocess.run([program, "0.05", "32", "2"], input=f"{alike}\n{apart}\n", text=True, capture_output=True, check=True)
    stops, ends = ([float(line.split()[of]) for line in said.stdout.splitlines()] for of in (0, 2))
    assert stops == [8, 32] and ends[0] < 105 and ends[1] >= 300
    assert subprocess.run([program, "0.05"], capture_output=True).returncode == 2
