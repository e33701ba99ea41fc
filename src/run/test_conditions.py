"""Conditions: each surrounds its blocks, a limit that is in the way ends one case, and nothing is left behind."""

import os
import random
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest

from nsbench_harness import (SAMPLER, Started, as_user, assert_one_line, binary, host_kept, measure, needs_root, read_csv, run,
                             wait_for)

# Version 2, alone or beside version 1.
CGROUPS = next((path for path in (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))
                if (path / "cgroup.controllers").exists()), Path("/sys/fs/cgroup"))
PIDS = next((path for path in (CGROUPS, Path("/sys/fs/cgroup/pids"))
             if (path / "cgroup.procs").exists() and (path == Path("/sys/fs/cgroup/pids") or "pids" in
                                                      (path / "cgroup.subtree_control").read_text(encoding="utf-8"))), None)
EVERY = ("--with=mounts:50", "--with=peers:20", "--with=netns:5", "--with=dying:5", "--with=pidns:5", "--with=procs:20",
         "--with=rss:4M", "--with=fds:200", "--with=depth:2")
LONG = ("--block=1000", "--budget=60s", "--precision=0.01%")
KILLS = int(os.environ.get("NSBENCH_KILLS", "5"))
SEED = int(os.environ.get("NSBENCH_SEED", time.time_ns() % 10**6))


def folders_of_cgroups():
    return sorted(CGROUPS.glob("nsbench-conditions-*"))


@pytest.fixture(name="host", autouse=True)
def fixture_host():
    """Every test here compares the host before and after."""
    with host_kept() as before:
        yield before
    wait_for(lambda: not folders_of_cgroups(), 10, f"the removal of {folders_of_cgroups()}")


def of_name(started, name):
    return [pid for pid, (_, comm) in started.living().items() if comm == name]


def lines(pid, name):
    return Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8").splitlines()


def status(pid, key):
    return next(line.split()[1:] for line in lines(pid, "status") if line.startswith(f"{key}:"))


def number_of_mounts(pid):
    return len(lines(pid, "mountinfo"))


def peers(pid):
    groups = [word for line in lines(pid, "mountinfo") for word in line.split() if word.startswith("shared:")]
    return max(map(groups.count, groups), default=0)


def children(started, pid):
    return [child for child, (parent, _) in started.living().items() if parent == pid]


# What is seen of a deputy, and for what number of which condition.
IN_THE_DEPUTY = {
    "mounts:300": lambda pid: number_of_mounts(pid) == number_of_mounts("self") + 300,
    "peers:30": lambda pid: peers(pid) == 30,
    "rss:32M": lambda pid: 32 << 10 <= int(status(pid, "VmRSS")[0]) < 40 << 10,
    "fds:3000": lambda pid: len(os.listdir(f"/proc/{pid}/fd")) in range(3005, 3010),
    "depth:3": lambda pid: len(status(pid, "NSpid")) == len(status("self", "NSpid")) + 3,
}
# And of a keeper.
IN_A_KEEPER = {
    "netns:7": lambda started, pid: sum(os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:")
                                        for fd in os.listdir(f"/proc/{pid}/fd")) == 8,
    "pidns:7": lambda started, pid: [len(status(child, "NSpid")) for child in children(started, pid)]
    == 7 * [len(status("self", "NSpid")) + 1],
    "procs:40": lambda started, pid: [status(child, "State")[0] for child in children(started, pid)] == 40 * ["S"],
    "cgroups:9": lambda started, pid: [sum(path.is_dir() for path in folder.iterdir())
                                       for folder in folders_of_cgroups()] == [9],
}


def is_seen(look):
    """What a process is that has gone meanwhile is not seen."""
    try:
        return look()
    except (OSError, StopIteration):
        return False


