"""nsbench in the hostile surroundings that only a guest can make (faults/guest_rows.py): scripts/validate.py surroundings tries the
doctor there, too."""
from pathlib import Path

import pytest

from faults import guest_rows, guests, hostile


@pytest.fixture(scope="module", name="outcomes")
def fixture_outcomes():
    """Of all rows, in one guest for each boot."""
    from nsbench_harness import binary
    return guests.tried(Path(binary()), guest_rows.GUESTS, hostile.QUICK)


@pytest.mark.parametrize("name", guest_rows.BY_NAME)
def test_nsbench_holds_in(name, outcomes):
    outcome = outcomes[name]
    if isinstance(outcome, str):
        pytest.skip(outcome)
    assert outcome and not {job: wrong for job, (_, wrong) in outcome.items() if wrong}
