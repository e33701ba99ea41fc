"""The eight kinds and the sets of them, as case ids name them, and how figures are written for people."""
import math
from collections.abc import Iterable

from analysis import columns

# Flag → the kind's name, in the order in which a set's id has them.
KINDS: dict[str, str] = {kind["flag"]: kind["name"] for kind in columns.dictionary()["kinds"]}
NONE = "none"
ALL = "-".join(KINDS)


def flags(namespaces: str) -> tuple[str, ...]:
    """The flags of a set's id: none for `none`."""
    return () if namespaces == NONE else tuple(namespaces.split("-"))


def set_id(members: Iterable[str]) -> str:
    """The id of the set of these flags."""
    chosen = set(members)
    return "-".join(flag for flag in KINDS if flag in chosen) or NONE


def label(namespaces: str) -> str:
    """A set's short name: pid+net, none, all."""
    if namespaces == NONE:
        return "none"
    return "all eight" if namespaces == ALL else "+".join(KINDS.get(flag, flag) for flag in flags(namespaces))


def _rounded(size: float) -> tuple[int, int]:
    """The three significant digits of a figure greater than zero, and the power of ten of the first. A half is rounded up, as
    src/report/format.cpp and scripts/page/figures.js do; format_vectors.csv holds the three together."""
    exponent = math.floor(math.log10(size))
    digits = math.floor((size / 10.0 ** (exponent - 2) if exponent >= 2 else size * 10.0 ** (2 - exponent)) + 0.5)
    return (digits // 10, exponent + 1) if digits >= 1000 else (digits, exponent)


def _written(value: float, digits: int, places: int) -> str:
    """The digits with so many of them behind the point, and the value's sign."""
    text = f"{digits / 10**places:.{places}f}" if places > 0 else str(digits * 10**-places)
    return f"−{text}" if value < 0 else text


def three_digits(value: float) -> str:
    """1234.5 → 1230, 12.345 → 12.3: what is significant of a figure, without an exponent."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    digits, exponent = _rounded(abs(value))
    return _written(value, digits, 2 - exponent)


def prefixed(value: float, prefixes: tuple[str, ...] = ("", " k", " M", " G")) -> str:
    """Three digits, and the prefix of what they come to when rounded: 999.6 → 1.00 k."""
    if value == 0 or not math.isfinite(value):
        return three_digits(value) + prefixes[0]
    digits, exponent = _rounded(abs(value))
    thousands = min(max(exponent // 3, 0), len(prefixes) - 1)
    return _written(value, digits, 2 - (exponent - 3 * thousands)) + prefixes[thousands]


def time_text(value: float, clock: str) -> str:
    """A time with its unit: 36.5 µs, 1.41 ms; 146 k instructions."""
    if clock == "instructions":
        return f"{prefixed(value)} instructions"
    return prefixed(value, (" ns", " µs", " ms", " s"))


def bytes_text(value: float) -> str:
    """16384 → 16.0 KiB."""
    scale, unit = next(
        (step for step in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")) if abs(value) >= step[0]),
        (1, "B"),
    )
    return f"{three_digits(value / scale)} {unit}"


def change(ratio: float) -> str:
    """A ratio as a change: 1.05 → +5.0%; from a doubling or a half on ×2.00, ×1408; ? for none."""
    if not 0 <= ratio < math.inf:
        return "?"
    if 0.5 < ratio < 2:
        percent = math.floor(1000 * abs(ratio - 1) + 0.5) / 10
        return f"{'+' if ratio >= 1 or percent == 0 else '−'}{percent:.1f}%"
    for least, places in ((100, 0), (10, 1), (0.1, 2)):
        if ratio >= least:
            return f"×{math.floor(ratio * 10**places + 0.5) / 10**places:.{places}f}"
    return f"×{three_digits(ratio)}"


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
