"""Capabilities, as the tests of what each process has name and see them."""
from pathlib import Path

NUMBERS = {"CHOWN": 0, "DAC_OVERRIDE": 1, "DAC_READ_SEARCH": 2, "FOWNER": 3, "FSETID": 4, "SETPCAP": 8, "NET_ADMIN": 12,
           "SYS_CHROOT": 18, "SYS_ADMIN": 21, "SYS_RESOURCE": 24, "SETFCAP": 31}
SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def capabilities(*names):
    """Of those that this process has."""
    return sum(1 << NUMBERS[name] for name in names) & sets_of("self")["CapEff"]


def sets_of(pid):
    """By the name of the set; None where the process has gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return {key: int(value, 16) for key, _, value in (line.partition(":") for line in lines) if key in SETS}
