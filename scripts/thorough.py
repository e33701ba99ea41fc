"""How much of it a long test tries: a part by scripts/test, all of it by scripts/test-kernels."""
import os
from typing import TypeVar

import pytest

IS_WHOLE = os.environ.get("NSBENCH_THOROUGH") == "1"
T = TypeVar("T")

only = pytest.mark.skipif(not IS_WHOLE, reason="takes long: scripts/test-kernels has it")


def of(part: T, whole: T) -> T:
    """What it is to be this time."""
    return whole if IS_WHOLE else part
