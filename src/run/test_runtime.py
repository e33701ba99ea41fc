"""The operation runtime: other programs' containers beside ours, what they say when they cannot, and what they leave."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from nsbench_harness import SAMPLER, Started, binary, host_kept, host_state, needs_root, read_csv, refuse, run, wait_for

pytestmark = needs_root

PROGRAMS = {"unshare": "unshare", "bwrap": "bwrap", "crun": "crun", "runc": "runc", "nspawn": "systemd-nspawn"}
USUAL = "NEWCGROUP-NEWIPC-NEWNET-NEWNS-NEWPID-NEWUTS"
BOTH = "--op=container,runtime"


def cgroups():
    """The cgroups near the root: where runtimes make theirs."""
    root = Path("/sys/fs/cgroup")
    return sorted(str(path) for depth in ("*", "*/*") for path in root.glob(depth) if path.is_dir())


@pytest.fixture(name="host", autouse=True)
def fixture_host():
    """Every test here compares the host before and after, with its cgroups and what runtimes keep in /run."""
    def state():
        return {**host_state(), "cgroups": cgroups(), "run": sorted(os.listdir("/run"))}
    with host_kept(state) as before:
        yield before


def installed():
    return [by for by, program in PROGRAMS.items() if shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin")]


def by_runtime(rows):
    """The rows of each runtime's case, by phase."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for row in rows:
        if row["operation"] == "runtime":
            found.setdefault(row["case"].partition("by:")[2], {})[row["phase"]] = row
    return found


def replacing(by, script, *args, **kwargs):
    """Runs nsbench where another file stands in a runtime's place, in a mount namespace that is gone afterwards."""
    program = shutil.which(PROGRAMS[by], path=os.environ["PATH"] + ":/usr/sbin")
    if not program:
        pytest.skip(f"{PROGRAMS[by]} is not installed")
    return subprocess.Popen(["unshare", "--mount", "--propagation=private", "sh", "-c",
                             'mount --bind "$1" "$2" && shift 2 && exec "$@"', "sh", script, program, binary(), *args],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
                            start_new_session=True, **kwargs)


def stand_in(folder, text):
    script = folder / "stand-in"
    script.write_text("#!/bin/sh\n" + text)
    script.chmod(0o755)
    return script


def outcome(by, script, folder, *args):
    """The phases' rows of a runtime whose file is another, with nsbench's exit code."""
    process = replacing(by, script, "--op=runtime", f"--with=by:{by}", "--samples=10", f"--csv={folder}/a.csv", *args)
    out, err = process.communicate(timeout=60)
    assert process.returncode in (0, 1, 3), out + err
    return process.returncode, by_runtime(read_csv(folder / "a.csv"))[by]


def no_process_left(started):
    """What was killed has a moment to go."""
    wait_for(lambda: not started.living(), 10, f"the end of {started.living()}")


def test_each_runtime_is_measured_beside_ours_or_says_why_not(tmp_path):
    folder = tmp_path / "out"
    with Started(BOTH, "--samples=10", f"--out={folder}") as started:
        code, out, err = started.finish(timeout=60)
        no_process_left(started)
    assert code == 0, out + err
    runtimes = {entry["by"]: entry for entry in json.loads((folder / "run.json").read_text())["runtimes"]}
    rows = by_runtime(read_csv(folder / "results.csv"))
    assert set(rows) == set(runtimes) == set(PROGRAMS)
    for by, phases in rows.items():
        assert set(phases) == {"start", "load", "exit", "total", "cpu"}
        for phase, row in phases.items():
            if row["status"] == "skipped":
                assert row["errno"] and row["reason"].startswith(PROGRAMS[by]) and not row["median"]
                continue
            assert float(row["median"]) > 0 and row["namespaces"] == USUAL
            assert bool(row["delta"]) == (phase in ("start", "exit", "total")), phase
        if by not in installed():
            assert phases["start"]["errno"] == "ENOENT" and "apt-get install" in phases["start"]["reason"]
            assert runtimes[by]["version"] is None
            continue
        if calls := runtimes[by]["calls"]:
            assert list(calls) == ["clone", "exec", "mount", "open", "all"] and calls["exec"] >= 2
            assert calls["all"] >= calls["exec"] - 1 + calls["mount"] + calls["open"]
            shown = [line.split()[1:] for line in out.splitlines() if line.split()[:1] == [PROGRAMS[by]]]
            assert [str(count) for count in calls.values()] in shown  # the digest has a line of it, too
        assert runtimes[by]["version"] and runtimes[by]["command"][0] == runtimes[by]["path"]
        said = subprocess.run([runtimes[by]["path"], "--version"], capture_output=True, encoding="utf-8", check=True)
        assert said.stdout.startswith(runtimes[by]["version"])
    # unshare and bwrap need nothing of the machine but namespaces.
    for by in {"unshare", "bwrap"} & set(installed()):
        assert rows[by]["start"]["status"] in ("ok", "imprecise"), rows[by]["start"]
    assert "adds to ours" in out and "adds to none" in out
    # A fork, then the program inside; its own start counts as well. Where there is no tracefs, nothing is counted.
    if calls := runtimes["unshare"]["calls"]:
        assert (calls["clone"], calls["exec"]) == (1, 2)


