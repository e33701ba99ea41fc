"""What the tests of the scripts share."""
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[1]


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that any user can enter. It is not below pytest's own, which another pytest closes to others when it begins."""
    with tempfile.TemporaryDirectory(prefix="nsbench-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def libraries() -> None:
    """What the page is drawn with."""
    made = subprocess.run([SCRIPTS / "vendor"], capture_output=True, text=True, timeout=500)
    if made.returncode:
        pytest.skip(f"the charting libraries cannot be fetched: {made.stderr.strip().splitlines()[-1]}")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """A headless Chromium."""
    if not Path("/usr/bin/chromedriver").exists():
        pytest.skip("no /usr/bin/chromedriver: apt-get install chromium-driver")
    from selenium import webdriver  # only now: what needs no browser is tested without it
    from selenium.webdriver.chrome.service import Service
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    profile = tmp_path_factory.mktemp("profile")
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1500,1000",
        f"--user-data-dir={profile}",
        "--disable-background-networking",
        "--no-first-run",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
    yield driver
    driver.quit()
