"""Limits that are met on the way: a curve whose last levels cannot be reached keeps its other points, and says why not.

In guests, since most of these limits are the whole machine's. Each limit of namespaces is so low that one level nearly uses it up:
what it has left must be gone before the next level is there.
"""
import csv
import io
import os
from dataclasses import dataclass

import pytest

from nsbench_guests import sent_by

# Others by: LAB_KERNELS="5.10 6.1 6.12 7" pytest src/run/test_limits_in_guests.py
KERNELS = os.environ.get("LAB_KERNELS", "6.12").split()


@dataclass(frozen=True)
class Limit:
    """A curve over `key`, from `low` to `high`, in a shell that has done `lower`: levels above `least` fail, those up to `most`
    do not. Put back by `raise_again`."""

    name: str
    lower: str
    raise_again: str
    curve: str
    most: int  # that must be there
    least: int  # that cannot
    error: str
    call: str
    words: str  # of the reason


def sysctl(name: str, value: int) -> tuple[str, str]:
    path = "/proc/sys/" + name.replace(".", "/")
    return f"saved=$(cat {path}); echo {value} >{path}", f"echo $saved >{path}"


def cgroup(file: str, value: str) -> tuple[str, str]:
    group = "/sys/fs/cgroup/few"  # where 0 is whoever writes it
    return (f"mkdir {group}; echo {value} >{group}/{file}; echo 0 >{group}/cgroup.procs",
            f"echo 0 >/sys/fs/cgroup/cgroup.procs; rmdir {group}")


LIMITS = {limit.name: limit for limit in (
    Limit("max_net_namespaces", *sysctl("user.max_net_namespaces", 12), "netns:1..100:7", 10, 20, "ENOSPC", "netns: unshare",
          "user.max_net_namespaces"),
    Limit("dying", *sysctl("user.max_net_namespaces", 12), "dying:1..100:7", 10, 20, "ENOSPC", "dying: unshare",
          "user.max_net_namespaces"),
    Limit("max_pid_namespaces", *sysctl("user.max_pid_namespaces", 12), "pidns:1..100:7", 10, 20, "ENOSPC", "pidns: clone",
          "user.max_pid_namespaces"),
    Limit("max_user_namespaces", *sysctl("user.max_user_namespaces", 6), "depth:1..32:6", 4, 8, "ENOSPC", "depth: clone",
          "user.max_user_namespaces"),
    Limit("max_mnt_namespaces", *sysctl("user.max_mnt_namespaces", 1), "peers:0..100:6", 0, 1, "ENOSPC", "peers: mount",
          "user.max_mnt_namespaces"),
    Limit("mount-max", *sysctl("fs.mount-max", 150), "mounts:1..1000:7", 100, 200, "ENOSPC", "mounts: mount", "fs.mount-max"),
    Limit("pid_max", *sysctl("kernel.pid_max", 600), "procs:1..1000:7", 100, 1000, "EAGAIN", "procs: clone", "kernel.pid_max"),
    Limit("pids.max", *cgroup("pids.max", "60"), "procs:1..1000:7", 20, 100, "EAGAIN", "procs: clone", "pids.max"),
    Limit("memory.max", *cgroup("memory.max", "64M"), "rss:1M..512M:6", 16 << 20, 128 << 20, "ENOMEM", "rss: mmap", "memory.max"),
    Limit("nr_open", *sysctl("fs.nr_open", 2048), "fds:1..10000:6", 200, 1600, "EMFILE", "fds: eventfd", "fs.nr_open"),
)}
SCRIPT = """measure() {{
mkdir -p /tmp/out
echo 1 >/proc/sys/kernel/printk
echo '+pids +memory' >/sys/fs/cgroup/cgroup.subtree_control
state() {{
    cat /proc/self/mountinfo
    ls /sys/class/net
    find /sys/fs/cgroup -type d
    ps -o comm | grep nsbench
    return 0
}}
state >/tmp/out/before
{curves}
state >/tmp/out/after
dmesg -c | grep -v 'emory cgroup out of memory' | grep -E 'BUG:|WARNING:|Oops' >/tmp/out/splat
return 0
}}
"""
CURVE = """(
{lower}
nsbench --op=clone --ns=none --stack=1M --curve={curve} --block=2 --lead-in=1 --samples=6 --seed={seed} --csv=/tmp/out/{name}.csv \\
    >/tmp/out/{name}.txt 2>&1
echo "{name} $?" >>/tmp/out/codes
{raise_again}
)
"""


@pytest.fixture(scope="module", name="sent", params=KERNELS)
def fixture_sent(request):
    """What a guest sent in which each limit was lowered in turn."""
    curves = "".join(CURVE.format(name=one.name, lower=one.lower, raise_again=one.raise_again, curve=one.curve, seed=7)
                     for one in LIMITS.values())
    return sent_by(request.param, SCRIPT.format(curves=curves), seconds=500)


def level_of(case, key):
    """In the case's id; 0 where it has none."""
    found = next((part.split(":")[1] for part in case.split("/") if part.startswith(f"{key}:")), "0")
    units = {"K": 10, "M": 20, "G": 30}
    return int(found[:-1]) << units[found[-1]] if found[-1] in units else int(found)


@pytest.mark.parametrize("name", LIMITS)
def test_levels_beyond_a_limit_fail_with_its_name_and_the_others_have_figures(sent, name):
    limit, said = LIMITS[name], sent[f"{name}.txt"].decode()
    codes = dict(line.split() for line in sent["codes"].decode().splitlines())
    assert codes[name] == "3", said
    rows = list(csv.DictReader(io.StringIO(sent[f"{name}.csv"].decode())))
    levels = {level_of(row["case"], limit.curve.split(":")[0]) for row in rows}
    assert min(levels) <= limit.most and max(levels) >= limit.least
    for row in rows:
        level = level_of(row["case"], limit.curve.split(":")[0])
        if level >= limit.least:
            assert (row["status"], row["errno"], row["median"]) == ("failed", limit.error, ""), row
            assert row["reason"].startswith(f"{limit.call}: ") and limit.words in row["reason"], row
        elif level <= limit.most:
            assert row["status"] in ("ok", "imprecise") and float(row["median"]) > 0, row
            assert row["samples"] == "6"
    assert limit.words in said


def test_nothing_is_left(sent):
    assert sent["after"] == sent["before"]
    assert sent["splat"] == b""
