"""What is true of all tests, for their conftest.py: a file whose tests were all skipped has not passed."""
import pytest

SKIPPED = 77  # what CMakeLists.txt tells ctest to take for skipped


@pytest.hookimpl(trylast=True)  # type: ignore[misc]  # pytest 7.2 has no type for its decorator
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """pytest ends with 0 where every test was skipped, and with 5 where the file itself was."""
    if exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        return
    seen = session.config.pluginmanager.get_plugin("terminalreporter").stats
    if seen.get("skipped") and not any(seen.get(outcome) for outcome in ("passed", "xfailed", "xpassed")):
        session.exitstatus = SKIPPED
