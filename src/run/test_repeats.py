"""--repeat: the whole plan several times, as real runs: what the folder holds, how it ends, and how it is gone on with."""

import json
import math
import os
import re
import shutil
import signal
import statistics
import subprocess
import time
from pathlib import Path

import pytest

from nsbench_harness import (SAMPLER, Started, as_user, assert_one_line, assert_refused, binary, list_ids, measure, needs_root, on_terminal,
                             read_csv, read_samples, run, wait_for)

CASES = ("--op=clone", "--ns=none", "--ns=uts", "--stack=1M")
QUICK = (*CASES, "--samples=12", "--seed=7")
SLOW = (*CASES, "--budget=30s", "--precision=0.01%")


def record(folder):
    return json.loads((folder / "run.json").read_text())


def rows_of(folder):
    return {(row["case"], row["phase"]): row for row in read_csv(folder / "results.csv")}


def repeats_of(folder):
    """Its repeats, in their order."""
    return sorted((path for path in folder.iterdir() if path.is_dir()), key=lambda path: int(path.name.split("-")[1]))


def complete(folder):
    return [path.name for path in repeats_of(folder) if (path / "run.json").exists() and record(path)["repeat"]["complete"]]


def content(folder):
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
            for path in folder.rglob("*") if path.is_file()}


def student(values):
    """The 95% interval of the mean of three."""
    mean, half = statistics.mean(values), 4.302653 * statistics.stdev(values) / 3**0.5
    return mean - half, mean + half


def about(value):
    """What three decimals in a file can hold."""
    return pytest.approx(value, rel=1e-5, abs=2e-3)


@pytest.fixture(name="three", scope="module")
def fixture_three(tmp_path_factory):
    """Three repeats with all that they are written as."""
    folder = tmp_path_factory.mktemp("three")
    done = run(*QUICK, "--repeat=3", f"--out={folder}/run", f"--csv={folder}/a.csv", f"--json={folder}/a.json")
    if done.returncode == 3:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    return folder / "run", done


@pytest.fixture(name="copied")
def fixture_copied(three, tmp_path):
    shutil.copytree(three[0], tmp_path / "run")
    return tmp_path / "run"


def test_each_is_a_run_of_its_own(three):
    folder, _ = three
    whole = record(folder)
    assert whole["repeat"] == {"number": None, "count": 3, "apart_s": 0, "complete": True}
    assert sorted(path.name for path in folder.iterdir()) == ["repeat-1", "repeat-2", "repeat-3", "results.csv", "rounds.csv", "run.json"]
    for number, own in enumerate(repeats_of(folder), 1):
        assert sorted(path.name for path in own.iterdir()) == ["results.csv", "rounds.csv", "run.json", "samples.csv"]
        said = record(own)
        assert said["repeat"] == {"number": number, "count": 3, "apart_s": 0, "complete": True}
        assert said["run_id"] == f"{whole['run_id']}.{number}" == read_csv(own / "samples.csv")[0]["run_id"]
        assert said["options"] == {**whole["options"], "seed": 7 + number - 1}
        assert said["sampler"]["cpus"] == whole["sampler"]["cpus"]
        assert all(row["repeats"] == row["scatter"] == "" for row in rows_of(own).values())
    assert whole["measuring"]["rounds"] == sum(record(own)["measuring"]["rounds"] for own in repeats_of(folder))
    orders = [[row["case"] for row in sorted(read_csv(own / "samples.csv"), key=lambda row: int(row["block"]))]
              for own in repeats_of(folder)]
    assert len({tuple(order) for order in orders}) > 1, "each seed has an order of its own"


def test_rows_are_of_the_scatter_between_them(three):
    folder, _ = three
    own = [rows_of(one) for one in repeats_of(folder)]
    assert list(rows_of(folder)) == list(own[0])
    for key, row in rows_of(folder).items():
        each = [rows[key] for rows in own]
        if not all(one["median"] for one in each):
            continue
        medians = [float(one["median"]) for one in each]
        assert float(row["median"]) == statistics.median(medians)
        assert int(row["samples"]) == sum(int(one["samples"]) for one in each)
        assert float(row["min"]) == min(float(one["min"]) for one in each)
        assert float(row["max"]) == max(float(one["max"]) for one in each)
        assert float(row["p99"]) == statistics.median(float(one["p99"]) for one in each)
        assert row["repeats"] == "3" and row["scatter"] in ("between", "within", "")
        low, high = (math.exp(end) for end in student([math.log(median) for median in medians]))
        assert float(row["ci_low"]) == about(min(low, float(row["median"])))
        assert float(row["ci_high"]) == about(max(high, float(row["median"])))
        if row["delta"]:
            deltas = [float(one["delta"]) for one in each]
            low, high = student(deltas)
            assert float(row["delta"]) == about(statistics.median(deltas))
            assert float(row["delta_low"]) == about(min(low, float(row["delta"])))
            assert float(row["delta_high"]) == about(max(high, float(row["delta"])))