def test_ours_and_theirs_are_measured_in_the_same_rounds(tmp_path):
    result = run(BOTH, "--with=by:unshare", "--samples=20", f"--out={tmp_path}/out")
    assert result.returncode == 0, result.stdout + result.stderr
    rounds: dict[str, set[str]] = {}
    for row in read_csv(tmp_path / "out" / "samples.csv"):
        if row["counted"] == "1":
            rounds.setdefault(row["case"], set()).add(row["round"])
    assert rounds[f"container/{USUAL}"] == rounds[f"runtime/{USUAL}/by:unshare"] and len(rounds) == 3


@pytest.mark.parametrize("kinds", ["mnt,pid", "ipc,mnt,pid,uts", "cgroup,ipc,mnt,net,pid,user,uts", "all"])
def test_a_runtime_makes_the_namespaces_of_the_set_or_says_why_not(kinds, tmp_path):
    """Each one's container is asked by its own program, before the first sample, which namespaces it is in."""
    result = run("--op=runtime", f"--ns={kinds}", "--samples=2", f"--csv={tmp_path}/a.csv")
    assert result.returncode == 0, result.stdout + result.stderr
    rows = by_runtime(read_csv(tmp_path / "a.csv"))
    assert rows["unshare"]["start"]["median"]
    assert all(phases["start"]["median"] or phases["start"]["reason"] for phases in rows.values())


def test_a_missing_runtime_is_skipped_by_name(tmp_path):
    """Bound over it, a file that nobody may execute stands for one that is not there."""
    nothing = tmp_path / "nothing"
    nothing.touch(mode=0o644)
    code, phases = outcome("bwrap", nothing, tmp_path)
    assert code == 3
    for row in phases.values():
        assert (row["status"], row["errno"]) == ("skipped", "ENOENT")
        assert row["reason"] == "bwrap is not installed: apt-get install bubblewrap"


@pytest.mark.parametrize("text, reason", [
    ("echo first >&2; echo 'no cgroup for you' >&2; exit 1", "bwrap: no cgroup for you"),
    ("exit 7", "bwrap: it ended with exit status 7"),
    ("kill -9 $$", "bwrap: it was ended by signal 9"),
    ("exit 0", "bwrap: it ended well, but the program inside did not say that it ran"),
    ("exec rootfs/program", "bwrap: it does not make a namespace that was asked for: NEWCGROUP"),
])
def test_a_runtime_that_cannot_is_skipped_with_what_it_said(text, reason, tmp_path):
    script = stand_in(tmp_path, f'[ "$1" != --version ] || exit 0\n{text}\n')
    code, phases = outcome("bwrap", script, tmp_path)
    assert code == 3
    for row in phases.values():
        assert (row["status"], row["errno"], row["reason"]) == ("skipped", "EOPNOTSUPP", reason)


def test_a_namespace_too_many_is_noticed(tmp_path):
    script = stand_in(tmp_path, '[ "$1" != --version ] || exit 0\n'
                      'exec unshare --mount --pid --uts --fork --mount-proc --root=rootfs /program\n')
    code, phases = outcome("bwrap", script, tmp_path, "--ns=mnt,pid")
    assert code == 3
    assert phases["start"]["reason"] == "bwrap: it makes a namespace that was not asked for: NEWUTS"


def test_a_runtime_that_breaks_later_has_failed(tmp_path):
    """Its first times are no figures: a failed row has none."""
    script = stand_in(tmp_path, '[ "$1" != --version ] || exit 0\n'
                      'echo >>/run/count\n[ "$(wc -l </run/count)" -le 5 ] || { echo worn out >&2; exit 1; }\n'
                      'exec unshare --mount --pid --fork --mount-proc --root=rootfs /program\n')
    code, phases = outcome("bwrap", script, tmp_path, "--ns=mnt,pid")
    assert code == 1
    for row in phases.values():
        assert (row["status"], row["errno"], row["median"]) == ("failed", "ECHILD", "")
        assert row["reason"] == "bwrap: worn out"
    assert not os.path.exists("/run/count")


