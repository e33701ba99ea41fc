"""What the sampler may do, and what is beside it: what its plan needs; seen from outside."""
import functools
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

import thorough
from churn_harness import starter_of, worker_of
from nsbench_harness import (NOBODY, SAMPLER, Started, as_user, binary, host_kept, measure, needs_root, read_csv, wait_for)
from rights_harness import capabilities, sets_of

ROOT = Path(__file__).parents[2]
ENDLESS = ("--block=1000", "--budget=60s", "--precision=0.01%")
OPERATIONS = "clone,clone3,unshare,setns,proc_remount,userns_map,container,mount_ns,cgroup,veth,mountinfo"
KINDS = ("none", "mnt", "pid", "net", "user", "mnt,pid", "user,mnt", "user,net")  # uts, ipc, cgroup and time take what pid takes
DIFFERENT = ("none", "mnt", "net", "user,mnt")


def sets_of_all(started, name):
    """Of the run's processes of that name; those in a user namespace of their own, where they have all, aside."""
    own = os.stat("/proc/self/ns/user").st_ino
    found = []
    for pid, (_, comm) in started.living().items():
        try:
            if comm == name and os.stat(f"/proc/{pid}/ns/user").st_ino == own and (sets := sets_of(pid)):
                found.append(sets)
        except OSError:
            pass
    return found


def kept(folder):
    """As run.json has it."""
    return int(json.loads((folder / "run.json").read_text())["sampler"]["capabilities"], 16)


def endless(folder, *args, **kwargs):
    """A run whose first round is done."""
    started = Started(*args, *ENDLESS, f"--out={folder}", **kwargs)
    wait_for(lambda: (folder / "run.json").exists() or started.process.poll() is not None, 30, "the first round")
    return started


@needs_root
@pytest.mark.parametrize(("args", "names"), [
    (("--case=clone/none/stack:1M",), ()),
    (("--case=clone/NEWUSER/stack:1M",), ()),
    (("--op=clone,unshare", "--ns=pid", "--ns=net"), ()),
    (("--case=clone/NEWPID/stack:1M/parallel:2",), ()),
    (("--case=clone/NEWPID/stack:1M/parallel:2/workers:threads",), ()),
    (("--op=setns", "--ns=uts", "--ns=mnt"), ("SYS_CHROOT",)),
    (("--op=userns_map",), ("SETFCAP",)),
    (("--op=veth",), ("NET_ADMIN",)),
    (("--op=mount_ns", "--with=via:clone"), ("SYS_CHROOT",)),
    (("--op=container", "--ns=mnt,pid,net", "--ns=user"), ("NET_ADMIN", "SETFCAP")),
], ids=lambda value: " ".join(value) or "-")
def test_the_sampler_has_what_its_plan_needs_and_no_more(args, names, tmp_path):
    expected = capabilities("SYS_ADMIN", *names)
    with endless(tmp_path / "out", *args) as started:
        assert started.process.poll() is None, started.finish()
        seen = sets_of_all(started, SAMPLER)
        assert seen
        for sets in seen:
            assert sets == {"CapInh": 0, "CapPrm": expected, "CapEff": expected, "CapBnd": expected, "CapAmb": 0}
        started.signal(signal.SIGTERM)
        started.finish()
    assert kept(tmp_path / "out") == expected


@needs_root
def test_what_is_beside_a_block_has_no_more(tmp_path):
    case = "--case=clone/none/stack:1M/netns:3/fds:10"
    expected = capabilities("SYS_ADMIN", "SYS_RESOURCE")
    with endless(tmp_path / "out", case) as started:
        for name in ("nsbench-deputy", "nsbench-keeper"):
            seen: list[dict[str, int]] = wait_for(functools.partial(sets_of_all, started, name), 20, name)
            assert all(sets["CapPrm"] == sets["CapBnd"] == sets["CapEff"] == expected for sets in seen), (name, seen)
        started.signal(signal.SIGTERM)
        started.finish()


