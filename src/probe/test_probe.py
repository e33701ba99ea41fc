"""The probe as a user runs it: on this kernel by what it allows."""
import collections
import csv
import io
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

NSBENCH = os.environ["NSBENCH"]


def programs() -> set[int]:
    """The ids of the BPF programs that are loaded."""
    said = subprocess.run(["bpftool", "prog", "-j"], capture_output=True, text=True, check=True,
                          env={**os.environ, "PATH": "/usr/sbin:" + os.environ["PATH"]})
    return {program["id"] for program in json.loads(said.stdout)}


def wait_until(condition, what: str, seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"within {seconds} s: {what}"
        time.sleep(0.05)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A probed run on this kernel."""
    if os.geteuid() != 0:
        pytest.skip("not root")
    out = tmp_path_factory.mktemp("probe") / "run"
    before = programs()
    done = subprocess.run([NSBENCH, "--probe", "--filter=^clone/NEWNET/stack:1M$", "--budget=8s", f"--out={out}",
                           f"--folded={out}.folded"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    if not (out / "probe.csv").exists():
        pytest.skip(next((line for line in done.stdout.splitlines() if "--probe" in line), "no probe here"))
    wait_until(lambda: programs() <= before, "no program is left")
    return out, done.stdout


def test_reports_copy_net_ns_with_backend_and_reason(here):
    out, table = here
    row = next(r for r in rows((out / "probe.csv").read_text())
               if r["function"] == "copy_net_ns" and r["case"] == "clone/NEWNET/stack:1M")
    assert float(row["total"]) > 0
    assert float(row["total"]) >= float(row["self"]) >= 0
    assert row["backend"] == "fentry" or row["reason"]
    assert "copy_net_ns" in table and "memory net" in table
    assert (out.parent / "run.folded").read_text().count(";copy_net_ns;") > 1


def allocated(kind: str, out: Path) -> tuple[int, collections.Counter]:
    """Bytes that bpftrace saw samplers allocate in a run of clone, and the executions of each case in it."""
    # Those of this run alone, by the mount namespace that it is in; "$1" is its number.
    its_own = 'comm == "nsbench-sampler" && ((struct task_struct *)curtask)->nsproxy->mnt_ns->ns.inum == $1'
    events = "".join(f"tracepoint:kmem:{name} /{its_own}/ {{ @ = sum(args->bytes_alloc); }} " for name in ("kmalloc", "kmem_cache_alloc"))
    # bpftrace wants debugfs under its usual path: mounted where only it sees it.
    script = ('mount -t debugfs debugfs /sys/kernel/debug && mount -t tracefs tracefs /sys/kernel/tracing; '
              'exec "$@" "$(stat -Lc %i /proc/self/ns/mnt)"')
    run = f"{NSBENCH} --filter=^clone/{kind}/stack:1M$ --samples=200 --quiet --out={out}"
    done = subprocess.run(["unshare", "-m", "--propagation=private", "sh", "-c", script, "sh", "bpftrace", "-f", "json", "-c", run, "-e",
                           events], capture_output=True, text=True, timeout=120, check=False)
    said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    sums = [line for line in said if line.get("type") == "map"]
    if not sums or not (out / "samples.csv").exists():
        pytest.skip(f"bpftrace does not work here: {(done.stderr or done.stdout).strip()[:200]}")
    return sums[-1]["data"]["@"], collections.Counter(row["case"] for row in rows((out / "samples.csv").read_text()))


def test_memory_agrees_with_an_independent_count(here, tmp_path):
    """The same tracepoints, summed up by bpftrace: 10% for what a net namespace adds."""
    if not shutil.which("bpftrace"):
        pytest.skip("bpftrace is not installed")
    none_bytes, none_runs = allocated("none", tmp_path / "none")
    net_bytes, net_runs = allocated("NEWNET", tmp_path / "net")
    base = none_bytes / none_runs["clone/none/stack:1M"]
    executions = net_runs["clone/NEWNET/stack:1M"]
    expected = (net_bytes - base * net_runs["clone/none/stack:1M"]) / executions - base
    counted = sum(float(row["bytes_per_op"]) for row in rows((here[0] / "memory.csv").read_text())
                  if row["case"] == "clone/NEWNET/stack:1M" and row["allocator"] != "percpu")
    assert counted == pytest.approx(expected, rel=0.10)


def test_a_forced_backend_that_cannot_be_had_ends_with_3():
    if os.geteuid() != 0:
        pytest.skip("not root")
    done = subprocess.run([NSBENCH, "--probe=fentry", "--ns=uts", "--op=clone", "--samples=1"], capture_output=True, text=True,
                          timeout=60, check=False)
    if done.returncode == 0:
        pytest.skip("fentry is to be had here")
    assert done.returncode == 3
    assert "fentry" in done.stderr and len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_program_is_left_after_a_signal(number):
    if os.geteuid() != 0:
        pytest.skip("not root")
    before = programs()
    process = subprocess.Popen([NSBENCH, "--probe", "--ns=uts", "--op=clone", "--stack=1M", "--budget=60s"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # The probe is attached once at the start, to find out what can be.
    try:
        wait_until(lambda: programs() - before, "programs are loaded")
        process.send_signal(number)
        status = process.wait(timeout=30)
    finally:
        process.kill()
        process.wait()
    # Until the samplers run there is nothing to keep, and SIGINT has its default effect.
    assert status in (-number, 128 + number)
    # The kernel frees programs a little after their last descriptor is closed.
    wait_until(lambda: programs() <= before, "no program is left")


@pytest.mark.parametrize("capabilities,suffices", [("+bpf,+perfmon,+syslog", True), ("+bpf,+perfmon", False),
                                                   ("+bpf,+syslog", False), ("+perfmon,+syslog", False)])
def test_three_capabilities_suffice(here, tmp_path, capabilities, suffices):
    """Without root, by sampling or better; without one of the three it measures all the same, and names them."""
    tmp_path.chmod(0o777)
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", f"--inh-caps={capabilities}",
                           f"--ambient-caps={capabilities}", NSBENCH, "--probe", "--op=clone", "--ns=uts", "--stack=1M",
                           "--budget=2s"], capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "clone/NEWUSER-NEWUTS/stack:1M" in done.stdout
    if suffices:
        assert "Probe: clone/NEWUSER-NEWUTS/stack:1M" in done.stdout
    else:
        warning = next(line for line in (done.stdout + done.stderr).splitlines() if "--probe: cannot be had here" in line)
        assert "CAP_" in warning


def probed(*words) -> subprocess.CompletedProcess:
    """A run with the probe; skips the test where that cannot be had here."""
    done = subprocess.run([NSBENCH, *words, "--samples=4", "--probe"], capture_output=True, text=True, check=False, timeout=240)
    said = done.stdout + done.stderr
    if done.returncode == 3 or "--probe: cannot be had here" in said:
        pytest.skip(f"no probe here: {said}")
    assert done.returncode == 0, said
    return done


@pytest.mark.parametrize("operation, reason", [("mountinfo", "these make none"), ("setns", "")])
def test_what_is_not_of_an_execution_is_not_said_to_be(tmp_path, operation, reason):
    """Neither of samples that make no process, nor of what is kept for a block of them."""
    result = probed(f"--op={operation}", *(["--ns=net"] if operation == "setns" else []), f"--out={tmp_path}/run")
    assert reason in result.stdout
    seen = {row["path"] for row in rows((tmp_path / "run" / "probe.csv").read_text()) if float(row["total"] or 0) > 0}
    assert not seen if reason else "async" not in seen, seen


def test_samplers_that_share_one_mm_are_said_not_to_be_followed():
    result = probed("--op=clone", "--ns=uts", "--stack=1M", "--parallel=1,2", "--with=workers:processes,threads")
    assert result.stdout.count(" executions, ") == 2
    assert "probe: 2 cases: the probe does not follow samplers that share one mm" in result.stdout
