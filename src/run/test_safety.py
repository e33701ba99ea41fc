"""A run leaves the host as it was, however it ends; and what it had measured stays."""

import json
import os
import random
import signal
import subprocess
import time

import pytest

import thorough
from nsbench_harness import (Started, binary, host_kept, made_to_fail, measure, needs_root, read_csv,
                             read_samples, run, wait_for)

pytestmark = needs_root

SETS = tuple(f"--ns={name}" for name in ("none", "pid", "net", "ipc", "uts", "mnt,pid", "all"))
EVERYTHING = ("--op=clone,clone3,unshare,setns,proc_remount,userns_map", *SETS, "--stack=1M")
ENDLESS = ("--budget=60s", "--precision=0.01%")
FIGURES = ("median", "samples", "mean", "p90", "p99")
PATIENCE = 10  # seconds that nsbench waits for an answer, and more (run/sampler_pool.cpp)


@pytest.fixture(name="host", autouse=True)
def fixture_host():
    """Every test here compares the host before and after."""
    with host_kept() as before:
        yield before


def no_process_left(started):
    wait_for(lambda: not started.living(), 10, f"the end of {started.living()}")


def read_folder(folder):
    """Whole files only: (run.json or None, rows of results.csv, rows of samples.csv that are valid)."""
    info, results, samples = (folder / name for name in ("run.json", "results.csv", "samples.csv"))
    return (json.loads(info.read_text()) if info.exists() else None, read_csv(results) if results.exists() else [],
            [] if not samples.exists() else read_samples(folder) if info.exists() else read_csv(samples))


def samples_by_case(rows):
    return {(row["case"], row["phase"]): int(row["samples"] or 0) for row in rows}


def test_host_is_the_same_after_a_run_of_every_operation(tmp_path):
    with Started(*EVERYTHING, "--samples=4", f"--out={tmp_path}/out") as started:
        code, out, err = started.finish()
        assert code == 0, out + err
        no_process_left(started)
    operations = {row["operation"] for row in read_csv(tmp_path / "out" / "results.csv")}
    assert operations == {"clone", "clone3", "unshare", "setns", "proc_remount", "userns_map"}


def test_a_sampler_is_seen_while_a_run_goes_on(tmp_path):
    """The other tests look for what is left of it: they must be able to see it."""
    with Started(*EVERYTHING, *ENDLESS, f"--out={tmp_path}/out") as started:
        assert started.sampler() != started.pid
        started.signal(signal.SIGTERM)
        started.finish()


