"""How much is made up: the same each time and little; more, and other input each time, where NSBENCH_EXAMPLES says how much."""
import os

import pytest

hypothesis = pytest.importorskip("hypothesis", reason="python3-hypothesis is missing")
EXAMPLES = int(os.environ.get("NSBENCH_EXAMPLES", "0"))
# No time of any example decides: others may have the CPU. Nothing is kept in a folder of its own.
hypothesis.settings.register_profile("nsbench", max_examples=EXAMPLES or 50, derandomize=not EXAMPLES, deadline=None, database=None,
                                     suppress_health_check=list(hypothesis.HealthCheck))
hypothesis.settings.load_profile("nsbench")