def test_outputs_are_of_all_of_them(three):
    folder, done = three
    assert (folder.parent / "a.csv").read_bytes() == (folder / "results.csv").read_bytes()
    said = json.loads((folder.parent / "a.json").read_text())["benchmarks"]
    for (case, phase), row in rows_of(folder).items():
        mine = [one for one in said if one["run_name"] == f"{case}/phase:{phase}"]
        if row["median"]:
            assert [one["repetition_index"] for one in mine if one["run_type"] == "iteration"] == [0, 1, 2]
            assert [one["real_time"] for one in mine if one["run_type"] == "aggregate"] == [pytest.approx(float(row["median"]))]
    lines = done.stdout.splitlines()
    assert any(re.fullmatch(r"3 repeats, \d+ rounds in \d+\.\d s, seeds from 7", line) for line in lines), done.stdout
    assert any(line.startswith("3 repeats: an interval reaches 2.5 standard deviations") for line in lines)
    assert sum(line.startswith("nsbench ") for line in lines) == 1, "the machine is described once"
    assert done.stderr == ""


def test_a_summary_is_the_same_again(copied):
    before = content(copied)
    done = measure("summary", copied)
    assert done.stdout.count("3 repeats, ") == 1
    after = content(copied)
    assert {name: text for name, (text, _) in before.items()} == {name: text for name, (text, _) in after.items()}
    (copied / "results.csv").write_text("broken")
    measure("summary", copied, "--quiet")
    assert (copied / "results.csv").read_bytes() == before["results.csv"][0]


def test_one_that_was_stopped_before_its_first_round_is_none(copied):
    """What is whole is shown, as when it was stopped."""
    last = copied / "repeat-3"
    begun = record(last)
    (last / "run.json").write_text(json.dumps({
        **begun, "repeat": {**begun["repeat"], "complete": False},
        "measuring": {**begun["measuring"], "rounds": 0, "sample_lines": 0}}))
    for name in ("samples.csv", "rounds.csv", "results.csv"):
        (last / name).unlink()
    done = measure("summary", copied)
    assert "2 repeats, " in done.stdout
    assert {row["repeats"] for row in rows_of(copied).values()} == {"2"}
    for path in (copied / "repeat-1", copied / "repeat-2"):
        shutil.rmtree(path)
    assert_refused(run("summary", copied), "none of its 3 repeats is there")


def test_a_repeat_can_be_measured_alone(three):
    """By its seed: the same blocks in the same order."""
    second = repeats_of(three[0])[1]
    alone = three[0].parent / "alone"
    measure(*CASES, "--samples=12", "--seed=8", f"--out={alone}")
    orders = [[(row["case"], row["round"], row["block"]) for row in read_csv(folder / "samples.csv")] for folder in (second, alone)]
    assert orders[0] == orders[1]


def test_what_is_complete_is_left_as_it_is(copied):
    before = {name: text for name, (text, _) in content(copied).items()}
    done = measure(f"--resume={copied}")
    assert "3 repeats, " in done.stdout
    assert {name: text for name, (text, _) in content(copied).items()} == before


def test_one_that_is_gone_is_made_again(copied):
    shutil.rmtree(copied / "repeat-2")
    first = content(copied / "repeat-1")
    done = measure(f"--resume={copied}", "--quiet")
    assert complete(copied) == ["repeat-1", "repeat-2", "repeat-3"], done.stdout
    assert content(copied / "repeat-1") == first
    assert record(copied / "repeat-2")["options"]["seed"] == 8


@pytest.mark.parametrize("words, mention", [
    (("--repeat=0",), "--repeat=0: accepted is"), (("--repeat=1001",), "--repeat=1001"), (("--repeat=x",), "--repeat=x"),
    (("--apart=1s",), "--apart: is between repeats"), (("--repeat=2", "--apart=0s"), "--apart=0s: accepted is a time above zero"),
    (("--repeat=2", "--probe"), "--probe: is one pass")])
def test_what_is_wrong_is_said_before_anything_is_measured(words, mention, tmp_path):
    assert_refused(run(*QUICK, *words, f"--out={tmp_path}/run"), mention)
    assert not (tmp_path / "run").exists()


def test_one_is_a_run_without_repeats(tmp_path):
    measure(*QUICK, "--repeat=1", f"--out={tmp_path}/run", "--quiet")
    assert record(tmp_path / "run")["repeat"] is None
    assert (tmp_path / "run" / "samples.csv").exists() and not repeats_of(tmp_path / "run")


