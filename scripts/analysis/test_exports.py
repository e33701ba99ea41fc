"""Tests of what runs are exported as: each format by its own reader, or by what its readers ask for."""
import csv
import json
import math
import os
import re
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("pandas", reason="python3-pandas is missing")

from analysis import export_kcidb  # noqa: E402
from analysis.fixtures import call, result_row, write_run  # noqa: E402

SCRIPTS = Path(__file__).resolve().parents[1]
SCRIPT = SCRIPTS / "export.py"
RESULTS = SCRIPTS.parent / "results"
HOST = RESULTS / "host/wall"

# What KCIDB's schema 5.3 asks for of what is written here, in our own words.
OWNED = {"id": {"type": "string", "pattern": "^[a-z0-9_]+:"}, "origin": {"type": "string", "pattern": "^[a-z0-9_]+$"},
         "comment": {"type": "string"}}
STATUSES = {"enum": ["FAIL", "ERROR", "MISS", "PASS", "DONE", "SKIP"]}


def owned(required: list[str], **more: object) -> dict[str, object]:
    return {"type": "array", "items": {"type": "object", "additionalProperties": False, "properties": OWNED | more,
                                       "required": ["id", "origin", *required]}}


KCIDB = {
    "type": "object", "additionalProperties": False, "required": ["version"], "properties": {
        "version": {"const": {"major": 5, "minor": 3}},
        "checkouts": owned([], valid={"type": "boolean"}),
        "builds": owned(["checkout_id"], checkout_id=OWNED["id"], status=STATUSES,
                        architecture={"type": "string", "pattern": "^[a-z0-9_]*$"}),
        "tests": owned(
            ["build_id"], build_id=OWNED["id"], status=STATUSES,
            path={"type": "string", "pattern": r"^([a-zA-Z0-9_-]+(\.[a-zA-Z0-9_-]+)*)?$"},
            start_time={"type": "string", "format": "date-time"}, duration={"type": "number"}, misc={"type": "object"},
            log_excerpt={"type": "string", "maxLength": 16384},
            environment={"type": "object", "additionalProperties": False,
                         "properties": {"comment": {"type": "string"}, "misc": {"type": "object"}}},
            number={"type": "object", "additionalProperties": False, "required": ["value"],
                    "properties": {"value": {"type": "number"}, "unit": {"type": "string"}, "prefix": {"enum": ["metric", "binary"]}}})}}


def rows_of(folder: Path) -> dict[tuple[str, str], dict[str, str]]:
    with (folder / "results.csv").open(newline="") as file:
        return {(row["case"], row["phase"]): row for row in csv.DictReader(file)}


def exported(*words: object) -> str:
    code, out, err = call(SCRIPT, words)
    assert (code, err) == (0, ""), err
    return out


