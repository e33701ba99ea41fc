"""The probe as a user runs it: on this kernel by what it allows, and in a guest by fentry and by kprobe."""
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

ROOT = Path(__file__).resolve().parents[2]
from lab import guest, initramfs, packages, runs
from lab.errors import LabError

NSBENCH = os.environ["NSBENCH"]
# All series by: LAB_KERNELS="5.10 6.1 6.12 7" pytest src/probe/test_probe.py
KERNELS = os.environ.get("LAB_KERNELS", "6.1").split()
SAMPLES = 30
TOGETHER = runs.How(together="many kinds in one boot, as on a host")
# NEWTIME by the call that can do without it too.
KINDS = ["--op=clone", "--op=clone3", "--filter=^(clone/NEW(?!TIME)[A-Z]*|clone3/NEWTIME)/stack:1M$"]


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
    events = "".join(f'tracepoint:kmem:{name} /comm == "nsbench-sampler"/ {{ @ = sum(args->bytes_alloc); }} '
                     for name in ("kmalloc", "kmem_cache_alloc"))
    # bpftrace wants debugfs under its usual path: mounted where only it sees it.
    done = subprocess.run(["unshare", "-m", "--propagation=private", "sh", "-c",
                           'mount -t debugfs debugfs /sys/kernel/debug && mount -t tracefs tracefs /sys/kernel/tracing; exec "$@"',
                           "sh", "bpftrace", "-f", "json", "-e", events, "-c",
                           f"{NSBENCH} --filter=^clone/{kind}/stack:1M$ --samples=200 --quiet --out={out}"],
                          capture_output=True, text=True, timeout=120, check=False)
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


@pytest.fixture(scope="module")
def in_guest(tmp_path_factory):
    """A run of each kind in a guest by a forced backend: its folder, and its run.json's part about the probe."""
    done = {}

    def run(kernel: str, backend: str):
        if (kernel, backend) not in done:
            try:
                packages.find([kernel])
                out = tmp_path_factory.mktemp("guest")
                words = [f"--probe={backend}", *KINDS, f"--samples={SAMPLES}"]
                result = runs.run_all(runs.each([kernel], words, out, guest.Machine("tcg", "", 512, 900), how=TOGETHER), out)[0]
            except LabError as error:
                pytest.skip(str(error))
            assert not result.error, result.error  # a splat on the console is an error
            assert result.status == 0, result.stderr + result.stdout
            done[kernel, backend] = (result.folder, json.loads((result.folder / "run.json").read_text())["probe"])
        return done[kernel, backend]

    return run


@pytest.fixture(params=[(kernel, backend) for kernel in KERNELS for backend in ("fentry", "kprobe")],
                ids=lambda p: f"{p[0]}-{p[1]}")
def probed(request, in_guest):
    kernel, backend = request.param
    return (backend, *in_guest(kernel, backend))


def test_every_function_of_the_kernel_is_attached(probed):
    backend, folder, report = probed
    served = collections.Counter(report["backends"].values())
    assert set(served) <= {backend, "none"}
    assert served[backend] > 60
    unserved = {row["function"]: row["reason"] for row in rows((folder / "probe.csv").read_text())
                if row["backend"] == "none" and row["case"] == "clone/none/stack:1M"}
    # A clone under another name, or none in BTF, can be had by kprobe only.
    expected = ("no such function in this kernel", "fentry: the compiler made it", "fentry: not in the kernel's BTF")
    assert not {name: reason for name, reason in unserved.items() if not reason.startswith(expected)}


def test_calls_are_those_of_the_operation(probed):
    _, folder, report = probed
    makers = {"NEWNET": "setup_net", "NEWIPC": "sem_init_ns", "NEWUSER": "create_user_ns", "NEWNS": "alloc_mnt_ns"}
    found = {(r["case"], r["function"]): r for r in rows((folder / "probe.csv").read_text())}
    for flag, function in makers.items():
        assert float(found[f"clone/{flag}/stack:1M", function]["calls_per_op"]) == 1
        assert ("clone/none/stack:1M", function) not in found
    for case in report["cases"]:
        assert not case["error"]
        assert case["executions"] == SAMPLES
        assert "left out of order" not in case["lost"]
        for made in case["namespaces"]:
            assert made["pending"] == 0, case["case"]
            assert made["made"] == SAMPLES


def test_accounting_holds(probed):
    _, folder, report = probed
    for row in rows((folder / "probe.csv").read_text()):
        if row["total"]:
            assert 0 <= float(row["self"]) <= float(row["total"])
    for case in report["cases"]:
        callees: collections.Counter[int] = collections.Counter()
        for node in case["calls"]:
            if node["caller"] is not None:
                assert node["caller"] < case["calls"].index(node)
                callees[node["caller"]] += node["total"]
        for number, node in enumerate(case["calls"]):
            assert 0 <= node["self"] <= node["total"]
            assert node["waiting"] <= node["total"]
            assert node["self"] + callees[number] == pytest.approx(node["total"]), (case["case"], node)


