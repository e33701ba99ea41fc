"""The batches of a load's teardown in a guest, by each means: as many namespaces are torn down as were made, since nobody else
makes any; and nothing stays attached, also after kill -9."""
import csv
import io
import json
import os

import pytest

import thorough
from nsbench_guests import sent_by

# Others by: LAB_KERNELS="5.10 6.1 6.12 7" pytest src/probe/test_batches_in_guests.py
KERNELS = os.environ.get("LAB_KERNELS", thorough.of("6.12", "5.10 6.12")).split()
BACKENDS = ("fentry", "kprobe", "tracepoint")
# What the kernel has attached: kprobes, and functions with an entry of ftrace's, which fentry takes.
LOADS = """measure() {{
mkdir -p /tmp/out
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
attached() {{
    cat /sys/kernel/debug/kprobes/list
    cut -d ' ' -f 1 /sys/kernel/tracing/enabled_functions
}}
attached >/tmp/out/before
for backend in {backends}; do
    nsbench churn --ns=net --burst=4 --bursts=6 --pause=20ms --for=20s --drain=20s --probe=$backend \\
        --out=/tmp/load-$backend >/tmp/out/$backend.txt 2>&1
    echo "$backend $?" >>/tmp/out/codes
    for name in churn.json batches.csv; do cp /tmp/load-$backend/$name /tmp/out/$backend.$name; done
done
nsbench churn --ns=net --for=600s --probe --quiet &
load=$!
try=0
until attached >/tmp/out/during; ! cmp -s /tmp/out/before /tmp/out/during || [ $try = 60 ]; do
    sleep 1
    try=$((try + 1))
done
kill -9 $load
try=0
until attached >/tmp/out/after; ps >/tmp/out/ps
    cmp -s /tmp/out/before /tmp/out/after && ! grep -v nsbench-lab /tmp/out/ps | grep -q nsbench || [ $try = 60 ]; do
    sleep 1
    try=$((try + 1))
done
return 0
}}
"""


def rows(text: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.decode())))


@pytest.fixture(scope="module", name="sent", params=KERNELS)
def fixture_sent(request):
    """What a guest of the kernel sent."""
    return sent_by(request.param, LOADS.format(backends=" ".join(BACKENDS)), seconds=280)


def is_refused(sent, backend):
    """Why there is none by these means; which of them a kernel has is its own business, but one is there in any case."""
    codes = dict(line.split() for line in sent["codes"].decode().splitlines())
    if codes[backend] == "3":
        return sent[f"{backend}.txt"].decode().strip()
    assert codes[backend] == "0", sent[f"{backend}.txt"].decode()
    return ""


@pytest.mark.parametrize("backend", BACKENDS)
def test_each_namespace_is_in_one_batch(sent, backend):
    refused = is_refused(sent, backend)
    if refused:
        assert backend == "fentry" and "bpf_tramp_image" in refused, refused
        pytest.skip(refused)
    info, table = json.loads(sent[f"{backend}.churn.json"]), rows(sent[f"{backend}.batches.csv"])
    batches = info["batches"]
    assert batches["backend"] == backend
    if batches["lost_unknown"]:
        assert batches["lost"] is None and backend != "tracepoint" and batches["lost_unknown"] in sent[f"{backend}.txt"].decode()
    else:
        assert batches["lost"] == 0
    assert info["load"]["operations"] == 24 and info["kernel_use"]["settled_s"] is not None
    assert batches["namespaces_unknown"] is None, batches
    assert batches["namespaces"]["sum"] == sum(int(row["namespaces"]) for row in table) == 24
    assert batches["count"] == len(table) and [int(row["batch"]) for row in table] == list(range(1, len(table) + 1))
    begins = [float(row["begin"]) for row in table]
    assert begins == sorted(begins)
    # One worker: a batch begins when the one before it has ended.
    assert all(begin + int(row["duration"]) / 1e9 <= later + 1e-5 for begin, row, later in zip(begins, table, begins[1:]))
    assert sum(int(row["duration"]) for row in table) / 1e9 == pytest.approx(batches["busy_s"])


def test_nothing_stays_attached_after_a_kill(sent):
    def attached(name):
        return sorted(sent[name].decode().splitlines())
    assert attached("during") != attached("before"), "nothing was attached to be seen"
    assert attached("after") == attached("before")
    assert b"nsbench" not in sent["ps"].replace(b"nsbench-lab", b"")