@pytest.fixture(name="recorded", params=["host/wall", "6.1.0-*"])
def fixture_recorded(request: pytest.FixtureRequest) -> Path:
    """A recorded run, of wall time and of counts."""
    found = next(RESULTS.glob(request.param), None)
    if found is None:
        pytest.skip(f"{RESULTS} has no run {request.param}")
    return found


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A row with figures, one that was skipped, one that failed; and text that needs to be escaped."""
    rows = [result_row("clone/NEWPID/stack:1M", "create", 37100.5, delta=3620, delta_low=3000, delta_high=4000),
            result_row("clone/NEWTIME/stack:1M", "create", None, status="skipped", errno="EINVAL", reason="no, not here"),
            result_row("clone/NEWNET/stack:1M", "total", None, status="failed", errno="EPERM", reason="refused")]
    return write_run(tmp_path / "run", [row | {"kernel": '6.1 "ä"\\n'} for row in rows])


def test_openmetrics_is_read_by_the_formats_own_parser(recorded: Path) -> None:
    parser = pytest.importorskip("prometheus_client.openmetrics.parser", reason="python3-prometheus-client is missing")
    metrics = {one.name: one for one in parser.text_string_to_metric_families(exported(recorded, "--format=openmetrics"))}
    rows = rows_of(recorded)
    unit, ticks = ("seconds", 1e9) if recorded == HOST else ("instructions", 1)
    for name, column in (("median", "median"), ("median_low", "ci_low"), ("delta", "delta"), ("p99", "p99")):
        metric = metrics[f"nsbench_{name}_{unit}"]
        assert (metric.unit, metric.type) == (unit, "gauge")
        found = {(one.labels["case"], one.labels["phase"]): one.value for one in metric.samples}
        assert found == pytest.approx({key: float(row[column]) / ticks for key, row in rows.items() if row[column]})
    [about] = metrics["nsbench_run"].samples
    assert about.labels["run_id"] == next(iter(rows.values()))["run_id"] and about.labels["clock"] in ("wall", "instructions")
    assert sum(one.value for one in metrics["nsbench_rows"].samples) == len(rows)


def test_openmetrics_escapes(small: Path) -> None:
    parser = pytest.importorskip("prometheus_client.openmetrics.parser", reason="python3-prometheus-client is missing")
    text = exported(small, "--format=openmetrics")
    metrics = {one.name: one for one in parser.text_string_to_metric_families(text)}
    assert metrics["nsbench_run"].samples[0].labels["kernel"] == '6.1 "ä"\\n'
    assert {one.labels["status"]: one.value for one in metrics["nsbench_rows"].samples} == {"ok": 1, "skipped": 1, "failed": 1}
    assert text.endswith("# EOF\n")


def test_kcidb_has_a_test_for_each_row(recorded: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="python3-jsonschema is missing")
    report = json.loads(exported(recorded, "--format=kcidb"))
    jsonschema.Draft202012Validator(KCIDB).validate(report)
    rows = rows_of(recorded)
    whole, *tests = report["tests"]
    assert (whole["path"], whole["status"]) == ("nsbench", "DONE")
    assert report["builds"][0]["id"] == f"nsbench:{whole['environment']['misc']['kernel']}"
    ticks = 1e9 if recorded == HOST else 1
    found = {test["path"]: test["number"]["value"] for test in tests if "number" in test}
    assert found == pytest.approx({export_kcidb.path_of(*key): float(row["median"]) / ticks for key, row in rows.items() if row["median"]})
    assert len({test["id"] for test in tests}) == len(rows) == len(tests)
    assert {test["build_id"] for test in report["tests"]} == {report["builds"][0]["id"]}


def test_kcidb_says_why_there_is_no_figure(small: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="python3-jsonschema is missing")
    report = json.loads(exported(small, "--format=kcidb", "--origin=my_ci", "--build-id=my_ci:1234"))
    jsonschema.Draft202012Validator(KCIDB).validate(report)
    assert report.keys() == {"version", "tests"}
    assert [(one["status"], one.get("log_excerpt"), "number" in one) for one in report["tests"][1:]] == [
        ("DONE", None, True), ("SKIP", "EINVAL no, not here", False), ("ERROR", "EPERM refused", False)]
    assert all(one["build_id"] == "my_ci:1234" and one["id"].startswith("my_ci:") for one in report["tests"])


def stats(text: str) -> dict[str, float]:
    """As LKP takes them: `key: value`, the key without blanks, the value a number."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        key, between, value = line.partition(": ")
        assert between and not re.search(r"\s", key) and key not in found, line
        found[key] = float(value)
    return found


