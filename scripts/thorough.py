"""How much of it a long test tries: a part by scripts/test, all of it by scripts/test-kernels."""
import os
from typing import TypeVar

T = TypeVar("T")


def of(part: T, whole: T) -> T:
    """What it is to be this time."""
    return whole if os.environ.get("NSBENCH_THOROUGH") == "1" else part