@needs_root
@pytest.mark.parametrize("condition", IN_THE_DEPUTY)
def test_the_deputy_has_it(condition):
    with Started("--op=clone", "--ns=none", "--stack=1M", f"--with={condition}", *LONG) as started:
        wait_for(lambda: any(is_seen(lambda pid=pid: IN_THE_DEPUTY[condition](pid)) for pid in of_name(started, "nsbench-deputy")),
                 30, f"a deputy with {condition}")
        started.signal(signal.SIGTERM)
        code, out, err = started.finish()
        assert code == 143, out + err


@needs_root
@pytest.mark.parametrize("condition", IN_A_KEEPER)
def test_a_keeper_has_it(condition):
    if condition.startswith("cgroups") and not (CGROUPS / "cgroup.controllers").exists():
        pytest.skip("no cgroup v2 in /sys/fs/cgroup to look at")
    with Started("--op=clone", "--ns=none", "--stack=1M", f"--with={condition}", *LONG) as started:
        wait_for(lambda: any(is_seen(lambda pid=pid: IN_A_KEEPER[condition](started, pid))
                             for pid in of_name(started, "nsbench-keeper")), 30, f"a keeper with {condition}")
        started.signal(signal.SIGTERM)
        code, out, err = started.finish()
        assert code == 143, out + err


@needs_root
def test_every_operation_is_measured_under_all_of_them(tmp_path):
    operations = "--op=clone,clone3,unshare,setns,proc_remount,container"
    measure(operations, "--ns=pid", "--ns=net", "--ns=mnt,pid", "--stack=1M", *EVERY, "--samples=4", f"--csv={tmp_path}/a.csv",
            timeout=300)
    rows = read_csv(tmp_path / "a.csv")
    bad = [(row["case"], row["errno"], row["reason"]) for row in rows if row["status"] in ("failed", "skipped")]
    # In a container whose own proc is covered no other one can be mounted (mount_too_revealing in fs/namespace.c).
    may_be_refused = ("proc_remount/", "container/NEWNS-NEWPID/")
    assert not [one for one in bad if not (one[0].startswith(may_be_refused) and one[1] == "EPERM")], bad
    clone = next(row for row in rows if row["case"].startswith("clone/NEWPID/") and row["phase"] == "create")
    id_of_all = "/".join(option.partition("=")[2] for option in EVERY)
    assert clone["case"] == f"clone/NEWPID/stack:1M/{id_of_all}"
    assert clone["base"] == f"clone/none/stack:1M/{id_of_all}" and clone["delta"]


@needs_root
def test_at_once_each_sampler_has_its_own(tmp_path):
    measure("--op=clone", "--ns=net", "--stack=1M", "--parallel=2", "--with=netns:0,3", "--with=dying:0,3", "--samples=4",
            f"--csv={tmp_path}/a.csv")
    rows = read_csv(tmp_path / "a.csv")
    assert not [row for row in rows if row["status"] in ("failed", "skipped")], rows
    # The kernel does not tell their teardown from that of the conditions.
    drained = {row["case"] for row in rows if row["phase"] == "drain"}
    assert drained == {"clone/NEWNET/stack:1M/parallel:2"}