def test_repeats_are_alike_and_gone_on_with_together(copied):
    before = content(copied)
    assert_refused(run(f"--resume={copied}", "--budget=1s"), str(copied), "--budget")
    assert_refused(run(f"--resume={copied}", "--precision=1%"), "--precision")
    assert_refused(run(f"--resume={copied}", "--repeat=5"), "--resume goes on with what the run was about")
    assert_refused(run(f"--resume={copied}", "--probe"), "--probe: is one pass")
    assert_refused(run(f"--resume={copied}/repeat-2"), "is repeat 2 of 3")
    assert_refused(run(*QUICK, "--repeat=3", f"--out={copied}"), "holds a run already")
    (copied / "run.json").unlink()
    assert_refused(run(*QUICK, "--repeat=3", f"--out={copied}"), "repeat-1: holds a run already")
    del before["run.json"]
    assert content(copied) == before


def test_what_is_no_repeat_of_the_run_is_refused(copied):
    (copied / "repeat-2").rename(copied / "aside")
    shutil.copytree(copied / "repeat-1", copied / "repeat-2")
    for words in ([f"--resume={copied}"], ["summary", str(copied)]):
        assert_refused(run(*words), "repeat-2: is not repeat 2 of the run in")
    shutil.rmtree(copied / "repeat-2")
    (copied / "repeat-2").mkdir()
    (copied / "repeat-2" / "run.json").write_text("{")
    assert_refused(run(f"--resume={copied}"), "repeat-2/run.json:1:2: not JSON")
    for name in ("repeat-1", "repeat-2", "repeat-3"):
        shutil.rmtree(copied / name)
    assert_refused(run("summary", copied), "none of its 3 repeats is there")


def test_damaged_members_are_refused(copied):
    whole = record(copied)
    for member, value in (("count", 0), ("number", 4), ("apart_s", -1), ("complete", None)):
        (copied / "run.json").write_text(json.dumps({**whole, "repeat": {**whole["repeat"], member: value}}))
        assert_refused(run(f"--resume={copied}"), f"run.json: repeat.{member}: ")


def stopped(folder, number):
    """Four repeats, of which a signal comes into the second one or a later one: the run, and that repeat's folder. On a busy machine
    it may come too late, or between two repeats; then there is another try."""
    for attempt in range(5):
        own = folder / str(attempt)
        with Started(*CASES, "--budget=1s", "--precision=0.01%", "--repeat=4", f"--out={own}", "--quiet", "--seed=3") as started:
            wait_for((own / "repeat-2" / "samples.csv").exists, 30, "the second repeat's first round")
            started.signal(number)
            code, out, err = started.finish()
            if number == signal.SIGKILL:
                wait_for(lambda: not started.living(), 10, "the end of its samplers")
        going = own / f"repeat-{len(complete(own)) + 1}"
        if code != 0 and (going / "samples.csv").exists():
            return own, going, code, out, err
    pytest.fail("no signal came into a repeat")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_one_keeps_what_is_whole_and_goes_on(number, tmp_path):
    folder, going, code, out, err = stopped(tmp_path, number)
    if number == signal.SIGKILL:
        assert code == -number
    else:
        assert code == 128 + number, err
        assert "NEWUTS adds to none" in out
    for name in content(folder):
        assert not Path(name).name.startswith(".part-") or number == signal.SIGKILL
    whole = complete(folder)
    assert whole == [f"repeat-{n}" for n in range(1, len(whole) + 1)] and 1 <= len(whole) < 4
    assert record(folder)["repeat"]["complete"] is False
    assert {row["repeats"] for row in rows_of(folder).values() if row["median"]} == {str(len(whole))}
    first, partial = content(folder / "repeat-1"), read_samples(going)
    assert partial
    done = measure(f"--resume={folder}", "--quiet")
    assert complete(folder) == [f"repeat-{n}" for n in (1, 2, 3, 4)], done.stderr
    assert content(folder / "repeat-1") == first
    after = read_csv(going / "samples.csv")
    assert all(row in after for row in partial), "it has gone on"
    assert {row["repeats"] for row in rows_of(folder).values() if row["median"]} == {"4"}
    if number != signal.SIGKILL:
        assert record(going)["measuring"]["seconds"] < 2, "with what was left of its budget"


def test_stopped_in_the_first_the_table_is_of_it(tmp_path):
    folder = tmp_path / "run"
    with Started(*SLOW, "--repeat=3", f"--out={folder}") as started:
        wait_for((folder / "run.json").exists, 20, "the first round")
        time.sleep(0.3)
        started.signal(signal.SIGINT)
        code, out, err = started.finish()
    assert code == 130, err
    assert f"stopped in repeat 1 of 3, which the table is of as far as it came; --resume={folder} goes on\n" in out
    assert complete(folder) == [] and rows_of(folder).keys() == rows_of(folder / "repeat-1").keys()
    assert "as far as it came" not in measure("summary", folder, "--quiet").stdout