@needs_root
def test_a_load_has_no_more(tmp_path):
    with Started("churn", "--ns=pid", "--for=60s", "--drain=1ms", f"--out={tmp_path}/out") as started:
        wait_for(lambda: worker_of(started), 20, "a worker")  # started once its starter has answered
        for pid in (starter_of(started), worker_of(started)):
            sets = sets_of(pid)
            assert sets and sets["CapEff"] == sets["CapPrm"] == sets["CapBnd"] == capabilities("SYS_ADMIN"), sets
        started.signal(signal.SIGINT)
        started.finish()
    assert json.loads((tmp_path / "out/churn.json").read_text())["sampler"]["capabilities"] == f"{capabilities('SYS_ADMIN'):016x}"


@needs_root
def test_only_who_starts_runtimes_keeps_all(tmp_path):
    if not shutil.which("unshare"):
        pytest.skip("unshare is not installed")
    own = sets_of("self")["CapEff"]
    with endless(tmp_path / "out", "--case=runtime/NEWNS-NEWPID/by:unshare", "--case=clone/NEWPID/stack:1M") as started:
        seen = {sets["CapPrm"] for sets in sets_of_all(started, SAMPLER)}
        assert seen == {own, capabilities("SYS_ADMIN")}
        started.signal(signal.SIGTERM)
        started.finish()
    assert kept(tmp_path / "out") == capabilities("SYS_ADMIN")


def refused(folder):
    return {row["case"]: row["reason"] for row in read_csv(folder / "results.csv") if row["errno"] in ("EPERM", "EACCES")}


def with_a_sampler_behind(folder, line):
    """An nsbench whose sampler is started by a script, which does this first."""
    folder.mkdir()
    nsbench = Path(shutil.copy(binary(), folder))
    sampler = folder / SAMPLER
    sampler.write_text(f'#!/bin/sh\n{line}\nexec {Path(binary()).with_name(SAMPLER)} "$@"\n')
    sampler.chmod(0o755)
    return nsbench


def with_a_sampler_that_keeps_all(folder):
    """An nsbench whose sampler is not told what to give up."""
    return with_a_sampler_behind(folder, "case $1 in keep=*) shift;; esac")


