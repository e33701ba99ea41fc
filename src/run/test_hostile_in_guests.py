"""Surroundings that need a machine of their own: a clock that is set while a run goes on, and a kernel in lockdown. In a guest.

Not tried: a CPU that goes offline, since a guest whose instructions are counted has one; and a suspended guest, whose time is of no
clock that nsbench reads.
"""
import csv
import io
import os

import pytest

from nsbench_guests import sent_by

KERNEL = os.environ.get("LAB_KERNELS", "6.12").split()[0]
# The clock of the day goes back by years and forth again meanwhile.
SCRIPT = """measure() {
mkdir -p /tmp/out
[ -e /sys/kernel/security/lockdown ] || mount -t securityfs none /sys/kernel/security 2>/dev/null
(while :; do date -s 2001-01-01; date -s 2035-01-01; sleep 0.2; done) >/tmp/dates 2>&1 &
dates=$!
nsbench --op=clone,unshare,setns --ns=none --ns=pid --stack=1M --samples=40 --block=4 --csv=/tmp/out/clock.csv >/tmp/out/clock.txt 2>&1
echo $? >/tmp/out/clock.code
nsbench verify --format=csv >/tmp/out/verify.csv 2>&1
echo $? >/tmp/out/verify.code
kill $dates
wc -l </tmp/dates >/tmp/out/set
nsbench doctor >/tmp/out/doctor.txt 2>&1
echo $? >/tmp/out/doctor.code
cat /sys/kernel/security/lockdown >/tmp/out/lockdown 2>/dev/null
nsbench --probe=fentry --op=clone --ns=uts --samples=3 --quiet >/tmp/out/probe.txt 2>&1
echo $? >/tmp/out/probe.code
return 0
}
"""


@pytest.fixture(scope="module", name="sent")
def fixture_sent():
    """What the guest sent."""
    return sent_by(KERNEL, SCRIPT, seconds=400, append="lockdown=confidentiality")


def test_a_clock_that_jumps_is_in_no_figure(sent):
    assert int(sent["set"]) > 3
    assert sent["clock.code"] == b"0\n", sent["clock.txt"].decode()
    rows = list(csv.DictReader(io.StringIO(sent["clock.csv"].decode())))
    assert rows and all(row["status"] in ("ok", "imprecise") and 0 < float(row["max"]) < 1e9 for row in rows), rows
    assert sent["verify.code"] == b"0\n", sent["verify.csv"].decode()


def test_in_lockdown_times_are_had_and_the_probe_says_why_not(sent):
    if b"[confidentiality]" not in sent["lockdown"]:
        pytest.skip(f"this kernel cannot be locked down by its command line: {sent['lockdown'].decode() or 'no securityfs'}")
    assert "lockdown" in sent["doctor.txt"].decode() and "confidentiality" in sent["doctor.txt"].decode()
    assert sent["probe.code"] == b"3\n" and b"EPERM" in sent["probe.txt"], sent["probe.txt"].decode()
