"""The result files and the table: columns, figures recomputed from the samples, skipped cases, terminals."""

import collections
import csv
import ctypes
import json
import os
import platform
import re
import shutil
import statistics
import struct
import subprocess
from pathlib import Path

import pytest

import thorough
from nsbench_harness import (PHASES, RESULT_COLUMNS, binary, list_ids, measure, needs_root, on_terminal, read_csv, run)

pytestmark = needs_root

SELECTION = ("--op=clone", "--ns=none", "--ns=pid", "--ns=net", "--stack=1M")
QUICK = ("--op=clone", "--ns=none", "--ns=pid", "--stack=1M", "--samples=12")
COMPARE = Path("/usr/share/benchmark/compare.py")
FIGURES = RESULT_COLUMNS[RESULT_COLUMNS.index("samples"):RESULT_COLUMNS.index("status")]
EXPECTED_PHASES = {"clone": ["create", "ready", "exit", "total"], "unshare": ["create", "exit", "total"],
                   "setns": ["switch"], "proc_remount": ["mount", "unmount", "total"]}


@pytest.fixture(scope="module", name="recorded")
def fixture_recorded(tmp_path_factory):
    """One short run with all its files."""
    folder = tmp_path_factory.mktemp("recorded")
    result = measure(*SELECTION, "--samples=60", "--seed=7", f"--csv={folder}/a.csv", f"--json={folder}/a.json",
                     f"--out={folder}/out")
    return folder, result


def rows_of(recorded):
    return read_csv(recorded[0] / "out" / "results.csv")


def counted(samples, case, phase):
    """The counted times of one phase, by round."""
    rounds: dict[int, list[float]] = {}
    for row in samples:
        if row["case"] == case and row["counted"] == "1" and row[phase]:
            rounds.setdefault(int(row["round"]), []).append(float(row[phase]))
    return rounds


def quantile(values, share):
    values = sorted(values)
    position = share * (len(values) - 1)
    low = int(position)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (position - low)


def about(value):
    """Six digits, or what three decimals in a file can hold."""
    return pytest.approx(value, rel=1e-6, abs=6e-4)


def test_folder_holds_whole_files_only(recorded):
    names = {path.name for path in (recorded[0] / "out").iterdir()}
    assert {"run.json", "results.csv", "samples.csv"} <= names
    assert not [name for name in names if name.startswith(".part-")]


def test_results_have_exactly_the_columns(recorded):
    for path in (recorded[0] / "a.csv", recorded[0] / "out" / "results.csv"):
        with open(path, encoding="utf-8", newline="") as file:
            assert next(csv.reader(file)) == RESULT_COLUMNS
    assert (recorded[0] / "a.csv").read_bytes() == (recorded[0] / "out" / "results.csv").read_bytes()


def test_one_row_for_each_case_and_phase(recorded):
    rows = rows_of(recorded)
    keys = [(row["case"], row["phase"]) for row in rows]
    assert len(keys) == len(set(keys))
    assert {row["case"] for row in rows} == set(list_ids(*SELECTION))
    for case in list_ids(*SELECTION):
        phases = {phase for name, phase in keys if name == case}
        assert set(EXPECTED_PHASES["clone"]) <= phases <= {*EXPECTED_PHASES["clone"], "drain"}
        assert "drain" not in phases or "NEWNET" in case


def test_phases_of_the_other_operations(tmp_path):
    measure("--op=unshare,setns,proc_remount", "--ns=pid", "--ns=mnt,pid", "--stack=1M", "--samples=4",
            f"--out={tmp_path}/out")
    rows = read_csv(tmp_path / "out" / "results.csv")
    assert {row["operation"] for row in rows} == {"unshare", "setns", "proc_remount"}
    for case in {row["case"] for row in rows}:
        assert sorted(row["phase"] for row in rows if row["case"] == case) == sorted(
            EXPECTED_PHASES[case.split("/")[0]])