def test_without_a_folder_what_was_whole_is_shown():
    with Started(*CASES, "--budget=1s", "--precision=0.01%", "--repeat=50") as started:
        time.sleep(3)
        started.signal(signal.SIGINT)
        code, out, err = started.finish()
    assert code == 130, err
    assert re.search(r"\nstopped (with \d+ of 50 repeats complete|in repeat 1 of 50), which the table is of", out), out
    assert "--resume" not in out


def test_the_pause_between_two_ends_with_a_signal(tmp_path):
    folder = tmp_path / "run"
    with Started(*QUICK, "--repeat=2", "--apart=10m", f"--out={folder}", "--quiet") as started:
        wait_for(lambda: complete(folder) == ["repeat-1"] if folder.exists() else None, 30, "the first repeat")
        assert started.process.poll() is None
        wait_for(lambda: not [comm for _, comm in started.living().values() if comm == SAMPLER], 5, "the end of its sampler")
        started.signal(signal.SIGTERM)
        code, _, err = started.finish(timeout=10)
    assert code == 143, err
    assert record(folder)["repeat"]["apart_s"] == 600
    assert [path.name for path in repeats_of(folder)] == ["repeat-1"]


def test_another_is_kept_out_meanwhile(tmp_path):
    folder = tmp_path / "run"
    with Started(*SLOW, "--repeat=2", f"--out={folder}", "--quiet") as started:
        wait_for((folder / "run.json").exists, 20, "the first round")
        assert_refused(run(f"--resume={folder}"), "another nsbench is writing to it")
        assert_refused(run("summary", folder / "repeat-1"), "another nsbench is writing to it")
        started.signal(signal.SIGINT)
        started.finish()


def test_progress_is_of_all_of_them():
    code, _, err = on_terminal(*CASES, "--budget=1s", "--precision=0.01%", "--repeat=2", "--apart=1s", stream="stderr", columns=120)
    assert code == 0, err
    assert re.search(r"repeat 1 of 2, round \d+: \d+ of \d+ blocks, .* 0:0[2-3] left", err), err
    assert "repeat 2 of 2 begins in 0:0" in err and "repeat 2 of 2, round " in err
    assert err.endswith("\r\033[K")


@needs_root
def test_a_full_disk_ends_it_with_what_there_is(tmp_path):
    script = 'mount -t tmpfs -o size=96k none "$1" || exit 99; dir=$1; shift; "$@"; code=$?; cd "$dir" && find . -type f >&2; exit $code'
    done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", tmp_path, binary(), *CASES, "--samples=1200", "--repeat=3",
                           f"--out={tmp_path}/run"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                          check=False)
    if done.returncode == 99:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    assert done.returncode == 1, done.stderr
    said, *files = done.stderr.splitlines()
    assert said.startswith(f"nsbench: {tmp_path}/run/repeat-1: ") and "(ENOSPC)" in said, done.stderr
    assert "clone/NEWUTS/stack:1M" in done.stdout and "\n1 repeat, " in done.stdout, "what it came to is shown"
    assert not [name for name in files if "repeat-2" in name or ".part-" in name], "no time goes into what cannot be kept"


@needs_root
def test_a_repeats_folder_of_somebody_else_is_refused(tmp_path):
    folder = tmp_path / "run"
    (folder / "repeat-1").mkdir(parents=True)
    os.chown(folder / "repeat-1", 65534, 65534)
    done = run(*QUICK, "--repeat=2", f"--out={folder}")
    assert done.returncode in (1, 2) and done.stdout == "", done.stdout + done.stderr
    assert_one_line(done.stderr)
    assert f"{folder}: repeat-1: this folder belongs to user 65534" in done.stderr
    assert not list((folder / "repeat-1").iterdir())


def test_an_ordinary_user_has_them_too(home):
    done = as_user(home, home / "nsbench", *QUICK, "--repeat=2", "--out=repeats")
    if done.returncode == 3:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    whole = record(home / "repeats")
    assert whole["repeat"]["complete"] and len(complete(home / "repeats")) == 2
    if whole["in_userns"]:
        assert {case for case, _ in rows_of(home / "repeats")} == {case.replace("/NEWUTS/", "/NEWUSER-NEWUTS/").replace(
            "/none/", "/NEWUSER/") if "NEWUTS" in case else case for case in list_ids(*CASES)}
    assert as_user(home, home / "nsbench", "summary", "repeats", "--quiet").returncode == 0
    assert as_user(home, home / "nsbench", "--resume=repeats", "--quiet").returncode == 0
    if os.geteuid() == 0:
        assert_refused(run(f"--resume={home}/repeats"), "belongs to user 65534")
    shutil.rmtree(home / "repeats")
