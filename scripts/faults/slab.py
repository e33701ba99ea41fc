"""The kernel's own count of namespaces, in which some that are left without a process or a mount show."""
import contextlib
import re
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE = 20.0  # seconds until those that are left have to be gone
SLACK = 16  # namespaces of others that may have come meanwhile
CACHES = ("net_namespace", "pid_namespace", "user_namespace", "uts_namespace")


def counted() -> dict[str, int]:
    """Namespaces by their slab caches; those that share a cache with others are not told. What CPUs have in stock passes for
    active, and is given back before."""
    for name in CACHES:
        with contextlib.suppress(OSError):
            Path(f"/sys/kernel/slab/{name}/shrink").write_text("1")
    text = ""
    with contextlib.suppress(OSError):
        text = Path("/proc/slabinfo").read_text()
    return {name: int(active) for name, active in re.findall(r"^(\w+) +(\d+)", text, re.M) if name in CACHES}


def are_as_before(before: dict[str, int], tell: Callable[[str], object]) -> bool:
    """Whether the kernel has as many as before, as far as it tells."""
    if not before:
        tell("namespaces: unknown: /proc/slabinfo does not tell them here")
        return True
    end = time.monotonic() + PATIENCE
    while True:
        after = counted()
        more = {name for name, count in before.items() if after.get(name, 0) > count + SLACK}
        if not more or time.monotonic() > end:
            break
        time.sleep(0.1)
    for name, count in before.items():
        tell(f"{name}: {count} active objects before, {after.get(name, 0)} after; at most {SLACK} more may be")
    return not more
