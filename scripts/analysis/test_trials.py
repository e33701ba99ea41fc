"""compare.py's statistics on trials whose truth is known."""

import pytest

for module in ("numpy", "pandas", "scipy"):
    pytest.importorskip(module, reason=f"python3-{module} is missing")
import numpy as np

from analysis import trials


def test_truths_that_are_known() -> None:
    """A few of what `scripts/validate.py compare` does 500 times: chances of 5% and 90% are told from much worse ones."""
    for truth in trials.TRUTHS:
        alarms, _, found = trials.outcomes(truth, np.random.default_rng(1), 60, 100, 0.05, 0.02, 0.05)
        assert alarms <= 6 and (found >= 48 or truth.a_side < 10), (truth.name, alarms, found)


def test_one_run_a_side_is_seldom_wrong() -> None:
    assert trials.single_alarms(trials.TRUTHS[0], np.random.default_rng(1), 60, 100, 0.02, 0.05) <= 6
