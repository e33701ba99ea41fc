"""What the system tests share as fixtures; everything else is in cli/nsbench_harness.py."""
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from all_skipped import pytest_sessionfinish
from nsbench_harness import SAMPLER, binary

__all__ = ["pytest_sessionfinish"]


@pytest.fixture(scope="module", name="home")
def fixture_home() -> Iterator[Path]:
    """A folder that an ordinary user can enter and write to, with a copy of the two programs."""
    folder = Path(tempfile.mkdtemp(prefix="nsbench-test-"))
    for program in (Path(binary()), Path(binary()).with_name(SAMPLER)):
        shutil.copy(program, folder)
        (folder / program.name).chmod(0o755)
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)
