"""The eight kinds and the sets of them, as case ids name them, and how figures are written for people."""
import math

# Flag → the kind's name, in the order in which a set's id has them.
KINDS = {
    "NEWCGROUP": "cgroup",
    "NEWIPC": "ipc",
    "NEWNET": "net",
    "NEWNS": "mnt",
    "NEWPID": "pid",
    "NEWTIME": "time",
    "NEWUSER": "user",
    "NEWUTS": "uts",
}
NONE = "none"
ALL = "-".join(KINDS)


def flags(namespaces: str) -> tuple[str, ...]:
    """The flags of a set's id: none for `none`."""
    return () if namespaces == NONE else tuple(namespaces.split("-"))


def set_id(members: object) -> str:
    """The id of the set of these flags."""
    chosen = set(members)  # type: ignore[call-overload]
    return "-".join(flag for flag in KINDS if flag in chosen) or NONE


def label(namespaces: str) -> str:
    """A set's short name: pid+net, none, all."""
    if namespaces == NONE:
        return "none"
    return "all eight" if namespaces == ALL else "+".join(KINDS.get(flag, flag) for flag in flags(namespaces))


def three_digits(value: float) -> str:
    """1234.5 → 1230, 12.345 → 12.3: what is significant of a figure, without an exponent."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    rounded = float(f"{value:.3g}")
    return f"{rounded:.{max(0, 2 - math.floor(math.log10(abs(rounded)) + 1e-12))}f}"


def time_text(value: float, clock: str, sign: bool = False) -> str:
    """A time with its unit: 36.5 µs, 1.41 ms; 146 k instructions."""
    steps = (
        [(1e9, "G instructions"), (1e6, "M instructions"), (1e3, "k instructions"), (1, "instructions")]
        if clock == "instructions"
        else [(1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1, "ns")]
    )
    # 0.9995: what rounds up to the next unit is written in it
    scale, unit = next((step for step in steps if abs(value) >= step[0] * 0.9995), steps[-1])
    return f"{'+' if sign and value > 0 else ''}{three_digits(value / scale)} {unit}".replace("-", "−")


def bytes_text(value: float) -> str:
    """16384 → 16 KiB."""
    scale, unit = next(
        (step for step in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")) if abs(value) >= step[0]),
        (1, "B"),
    )
    return f"{three_digits(value / scale)} {unit}".replace("-", "−")


def size_text(value: float) -> str:
    """A stack size as an option takes it: 16K, 1M."""
    value = int(value)
    for scale, letter in ((2**30, "G"), (2**20, "M"), (2**10, "K")):
        if value >= scale and value % scale == 0:
            return f"{value // scale}{letter}"
    return str(value)


def axis_unit(clock: str) -> tuple[float, str]:
    """What an axis divides times by, and the unit that it then shows."""
    return (1e3, "thousand instructions") if clock == "instructions" else (1e3, "µs")
