"""The environment's cgroup_favordynmods, before and after the lab's state of that name, where the kernel has the option and where not.

In guests, since the option is of the whole hierarchy.
"""
import json
import os

import pytest

from lab import states
from nsbench_guests import sent_by

# Others by: LAB_KERNELS="5.10 6.1 6.12 7" pytest src/run/test_favordynmods_in_guests.py
KERNELS = os.environ.get("LAB_KERNELS", "5.10 6.12").split()
SCRIPT = f"""measure() {{
mkdir -p /tmp/out
noted() {{
    nsbench --op=clone --ns=none --stack=1M --samples=2 --quiet --out=/tmp/$1 >/tmp/out/$1.txt 2>&1
    cp /tmp/$1/run.json /tmp/out/$1.json
}}
noted before
({states.FAVORDYNMODS})
echo $? >/tmp/out/code
noted after
return 0
}}
"""


@pytest.fixture(scope="module", name="sent", params=KERNELS)
def fixture_sent(request):
    """What a guest of the kernel sent."""
    return sent_by(request.param, SCRIPT, seconds=250)


def test_the_fact_is_what_the_kernel_does(sent):
    facts = [json.loads(sent[f"{name}.json"])["environment"]["cgroup_favordynmods"] for name in ("before", "after")]
    has_option = sent["code"].decode().strip() == "0"
    assert facts == (["no", "yes"] if has_option else ["no such option"] * 2)
