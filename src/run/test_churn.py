"""A load of namespaces over time: what nsbench churn records, how it ends, and that nothing of it is left behind."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from churn_harness import loaded, read_load, starter_of, worker_of
from nsbench_harness import (SAMPLER, Started, as_user, assert_one_line, binary, left_processes, measure, needs_root, on_terminal,
                             processes, read_csv, run, wait_for)

SHORT = ("--for=1s", "--drain=300ms")
TIMES = ("p50", "p90", "p99", "max", "create_p50", "create_p99", "create_max")


def sum_of(rows, name):
    return sum(int(row[name]) for row in rows)


@pytest.fixture(scope="module", autouse=True)
def fixture_something_can_be_made():
    done = run("churn", "--ns=none", "--for=50ms", "--drain=1ms", "--quiet")
    if done.returncode == 3:
        pytest.skip(f"nothing can be measured here: {done.stderr.strip()}")


# what is recorded

def test_a_closed_loop_has_a_time_line(tmp_path):
    rows, info = loaded(tmp_path / "out", "--ns=uts", *SHORT)
    load = [row for row in rows if row["part"] == "load"]
    assert {row["part"] for row in rows} == {"load", "drain"} and rows[-1]["part"] == "drain"
    assert sum_of(load, "operations") == info["load"]["operations"] > 0
    assert info["case"] in ("churn/NEWUTS", "churn/NEWUSER-NEWUTS") and {row["case"] for row in rows} == {info["case"]}
    for row in load:
        if int(row["operations"]):
            assert 0 < int(row["p50"]) <= int(row["p90"]) <= int(row["p99"]) <= int(row["max"])
            assert 0 < int(row["create_p50"]) <= int(row["p50"])
        assert row["backlog"] == "" and int(row["slab"]) > 0
        if row["kernel_memory"]:
            assert int(row["kernel_memory"]) == sum(int(row[name]) for name in ("slab", "percpu", "kernel_stack"))
    for row in rows:
        if row["part"] == "drain":
            assert row["operations"] == "0" and not any(row[name] for name in TIMES)
    begins = [float(row["begin"]) for row in rows]
    assert begins == sorted(begins) and begins[0] == 0
    assert (info["ended_by"], info["load"]["failed"], info["load"]["unrecorded"]) == ("time", 0, 0)
    assert info["environment"]["kernel"] == info["kernel"] == rows[0]["kernel"] and info["load"]["sustained"] is None


@needs_root
def test_network_namespaces_are_counted_until_they_are_freed(tmp_path):
    rows, info = loaded(tmp_path / "out", "--ns=net", *SHORT)
    if info["kernel_use"]["namespaces_unknown"]:
        pytest.skip(info["kernel_use"]["namespaces_unknown"])
    assert info["kernel_use"]["namespaces_counted_in"] == ["net_namespace"]
    assert all(int(row["not_freed"]) >= 0 for row in rows)
    seen = {row["teardown"] for row in rows}
    assert seen <= {"busy", "idle"} if info["kernel_use"]["teardown_unseen"] is None else "" in seen
    assert info["kernel_use"]["settled_s"] is None or rows[-1]["teardown"] != "busy"


@needs_root
def test_a_teardown_that_no_watched_worker_does_is_not_said_to_be_over(tmp_path):
    rows, info = loaded(tmp_path / "out", "--ns=uts", *SHORT)
    assert {row["teardown"] for row in rows} == {""}
    seen = info["kernel_use"]["teardown_unseen"]
    assert "cannot be watched" in seen or seen == "none that can be watched tears down NEWUTS"


def test_an_open_loop_has_each_arrival_in_one_count(tmp_path):
    rows, info = loaded(tmp_path / "out", "--ns=none", "--rate=100/s", "--workers=2", "--for=2s", "--drain=1ms")
    load = info["load"]
    assert load["operations"] + load["failed"] + load["unserved"] + load["unrecorded"] == 200
    # So few intervals can show that a rate is not held, and never that it is.
    assert load["sustained"] is False and load["not_sustained_because"] or \
        load["sustained"] is None and "intervals are too few" in load["sustained_unknown"]
    assert info["case"] == "churn/none/rate:100/workers:2"
    assert load["latency"]["max"] >= load["service"]["max"]
    assert all(int(row["backlog"]) >= 0 for row in rows if row["part"] == "load")


def test_a_rate_that_cannot_be_held_is_named_with_the_one_that_was(tmp_path):
    done = measure("churn", "--ns=none", "--rate=1000000/s", "--for=2s", "--drain=1ms", f"--out={tmp_path}/out")
    _, info = read_load(tmp_path / "out")
    assert info["load"]["sustained"] is False and "at the end" in info["load"]["not_sustained_because"]
    assert info["load"]["sustained_unknown"] is None
    assert info["load"]["unserved"] > 1000000 and 0 < info["load"]["rate_at_end"] < 1000000
    assert "sustained   no: " in done.stdout and "of 1000000/s" in done.stdout and "\nunserved " in done.stdout
    assert info["load"]["latency"]["p99"] > info["load"]["service"]["p99"]


def test_bursts_begin_at_once(tmp_path):
    rows, info = loaded(tmp_path / "out", "--ns=none", "--burst=8", "--bursts=3", "--pause=50ms", "--for=30s", "--drain=1ms")
    bursts = read_csv(tmp_path / "out" / "bursts.csv")
    assert [row["burst"] for row in bursts] == ["1", "2", "3"]
    assert all(row["operations"] == "8" and row["failed"] == "0" and float(row["rate"]) > 0 for row in bursts)
    assert sum_of(rows, "operations") == info["load"]["operations"] == 24 and info["load"]["bursts"] == 3
    begins = [float(row["begin"]) for row in bursts]
    assert all(later - earlier >= 0.05 for earlier, later in zip(begins, begins[1:]))
    assert info["case"] == "churn/none/burst:8" and info["load"]["seconds"] < 20


def test_what_is_in_the_background_is_counted_apart(tmp_path):
    rows, info = loaded(tmp_path / "out", "--ns=none", "--background=uts*2", *SHORT)
    assert sum_of(rows, "background_operations") == info["load"]["background"]["operations"] > 0
    assert sum_of(rows, "operations") == info["load"]["operations"] > 0
    assert info["case"].startswith("churn/none/background:") and info["case"].endswith(".2")
    assert info["plan"]["background"]["workers"] == 2


# coordinated omission

STALL = 0.3  # s


def stalled(tmp_path, *args):
    """What a load says whose only worker was stopped once."""
    with Started("churn", "--ns=none", "--for=3s", "--drain=1ms", *args, f"--out={tmp_path}/out") as started:
        worker = wait_for(lambda: worker_of(started), 30, "a worker")
        time.sleep(0.5)
        os.kill(worker, signal.SIGSTOP)
        time.sleep(STALL)
        os.kill(worker, signal.SIGCONT)
        code, out, err = started.finish()
    assert code == 0, out + err
    return json.loads((tmp_path / "out" / "churn.json").read_text())["load"]


def test_a_stall_is_in_the_times_of_an_open_loop_and_one_of_many_samples_in_a_closed_one(tmp_path):
    """Of 300 arrivals 30 come while the worker is stopped, and each waits: one in ten. In a closed loop no percentile shows it."""
    waiting = stalled(tmp_path / "open", "--rate=100/s")
    assert waiting["latency"]["max"] >= STALL * 0.9e9 and waiting["latency"]["p99"] >= 100e6
    closed = stalled(tmp_path / "closed")
    assert closed["latency"] == closed["service"] and closed["latency"]["p99"] < waiting["latency"]["p99"]


# how it ends

def test_an_interruption_keeps_what_was_measured(tmp_path):
    with Started("churn", "--ns=uts", "--for=600s", f"--out={tmp_path}/out") as started:
        wait_for(lambda: worker_of(started), 30, "a worker")
        time.sleep(1)
        started.signal(signal.SIGINT, group=True)
        code, out, err = started.finish()
        assert not started.living()
    assert code == 130 and "ended       by a signal" in out, out + err
    rows, info = read_load(tmp_path / "out")
    assert sum_of(rows, "operations") == info["load"]["operations"] > 0
    assert (info["ended_by"], info["interrupted_by_signal"]) == ("signal", signal.SIGINT)
    assert info["kernel_use"]["drained_s"] is None


def test_the_drain_can_be_interrupted(tmp_path):
    with Started("churn", "--ns=none", "--for=100ms", "--drain=600s", "--interval=100s", f"--csv={tmp_path}/a.csv") as started:
        sampler = wait_for(lambda: worker_of(started), 30, "a worker")
        wait_for(lambda: sampler not in processes(), 30, "the end of the load")
        time.sleep(0.5)
        started.signal(signal.SIGTERM)
        code, out, err = started.finish()
    assert code == 143, out + err
    assert read_csv(tmp_path / "a.csv")[0]["part"] == "load"


@pytest.mark.parametrize("victim", ["nsbench", "sampler", "worker"])
@pytest.mark.parametrize("load", [(), ("--rate=10/s",), ("--burst=4", "--pause=10ms"), ("--background=uts*3",)],
                         ids=["closed", "open", "burst", "background"])
def test_nothing_outlives_a_killed_process(victim, load, tmp_path):
    with Started("churn", "--ns=none", "--for=600s", "--drain=1ms", *load, f"--out={tmp_path}/out") as started:
        worker = wait_for(lambda: worker_of(started), 30, "a worker")
        wait_for((tmp_path / "out/churn.json").exists, 30, "what is saved of the first interval")
        killed = {"nsbench": started.pid, "sampler": starter_of(started), "worker": worker}[victim]
        assert killed
        os.kill(killed, signal.SIGKILL)
        code, out, err = started.finish()
        wait_for(lambda: not started.living(), 30, "the end of all processes")
    if victim == "nsbench":
        assert code == -signal.SIGKILL
        assert read_load(tmp_path / "out")[1]["ended_by"] == "unfinished"
        return
    assert code == 1 and "killed" in out, out + err
    rows, info = read_load(tmp_path / "out")
    assert info["ended_by"] == "fault" and "killed" in info["ended_because"] and rows
    assert left_processes() == []


@pytest.fixture(name="limited")
def fixture_limited(home):
    """A command's beginning under which so many network namespaces can be made; the host's setting stays."""
    def prefix(count):
        return ["unshare", "-U", "-r", "sh", "-c", f'echo {count} > /proc/sys/user/max_net_namespaces && exec "$@"', "sh"]
    probe = as_user(home, *prefix(0), "true")
    if probe.returncode:
        pytest.skip(f"the limit of a user namespace cannot be lowered here: {probe.stderr.strip()}")
    return prefix


def test_a_limit_that_lasts_ends_the_load_with_its_reason(home, limited):
    folder = home / "limit"
    done = as_user(home, *limited(0), home / "nsbench", "churn", "--ns=net", "--for=600s", "--drain=1ms", f"--out={folder}")
    assert done.returncode == 3, done.stdout + done.stderr
    rows, info = read_load(folder)
    assert info["ended_by"] == "limit" and "max_net_namespaces" in info["ended_because"]
    assert info["load"]["operations"] == 0 and info["load"]["latency"] is None
    # Each pause is twice as long as the last one: a worker that tries at full speed fails a hundred thousand times.
    assert 2 < info["load"]["errors"]["ENOSPC"] == info["load"]["failed"] < 100
    assert not any(row[name] for row in rows for name in TIMES) and "ENOSPC" in rows[0]["errors"]


def test_a_limit_that_is_met_now_and_then_is_counted(home, limited):
    folder = home / "few"
    done = as_user(home, *limited(3), home / "nsbench", "churn", "--ns=net", "--workers=2", "--for=3s", "--drain=1ms",
                   f"--out={folder}")
    assert done.returncode == 0, done.stdout + done.stderr
    _, info = read_load(folder)
    assert info["load"]["operations"] > 0 and set(info["load"]["errors"]) <= {"ENOSPC"}
    assert ("ENOSPC" in done.stdout) == bool(info["load"]["failed"])


def test_an_ordinary_user_goes_through_a_user_namespace(home):
    probe = as_user(home, "unshare", "-U", "-r", "true")
    if probe.returncode:
        pytest.skip(f"an ordinary user cannot make user namespaces here: {probe.stderr.strip()}")
    done = as_user(home, home / "nsbench", "churn", "--ns=net", "--background=pid*1", *SHORT, f"--out={home}/user")
    assert done.returncode == 0, done.stdout + done.stderr
    rows, info = read_load(home / "user")
    assert info["case"] == "churn/NEWNET-NEWUSER/background:NEWPID-NEWUSER.1" and info["in_userns"]
    assert info["load"]["operations"] > 0 and info["load"]["background"]["operations"] > 0
    assert "warning: not root" in done.stdout and any("not root" in warning for warning in info["warnings"])
    if info["kernel_use"]["namespaces_unknown"]:
        assert f"not freed   unknown: {info['kernel_use']['namespaces_unknown']}" in done.stdout
        assert not any(row["not_freed"] for row in rows)


# the command line

@pytest.mark.parametrize("args, said", [
    ((), "--ns=SET is missing"), (("--ns=nett",), "nearest: 'net'"), (("--ns=net", "--rate=x"), "--rate=x: accepted is a number"),
    (("--ns=net", "--rate=0/s"), "--rate=0/s"), (("--ns=net", "--burst=1"), "--burst=1: accepted is a whole number from 2"),
    (("--ns=net", "--rate=2/s", "--burst=4"), "--rate and --burst exclude each other"),
    (("--ns=net", "--workers=2", "--burst=4"), "--workers and --burst exclude each other"),
    (("--ns=net", "--bursts=4"), "add --burst=N"), (("--ns=net", "--pause=1s"), "add --burst=N"),
    (("--ns=net", "--workers=0"), "--workers=0"),
    (("--ns=net", "--background=net"), "SET*N"), (("--ns=net", "--background=nt*2"), "nearest: 'net'"),
    (("--ns=net", "--background=net*0"), "--background=net*0"), (("--ns=net", "--for=0s"), "--for=0s"),
    (("--ns=net", "--interval=1ms"), "50 ms or more"), (("--ns=net", "--format=csv"), "accepted is text or json"),
    (("--ns=net", "--csv=-", "--format=json"), "standard output"),
    (("--ns=net", "--csv=/dev/fd/1", "--format=json"), "standard output"),
    (("--ns=net", "--csv=/nowhere/a.csv"), "cannot be written"),
    (("--ns=uts", "--probe"), "add net to --ns"), (("--ns=net", "--probe=kprob"), "nearest: 'kprobe'"),
    (("--ns=net", "--op=clone"), "one of nsbench run"), (("--ns=net", "net"), "a word that is no option"),
])
def test_wrong_use_is_one_line(args, said):
    done = run("churn", *args)
    assert (done.returncode, done.stdout) == (2, ""), done.stdout
    assert_one_line(done.stderr)
    assert said in done.stderr, done.stderr


def test_a_folder_that_holds_a_load_is_refused(tmp_path):
    loaded(tmp_path / "out", "--ns=none", "--for=100ms", "--drain=1ms")
    before = (tmp_path / "out" / "churn.csv").read_bytes()
    done = run("churn", "--ns=none", "--for=100ms", f"--out={tmp_path}/out")
    assert done.returncode == 2 and "holds churn.json already" in done.stderr
    assert (tmp_path / "out" / "churn.csv").read_bytes() == before


def test_what_a_killed_load_left_half_written_goes_with_the_next(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".part-0123abcd").write_text("half of a fi", encoding="utf-8")
    loaded(tmp_path / "out", "--ns=none", "--for=100ms", "--drain=1ms")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["churn.csv", "churn.json"]


def test_outputs_for_programs_have_standard_output_to_themselves(tmp_path):
    words = ("churn", "--ns=none", "--for=300ms", "--drain=1ms")
    for name in ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
        (tmp_path / "a.csv").write_text(measure(*words, f"--csv={name}").stdout)
        assert {row["part"] for row in read_csv(tmp_path / "a.csv")} == {"load", "drain"}, name
    assert json.loads(measure(*words, "--format=json").stdout)["case"] == "churn/none"
    lines = measure(*words, "--quiet").stdout.splitlines()
    assert lines[0] == "churn/none: closed loop, 1 worker" and lines[1].startswith("rate ")


def test_progress_is_shown_on_a_terminal():
    words = ("churn", "--ns=none", "--for=1s", "--drain=1ms")
    code, _, err = on_terminal(*words, stream="stderr")
    assert code == 0 and "load: " in err and "of 1.0 s" in err
    assert "load: " not in on_terminal(*words, "--no-progress", stream="stderr")[2]


def test_another_build_s_sampler_is_refused(tmp_path):
    shutil.copy(binary(), tmp_path / "nsbench")
    text = Path(binary()).with_name(SAMPLER).read_bytes()
    at = text.index(b"nsbench protocol")
    (tmp_path / SAMPLER).write_bytes(text[:at + 24] + bytes(8) + text[at + 32:])
    (tmp_path / SAMPLER).chmod(0o755)
    done = subprocess.run([tmp_path / "nsbench", "churn", "--ns=none", "--for=1s"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "different builds" in done.stderr
