"""Tests of `nsbench benchmark`: cases as ordinary benchmarks of Google Benchmark, by its options, in its formats."""
import csv
import io
import json
import os
import signal
import subprocess

import pytest
from nsbench_harness import as_user, binary, needs_root, on_terminal, run

SHORT = "--benchmark_min_time=0.002"


def report(tmp_path, *args, code=0, **kwargs):
    """The JSON of a run that ends with the code."""
    out = tmp_path / "out.json"
    ended = run("benchmark", *args, SHORT, f"--benchmark_out={out}", **kwargs)
    assert ended.returncode == code, ended.stderr
    return json.loads(out.read_text())


def test_cases_are_benchmarks_under_their_ids(tmp_path):
    """Each phase is a counter, and the iterations' time is the first phase's."""
    got = report(tmp_path, "--op=unshare,setns", "--ns=uts", "--cpu=any")
    by_name = {entry["name"]: entry for entry in got["benchmarks"]}
    user = "" if os.geteuid() == 0 else "NEWUSER-"
    assert set(by_name) == {f"unshare/{user}NEWUTS", "setns/NEWUTS/via:nsfd", "setns/NEWUTS/via:pidfd"}
    for name, entry in by_name.items():
        first = "switch" if name.startswith("setns") else "create"
        assert entry["time_unit"] == "ns"
        assert entry[first] * 1e9 == pytest.approx(entry["real_time"], rel=1e-6)
    # A first one that something else disturbs may be all of a case, but hardly of three.
    assert max(entry["iterations"] for entry in by_name.values()) > 1
    unshare = by_name[f"unshare/{user}NEWUTS"]
    assert unshare["total"] > unshare["create"] > 0 and unshare["exit"] > 0
    assert {"kernel", "clock", "nsbench_version", "run_id"} <= set(got["context"])


def test_the_filter_is_about_ids():
    """Also its negative form; neither matches the /manual_time that Google Benchmark puts behind names."""
    listed = run("benchmark", "--benchmark_list_tests", "--benchmark_filter=^unshare/NEWPID$")
    assert (listed.returncode, listed.stdout) == (0, "unshare/NEWPID\n")
    listed = run("benchmark", "--op=unshare", "--benchmark_list_tests=true", "--benchmark_filter=-NEW(NET|NS|PID|IPC|UTS)")
    ids = listed.stdout.split()
    assert "unshare/NEWUSER" in ids and not any("NEWPID" in name or "NEWNET" in name for name in ids)
    listed = run("benchmark", "--op=unshare", "--cpu=any", "--benchmark_list_tests=1", "--benchmark_filter=-/NEWPID/")
    assert "unshare/NEWPID-NEWUTS" in listed.stdout.split() and "unshare/NEWPID" not in listed.stdout.split()


def test_repetitions_and_formats():
    """Google Benchmark's own options do what they do for any benchmark."""
    ended = run("benchmark", "--op=clone", "--ns=none", "--stack=64K", SHORT, "--benchmark_repetitions=3",
                "--benchmark_format=csv")
    assert ended.returncode == 0, ended.stderr
    rows = list(csv.DictReader(io.StringIO(ended.stdout)))
    assert [row["name"].removeprefix("clone/none/stack:64K") for row in rows] == ["", "", "", "_mean", "_median", "_stddev", "_cv"]


def test_csv_has_the_phases_of_all_cases():
    """One that a case does not have is not a number: Google Benchmark aborts where a counter is missing."""
    ended = run("benchmark", "--case=unshare/NEWUTS", "--case=setns/NEWUTS/via:nsfd", SHORT, "--benchmark_format=csv")
    assert ended.returncode == 0, ended.stderr
    first, second = csv.DictReader(io.StringIO(ended.stdout))
    assert float(first["create"]) > 0 and first["switch"] == "nan"
    assert float(second["switch"]) > 0 and second["create"] == "nan"


def test_variables_of_google_benchmark_name_no_outputs(tmp_path):
    """BENCHMARK_OUT would be written past all rules, and BENCHMARK_LIST_TESTS list other names than ids."""
    ended = run("benchmark", "--case=setns/NEWUTS/via:nsfd", SHORT, "--benchmark_format=csv", env={
        **os.environ, "BENCHMARK_OUT": str(tmp_path / "out"), "BENCHMARK_LIST_TESTS": "true", "BENCHMARK_FILTER": "nothing"})
    assert ended.returncode == 0 and '"setns/NEWUTS/via:nsfd",' in ended.stdout, ended.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("variable", ["REPETITIONS=-1", "REPETITIONS=2", "MIN_WARMUP_TIME=0.01", "OUT_FORMAT=foo", "TIME_UNIT=foo",
                                      "COLOR=", "COLOR=yes", "COUNTERS_TABULAR=true", "DRY_RUN=true"])
def test_variables_of_google_benchmark_do_not_count(variable):
    """Some would print its help with exit code 0, or end nsbench."""
    name, _, value = variable.partition("=")
    ended = run("benchmark", "--case=setns/NEWUTS/via:nsfd", SHORT, env={**os.environ, f"BENCHMARK_{name}": value})
    lines = ended.stdout.splitlines()
    assert ended.returncode == 0 and len(lines) == 4 and "UserCounters" in lines[1], ended.stdout + ended.stderr
    assert lines[3].startswith("setns/NEWUTS/via:nsfd ") and int(lines[3].split()[5]) > 1, lines[3]


@pytest.mark.parametrize("variable", ["OUT_FORMAT=foo", "FORMAT=foo", "TIME_UNIT=foo", "COLOR=", "MIN_WARMUP_TIME=0.1", "LIST_TESTS=1",
                                      "REPETITIONS=2", "FILTER=nothing"])