@pytest.mark.parametrize("end", ["normal", "SIGINT", "SIGKILL"])
def test_mounts_are_the_same_where_all_of_them_are_shared(end, tmp_path):
    """In an outer mount namespace whose mounts are all shared nothing propagates out of the run."""
    script = """
        mount --make-rshared / && mkdir "$1/shared" && mount -t tmpfs none "$1/shared" || exit 99
        cat /proc/self/mountinfo > "$1/before"
        grep -q ' / / .* shared:' "$1/before" || exit 98
        end=$2 out=$1; shift 2
        if [ $end = normal ]; then
            "$@" --samples=4; code=$?
        else
            "$@" --budget=60s --precision=0.01% --out="$out/run" &
            until [ -e "$out/run/results.csv" ] || ! kill -0 $!; do sleep 0.05; done; kill -$end $!; wait $!; code=$?
            sleep 0.3
        fi
        cat /proc/self/mountinfo > "$out/after"
        exit $code
    """
    result = subprocess.run(
        ["unshare", "-m", "--propagation", "private", "bash", "-c", script, "bash", tmp_path, end.removeprefix("SIG"),
         binary(), "--op=clone,proc_remount,unshare", *SETS, "--stack=1M"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    if result.returncode in (98, 99):
        pytest.skip(f"no shared root can be made here: {result.stderr.strip()}")
    expected = {"normal": 0, "SIGINT": 130, "SIGKILL": 137}[end]
    # a command in the background of a shell starts with SIGINT ignored unless it sets its own handler
    assert result.returncode == expected, result.stderr
    assert (tmp_path / "before").read_text() == (tmp_path / "after").read_text()


@pytest.mark.parametrize("number, code, group", [
    (signal.SIGINT, 130, False), (signal.SIGINT, 130, True), (signal.SIGTERM, 143, False), (signal.SIGTERM, 143, True)])
def test_interrupted_run_keeps_what_it_measured(number, code, group, tmp_path):
    """Also when, as with Ctrl-C in a terminal, the whole process group gets the signal."""
    with Started("--op=clone,proc_remount", *SETS, "--stack=1M", *ENDLESS, f"--out={tmp_path}/out",
                 f"--csv={tmp_path}/a.csv", f"--json={tmp_path}/a.json") as started:
        results = tmp_path / "out" / "results.csv"
        wait_for(lambda: results.exists() and any(row["median"] for row in read_csv(results)), 30, "a counted round")
        assert started.process.poll() is None
        started.signal(number, group)
        ended, out, err = started.finish(timeout=10)
        assert ended == code, out + err
        no_process_left(started)
    info, results, samples = read_folder(tmp_path / "out")
    assert info and samples
    assert read_csv(tmp_path / "a.csv") == results
    assert json.loads((tmp_path / "a.json").read_text())["benchmarks"]
    measured = [row for row in results if row["median"]]
    assert measured and not [row for row in results if row["status"] == "failed"], "an interruption is no failure"
    for row in measured:
        assert row["case"] in out
    assert not list((tmp_path / "out").glob(".part-*"))


@pytest.mark.parametrize("attempt", range(thorough.of(4, 20)))
def test_killed_run_leaves_nothing_behind_and_goes_on(attempt, tmp_path):
    moment = random.uniform(0.02, 0.4) if attempt == 0 else random.uniform(0.3, 2.0)
    print(f"killed after {moment:.3f} s")
    folder = tmp_path / "out"
    # Of small blocks a round of all cases is soon over.
    with Started("--op=clone,proc_remount", *SETS, "--stack=1M", "--block=2", *ENDLESS, f"--out={folder}") as started:
        time.sleep(moment)
        assert started.process.poll() is None
        started.signal(signal.SIGKILL)
        started.finish(timeout=5)
        no_process_left(started)

    info, results, samples = read_folder(folder) if folder.exists() else (None, [], [])
    if info is None:
        assert not results and not samples, "files of a run that --resume does not know"
        measure("--op=clone", "--ns=none", "--stack=1M", "--samples=4", f"--out={folder}")
        return
    before, after = samples_by_case(results), {}
    for _ in range(10):  # a busy machine does not reach every case in the first
        resumed = run(f"--resume={folder}", "--budget=3s")
        assert resumed.returncode == 0, resumed.stdout + resumed.stderr
        again, more_results, more_samples = read_folder(folder)
        assert again["run_id"] == info["run_id"]
        after = samples_by_case(more_results)
        if all(after.values()):
            break
    assert before.keys() <= after.keys()
    assert all(after[key] >= count for key, count in before.items())
    assert sum(after.values()) > sum(before.values())
    assert all(after.values()), "a case without samples"

    def keyed(rows):
        return {(row["case"], row["round"], row["sample"]): row["total"] for row in rows}
    kept = keyed(more_samples)
    assert all(kept.get(key) == value for key, value in keyed(samples).items()), "a finished round was lost"
    assert not list(folder.glob(".part-*"))


def test_killed_run_is_completed(tmp_path):
    """A run with a number of samples to reach reaches it after --resume, for every case; of what the kernel leaves to its workers
    (drain), a block may have no time."""
    folder = tmp_path / "out"
    with Started("--op=clone", *SETS, "--stack=1M", "--samples=100", "--seed=3", f"--out={folder}") as started:
        wait_for(lambda: (folder / "results.csv").exists(), 20, "the first round")
        started.signal(signal.SIGKILL)
        started.finish(timeout=5)
        no_process_left(started)
    assert min(samples_by_case(read_folder(folder)[1]).values()) < 100
    resumed = run(f"--resume={folder}")
    assert resumed.returncode == 0, resumed.stderr
    after = samples_by_case(read_folder(folder)[1])
    assert len({case for case, _ in after}) == len(SETS)
    assert all(after.values()) and not {key: count for key, count in after.items() if count < 100 and key[1] != "drain"}


def test_resume_is_as_silent_as_a_run(tmp_path):
    """Standard error is for progress on a terminal, and for what went wrong."""
    assert measure("--op=clone", *SETS[:2], "--stack=1M", "--samples=12", f"--out={tmp_path}/out").stderr == ""
    assert measure(f"--resume={tmp_path}/out").stderr == ""


@pytest.mark.parametrize("moment", [0.3, 1.0])
def test_death_of_the_sampler_costs_one_case(moment, tmp_path):
    with Started("--op=clone", *SETS, "--stack=1M", "--budget=10s", "--precision=0.01%",
                 f"--out={tmp_path}/out") as started:
        first = started.sampler()
        time.sleep(moment)
        victim = started.sampler()
        assert victim == first, "another sampler, with nothing to cause it"
        os.kill(victim, signal.SIGKILL)
        code, out, err = started.finish()
        no_process_left(started)
    assert code == 1, out + err
    _, results, samples = read_folder(tmp_path / "out")
    failed = {row["case"] for row in results if row["status"] == "failed"}
    assert len(failed) == 1
    for row in results:
        if row["case"] in failed:
            assert row["reason"] and not any(row[name] for name in FIGURES)
        else:
            assert row["status"] in ("ok", "imprecise") and float(row["median"]) > 0
    assert not [row for row in samples if row["errno"] and row["total"]]
    assert failed.pop() in out and "failed" in out


def test_hanging_sampler_does_not_outlive_a_killed_run(tmp_path):
    """A stopped sampler cannot notice anything by itself: the kernel must end it with its parent."""
    with Started("--op=clone", *SETS, "--stack=1M", *ENDLESS, f"--out={tmp_path}/out") as started:
        sampler = started.sampler()
        time.sleep(0.5)
        os.kill(sampler, signal.SIGSTOP)
        started.signal(signal.SIGKILL)
        started.finish(timeout=5)
        no_process_left(started)


@needs_root
def test_a_short_budget_still_has_a_row_for_every_case(tmp_path):
    measure("--filter=^clone/.*stack:1M$", "--budget=10s", f"--csv={tmp_path}/a.csv")
    cases = {row["case"] for row in read_csv(tmp_path / "a.csv")}
    assert len(cases) == 256 and all(case.startswith("clone/") for case in cases)


@needs_root
def test_samples_ahead_of_run_json_are_no_part_of_the_next_round(tmp_path):
    """What a kill between the writing of two files leaves."""
    folder = tmp_path / "run"
    measure("--op=clone", "--ns=none", "--stack=1M", "--budget=1s", "--precision=0.001%", f"--out={folder}")
    info = json.loads((folder / "run.json").read_text())
    recorded = info["measuring"]["rounds"]
    info["measuring"]["rounds"] = recorded - 1
    (folder / "run.json").write_text(json.dumps(info))
    measure(f"--resume={folder}", "--budget=1s")
    blocks: dict[str, set[str]] = {}
    for row in read_csv(folder / "samples.csv"):
        blocks.setdefault(row["round"], set()).add(row["block"])
    assert max(map(int, blocks)) > recorded
    most = info["measuring"]["blocks_in_round"]
    assert all(len(of_round) <= most for of_round in blocks.values()), "two visits became one round"


@needs_root
def test_another_user_does_not_go_on_with_the_run(tmp_path):
    """Without root the cases would have other ids, and what was recorded would be lost."""
    folder = tmp_path / "run"
    measure("--op=clone", "--ns=pid", "--stack=1M", "--samples=4", f"--out={folder}")
    info = json.loads((folder / "run.json").read_text())
    info["in_userns"] = True
    (folder / "run.json").write_text(json.dumps(info))
    before = (folder / "samples.csv").read_bytes()
    refused = run(f"--resume={folder}")
    assert refused.returncode == 2 and "user namespace" in refused.stderr
    assert (folder / "samples.csv").read_bytes() == before


@pytest.mark.parametrize("error", ["EINTR", "EAGAIN", "ENOBUFS", "EPIPE"])
def test_a_message_that_cannot_be_sent_costs_neither_time_nor_a_case(error, tmp_path):
    """Of requests and of answers: the first of each side fails once, then the second, … while both sides live."""
    begun = time.monotonic()
    runs = made_to_fail("sendto", 1, "--op=clone,unshare", "--ns=none", "--ns=uts", "--stack=1M", "--samples=4", "--block=2",
                        f"--csv={tmp_path}/a.csv", error=error, patience=1)
    for number, done in enumerate(runs, 1):
        assert done.returncode == 0, f"message {number}: {done.stdout}{done.stderr}"
        assert time.monotonic() - begun < PATIENCE, f"message {number}: waited for an answer to what was not sent"
        rows = read_csv(tmp_path / "a.csv")
        assert {row["case"] for row in rows} >= {"clone/NEWUTS/stack:1M", "unshare/NEWUTS"}
        assert not [row for row in rows if row["status"] in ("failed", "skipped") or int(row["samples"]) != 4], number
        begun = time.monotonic()
