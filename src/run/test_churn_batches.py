"""The batches in which net namespaces are torn down, as nsbench churn --probe records them."""
import json
import os
import shutil
import signal
import subprocess

import pytest

from churn_harness import read_load, worker_of
from nsbench_harness import Started, as_user, assert_one_line, measure, needs_root, read_csv, run, wait_for


def programs():
    """The ids of the BPF programs that are loaded."""
    said = subprocess.run(["bpftool", "prog", "-j"], capture_output=True, text=True, check=True,
                          env={**os.environ, "PATH": "/usr/sbin:" + os.environ["PATH"]})
    return {program["id"] for program in json.loads(said.stdout)}


@needs_root
@pytest.mark.parametrize("probe", ["--probe", "--probe=tracepoint"])
def test_batches_have_the_namespaces_of_the_load(probe, tmp_path):
    done = measure("churn", "--ns=net", "--for=2s", "--drain=30s", probe, f"--out={tmp_path}/out", timeout=120)
    _, info = read_load(tmp_path / "out")
    batches = info["batches"]
    if batches["backend"] == "none":
        pytest.skip(batches["because"])
    assert batches["backend"] == "tracepoint" or probe == "--probe"
    assert batches["because"] or batches["backend"] == "fentry" or probe != "--probe", "why no better one"
    rows = read_csv(tmp_path / "out" / "batches.csv")
    assert batches["count"] == len(rows) > 0 and batches["unlisted"] == 0
    assert all(int(row["duration"]) > 0 and float(row["begin"]) >= 0 and row["case"] == info["case"] for row in rows)
    assert f"{len(rows)} of cleanup_net" in done.stdout
    counted = [int(row["namespaces"]) for row in rows if row["namespaces"]]
    if batches["namespaces_unknown"]:
        assert len(counted) < len(rows) and batches["namespaces_unknown"] in done.stdout
    if not counted:
        return
    assert sum(counted) == batches["namespaces"]["sum"]
    assert (batches["lost"] is None) == bool(batches["lost_unknown"])
    assert any(f"watched by {batches['backend']}" in warning for warning in info["warnings"])
    # Others on this machine may make some, too.
    if batches["lost"] == 0 and info["kernel_use"]["settled_s"] is not None:
        assert sum(counted) >= info["load"]["operations"]


@needs_root
def test_nothing_stays_attached(tmp_path):
    if not shutil.which("bpftool", path="/usr/sbin:" + os.environ["PATH"]):
        pytest.skip("no bpftool")
    before = programs()
    with Started("churn", "--ns=net", "--for=600s", "--probe", f"--out={tmp_path}/out") as started:
        wait_for(lambda: worker_of(started), 30, "a worker")  # what is attached is so before
        during = programs() - before
        saved = tmp_path / "out" / "churn.json"
        wait_for(saved.exists, 60, "the first figures")
        started.signal(signal.SIGKILL)
        started.finish()
        wait_for(lambda: not started.living(), 30, "the end of all processes")
    batches = json.loads(saved.read_text())["batches"]
    if batches["backend"] in ("none", "tracepoint"):
        pytest.skip(f"no program is attached here, but {batches['backend']}: {batches['because']}")
    assert during, "nothing was attached to be seen"
    wait_for(lambda: not during & programs(), 15, "the end of all programs")


@needs_root
def test_a_means_that_cannot_be_had_is_refused(tmp_path):
    done = run("churn", "--ns=net", "--for=100ms", "--drain=1ms", "--probe=fentry", f"--out={tmp_path}/out")
    if done.returncode == 0:
        assert json.loads((tmp_path / "out" / "churn.json").read_text())["batches"]["backend"] == "fentry"
        return
    assert done.returncode == 3
    assert_one_line(done.stderr)
    assert "--probe=fentry: cannot be had here: cleanup_net: fentry: " in done.stderr


def test_without_the_right_to_look_a_load_has_no_batches(home):
    folder = home / "blind"
    done = as_user(home, home / "nsbench", "churn", "--ns=net", "--for=300ms", "--drain=1ms", "--probe", f"--out={folder}")
    if done.returncode == 3:
        pytest.skip(f"nothing can be measured here: {done.stderr.strip()}")
    _, info = read_load(folder)
    if info["batches"]["backend"] != "none":
        pytest.skip("any user may look at the kernel's work here")
    assert done.returncode == 0 and set(info["batches"]) == {"backend", "because"} and info["batches"]["because"]
    assert not (folder / "batches.csv").exists()
    assert "warning: --probe: cannot be had here" in done.stdout and "batches     unknown: " in done.stdout
