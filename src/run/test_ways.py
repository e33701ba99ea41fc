"""The operations that set ways against each other: mount_ns, cgroup, veth, mountinfo, and containers by mntns."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from nsbench_harness import Started, host_kept, host_state, list_ids, needs_root, read_csv, run, wait_for

pytestmark = needs_root

# One moment for each case of what is killed: the next runs have others.
SEED = int(os.environ.get("NSBENCH_SEED", time.time_ns() % 10**6))
KILLS = int(os.environ.get("NSBENCH_KILLS", "1"))
WAYS = ("--op=mount_ns,cgroup,veth,mountinfo,container", "--with=bridged:no,yes",
        "--with=mntns:clone,unshare,opentree,empty,fsmount")
MISSING = {"EINVAL", "ENOSYS", "EOPNOTSUPP", "EROFS", "EACCES", "EPERM"}


def cgroups():
    """Those of nsbench, whose names begin with its."""
    return sorted(str(path) for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified") for path in Path(root).glob("nsbench-*"))


@pytest.fixture(name="host", autouse=True)
def fixture_host():
    """Every test here compares the host before and after."""
    def state():
        return {**host_state(), "cgroups": cgroups()}
    with host_kept(state) as before:
        yield before


def test_the_plan_has_every_way():
    assert list_ids("--op=mount_ns,cgroup,veth,mountinfo") == [
        *(f"mount_ns/NEWNS/via:{via}" for via in ("clone", "unshare", "opentree", "empty", "fsmount")),
        "cgroup/none/via:migrate", "cgroup/none/via:into", "veth/NEWNET/made:inside", "veth/NEWNET/made:moved",
        "mountinfo/none/via:proc", "mountinfo/none/via:statmount"]
    assert list_ids("--op=container", "--ns=uts", "--with=mntns:empty") == ["container/NEWUTS"]


def test_each_way_is_measured_or_says_why_not(tmp_path):
    result = run(*WAYS, "--samples=4", f"--csv={tmp_path}/a.csv")
    rows = read_csv(tmp_path / "a.csv")
    assert result.returncode in (0, 3), result.stdout + result.stderr
    cases = {row["case"] for row in rows}
    assert len(cases) == 5 + 2 + 4 + 2 + 5, cases
    for row in rows:
        if row["status"] == "skipped":
            assert row["errno"] in MISSING and row["reason"] and not row["median"], row
        else:
            assert row["status"] in ("ok", "imprecise") and float(row["median"]) > 0, row
    for case in ("mount_ns/NEWNS/via:clone", "mount_ns/NEWNS/via:unshare", "mountinfo/none/via:proc"):
        assert all(row["median"] for row in rows if row["case"] == case), case


def test_the_phases_are_within_the_total(tmp_path):
    run("--op=mount_ns,veth", "--samples=20", f"--out={tmp_path}/out")
    rows = [row for row in read_csv(tmp_path / "out" / "samples.csv") if row["total"]]
    assert rows
    for row in rows:
        create, total = float(row["create"]), float(row["total"])
        parts = sum(float(row[phase] or 0) for phase in ("enter", "link", "move", "exit"))
        # clone returns in the parent, where the child may be ahead of it.
        assert create <= total and parts + (create if row["case"].endswith("via:unshare") else 0) <= total, row
        assert bool(row["move"]) == row["case"].endswith("made:moved"), row


@pytest.mark.parametrize("attempt", range(KILLS))
@pytest.mark.parametrize("whom", ["nsbench", "sampler"])
@pytest.mark.parametrize("operation", ["mount_ns", "veth", "cgroup"])
def test_what_is_killed_leaves_nothing(operation, whom, attempt, tmp_path):
    moment = random.Random(f"{SEED} {operation} {whom} {attempt}").uniform(0, 0.3)
    print(f"NSBENCH_SEED={SEED}: killed {moment:.3f} s after the first round")
    with Started(f"--op={operation}", "--budget=60s", "--precision=0.01%", f"--out={tmp_path}/out") as started:
        wait_for((tmp_path / "out" / "results.csv").exists, 30, "a round")
        time.sleep(moment)
        if whom == "sampler":
            os.kill(started.sampler(), signal.SIGKILL)
            time.sleep(0.1)
        started.signal(signal.SIGKILL)
        started.finish(timeout=60)
        wait_for(lambda: not started.living(), 10, f"the end of {started.living()}")
    wait_for(lambda: not cgroups(), 10, "the cgroups' removal")
