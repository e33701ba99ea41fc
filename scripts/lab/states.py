"""States that a kernel can be in when a case begins: how a machine comes into each before it is saved.

A state of one's own is a shell script (busybox's sh, as root, nsbench in the PATH). It is named by its file and by the
first digits of its hash, so that two scripts of the same name are two states.
"""
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from lab.errors import USAGE, LabError

CHURNED = """
i=0
while [ $i -lt 300 ]; do
    unshare -n -i -m true || exit 1
    i=$((i + 1))
done
"""
# A net namespace stays as long as its file is mounted somewhere: these are 200 of the 1000 mounts.
CROWDED = """
mkdir /tmp/crowd || exit 1
i=0
while [ $i -lt 200 ]; do
    : >/tmp/crowd/net$i
    unshare -n mount --bind /proc/self/ns/net /tmp/crowd/net$i || exit 1
    i=$((i + 1))
done
while [ $i -lt 1000 ]; do
    mkdir /tmp/crowd/mount$i
    mount -t tmpfs crowd /tmp/crowd/mount$i || exit 1
    i=$((i + 1))
done
"""
# Of the whole hierarchy: on a host it is not nsbench's to change. From 6.0 on; before that the kernel refuses the option.
FAVORDYNMODS = """
mount -o remount,favordynmods cgroup2 /sys/fs/cgroup || exit 1
grep -q ' - cgroup2 .*favordynmods' /proc/self/mountinfo
"""


@dataclass(frozen=True)
class State:
    """A name, as it stands in the files, the script, and what it is in words."""

    name: str
    script: str
    about: str
    usual: bool = True  # what a namespace costs in it is of interest; else only what the state is about


STATES = {state.name: state for state in (
    State("fresh", "", "booted and settled"),
    State("churned", CHURNED, "300 net, ipc and mount namespaces have come and gone"),
    State("crowded", CROWDED, "200 net namespaces and 1000 mounts are there"),
    State("favordynmods", FAVORDYNMODS, "the hierarchy of cgroups is mounted with favordynmods", usual=False),
)}
TOGETHER = State("together", "", "all cases in one boot, one after the other")


def find(name: str) -> State:
    """The state of that name, or of that script. LabError for neither."""
    if name in STATES:
        return STATES[name]
    path = Path(name)
    try:
        script = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "no text"
        raise LabError(f"--state={name}: neither one of {', '.join(STATES)} nor a script ({reason})", USAGE) from None
    digest = hashlib.sha256(script.encode()).hexdigest()[:8]
    stem = re.sub(r"[^A-Za-z0-9._-]", "_", path.stem)
    return State(f"{stem}-{digest}", script, f"{path.name}, a script")