def test_nor_do_they_in_a_run(variable):
    """Which has its blocks by Google Benchmark."""
    name, _, value = variable.partition("=")
    ended = run("--case=setns/NEWUTS/via:nsfd", "--samples=2", "--block=1", "--csv=-", env={**os.environ, f"BENCHMARK_{name}": value})
    [row] = csv.DictReader(io.StringIO(ended.stdout))
    assert ended.returncode == 0 and row["samples"] == "2", ended.stderr


def test_no_color_is_obeyed():
    """Unless it is empty, or an option says otherwise."""
    for args, value, coloured in (((), "1", False), ((), "", True), (("--benchmark_color=yes",), "1", True)):
        code, out, err = on_terminal("benchmark", "--case=setns/NEWUTS/via:nsfd", SHORT, *args, stream="stdout", env={"NO_COLOR": value})
        assert code == 0 and ("\033" in out) == coloured, (args, value, out, err)


@needs_root
def test_teardown_is_waited_for_and_counted(tmp_path):
    """A drain is a phase of its own, as everywhere."""
    [entry] = report(tmp_path, "--case=unshare/NEWNET")["benchmarks"]
    assert entry["drain"] > 0


def test_a_failed_call_is_an_error_and_no_time(tmp_path):
    """In the words of the table's row. With user.max_net_namespaces at 0 only the case with NEWNET fails."""
    script = 'echo 0 > /proc/sys/user/max_net_namespaces && exec "$@"'
    limited = ["unshare", "-U", "-r", "sh", "-c", script, "sh"]
    probe = subprocess.run([*limited, "true"], check=False, capture_output=True, text=True)
    if probe.returncode:
        pytest.skip(f"no user namespace with a limit of its own here: {probe.stderr.strip()}")
    out = tmp_path / "out.json"
    ended = subprocess.run([*limited, binary(), "benchmark", "--op=unshare", "--ns=net", "--ns=uts", SHORT,
                            f"--benchmark_out={out}"], check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert ended.returncode == 3, ended.stderr  # a limit of this place
    failed, measured = json.loads(out.read_text())["benchmarks"]
    assert failed["name"] == "unshare/NEWNET" and failed["error_occurred"]
    assert failed["error_message"].startswith("failed: ENOSPC: ")
    assert failed["real_time"] == 0 and "create" not in failed
    assert measured["name"] == "unshare/NEWUTS" and measured["real_time"] > 0


def test_what_is_wrong_is_one_line(tmp_path):
    """With the option and what is accepted; nothing is measured then."""
    for words, said in (
            (["--benchmark_foo=1"], "'--benchmark_foo=1' is not taken by Google Benchmark"),
            (["--benchmark_format=foo"], "--benchmark_format=foo: accepted is console, json or csv"),
            (["--benchmark_out_format=csv"], "--benchmark_out_format=csv: accepted is json or console"),
            ([f"--benchmark_out={tmp_path}/no/where"], "--benchmark_out="),
            (["--benchmark_out=-"], "--benchmark_format=json prints JSON"),
            (["--benchmark_time_unit=foo"], "--benchmark_time_unit=foo: accepted is ns, us, ms or s"),
            (["--benchmark_color="], "--benchmark_color=: accepted is auto, yes, no"),
            (["--benchmark_repetitions=0"], "--benchmark_repetitions=0: accepted is a whole number from 1"),
            (["--benchmark_repetitions=-1"], "--benchmark_repetitions=-1: accepted is"),
            (["--filter=a", "--benchmark_filter=b"], "--filter and --benchmark_filter exclude each other"),
            (["--benchmark_filter=nothing"], "no case matches --filter=nothing"),
            (["--budget=1s"], "unknown option '--budget'")):
        ended = run("benchmark", *words)
        assert ended.returncode == 2 and said in ended.stderr and ended.stderr.count("\n") == 1, (words, ended.stderr)


@needs_root
def test_an_output_is_not_written_through_a_foreign_link(tmp_path):
    """As all outputs of nsbench."""
    tmp_path.chmod(0o1777)
    (tmp_path / "target").write_text("kept")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    os.lchown(tmp_path / "link", 65534, 65534)
    ended = run("benchmark", "--case=setns/NEWUTS/via:nsfd", SHORT, f"--benchmark_out={tmp_path}/link")
    assert ended.returncode == 2 and (tmp_path / "target").read_text() == "kept", ended.stderr


def test_a_signal_keeps_what_was_measured(tmp_path):
    """What was whole by then is so in the file; those behind it say that they were interrupted."""
    out = tmp_path / "out.json"
    process = subprocess.Popen([binary(), "benchmark", "--op=unshare", "--filter=/NEWUTS|/NEWIPC|/NEWPID", "--benchmark_min_time=0.02",
                                f"--benchmark_out={out}", "--benchmark_format=csv"], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    assert process.stdout
    process.stdout.readline()
    assert process.stdout.readline().startswith('"')
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGINT
    said = [entry.get("error_message") for entry in json.loads(out.read_text())["benchmarks"]]
    whole = said.index("interrupted")
    assert whole > 0 and said == [None] * whole + ["interrupted"] * (len(said) - whole)


@needs_root
def test_an_ordinary_user_measures_through_a_user_namespace(tmp_path):
    """And is told so."""
    ended = as_user(tmp_path, binary(), "benchmark", "--case=unshare/NEWUTS", SHORT, "--benchmark_format=csv")
    assert ended.returncode == 0 and '"unshare/NEWUSER-NEWUTS"' in ended.stdout
    assert "measured through a user namespace" in ended.stderr