def test_identity_of_rows(recorded):
    for row in rows_of(recorded):
        assert row["case"] == f"{row['operation']}/{row['namespaces']}/stack:1M"
        assert (row["operation"], row["syscall"], row["stack_bytes"], row["spawn"], row["parallel"]) == (
            "clone", "clone", "1048576", "fork", "1")
        assert (row["kernel"], row["clock"], row["unit"]) == (os.uname().release, "wall", "ns")
        if row["phase"] == "drain" and row["status"] == "skipped":  # "where it can be seen"
            assert row["errno"] and row["reason"] and not any(row[name] for name in FIGURES)
            continue
        assert row["status"] in ("ok", "imprecise") and row["errno"] == ""
        assert (row["status"] == "imprecise") == bool(row["reason"])
        if row["status"] == "ok":
            assert float(row["precision"]) <= 0.02


def test_figures_agree_with_the_samples(recorded):
    samples = read_csv(recorded[0] / "out" / "samples.csv")
    for row in rows_of(recorded):
        rounds = counted(samples, row["case"], row["phase"])
        values = [value for times in rounds.values() for value in times]
        if row["phase"] == "drain" and row["status"] == "skipped":
            assert not values, "samples of a phase that was not seen"
            continue
        assert len(values) == int(row["samples"]) >= 60
        for name, value in (("median", statistics.median(values)), ("mean", statistics.fmean(values)),
                            ("min", min(values)), ("max", max(values)), ("stddev", statistics.stdev(values)),
                            ("p90", quantile(values, 0.90)), ("p99", quantile(values, 0.99))):
            assert float(row[name]) == about(value), f"{row['case']} {row['phase']} {name}"
        q1, q3 = quantile(values, 0.25), quantile(values, 0.75)
        beyond = [max(q1 - value, value - q3) / (q3 - q1) for value in values] if q3 > q1 else []
        severe = sum(far > 3 for far in beyond)
        assert int(row["outliers_severe"]) == severe
        assert int(row["outliers_mild"]) == sum(far > 1.5 for far in beyond) - severe
        if row["ci_low"]:
            assert float(row["ci_low"]) <= float(row["median"]) <= float(row["ci_high"])


def assert_deltas(results, samples):
    for row in results:
        own = counted(samples, row["case"], row["phase"])
        operation, _, *rest = row["case"].split("/")
        none = counted(samples, "/".join([operation, "none", *rest]), row["phase"])
        both = own.keys() & none.keys()
        if row["namespaces"] == "none" or not both:
            assert row["delta"] == ""
            continue
        delta = statistics.median(statistics.median(own[r]) - statistics.median(none[r]) for r in both)
        assert float(row["delta"]) == about(delta), f"{row['case']} {row['phase']}"
        if row["delta_low"]:
            assert float(row["delta_low"]) <= float(row["delta"]) <= float(row["delta_high"])


def test_delta_is_paired_by_round(recorded):
    assert_deltas(rows_of(recorded), read_csv(recorded[0] / "out" / "samples.csv"))


def test_none_is_measured_in_every_round_also_when_not_selected(tmp_path):
    measure("--op=clone,unshare", "--ns=pid", "--stack=1M", "--samples=12", f"--out={tmp_path}/out")
    results = read_csv(tmp_path / "out" / "results.csv")
    samples = read_csv(tmp_path / "out" / "samples.csv")
    assert {row["case"] for row in results} == {"clone/NEWPID/stack:1M", "unshare/NEWPID"}
    rounds = {case: {row["round"] for row in samples if row["case"] == case} for case in {r["case"] for r in samples}}
    assert rounds["clone/NEWPID/stack:1M"] <= rounds["clone/none/stack:1M"]
    assert rounds["unshare/NEWPID"] <= rounds["unshare/none"]
    assert_deltas(results, samples)


@pytest.mark.parametrize("number", thorough.of([50, 300], [50, 1000, 4000]))
def test_a_base_has_about_as_many_samples_as_what_is_compared_with_it(number, tmp_path):
    """NEWPID is measured in short blocks, so that the kernel's teardown keeps up, and NEWUTS in long ones."""
    measure("--op=unshare", "--ns=pid", "--ns=uts", f"--samples={number}", f"--out={tmp_path}/out")
    samples = read_csv(tmp_path / "out" / "samples.csv")
    counts = collections.Counter(row["case"] for row in samples if row["counted"] == "1")
    assert counts.pop("unshare/none") <= 2 * number
    assert counts == {"unshare/NEWPID": number, "unshare/NEWUTS": number}
    rounds = {case: counted(samples, case, "create").keys() for case in ("unshare/none", *counts)}
    assert rounds["unshare/none"] == rounds["unshare/NEWPID"] | rounds["unshare/NEWUTS"]
    assert_deltas(read_csv(tmp_path / "out" / "results.csv"), samples)