def test_what_functions_add_is_what_the_kind_adds(probed):
    """In instructions: within 10% of the delta of create, or within its own interval where that is wider; and what a traced
    call costs is known no better than by how much the two ways of measuring it differ, for each that the kind adds, up to another
    10%."""
    _, folder, report = probed
    results = {r["case"]: r for r in rows((folder / "results.csv").read_text()) if r["phase"] == "create"}
    compared = set()
    preempted = {case["case"]: case["preempted"] for case in report["cases"]}
    unknown = abs(report["cost_of_a_traced_call"]["outside"] - report["cost_in_a_loop_of_unshare"]["outside"])
    calls = {case["case"]: sum(node["calls_per_op"] for node in case["calls"] if node["stage"] == "call") for case in report["cases"]}
    for case in report["cases"]:
        if case["case"] not in results:
            continue  # a base
        row = results[case["case"]]
        delta, low, high = (float(row[column]) for column in ("delta", "delta_low", "delta_high"))
        base = case["case"].replace(row["namespaces"], "none")
        adds = sum(added["self"] for added in case["adds_to_none"]) + case["preempted"] - preempted[base]
        known = min(unknown * (calls[case["case"]] - calls[base]), 0.1 * delta)
        assert min(low, 0.9 * delta) - known <= adds <= max(high, 1.1 * delta) + known, (case["case"], adds, row)
        compared.add(row["namespaces"])
    assert len(compared) == 8


def own_calls(report: dict) -> dict:
    """Calls of each function on each path, in the benchmark's own processes: workers gather what they do."""
    # What runs when the kernel gets to it, in whichever process that is, is no operation's: RCU's callbacks, and
    # the last reference to an open file.
    anywhere = {"put_pid_ns", "mntput_no_expire", "mntput_no_expire_slowpath", "free_mnt_ns"}
    calls = {}
    for case in report["cases"]:
        paths: list[tuple[str, ...]] = []
        for node in case["calls"]:
            paths.append((*(() if node["caller"] is None else paths[node["caller"]]), node["function"]))
            if node["stage"] != "async" and not anywhere.intersection(paths[-1]):
                calls[case["case"], *paths[-1]] = node["calls_per_op"]
    return calls


@pytest.mark.parametrize("kernel", KERNELS)
def test_both_backends_count_the_same_calls(in_guest, kernel):
    fentry, kprobe = (own_calls(in_guest(kernel, backend)[1]) for backend in ("fentry", "kprobe"))
    assert fentry == kprobe


CLONES = 30
TRACED = """measure() {{
mkdir /tmp/out
tracing=/sys/kernel/tracing
mount -t tracefs tracefs $tracing
for function in {functions}; do echo $function >>$tracing/set_ftrace_filter; done
echo function >$tracing/current_tracer
nsbench-yardstick {flags:x} {clones} >/dev/null
grep nsbench-yardsti $tracing/trace | grep -o ': [a-z0-9_]* <-' | sort | uniq -c >/tmp/out/calls.csv
}}
"""


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_kernels_own_tracer_counts_the_same(in_guest, kernel):
    """A bare loop of clone under ftrace: as many calls of each function as the probe counts in nsbench's."""
    case = next(c for c in in_guest(kernel, "fentry")[1]["cases"] if c["case"] == "clone/NEWNET/stack:1M")
    probed: collections.Counter[str] = collections.Counter()
    for node in case["calls"]:
        if node["stage"] == "call":
            probed[node["function"]] += node["calls_per_op"]
    # Called on the way out as well, or by what the loop does besides.
    for function in ("mntput_no_expire", "mntput_no_expire_slowpath", "put_pid_ns", "kernel_clone", "copy_process"):
        probed.pop(function, None)
    extra = {"bin/nsbench-yardstick": initramfs.build_directory() / "nsbench-yardstick"}
    script = TRACED.format(functions=" ".join(probed), flags=0x40000000, clones=CLONES)
    machine = guest.Machine("tcg", "", 512, 300)
    files = guest.carry_out(machine, runs.images([kernel])[0].path, machine.initrd("run", base=initramfs.base(extra), more=script))
    traced = {line.split()[2]: int(line.split()[0]) / CLONES for line in files["calls.csv"].decode().splitlines()}
    assert traced == pytest.approx(dict(probed)), files["stderr"].decode()
    assert traced["copy_net_ns"] == 1


@pytest.mark.parametrize("kernel", KERNELS)
def test_fentry_costs_little(kernel, tmp_path):
    """In instructions: at most 5% of a clone with a pid namespace, where nothing else is traced."""
    try:
        wanted = runs.each([kernel], ["--probe=fentry", "--filter=^clone/NEWPID/stack:1M$", f"--samples={SAMPLES}"], tmp_path,
                           guest.Machine("tcg", "", 512, 900), how=runs.How(numbers=range(1, 2)))
    except LabError as error:
        pytest.skip(str(error))
    result = runs.run_all(wanted, tmp_path)[0]
    assert not result.error, result.error
    report = json.loads((result.folder / "run.json").read_text())["probe"]
    case = next(c for c in report["cases"] if c["case"] == "clone/NEWPID/stack:1M")
    assert 0 < case["probed_median"] / case["unprobed_median"] - 1 <= 0.05


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
