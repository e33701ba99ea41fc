"""What disturbs rounds is seen while it happens, told by the kernel's counters alone, and left out where that is asked for."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from nsbench_harness import Started, assert_one_line, measure, needs_root, read_csv, run, wait_for

CASE = ("--op=unshare", "--ns=uts", "--alone")
CPU = max(os.sched_getaffinity(0))


@pytest.fixture(name="busy")
def fixture_busy():
    """Another task on the CPU that is measured on, from its first turn on."""
    loop = f"import os\nos.sched_setaffinity(0, {{{CPU}}})\nprint(flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", loop], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def info_of(folder):
    return json.loads((folder / "run.json").read_text())


def cause_by_rule(row, info):
    """By the columns, in the order that the page gives, without frequency."""
    rule = info["disturbance"]["rule"]
    for name, column, least in (("suspended", "suspended", "suspended_above_s"), ("off its CPU", "moved", "moved_above")):
        if row[column] != "" and float(row[column]) > rule[least]:
            return name

    def above(column, share, least=0.0):
        return row[column] != "" and float(row[column]) >= least and float(row[column]) > share * float(row["seconds"])
    if row["throttles"] != "" and int(row["throttles"]) > rule["throttles_above"]:
        return "throttling"
    if above("steal", rule["steal_above_share"], rule["steal_least_s"]):
        return "steal"
    if above("others", rule["others_above_share"], rule["others_least_s"]) or above("waited", rule["waited_above_share"]):
        return "other tasks"
    return ""


def need_known(info, *columns):
    for column in columns:
        if why := info["disturbance"]["markers"][column]["unknown"]:
            pytest.skip(f"{column}: {why}")


def test_a_busy_task_on_the_measuring_cpu_labels_rounds(tmp_path, busy):
    folder = tmp_path / "run"
    # Rounds of some 20 ms without the other task: it runs in each of them, from before the first to after the last.
    done = measure(*CASE, f"--cpu={CPU}", "--block=200", "--samples=2000", f"--out={folder}")
    assert busy.poll() is None
    info = info_of(folder)
    need_known(info, "waited", "others")
    rows = read_csv(folder / "rounds.csv")
    assert [int(row["round"]) for row in rows] == list(range(1, info["measuring"]["rounds"] + 1))
    labelled = [row for row in rows if row["disturbed"] in ("other tasks", "steal")]
    assert len(labelled) >= 0.8 * len(rows), (folder / "rounds.csv").read_text()
    assert info["disturbance"]["rounds"] == len(rows)
    counted = {name: sum(row["disturbed"] == name for row in rows) for name in info["disturbance"]["disturbed"]}
    assert counted == info["disturbance"]["disturbed"] and sum(counted.values()) >= len(labelled)
    assert f"{sum(counted.values())} of {len(rows)} rounds disturbed, and kept (--disturbed=drop leaves them out):\n  " in done.stdout
    # What a round has of others is no more than what it took.
    assert all(float(row["others"]) <= 1.2 * float(row["seconds"]) + 0.05 for row in rows)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one CPU: there is none to move to")
def test_a_sampler_that_was_moved_off_its_cpu_is_moved_back_and_its_round_says_so(tmp_path):
    """As the kernel moves it where the CPU goes offline, or is taken out of the cpuset: scripts/faults/guest_rows.py does the former."""
    folder = tmp_path / "run"
    other = min(os.sched_getaffinity(0))
    with Started(*CASE, f"--cpu={CPU}", "--block=20", "--budget=20s", "--precision=0.001%", "--quiet", f"--out={folder}") as running:
        wait_for((folder / "rounds.csv").exists, 20, "a round")
        sampler = running.sampler()
        os.sched_setaffinity(sampler, {other})
        wait_for(lambda: os.sched_getaffinity(sampler) == {CPU}, 20, "the sampler on its CPU")
        running.signal(signal.SIGINT)
        running.finish()
    rows = read_csv(folder / "rounds.csv")
    moved = [row for row in rows if row["moved"] != "0"]
    assert [(row["moved"], row["disturbed"]) for row in moved] == [("1", "off its CPU")]
    assert info_of(folder)["disturbance"]["disturbed"]["off its CPU"] == 1


def test_labels_follow_the_rule_alone(tmp_path):
    folder = tmp_path / "run"
    measure(*CASE, "--budget=2s", f"--out={folder}")
    info = info_of(folder)
    rows = read_csv(folder / "rounds.csv")
    assert rows
    for row in rows:
        assert row["disturbed"] in (cause_by_rule(row, info), "frequency"), row


@needs_root
def test_a_cpu_that_is_idle_gives_few(tmp_path):
    def idle():
        ticks = next(line for line in open("/proc/stat", encoding="ascii") if line.startswith(f"cpu{CPU} ")).split()
        return int(ticks[4])
    for attempt in range(3):
        before = idle()
        time.sleep(1)
        if idle() - before < 0.97 * os.sysconf("SC_CLK_TCK"):
            continue  # something else is running there: nothing can be said of it
        folder = tmp_path / f"run{attempt}"
        measure(*CASE, f"--cpu={CPU}", "--block=200", "--samples=2000", f"--out={folder}")
        rows = read_csv(folder / "rounds.csv")
        if sum(row["disturbed"] != "" for row in rows) <= 0.2 * len(rows):
            return
    pytest.skip(f"CPU {CPU} is not left alone for long enough")


def relabel(folder, rounds):
    """Labels these rounds and no other, and makes their samples a second longer."""
    rows = read_csv(folder / "rounds.csv")
    for row in rows:
        row["disturbed"] = "other tasks" if int(row["round"]) in rounds else ""
    samples = read_csv(folder / "samples.csv")
    for row in samples:
        if int(row["round"]) in rounds:
            row["create"] = str(10**9 + int(float(row["create"])))
    for name, table in (("rounds.csv", rows), ("samples.csv", samples)):
        text = io.StringIO()
        writer = csv.DictWriter(text, table[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
        (folder / name).write_text(text.getvalue())


@pytest.fixture(name="recorded")
def fixture_recorded(tmp_path):
    """Twelve rounds of five samples."""
    folder = tmp_path / "run"
    measure(*CASE, "--block=5", "--samples=60", "--lead-in=1", "--disturbed=keep", f"--out={folder}")
    return folder


def samples_of(folder, phase="create"):
    return next(int(row["samples"]) for row in read_csv(folder / "results.csv") if row["phase"] == phase)


def test_drop_leaves_their_samples_out_of_the_figures(recorded):
    relabel(recorded, {1, 2, 3, 5, 8, 11})
    kept = measure("summary", recorded)
    assert "6 of 12 rounds disturbed, and kept (--disturbed=drop leaves them out):\n  6 other tasks\n" in kept.stdout
    assert samples_of(recorded) == 60
    table = (recorded / "results.csv").read_bytes()
    most = max(float(row["create"]) for row in read_csv(recorded / "samples.csv") if row["counted"] == "1")
    assert next(float(row["max"]) for row in read_csv(recorded / "results.csv") if row["phase"] == "create") == most
    dropped = measure("summary", recorded, "--disturbed=drop")
    assert "6 of 12 rounds disturbed, and left out:\n  6 other tasks\n" in dropped.stdout
    assert "results.csv is left as it is" in dropped.stdout and (recorded / "results.csv").read_bytes() == table

    # A run that was told so has it in its files.
    info = info_of(recorded)
    info["options"]["disturbed"] = "drop"
    (recorded / "run.json").write_text(json.dumps(info))
    measure("summary", recorded)
    assert samples_of(recorded) == 30
    assert next(float(row["max"]) for row in read_csv(recorded / "results.csv") if row["phase"] == "create") < most


def test_drop_never_leaves_too_little(recorded):
    relabel(recorded, set(range(1, 8)))
    done = measure("summary", recorded, "--disturbed=drop")
    assert "kept in 1 case, which would have fewer than 6 rounds without them" in done.stdout
    relabel(recorded, set(range(1, 13)))
    assert "kept in 1 case" in measure("summary", recorded, "--disturbed=drop").stdout


def test_a_run_that_goes_on_keeps_what_is_known_of_its_rounds(tmp_path):
    folder = tmp_path / "run"
    measure(*CASE, "--budget=1s", "--precision=0.01%", f"--out={folder}")
    before = read_csv(folder / "rounds.csv")
    measure(f"--resume={folder}", "--budget=1s", "--disturbed=drop")
    after = read_csv(folder / "rounds.csv")
    assert len(after) > len(before) > 0
    assert [row["round"] for row in after] == [str(number) for number in range(1, len(after) + 1)]
    assert [row["begin"] for row in after[:len(before)]] == [row["begin"] for row in before]
    assert info_of(folder)["options"]["disturbed"] == "drop"


def test_a_run_of_an_earlier_version_has_no_rounds(recorded):
    (recorded / "rounds.csv").unlink()
    info = info_of(recorded)
    del info["disturbance"], info["options"]["disturbed"]
    (recorded / "run.json").write_text(json.dumps(info))
    assert "disturbed" not in measure("summary", recorded).stdout
    assert "left out" not in measure("summary", recorded, "--disturbed=drop").stdout


def test_rounds_that_do_not_hold_are_refused(recorded):
    (recorded / "rounds.csv").write_text("run_id\n")
    result = run("summary", recorded)
    assert result.returncode == 2
    assert_one_line(result.stderr)
    assert "rounds.csv:1: no column 'kernel'" in result.stderr


def test_what_is_not_known_has_a_reason(tmp_path):
    folder = tmp_path / "run"
    measure(*CASE, "--cpu=any", "--samples=20", f"--out={folder}")
    markers = info_of(folder)["disturbance"]["markers"]
    assert "not pinned" in markers["others"]["unknown"] and "not pinned" in markers["steal"]["unknown"]
    for row in read_csv(folder / "rounds.csv"):
        assert row["others"] == "" and row["steal"] == "" and row["switches"] != ""
        for column, source in markers.items():
            assert row[column] == "" or source["unknown"] is None


def test_rounds_go_to_standard_output(tmp_path):
    text = measure(*CASE, "--samples=20", "--rounds=-").stdout
    assert text.startswith("run_id,kernel,round,begin,") and text.endswith("\n") and "\n\n" not in text
    assert run(*CASE, "--disturbed=sometimes").returncode == 2
    assert "accepted is keep or drop" in run(*CASE, "--disturbed=sometimes").stderr
