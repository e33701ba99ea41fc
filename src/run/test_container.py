"""The operation container: its steps, and what is left when any of them fails."""

import os
from pathlib import Path

import pytest

from nsbench_harness import KINDS, Started, binary, host_kept, measure, needs_root, read_csv, refuse, run, wait_for

pytestmark = needs_root

USUAL = "--ns=cgroup,ipc,net,mnt,pid,uts"
EVERY = "--ns=cgroup,ipc,net,mnt,pid,user,uts"
PARTS = ("ready", "maps", "hostname", "root", "proc", "lo", "pivot", "exec")


@pytest.fixture(name="host", autouse=True)
def fixture_host():
    """Every test here compares the host before and after."""
    with host_kept() as before:
        yield before


def test_the_steps_make_up_the_start(tmp_path):
    """Sample by sample: from the call to the program's first instruction there is nothing that no phase tells."""
    measure("--op=container", EVERY, "--samples=20", f"--out={tmp_path}/out")
    rows = [row for row in read_csv(tmp_path / "out" / "samples.csv") if "NEWNS" in row["case"]]
    assert len(rows) >= 20
    for row in rows:
        start, parts = float(row["start"]), sum(float(row[phase]) for phase in PARTS)
        assert start == parts, row
        assert float(row["total"]) == start + float(row["exit"])


def test_each_set_has_the_steps_that_it_has_the_kinds_for(tmp_path):
    sets = ("none", "uts", "net", "mnt", "mnt,pid", "user", "all")
    measure("--op=container", *(f"--ns={name}" for name in sets), "--samples=4", f"--csv={tmp_path}/a.csv")
    phases: dict[str, set[str]] = {}
    for row in read_csv(tmp_path / "a.csv"):
        assert row["status"] in ("ok", "imprecise") or row["phase"] == "drain", row
        phases.setdefault(row["namespaces"], set()).add(row["phase"])
    assert len(phases) == len(sets)
    needs = {"maps": ["user"], "hostname": ["uts"], "root": ["mnt"], "proc": ["mnt", "pid"], "lo": ["net"], "pivot": ["mnt"]}
    for namespaces, seen in phases.items():
        expected = {phase for phase, kinds in needs.items() if all(KINDS[kind] in namespaces.split("-") for kind in kinds)}
        assert seen & set(needs) == expected, namespaces
        assert {"start", "create", "ready", "exec", "exit", "total"} <= seen


# System calls of x86-64 as the container makes them: number, and {argument: value} where others make it as well.
FLAGS = {"cgroup": 0x02000000, "ipc": 0x08000000, "net": 0x40000000, "mnt": 0x00020000, "pid": 0x20000000,
         "user": 0x10000000, "uts": 0x04000000}
STACK = (64 << 10) + 4096
CALLS: dict[str, tuple[int, dict[int, int | None], str]] = {
    "mmap": (9, {1: STACK}, "mmap"),
    "eventfd": (290, {1: 0x80800}, "eventfd"),
    "clone": (56, {0: sum(FLAGS.values()) | 17}, "clone"),
    "open a map": (257, {2: 0x80001}, "open(/proc/PID/*_map)"),
    "write setgroups": (1, {2: len("deny")}, "write(setgroups)"),
    "write uid_map": (1, {2: len("0 0 1")}, "write(uid_map)"),
    "write gid_map": (1, {2: len("0 65534 1")}, "write(gid_map)"),
    "sethostname": (170, {}, "sethostname"),
    "mounts private": (165, {3: 0x44000}, "mount(MS_PRIVATE)"),
    "mount tmpfs": (165, {3: 0x6}, "mount(tmpfs)"),
    "mkdirat": (258, {}, "mkdir"),
    "open the program": (257, {2: 0x800C1}, "open(program)"),
    "write the program": (1, {2: None}, "write(program)"),
    "mount proc": (165, {3: 0xE}, "mount"),
    "socket": (41, {0: 2}, "socket"),
    "lo up": (16, {1: 0x8914}, "ioctl(SIOCSIFFLAGS)"),
    "chdir": (80, {}, "chdir"),
    "pivot_root": (155, {}, "pivot_root"),
    "umount2": (166, {1: 0x2}, "umount2"),
    "dup3": (292, {}, "eventfd"),
    "execveat": (322, {}, "execveat"),
    "wait4": (61, {}, "waitpid"),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_fails_gives_an_errno_and_leaves_nothing(name, tmp_path):
    number, known, call = CALLS[name]
    size = Path(binary()).with_name("nsbench-program").stat().st_size
    arguments = {index: size if value is None else value for index, value in known.items()}

    def prepare():
        if name == "write gid_map":  # else it is as long as the line for uid_map
            os.setegid(65534)
        refuse(number, arguments)

    (tmp_path / "out").mkdir()  # by a call that is not refused
    with Started("--op=container", EVERY, "--samples=4", f"--out={tmp_path}/out", preexec_fn=prepare) as started:
        code, out, err = started.finish()
        wait_for(lambda: not started.living(), 30, f"the end of {started.living()}")
    assert code == 1, out + err
    rows = read_csv(tmp_path / "out" / "results.csv")
    assert rows
    for row in rows:
        assert (row["status"], row["errno"], row["median"]) == ("failed", "EIO", ""), row
        assert row["reason"].startswith(f"{call}: "), row
    samples = [row for row in read_csv(tmp_path / "out" / "samples.csv") if row["case"] == rows[0]["case"]]
    assert [(row["errno"], row["call"], row["start"]) for row in samples] == [("EIO", call, "")]


def test_the_refusal_of_a_call_is_about_that_call(tmp_path):
    """What the test above relies on: a filter that nothing meets lets everything through."""
    with Started("--op=container", USUAL, "--samples=4", f"--csv={tmp_path}/a.csv",
                 preexec_fn=lambda: refuse(165, {3: 0x12345})) as started:
        code, out, err = started.finish()
    assert code == 0, out + err


def test_it_is_in_no_default_plan():
    assert not [case for case in run("list").stdout.split() if case.startswith(("container", "runtime"))]