@pytest.mark.parametrize("name, number, arguments", [
    ("pivot_root", 155, {}), ("chroot", 161, {}), ("sethostname", 170, {}), ("socket", 41, {0: 16}),
])
def test_a_system_call_refused_to_the_runtimes_leaves_nothing(name, number, arguments, tmp_path):
    """Whichever of them makes it says so in its own words, or does without; the host is compared by the fixture."""
    with Started("--op=runtime", "--samples=2", f"--csv={tmp_path}/a.csv",
                 preexec_fn=lambda: refuse(number, arguments)) as started:
        code, out, err = started.finish(timeout=60)
        no_process_left(started)
    assert code in (0, 1, 3), out + err
    rows = by_runtime(read_csv(tmp_path / "a.csv"))
    assert set(rows) == set(PROGRAMS)
    for phases in rows.values():
        assert all(bool(row["median"]) != bool(row["errno"]) for row in phases.values())
    if name == "chroot":
        assert rows["unshare"]["start"]["errno"] == "EOPNOTSUPP" and "rootfs" in rows["unshare"]["start"]["reason"]


@pytest.mark.parametrize("number, arguments, call", [
    (165, {3: 0x44000}, "mount(MS_PRIVATE)"), (165, {3: 0x2}, "mount(tmpfs)"), (165, {3: 0xE}, "mount"),
    (83, {1: 0o755}, "mkdir"), (316, {}, "stage"), (56, {0: 0x20020011}, "clone"),
])
def test_a_sandbox_that_cannot_be_made_says_why(number, arguments, call, tmp_path):
    with Started("--op=runtime", "--with=by:unshare", "--samples=2", f"--csv={tmp_path}/a.csv",
                 preexec_fn=lambda: refuse(number, arguments)) as started:
        code, out, err = started.finish()
        no_process_left(started)
    assert code == 1, out + err
    for row in by_runtime(read_csv(tmp_path / "a.csv"))["unshare"].values():
        assert (row["status"], row["errno"]) == ("failed", "EIO") and row["reason"].startswith(f"{call}: "), row


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("by", PROGRAMS)
def test_a_killed_run_leaves_nothing(by, number):
    """Also cgroups, which are the host's: who watches over the runtimes removes them."""
    with Started("--op=runtime", f"--with=by:{by}", "--budget=20s", "--precision=0.01%") as started:
        started.sampler()
        time.sleep(0.3 + 0.5 * random.random())
        started.signal(number)
        started.finish(timeout=20)
        no_process_left(started)


def test_a_runtime_that_hangs_ends_with_nsbench(tmp_path):
    script = stand_in(tmp_path, '[ "$1" != --version ] || exit 0\n'
                      'trap "" TERM INT HUP; setsid sh -c "trap \'\' TERM; sleep 77" & sleep 77\n')
    process = replacing("bwrap", script, "--op=runtime", "--with=by:bwrap", "--budget=20s")

    def sleepers():
        shown = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, encoding="utf-8", check=True).stdout
        return [line for line in shown.splitlines() if line.endswith(" sleep 77")]

    try:
        wait_for(lambda: len(sleepers()) >= 2, 10, "the runtime to hang")
    finally:
        process.kill()
        process.communicate()
    wait_for(lambda: not sleepers(), 5, "its end")


def watchers(started: Started) -> list[int]:
    """The processes that start the sandboxes and remove the runtimes' cgroups: children of nsbench."""
    def is_watcher(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().endswith(b"\0sandbox\0")
        except OSError:
            return False  # it has ended meanwhile

    return [pid for pid, (parent, comm) in started.living().items() if parent == started.pid and comm == SAMPLER and is_watcher(pid)]


def sandboxes(started: Started) -> list[int]:
    """What starts the runtimes: the watchers' children, and no process of a container."""
    begun = watchers(started)
    return [pid for pid, (parent, comm) in started.living().items() if parent in begun and comm == SAMPLER]


@pytest.mark.parametrize("by", ["crun", "runc"])
def test_the_death_of_the_watcher_leaves_no_cgroup(by):
    """The process that removes the runtimes' cgroups, killed while there is one; the host is compared by the fixture."""
    if by not in installed():
        pytest.skip(f"{by} is not installed")
    with Started("--op=runtime", f"--with=by:{by}", "--budget=20s", "--precision=0.01%") as started:
        pid = wait_for(lambda: watchers(started), 10, "the watcher")[0]
        wait_for(lambda: any(path.endswith(f"/nsbench-{pid}") for path in cgroups()), 10, "a container's cgroup")
        os.kill(pid, signal.SIGKILL)
        started.finish()
        no_process_left(started)


def test_the_death_of_the_sandbox_costs_one_case(tmp_path):
    """The one that starts runtimes is replaced, as a sampler is."""
    with Started(BOTH, "--with=by:unshare,bwrap", "--budget=6s", "--precision=0.01%", f"--out={tmp_path}/out",
                 f"--csv={tmp_path}/a.csv") as started:
        wait_for((tmp_path / "out" / "results.csv").exists, 10, "the first round")
        os.kill(wait_for(lambda: sandboxes(started), 5, "the sandbox")[0], signal.SIGKILL)
        code, out, err = started.finish()
        no_process_left(started)
    assert code == 1, out + err
    rows = by_runtime(read_csv(tmp_path / "a.csv"))
    assert sorted(phases["start"]["status"] == "failed" for phases in rows.values()) == [False, True]