def test_samples_have_a_time_or_an_errno(recorded):
    samples = read_csv(recorded[0] / "out" / "samples.csv")
    seen = set()
    for row in samples:
        times = [row[phase] for phase in PHASES if row.get(phase)]
        assert bool(times) != bool(row["errno"]), row
        assert all(float(value) > 0 for value in times), row
        assert row["counted"] in "01" and (row["case"], row["sample"]) not in seen
        seen.add((row["case"], row["sample"]))
        assert row["counted"] == "0" or row["round"] != "0", "the first block is a warm-up"


def test_run_json(recorded):
    run_json = json.loads((recorded[0] / "out" / "run.json").read_text())
    assert {"options", "environment", "warnings"} <= run_json.keys()
    assert 7 in (run_json.get("seed"), run_json["options"].get("seed"))
    assert run_json["options"]["samples"] == 60
    assert run_json["environment"]["kernel"] == os.uname().release
    assert isinstance(run_json["warnings"], list)
    assert measure("--version").stdout.split()[1] in [v for k, v in run_json.items() if "version" in k]
    assert {row["run_id"] for row in rows_of(recorded)} == {run_json["run_id"]}


def test_same_seed_gives_the_same_order(recorded, tmp_path):
    measure(*SELECTION, "--samples=60", "--seed=7", f"--out={tmp_path}/out")
    first, second = (read_csv(path / "out" / "samples.csv") for path in (recorded[0], tmp_path))
    assert [(r["case"], r["round"], r["sample"]) for r in first] == [
        (r["case"], r["round"], r["sample"]) for r in second]


def test_csv_on_standard_output_is_csv_alone():
    result = measure(*QUICK, "--csv=-")
    header, *rows = csv.reader(result.stdout.splitlines())
    assert header == RESULT_COLUMNS and len(rows) == 8
    assert all(len(row) == len(header) for row in rows)


