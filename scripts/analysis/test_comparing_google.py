"""Tests of compare.py on Google Benchmark's JSON."""
import json
import re
import subprocess
from pathlib import Path

import pytest

for module in ("numpy", "pandas", "scipy"):
    pytest.importorskip(module, reason=f"python3-{module} is missing")
import numpy as np

from analysis.fixtures_compare import compare

GOOGLE = Path("/usr/share/benchmark/compare.py")


def benchmarks(file: Path, random: np.random.Generator, factors: dict[str, float]) -> Path:
    """Google Benchmark's JSON: 20 repetitions of each."""
    entries = [{"name": name, "run_name": name, "run_type": "iteration", "repetitions": 20, "repetition_index": i, "threads": 1,
                "iterations": 1000, "real_time": time, "cpu_time": time, "time_unit": "us"}
               for name, factor in factors.items() for i, time in enumerate(random.normal(50 * factor, 0.5, 20))]
    file.write_text(json.dumps({"context": {"date": "2026-01-01T00:00:00+00:00", "num_cpus": 2}, "benchmarks": entries}))
    return file


def test_it_agrees_with_googles_own_on_which_rows_differ(tmp_path: Path) -> None:
    if not GOOGLE.exists():
        pytest.skip(f"no {GOOGLE}: Debian's libbenchmark-tools is not installed")
    random = np.random.default_rng(2)
    true = {"BM_same": 1.0, "BM_also": 1.0, "BM_slow": 1.05, "BM_slower/8": 1.5, "BM_fast": 0.95}
    base, new = benchmarks(tmp_path / "a.json", random, dict.fromkeys(true, 1.0)), benchmarks(tmp_path / "b.json", random, true)
    theirs = subprocess.run(["/usr/bin/python3", GOOGLE, "--no-color", "benchmarks", base, new], capture_output=True, text=True)
    assert theirs.returncode == 0, theirs.stderr
    p = {name: float(value) for name, value in re.findall(r"^(\S+)_pvalue +(\S+)", theirs.stdout, re.M)}
    code, out, _ = compare(base, new, "--format=json", "--threshold=0%")
    ours = {row["case"]: row["verdict"] for row in json.loads(out)["rows"]}
    assert code == 1
    assert set(p) == set(ours) == set(true)
    assert {name for name in p if p[name] < 0.05} == {name for name in ours if ours[name] in ("slower", "faster")} \
        == {"BM_slow", "BM_slower/8", "BM_fast"}


def test_names_that_would_steer_a_terminal_are_text(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    sides = [benchmarks(tmp_path / f"{side}.json", random, {"BM_\x1b[2J": 1.0}) for side in "ab"]
    code, out, _ = compare(*sides)
    assert code == 0 and "BM_\\x1b[2J" in out and "\x1b" not in out


def test_what_nsbench_writes_as_googles_is_one_run(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    both = [benchmarks(tmp_path / f"{name}.json", random, {"clone/none": 1.0}) for name in "ab"]
    assert compare(*both)[0] == 0 and "Use several runs a side" in compare(*both)[1]
    for path in both:
        content = json.loads(path.read_text())
        content["context"]["run_id"] = path.stem
        path.write_text(json.dumps(content))
    assert compare(*both)[0] == 2 and "had a row that was called changed" in compare(*both, "--single")[1]


@pytest.mark.parametrize(("text", "says"), [
    ("", "no JSON"), ("[]", "not Google Benchmark's JSON"), ('{"context": {}, "benchmarks": []}', "no repetitions in it"),
    ('{"context": {}, "benchmarks": [{"name": "a", "real_time": NaN}]}', "real_time is nan, not a number"),
    ('{"context": {}, "benchmarks": [{"name": "a", "real_time": 1, "time_unit": "h"}]}', "unknown time_unit 'h'"),
])
def test_broken_json_is_2_and_one_line(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "a.json"
    file.write_text(text)
    code, out, err = compare(file, file)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert says in err