def parsed(folder: Path, text: str) -> dict[str, float]:
    done = subprocess.run([folder / "programs/nsbench/parse"], input=text, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return stats(done.stdout)


def test_lkp_parses_each_row(small: Path, tmp_path: Path) -> None:
    exported(HOST, "--format=lkp", "-o", tmp_path / "lkp")
    log = "2026-01-01 00:00:00 nsbench --csv=- --budget=60s\n"  # as LKP says what it runs
    found = parsed(tmp_path / "lkp", log + (HOST / "results.csv").read_text())
    rows = rows_of(HOST)
    assert len([key for key in found if not key.endswith(".delta")]) == len(rows)
    assert found["clone.NEWPID.stack_1M.create"] == float(rows["clone/NEWPID/stack:1M", "create"]["median"])
    assert found["clone.NEWPID.stack_1M.create.delta"] == float(rows["clone/NEWPID/stack:1M", "create"]["delta"])
    assert not any(math.isnan(value) for value in found.values())
    assert parsed(tmp_path / "lkp", (small / "results.csv").read_text()) == {
        "clone.NEWPID.stack_1M.create": 37100.5, "clone.NEWPID.stack_1M.create.delta": 3620,
        "clone.NEWTIME.stack_1M.create.skipped": 1, "clone.NEWNET.stack_1M.total.failed": 1}
    assert parsed(tmp_path / "lkp", "nsbench: not permitted\n") == {}


def test_lkp_measures_what_was_measured(tmp_path: Path) -> None:
    """The job's parameters, and the program with them, as LKP calls it."""
    nsbench = Path(os.environ["NSBENCH"]).resolve()
    words = ["--op=clone,unshare", "--ns=none", "--ns=uts", "--filter=/(none|NEWUTS)", "--with=stack:1M", "--samples=4", "--seed=7"]
    done = subprocess.run([nsbench, *words, "--quiet", f"--out={tmp_path / 'run'}"], capture_output=True, text=True, timeout=120,
                          check=False)
    if done.returncode == 3:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    exported(tmp_path / "run", "--format=lkp", "-o", tmp_path / "lkp")
    lines = (tmp_path / "lkp/jobs/nsbench.yaml").read_text().splitlines()
    assert lines[:5] == ["suite: nsbench", "testcase: nsbench", "category: benchmark", "", "nsbench:"]
    job = {name: json.loads(value) for name, value in (line.strip().split(": ", 1) for line in lines[5:])}
    assert job["selection"].split() == ["--filter=/(none|NEWUTS)", "--op=clone,unshare", "--ns=none", "--ns=NEWUTS", "--with=stack:1M",
                                        "--samples=4"]
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/reproduce-log.sh").write_text('log_cmd() { echo "now $*"; "$@"; }\n')
    environment = os.environ | job | {"LKP_SRC": str(tmp_path), "PATH": f"{nsbench.parent}:{os.environ['PATH']}"}
    done = subprocess.run([tmp_path / "lkp/programs/nsbench/run"], capture_output=True, text=True, timeout=120, check=False,
                          env=environment)
    assert done.returncode == 0, done.stderr
    found = parsed(tmp_path / "lkp", done.stdout)
    measured = rows_of(tmp_path / "run")
    assert len([key for key in found if not key.endswith(".delta")]) == len(measured) > 0
    names = [line.split("- ")[1] for line in (tmp_path / "lkp/programs/nsbench/run").read_text().splitlines() if line.startswith("# - ")]
    assert set(job) <= set(names), "LKP passes on what the program's head names"


def test_lkp_measures_a_curve(tmp_path: Path) -> None:
    rows = [result_row("clone/NEWPID/stack:16K", "create", 1000.0)]
    selection: dict[str, object] = {"cases": [], "filter": None, "op": ["clone"], "ns": [], "with": {},
                                    "curve": "stack:16K..64M:7", "plan": "default"}
    exported(write_run(tmp_path / "run", rows, options={"selection": selection}), "--format=lkp", "-o", tmp_path / "lkp")
    assert '  selection: "--op=clone --curve=stack:16K..64M:7"\n' in (tmp_path / "lkp/jobs/nsbench.yaml").read_text()


def test_a_file_is_written_whole(small: Path, tmp_path: Path) -> None:
    text = exported(small, "--format=kcidb")
    assert exported(small, "--format=kcidb", "-o", tmp_path / "a.json") == ""
    assert (tmp_path / "a.json").read_text() == text


@pytest.mark.parametrize("words, said", [
    (["run"], "the following arguments are required: --format"),
    (["run", "--format=frob"], "invalid choice: 'frob'"),
    (["run", "--format=lkp"], "--format=lkp: -o DIR is needed"),
    (["run", "--format=kcidb", "--origin=My CI"], "lower-case letters, digits and _ are needed"),
    (["run", "--format=kcidb", "--build-id=12"], "ORIGIN:ID is needed"),
    (["run", "--format=openmetrics", "--build-id=a:12"], "are for --format=kcidb, and not for openmetrics"),
    (["run/results.csv", "--format=kcidb", "-o", "absent/a.json"], "No such file or directory"),
    (["alone.csv", "--format=lkp", "-o", "out"], "has no run.json beside it"),
    (["blank", "--format=lkp", "-o", "out"], "has a blank"),
    (["counts", "--format=lkp", "-o", "out"], "by the clock instructions"),
    (["absent", "--format=kcidb"], "No such file or directory")], ids=" ".join)
def test_what_cannot_be_exported_is_one_line(words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    row = result_row("clone/none/stack:1M", "create", 1000)
    write_run(tmp_path / "run", [row])
    write_run(tmp_path / "blank", [row], options={"selection": {"filter": "a b"}})
    write_run(tmp_path / "counts", [row | {"clock": "instructions", "unit": "instructions"}])
    (tmp_path / "alone.csv").write_text((tmp_path / "run/results.csv").read_text())
    code, out, err = call(SCRIPT, words)
    assert (code, out, err.count("\n")) == (2, "", 1) and said in err
    assert not (tmp_path / "out").exists()