def run_small(nsbench, folder, *args, prefix=()):
    """What was printed, and the warnings of the run."""
    done = subprocess.run([*prefix, nsbench, *args, "--samples=2", f"--out={folder}"],
                          stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, json.loads((folder / "run.json").read_text())["warnings"]


@needs_root
@pytest.mark.parametrize("surroundings", thorough.of([(), ("--with=netns:5", "--with=dying:5"), ("--with=cgroups:5",)], [
    (), ("--with=parallel:2",), ("--with=mounts:10",), ("--with=peers:5",), ("--with=netns:5", "--with=dying:5"),
    ("--with=pidns:5", "--with=procs:10"), ("--with=rss:4M", "--with=fds:100"), ("--with=depth:2",), ("--with=cgroups:5",),
]), ids=lambda value: " ".join(value) or "alone")
def test_nothing_is_refused_for_what_the_sampler_gave_up(surroundings, tmp_path):
    """Each operation with each set, or with those that differ under a condition, which takes long to make: what is refused is
    refused to a sampler that keeps all as well."""
    args = (f"--op={OPERATIONS}", *(f"--ns={kinds}" for kinds in (DIFFERENT if surroundings else KINDS)), *surroundings)
    small = ("--samples=2", "--block=2", "--quiet", "--no-progress")
    with host_kept():
        measure(*args, "--stack=1M", *small, f"--out={tmp_path}/out", timeout=300)
    left = refused(tmp_path / "out")
    if left:
        done = subprocess.run([with_a_sampler_that_keeps_all(tmp_path / "all"), *(f"--case={case}" for case in left), *small,
                               f"--out={tmp_path}/all/out"],
                              stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=120, check=False)
        assert (tmp_path / "all/out/results.csv").exists(), done.stdout + done.stderr
        assert kept(tmp_path / "all/out") == sets_of("self")["CapEff"]
        assert left == refused(tmp_path / "all/out")


@needs_root
def test_what_is_closed_to_root_without_rights_is_none_of_the_samplers(tmp_path):
    """After sudo nsbench may be another user's, in a folder that is closed to others, and started there."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in (Path(binary()).name, SAMPLER):
        shutil.copy(Path(binary()).with_name(name), folder / name)
        os.chown(folder / name, NOBODY, NOBODY)
        (folder / name).chmod(0o700)
    os.chown(folder, NOBODY, NOBODY)
    folder.chmod(0o700)
    done = subprocess.run([folder / Path(binary()).name, "--op=mount_ns,clone", "--ns=mnt", "--with=via:clone", "--with=rss:1M",
                           "--samples=2", "--block=1", f"--out={tmp_path}/out"],
                          cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert kept(tmp_path / "out") == capabilities("SYS_ADMIN", "SYS_CHROOT", "DAC_OVERRIDE")


@needs_root
def test_what_could_not_be_given_up_is_said(tmp_path):
    prefix = ("setpriv", "--bounding-set=-setpcap,-sys_ptrace", "--inh-caps=-setpcap,-sys_ptrace")
    _, warnings = run_small(binary(), tmp_path / "out", "--case=clone/NEWPID/stack:1M", prefix=prefix)
    assert any("could not give up" in text and "prctl(PR_CAPBSET_DROP)" in text and "needs CAP_SETPCAP" in text for text in warnings)
    assert kept(tmp_path / "out") == capabilities("SYS_ADMIN"), "what it has itself is given up all the same"
    # What exec gives a deputy beyond that makes it undumpable, and namespaces of its children closed to it.
    run_small(binary(), tmp_path / "deputy", "--case=setns/NEWUTS/via:nsfd/procs:2", prefix=prefix)
    assert not refused(tmp_path / "deputy")
    done = subprocess.run([*prefix, binary(), "churn", "--ns=pid", "--for=100ms", "--drain=1ms", f"--out={tmp_path}/churn"],
                          stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=60, check=False)
    assert "needs CAP_SETPCAP" in done.stdout, done.stdout + done.stderr
    warnings = json.loads((tmp_path / "churn/churn.json").read_text())["warnings"]
    assert sum("needs CAP_SETPCAP" in text for text in warnings) == 1


@needs_root
def test_a_deputy_has_no_more_where_the_bounding_set_is_whole(tmp_path):
    prefix = ("setpriv", "--bounding-set=-setpcap", "--inh-caps=-setpcap")
    with endless(tmp_path / "out", "--case=clone/none/stack:1M/procs:3", prefix=prefix) as started:
        seen: list[dict[str, int]] = wait_for(functools.partial(sets_of_all, started, "nsbench-deputy"), 20, "a deputy")
        assert all(sets["CapPrm"] == sets["CapEff"] == capabilities("SYS_ADMIN") for sets in seen), seen
        started.signal(signal.SIGTERM)
        started.finish()


@needs_root
@pytest.mark.parametrize(("line", "said"), [
    ("case $1 in keep=*) shift;; esac", "has privileges that it does not need, and did not say why: CAP_CHOWN"),
    ("case $1 in keep=*) set -- keep=all;; esac", "could not give up all privileges that it does not need: keep=: "),
], ids=("untold", "unreadable"))
def test_a_sampler_that_keeps_all_is_told(line, said, tmp_path):
    _, warnings = run_small(with_a_sampler_behind(tmp_path / "all", line), tmp_path / "out", "--case=clone/NEWPID/stack:1M")
    assert any(said in text for text in warnings), warnings
    assert kept(tmp_path / "out") == sets_of("self")["CapEff"]


@needs_root
def test_through_a_user_namespace_it_is_started_once(tmp_path):
    """With the map's capability from the start."""
    log = tmp_path / "started"
    nsbench = with_a_sampler_behind(tmp_path / "bin", f'echo "$@" >> {log}')
    run_small(nsbench, tmp_path / "out", "--op=mount_ns", "--with=via:clone", "--block=1",
              prefix=("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"))
    assert json.loads((tmp_path / "out/run.json").read_text())["in_userns"]
    assert len(log.read_text().splitlines()) == 1
    assert kept(tmp_path / "out") & capabilities("SETFCAP") == capabilities("SETFCAP")


@needs_root
@pytest.mark.parametrize("recorded", ["absent", "fewer", "same"])
def test_a_resumed_run_says_that_its_sampler_had_others(recorded, tmp_path):
    run_small(binary(), tmp_path / "out", "--op=clone", "--ns=pid")
    path = tmp_path / "out/run.json"
    run = json.loads(path.read_text())
    if recorded == "absent":
        del run["sampler"]["capabilities"]
    elif recorded == "fewer":
        run["sampler"]["capabilities"] = f"{0:016x}"
    path.write_text(json.dumps(run))
    done = subprocess.run([binary(), f"--resume={path.parent}"], stdin=subprocess.DEVNULL, capture_output=True,
                          encoding="utf-8", timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    said = [text for text in json.loads(path.read_text())["warnings"] if "with other capabilities" in text]
    if recorded == "same":
        assert not said
    else:
        assert len(said) == 1
        assert ("also with CAP_CHOWN" if recorded == "absent" else "without CAP_SYS_ADMIN") in said[0]


def test_an_ordinary_user_has_nothing_to_give_up(home, tmp_path):
    done = as_user(home, home / Path(binary()).name, "--case=clone/NEWPID/stack:1M", "--samples=2", f"--out={home}/out")
    if done.returncode == 3:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    assert kept(home / "out") == 0
    assert "give up" not in done.stdout + done.stderr


@needs_root
def test_what_could_be_inherited_is_given_up_by_an_ordinary_user_as_well(home):
    """Nothing is permitted, so that a look at that alone would leave it."""
    prefix = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all,+chown",
              "sh", "-c", 'shift; exec "$0" "$@"', str(home / Path(binary()).name))
    with endless(home / "endless", "--case=clone/none/stack:1M", prefix=prefix, cwd=home) as started:
        if started.process.poll() == 3:
            pytest.skip(started.finish()[2].strip())
        assert (sets_of(started.pid) or {})["CapInh"] == 1
        seen = sets_of_all(started, SAMPLER)
        assert seen and all(sets["CapInh"] == sets["CapPrm"] == 0 for sets in seen), seen
        started.signal(signal.SIGTERM)
        started.finish()


def column(entry, number):
    """Of an entry of a table: what stands between two commas outside of all brackets."""
    depth = 0
    columns = [""]
    for character in entry:
        depth += (character in "({") - (character in ")}")
        if character == "," and depth == 0:
            columns.append("")
        else:
            columns[-1] += character
    return columns[number]


def test_the_table_names_the_calls_that_an_operation_makes():
    """Those in its own file that take a capability: one that is forgotten would be refused where nobody else needs it. What
    an operation calls in other files, such as block.cpp, own_namespaces.cpp and those of src/sys, is not seen here."""
    calls = re.findall(r'^NSB_CALL\((\w+), +"[^"]*", +(\w+),', (ROOT / "src/core/calls.def").read_text(), re.MULTILINE)
    takes = {name for name, needs in calls if needs != "nothing"}
    table = (ROOT / "src/core/operations.def").read_text()
    entries = dict(re.findall(r"^NSB_OPERATION\((\w+),(.*?)(?=^NSB_OPERATION|\Z)", table, re.MULTILINE | re.DOTALL))
    for name, entry in entries.items():
        source = ROOT / f"bench/{name}.cpp"
        made = set(re.findall(r"\bCall::(\w+)", source.read_text())) if source.exists() else set()  # clone3's is clone's
        called = column(entry, 2)  # behind the system call, and what it begins with
        if "everything" in called:
            continue
        # clone3 in place of clone, and the plain clone of a child, take what the set takes.
        named = set(re.findall(r"\b\w+\b", called)) | {"clone", "clone3"}
        assert made & takes <= named, f"{name}: {made & takes - named}"
