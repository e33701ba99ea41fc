"""What the tests of exec share."""
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nsbench_harness import NOBODY, binary, host_state


@pytest.fixture(name="host")
def fixture_host() -> Iterator[None]:
    """Compares the host before and after a test."""
    before = host_state()
    yield
    after = host_state()
    for what, state in before.items():
        assert after[what] == state, f"{what} differ after the run"


@pytest.fixture(name="user", params=["root", "user"])
def fixture_user(request: pytest.FixtureRequest, home: Path) -> list[str]:
    """How to start nsbench: as root, and as an ordinary user, who this process may be already."""
    if request.param == "root":
        if os.geteuid() != 0:
            pytest.skip("not root")
        return [binary()]
    prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all"]
    prefix = prefix if os.geteuid() == 0 else []
    probe = subprocess.run([*prefix, "unshare", "-U", "true"], capture_output=True, text=True, check=False)
    if probe.returncode:
        pytest.skip(f"an ordinary user cannot make user namespaces here: {probe.stderr.strip()}")
    return [*prefix, str(home / "nsbench")]