def test_googles_compare_reads_the_json(recorded, tmp_path):
    if not COMPARE.exists():
        pytest.skip(f"no {COMPARE}: Debian's libbenchmark-tools is not installed")
    for module in ("numpy", "scipy"):
        if subprocess.run(["/usr/bin/python3", "-c", f"import {module}"], check=False, capture_output=True).returncode:
            pytest.skip(f"compare.py needs python3-{module}")
    measure(*SELECTION, "--samples=60", f"--json={tmp_path}/b.json")
    shown = subprocess.run(
        ["/usr/bin/python3", COMPARE, "--no-color", "benchmarks", recorded[0] / "a.json", tmp_path / "b.json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", timeout=60, check=False)
    assert shown.returncode == 0, shown.stderr
    for case in list_ids(*SELECTION):
        for phase in EXPECTED_PHASES["clone"]:
            assert re.search(rf"^{case}\S*{phase}\S*_pvalue\s", shown.stdout, re.M), f"{case} {phase}\n{shown.stdout}"


def test_json_of_aggregates_is_a_median_a_row(tmp_path):
    measure(*QUICK, f"--json-aggregates={tmp_path}/a.json", f"--csv={tmp_path}/a.csv")
    entries = json.loads((tmp_path / "a.json").read_text())["benchmarks"]
    rows = read_csv(tmp_path / "a.csv")
    assert [(one["run_name"], one["aggregate_name"]) for one in entries] == [
        (f"{row['case']}/phase:{row['phase']}", "median") for row in rows]
    assert [one["real_time"] for one in entries] == [pytest.approx(float(row["median"])) for row in rows]


def test_json_holds_each_case_and_phase(recorded):
    content = json.loads((recorded[0] / "a.json").read_text())
    build = re.search(r"^CMAKE_BUILD_TYPE:\w+=(\w+)", (Path(binary()).parent / "CMakeCache.txt").read_text(), re.M)
    assert build, "the folder of the build says how it was built"
    assert content["context"]["library_build_type"] == ("debug" if build[1] == "Debug" else "release")
    assert {"context", "benchmarks"} <= content.keys()
    for entry in content["benchmarks"]:
        assert {"name", "run_type", "real_time", "cpu_time", "time_unit", "iterations"} <= entry.keys()
    names = {entry["name"] for entry in content["benchmarks"]}
    for row in rows_of(recorded):
        assert any(name.startswith(row["case"]) and row["phase"] in name for name in names)


# the table and the terminal

def table_of(text):
    """From the header of the table on; before it stand the environment and warnings."""
    lines = text.replace("\r", "").splitlines()
    return lines[next(i for i, line in enumerate(lines) if re.match(r"(\x1b\[[\d;]*m)?case\b", line)):]


def test_no_escape_sequences_where_no_terminal_is(recorded):
    assert "\x1b" not in recorded[1].stdout and recorded[1].stderr == ""
    assert all(case in recorded[1].stdout for case in list_ids(*SELECTION))


def test_quiet_is_the_digest_alone():
    result = measure(*QUICK, "--quiet")
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert lines[0] == "figures with their 95% interval" and "clone/NEWPID" not in result.stdout
    assert any(re.match(r"clone · create: NEWPID adds to none +[+−]", line) for line in lines), result.stdout
    assert re.fullmatch(r"none takes: clone create [\d.]+ [nµm]s", lines[-1])


def test_the_digest_in_other_formats(recorded):
    folder = recorded[0] / "out"
    shown = measure("summary", folder, "--format=json")
    digest = json.loads(shown.stdout)
    assert shown.stderr == "" and digest["digest_version"] == 1 and digest["unit"] == "ns"
    entries = {entry["case"]: entry for block in digest["operations"] for entry in block["entries"]}
    rows = {row["case"]: row for row in rows_of(recorded) if row["phase"] == "create"}
    assert set(entries) == {case for case in rows if "/none/" not in case}
    for case, entry in entries.items():
        assert entry["value"] == pytest.approx(float(rows[case]["delta"]), abs=0.001)
        assert entry["interval_95"]["low"] <= entry["value"] <= entry["interval_95"]["high"]
        assert entry["status"] == rows[case]["status"] and (entry["reason"] or "") == rows[case]["reason"]
    assert [base["case"] for base in digest["bases"]] == ["clone/none/stack:1M"]
    markdown = measure("summary", folder, "--format=markdown").stdout
    assert markdown.startswith("## What namespaces cost: kernel ") and "| NEWNET | +" in markdown
    measured = measure(*QUICK, "--format=json")
    assert json.loads(measured.stdout)["operations"][0]["entries"][0]["case"] == "clone/NEWPID/stack:1M"


def test_a_table_longer_than_the_terminal_is_shortened():
    """To the rows of the digest, here none and the kinds alone; 24 lines are too few for 40 cases."""
    args = ("--op=clone", "--filter=/(none|NEW[A-Z]*)/stack:(1M|4M|8M|16M)$", "--samples=2", "--alone")
    code, out, _ = on_terminal(*args, stream="stdout")
    assert code == 0
    plain = re.sub(r"\x1b\[[\d;]*m", "", out)
    assert "clone/NEWPID/stack:1M" in plain and "clone/NEWPID/stack:4M" not in plain
    assert "and 27 more cases: --all shows them" in plain
    code, out, _ = on_terminal(*args, "--all", stream="stdout")
    assert code == 0 and "clone/NEWPID/stack:4M" in out and "--all" not in out
    assert "clone/NEWPID/stack:4M" in measure(*args).stdout, "a pipe has all"


def test_no_color():
    code, out, _ = on_terminal(*QUICK, stream="stdout", env={"NO_COLOR": "1"})
    assert code == 0 and "clone/NEWPID/stack:1M" in out and "\x1b" not in out


@pytest.mark.parametrize("sets", [("none", "pid"), ("none", "net", "mnt,pid"), ("none", "all")])
@pytest.mark.parametrize("columns", [80, 120])
def test_table_fits_the_terminal(sets, columns):
    code, out, err = on_terminal("--op=clone", *(f"--ns={name}" for name in sets), "--stack=1M", "--samples=12",
                                 stream="stdout", columns=columns)
    assert code == 0 and err == ""
    table = table_of(re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", out))
    too_long = [line for line in table if len(line) > columns and not re.search("warning|failed|skipped", line)]
    assert not too_long, "\n".join(too_long)


def test_progress_is_for_terminals():
    args = ("--op=clone", "--ns=pid", "--stack=1M", "--budget=1s", "--precision=0.01%")
    code, out, err = on_terminal(*args, stream="stderr")
    assert code == 0 and "\x1b" not in out
    assert re.search(r"\d\s*(s|m|:\d\d)? left|ETA", err), f"no progress with the time left: {err!r}"
    code, _, err = on_terminal(*args, "--no-progress", stream="stderr")
    assert code == 0 and err == ""
    code, _, err = on_terminal(*args, stream="stdout")
    assert code == 0 and err == ""


# what the kernel refuses

def without_clone3():
    """A seccomp filter under which clone3(2) is as on a kernel that lacks it."""
    words = struct.pack("HBBI" * 4, 0x20, 0, 0, 0, 0x15, 0, 1, 435, 0x06, 0, 0, 0x00050000 | 38,
                        0x06, 0, 0, 0x7FFF0000)  # load the number; if clone3: ENOSYS; else allow
    code = ctypes.create_string_buffer(words)
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 4, ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="clone3 has another number here")
def test_what_the_kernel_lacks_is_skipped(tmp_path):
    """clone(2) cannot make time namespaces: without clone3 these cases have no figures, and the rest has."""
    result = run("--op=clone", "--ns=none", "--ns=time", "--ns=pid", "--stack=1M", "--samples=12",
                 f"--out={tmp_path}/out", preexec_fn=without_clone3)
    assert result.returncode == 0, result.stderr
    rows = read_csv(tmp_path / "out" / "results.csv")
    assert {row["case"].split("/")[1] for row in rows} == {"none", "NEWTIME", "NEWPID"}
    for row in rows:
        if row["namespaces"] == "NEWTIME":
            assert (row["status"], row["errno"]) == ("skipped", "ENOSYS") and row["reason"]
            assert not any(row[name] for name in FIGURES)
        else:
            assert row["status"] in ("ok", "imprecise") and float(row["median"]) > 0
    line = next(line for line in result.stdout.splitlines() if line.startswith("clone/NEWTIME"))
    assert "skipped" in line and "ENOSYS" in line
    for row in read_csv(tmp_path / "out" / "samples.csv"):
        assert bool(row["errno"]) == (row["case"].split("/")[1] == "NEWTIME")


def test_nsbench_beside_the_sampler_is_said(tmp_path):
    """Its first call holds the sampler to a CPU, its second one keeps itself off that; without -f strace sees nsbench alone."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    if len(os.sched_getaffinity(0)) == 1:
        pytest.skip("there is one CPU, which nsbench shares with the sampler anyway")
    done = subprocess.run(["strace", "-qqq", "-o", "/dev/null", "-e", "inject=sched_setaffinity:error=EPERM:when=2", binary(), *SELECTION,
                           "--samples=2", f"--out={tmp_path}/out"], check=False, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60)
    if "ptrace" in done.stderr:
        pytest.skip(done.stderr.strip())
    said = [line for line in done.stdout.splitlines() if "is not kept off CPU" in line]
    assert done.returncode == 0 and len(said) == 1 and said[0].endswith("sched_setaffinity: EPERM"), done.stdout + done.stderr
    assert said[0].removeprefix("warning: ") in json.loads((tmp_path / "out/run.json").read_text())["warnings"]


def test_a_limit_ends_a_case_and_not_the_run(tmp_path):
    """With user.max_net_namespaces at 0 in a user namespace of its own, only the case with NEWNET fails."""
    script = 'echo 0 > /proc/sys/user/max_net_namespaces && exec "$@"'
    limited = ["unshare", "-U", "-r", "sh", "-c", script, "sh", binary()]
    probe = subprocess.run([*limited[:-1], "true"], check=False, capture_output=True, text=True)
    if probe.returncode:
        pytest.skip(f"no user namespace with a limit of its own here: {probe.stderr.strip()}")
    result = subprocess.run([*limited, *SELECTION, "--samples=12", f"--out={tmp_path}/out"], check=False,
                            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert result.returncode == 3, result.stderr
    for row in read_csv(tmp_path / "out" / "results.csv"):
        if row["namespaces"] == "NEWNET":
            assert (row["status"], row["errno"]) == ("failed", "ENOSPC") and "sysctl" in row["reason"]
            assert not any(row[name] for name in FIGURES)
        else:
            assert row["status"] in ("ok", "imprecise") and float(row["median"]) > 0