def run_in(prefix, *arguments):
    """Through another command."""
    return subprocess.run([*prefix, binary(), *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True,
                          encoding="utf-8", timeout=240, check=False)


def the_others_are_measured(rows, conditioned, call, error):
    """One case has failed in this call, with a reason, and all others have figures."""
    for row in rows:
        if conditioned not in row["case"]:
            # Without the kernel's symbols teardown cannot be seen.
            assert row["phase"] == "drain" or float(row["median"]) > 0, row
            continue
        assert row["errno"] == error and row["reason"].startswith(call) and "(" in row["reason"], row
        assert not row["median"]
    assert {conditioned in row["case"] for row in rows} == {True, False}


@needs_root
def test_too_many_mounts_end_their_case(tmp_path):
    most = int(Path("/proc/sys/fs/mount-max").read_text(encoding="utf-8"))
    if most > 100_000:
        pytest.skip(f"fs.mount-max is {most}: no case asks for more")
    result = run("--op=clone", "--ns=none", "--stack=1M", "--with=mounts:0,100000", "--samples=4", f"--csv={tmp_path}/a.csv",
                 timeout=240)
    assert result.returncode in (1, 3), result.stdout + result.stderr
    the_others_are_measured(read_csv(tmp_path / "a.csv"), "mounts:100000", "mounts: mount", "ENOSPC")
    assert "fs.mount-max" in result.stdout


@needs_root
def test_too_many_net_namespaces_end_their_case(tmp_path):
    """By the limit of a user namespace: that of the host stays."""
    prefix = ("unshare", "-U", "-r", "sh", "-c", 'echo 150 > /proc/sys/user/max_net_namespaces && exec "$@"', "sh")
    result = run_in(prefix, "--op=clone", "--ns=none", "--ns=net", "--stack=1M", "--block=2", "--lead-in=1",
                    "--with=netns:0,200", "--samples=4", f"--csv={tmp_path}/a.csv")
    assert result.returncode in (1, 3), result.stdout + result.stderr
    the_others_are_measured(read_csv(tmp_path / "a.csv"), "netns:200", "netns: unshare", "ENOSPC")
    assert "user.max_net_namespaces" in result.stdout


@needs_root
def test_a_cgroup_of_few_tasks_ends_the_case_of_more(tmp_path):
    if not PIDS:
        pytest.skip("no cgroups with the pids controller in /sys/fs/cgroup")
    group = PIDS / f"nsbench-test-{os.getpid()}"
    group.mkdir()
    try:
        (group / "pids.max").write_text("60", encoding="utf-8")
        prefix = ("sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh")
        result = run_in(prefix, "--op=clone", "--ns=none", "--stack=1M", "--with=procs:0,200", "--samples=4",
                        f"--csv={tmp_path}/a.csv")
        assert result.returncode in (1, 3), result.stdout + result.stderr
        the_others_are_measured(read_csv(tmp_path / "a.csv"), "procs:200", "procs: clone", "EAGAIN")
    finally:
        wait_for(lambda: not (group / "cgroup.procs").read_text(encoding="utf-8"), 10, "the end of its processes")
        group.rmdir()


def test_a_limit_of_processes_ends_the_case_of_more(home):
    prefix = ("bash", "-c", 'ulimit -u 60 && exec "$@"', "bash")
    result = as_user(home, *prefix, home / "nsbench", "--op=clone", "--ns=none", "--stack=1M", "--with=procs:0,200",
                     "--samples=4", f"--csv={home}/nproc.csv")
    if result.returncode == 3 and "user namespaces are refused" in result.stderr:
        pytest.skip("an ordinary user cannot make user namespaces here")
    assert result.returncode in (1, 3), result.stdout + result.stderr
    the_others_are_measured(read_csv(home / "nproc.csv"), "procs:200", "procs: clone", "EAGAIN")
    assert "RLIMIT_NPROC" in result.stdout


def test_an_ordinary_user_has_them_through_a_user_namespace(home):
    probe = as_user(home, "unshare", "-U", "-r", "true")
    if probe.returncode:
        pytest.skip(f"an ordinary user cannot make user namespaces here: {probe.stderr.strip()}")
    result = as_user(home, home / "nsbench", "--op=clone,unshare,setns", "--ns=pid", "--stack=1M", *EVERY, "--samples=2",
                     f"--csv={home}/user.csv", timeout=240)
    assert result.returncode == 0, result.stdout + result.stderr
    assert not [row for row in read_csv(home / "user.csv") if row["status"] in ("failed", "skipped")]


def test_cgroups_that_are_not_delegated_are_refused_with_the_remedy(home):
    if not (CGROUPS / "cgroup.controllers").exists():
        pytest.skip("no cgroup v2 in /sys/fs/cgroup")
    result = as_user(home, home / "nsbench", "--op=clone", "--ns=none", "--stack=1M", "--with=cgroups:0,3", "--samples=4",
                     f"--csv={home}/cgroups.csv")
    if result.returncode == 3 and "user namespaces are refused" in result.stderr:
        pytest.skip("an ordinary user cannot make user namespaces here")
    rows = [row for row in read_csv(home / "cgroups.csv") if "cgroups:3" in row["case"]]
    assert rows and all(row["status"] == "skipped" and row["errno"] in ("EACCES", "EPERM") for row in rows), rows
    assert "Delegate=yes" in result.stdout


@needs_root
@pytest.mark.parametrize("attempt", range(KILLS))
def test_killed_at_any_moment_it_leaves_nothing(attempt):
    """Killed are nsbench, its sampler, or both; what a deputy or a keeper of theirs is at does not matter."""
    chance = random.Random(f"{SEED} {attempt}")
    moment = chance.uniform(0.05, 1.5)
    victims = ("nsbench", "sampler", "both", "deputy", "keeper")[attempt % 5]
    print(f"NSBENCH_SEED={SEED}: {victims} killed after {moment:.3f} s")
    cgroups = ("--with=cgroups:20",) if (CGROUPS / "cgroup.controllers").exists() else ()
    with Started("--op=clone,unshare", "--ns=none", "--ns=net", "--stack=1M", *EVERY, *cgroups, "--budget=60s",
                 "--precision=0.01%") as started:
        sampler = started.sampler(30)
        time.sleep(moment)
        assert started.process.poll() is None
        if victims in ("nsbench", "both"):
            started.signal(signal.SIGKILL)
        doomed = [sampler] if victims in ("sampler", "both") else of_name(started, f"nsbench-{victims}")
        for pid in doomed:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # gone by itself, or with nsbench
        if victims not in ("nsbench", "both"):
            wait_for(lambda: of_name(started, SAMPLER), 10, "the next sampler")
            time.sleep(chance.uniform(0, 0.5))
            started.signal(signal.SIGTERM)
        started.finish(timeout=60)
        wait_for(lambda: not started.living(), 10, f"the end of {started.living()}")


def test_the_probe_says_why_it_does_not_follow_them(tmp_path):
    result = run("--op=clone", "--ns=none", "--stack=1M", "--with=fds:0,10", "--samples=2", "--probe",
                 f"--csv={tmp_path}/a.csv", timeout=240)
    if result.returncode == 3 or "fds:10" not in result.stdout:
        pytest.skip(f"no probe here: {result.stderr}")
    assert "does not follow blocks with conditions" in result.stdout


@pytest.mark.parametrize("text, accepted", [
    ("mounts:100001", "0 to 100000"), ("depth:33", "0 to 32"), ("rss:5000", "multiples of 4K"), ("fds:-1", "0 to 1000000")])
def test_numbers_out_of_range_are_refused(text, accepted):
    result = run("list", f"--with={text}")
    assert result.returncode == 2 and accepted in result.stderr
    assert_one_line(result.stderr)


def test_ids_name_them_only_where_there_are_any():
    ids = measure("list", "--op=clone,runtime", "--ns=none", "--ns=all", "--stack=1M", "--with=mounts:0,10").stdout.split()
    assert "clone/none/stack:1M" in ids and "clone/none/stack:1M/mounts:10" in ids
    assert not [one for one in ids if one.startswith("runtime") and "mounts" in one]


@needs_root
def test_the_limit_of_open_files_is_raised_as_far_as_it_goes(tmp_path):
    """Beyond the soft one."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < 1100:
        pytest.skip(f"no more than {hard} files may be open here")
    result = run("--op=clone", "--ns=none", "--stack=1M", "--with=fds:1000", "--samples=4", f"--csv={tmp_path}/a.csv",
                 preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard)))
    assert result.returncode == 0, result.stdout + result.stderr
