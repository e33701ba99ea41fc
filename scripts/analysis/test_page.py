"""Tests of report.py: the page in a headless Chromium, and what cannot be reported."""
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

pytest.importorskip("pandas", reason="python3-pandas is missing")
pytest.importorskip("selenium", reason="python3-selenium is missing")
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from analysis.fixtures import completed, result_row, write_run
from analysis.fixtures_full import full_run

SCRIPTS = Path(__file__).resolve().parents[1]
Value = TypeVar("Value")
PATIENCE = 30  # seconds for what takes less than one on an idle machine

pytestmark = pytest.mark.usefixtures("libraries")


def report(*words: object) -> subprocess.CompletedProcess[str]:
    return completed(SCRIPTS / "report.py", words)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of three full runs: two by wall time, one by instructions."""
    folder = tmp_path_factory.mktemp("page")
    runs = [
        full_run(folder / "base"),
        full_run(folder / "next", factor=1.25, probed=False),
        full_run(folder / "lab", clock="instructions", factor=3),
    ]
    made = report(*runs, "-o", folder / "report.html")
    assert (made.returncode, made.stderr) == (0, "")
    assert (folder / "report.html").stat().st_size <= 5e6
    return folder / "report.html"


def wait(what: str, done: Callable[[], Value]) -> Value:
    """Until it is done; the value of it."""
    deadline = time.monotonic() + PATIENCE
    while not (value := done()):
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {what}"
        time.sleep(0.05)
    return value


@pytest.fixture
def opened(browser: webdriver.Chrome, page: Path) -> Iterator[webdriver.Chrome]:
    """The page, freshly opened; afterwards the console has no error and nothing has asked a host."""
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(page.as_uri())
    wait(
        "the page is drawn",
        lambda: browser.execute_script("return document.documentElement.dataset.ready === 'yes'"),
    )
    wait("the table is filled", lambda: shown_rows(browser))
    yield browser
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {
        event["params"]["request"]["url"].split("#")[0]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    }
    assert page.as_uri() in asked  # the log is kept
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def shown_rows(browser: webdriver.Chrome) -> list[list[str]]:
    """The cells that the table shows, row by row."""
    cells: list[list[str]] = browser.execute_script(
        "return [...document.querySelectorAll('#table .tabulator-row')]"
        ".map((row) => [...row.querySelectorAll('.tabulator-cell')]"
        ".filter((cell) => cell.style.display !== 'none').map((cell) => cell.textContent))"
    )
    return cells


def choose(browser: webdriver.Chrome, name: str, text: str) -> None:
    """In a list, as a reader does."""
    element = browser.find_element(By.ID, name)
    for option in element.find_elements(By.TAG_NAME, "option"):
        if option.text == text:
            option.click()
            return
    raise AssertionError(
        f"{name} has no {text}: {[option.text for option in element.find_elements(By.TAG_NAME, 'option')]}"
    )


def heat_map(browser: webdriver.Chrome) -> WebElement:
    """The heat map, in view and drawn."""
    element = browser.find_element(By.ID, "sets")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    wait("the heat map is drawn", lambda: element.find_elements(By.TAG_NAME, "svg"))
    return element


def test_sorts(opened: webdriver.Chrome) -> None:
    header = opened.find_element(By.CSS_SELECTOR, "#table .tabulator-col[tabulator-field=median]")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", header)
    assert shown_rows(opened)[0][0] == "clone/none/stack:1M"
    header.click()
    wait("the smallest median is first", lambda: shown_rows(opened)[0][0].startswith("unshare/none"))
    header.click()
    wait(
        "the largest median is first",
        lambda: "drain" in shown_rows(opened)[0][1] and "1.00 ms" in shown_rows(opened)[0],
    )


def test_filters(opened: webdriver.Chrome) -> None:
    whole = opened.find_element(By.ID, "count").text
    assert whole.endswith("rows of base")
    opened.find_element(By.ID, "filter").send_keys("NEWPID")
    wait("fewer rows are counted", lambda: opened.find_element(By.ID, "count").text != whole)
    rows = shown_rows(opened)
    assert rows and all("NEWPID" in row[0] or row[0].startswith("clone/all eight") for row in rows)
    assert {row[0].split("/")[0] for row in rows} == {"clone"}
    count = int(opened.find_element(By.ID, "count").text.split()[0])
    expected = opened.execute_script(
        "return DATA.runs[0].rows.filter((row) => row.case.includes('NEWPID')).length"
    )
    assert count == expected > 500
    opened.find_element(By.ID, "filter").clear()
    opened.find_element(By.ID, "filter").send_keys("(")  # no expression: says so, breaks nothing
    assert opened.execute_script("return !document.getElementById('filter').checkValidity()")


def test_hovers_over_the_heat_map(opened: webdriver.Chrome) -> None:
    element = heat_map(opened)
    place = opened.execute_script(
        "const chart = echarts.getInstanceByDom(document.getElementById('sets'));"
        "const cell = chart.getOption().series[0].data.find((one) => one.cell.set === 'NEWNET-NEWPID');"
        "return chart.convertToPixel({seriesIndex: 0}, cell.value)"
    )
    size = element.size
    ActionChains(opened).move_to_element_with_offset(
        element, int(place[0] - size["width"] / 2), int(place[1] - size["height"] / 2)
    ).perform()
    text = wait(
        "a tooltip names the set",
        lambda: next(
            (one.text for one in element.find_elements(By.TAG_NAME, "div") if "net+pid" in one.text), ""
        ),
    )
    row = opened.execute_script(
        "return timeText(rowAt(DATA.runs[0], 'clone/NEWNET-NEWPID/stack:1M', 'create').delta, 'wall')"
    )
    assert "clone/NEWNET-NEWPID/stack:1M" in text and f"delta {row}" in text and "95%" in text


def test_switches_the_clock_and_compares_two_runs(opened: webdriver.Chrome) -> None:
    heat_map(opened)
    title = "return document.getElementById('sets-caption').textContent"
    assert opened.execute_script(title) == "clone, create: delta in µs"
    choose(opened, "second", "next")
    choose(opened, "shown", "median of the second run ÷ first")
    assert opened.execute_script(title) == "clone, create: next ÷ base"
    ratios = opened.execute_script(
        "return echarts.getInstanceByDom(document.getElementById('sets'))"
        ".getOption().series[0].data.map((one) => one.cell.figure)"
    )
    assert len(ratios) == 256 and all(abs(ratio - 1.25) < 0.1 for ratio in ratios)
    choose(opened, "shown", "delta")
    choose(opened, "clock", "instructions")
    assert opened.execute_script(title) == "clone, create: delta in thousand instructions"
    offered = [
        option.text for option in opened.find_elements(By.CSS_SELECTOR, "#first option, #second option")
    ]
    assert offered == ["lab", "none", "lab"]  # a run by wall time is never offered beside one by instructions
    wait(
        "the table is of the other run",
        lambda: opened.find_element(By.ID, "count").text.endswith("rows of lab")
        and "instr." in shown_rows(opened)[0][3],
    )


def test_all_charts_are_drawn_in_light_and_dark(opened: webdriver.Chrome) -> None:
    for _ in range(2):
        for element in opened.find_elements(By.CLASS_NAME, "chart"):
            opened.execute_script("arguments[0].scrollIntoView()", element)
            wait(
                f"{element.get_attribute('id')} is drawn or says why not",
                lambda: element.find_elements(By.TAG_NAME, "svg") or element.text,
            )
        empty = {
            element.get_attribute("id") for element in opened.find_elements(By.CSS_SELECTOR, ".chart.empty")
        }
        assert empty == {"kernels"}  # all three runs are of one kernel, and what next has not been probed for is of base
        opened.find_element(By.ID, "theme").click()
    choose(opened, "scale", "linear")
    opened.find_element(By.ID, "kind-net").click()
    assert (
        opened.execute_script(
            "return echarts.getInstanceByDom(document.getElementById('sets')).getOption().series[0].data.length"
        )
        == 127
    )


def test_the_flame_graph(opened: webdriver.Chrome) -> None:
    assert len(opened.find_elements(By.CSS_SELECTOR, "#flame rect")) == 9
    opened.find_element(By.ID, "flame-find").send_keys("leaf_3")
    found = wait(
        "what is looked for is marked",
        lambda: opened.execute_script(
            "return [...document.querySelectorAll('#flame rect')]"
            ".filter((one) => one.getAttribute('fill') === '#56B4E9').length"
        ),
    )
    assert found == 1


def test_words_and_files(opened: webdriver.Chrome, page: Path) -> None:
    words = opened.find_element(By.ID, "summary").text
    base = opened.execute_script(
        "return timeText(rowAt(DATA.runs[0], 'clone/none/stack:1M', 'create').median, 'wall')"
    )
    net = opened.execute_script(
        "return timeText(rowAt(DATA.runs[0], 'clone/NEWNET/stack:1M', 'create').delta, 'wall')"
    )
    assert (
        f"clone without namespaces takes {base} until" in words
        and f"Alone, the kinds add to clone: net {net}, mnt" in words
    )
    assert "1 were not to be had or failed: no cgroup2, not here (1)" in words
    assert "a <warning> & more" in words
    assert "base has the wall clock, lab instructions: they are never compared." in words
    assert opened.execute_script("return DATA.runs[0].csv") == (page.parent / "base/results.csv").read_text()
    assert opened.execute_script("return DATA.runs[0].rows.at(-1).reason") == "no cgroup2, not here"
    assert "Apache License" in opened.execute_script("return document.body.textContent")


def test_standard_output_and_a_run_without_extras(tmp_path: Path) -> None:
    run = write_run(tmp_path / "one", [result_row("clone/none/stack:1M", "create", 1000.0)])
    made = subprocess.run([SCRIPTS / "report.py", run / "results.csv", "-o", "-"], capture_output=True, text=True, timeout=300)
    assert made.returncode == 0 and made.stdout.startswith("<!DOCTYPE html>") and made.stderr == ""


@pytest.mark.parametrize(
    "given, says",
    [
        ("", "--out=: empty"),
        (".", "--out=.: a folder"),
        ("/nowhere/report.html", "--out=/nowhere/report.html: there is no folder /nowhere"),
    ],
)
def test_an_output_that_is_no_file(tmp_path: Path, given: str, says: str) -> None:
    run = write_run(tmp_path / "one", [result_row("clone/none/stack:1M", "create", 1000.0)])
    made = report(run, "-o", given)
    assert made.returncode == 2 and says in made.stderr and made.stderr.count("\n") == 1


def bad(tmp_path: Path, how: str) -> list[Path]:
    """Runs that cannot be shown."""
    folder = write_run(tmp_path / "run", [result_row("clone/none/stack:1M", "create", 1000.0)])
    results = folder / "results.csv"
    text = results.read_text()
    header, row = text.splitlines()
    if how == "no rows":
        results.write_text(header + "\n")
    elif how == "cut":
        results.write_text(text[:-9])
    elif how == "column":
        results.write_text(text.replace(",median,", ",middle,"))
    elif how == "schema":
        (folder / "run.json").write_text(
            (folder / "run.json").read_text().replace('"schema_version": 1', '"schema_version": 9')
        )
    elif how == "nan":
        results.write_text(text.replace("1000.000", "nan"))
    elif how == "absent":
        return [tmp_path / "nowhere"]
    elif how == "twice":
        return [folder, folder]
    elif how == "hundred":
        return [folder] * 100
    elif how == "samples":
        (folder / "samples.csv").write_text("run_id,kernel\n1")
    elif how == "stacks":
        (folder / "stacks.folded").write_text("no weight\n")
    return [folder]


BAD = {
    "no rows": "no rows",
    "cut": "within a line",
    "column": "column median is missing",
    "schema": "schema_version 9",
    "nan": "not a number",
    "absent": "No such file",
    "twice": "the same run",
    "hundred": "100 runs",
    "samples": "within a line",
    "stacks": "not a folded stack",
}


@pytest.mark.parametrize("script", ["report.py", "plot.py"])
@pytest.mark.parametrize("how", BAD)
def test_what_cannot_be_shown_is_one_line(tmp_path: Path, how: str, script: str) -> None:
    made = completed(SCRIPTS / script, [*bad(tmp_path, how), "-o", tmp_path / "out", "--quiet"])
    assert (made.returncode, made.stdout) == (2, "")
    assert made.stderr.startswith(f"{script}: ") and BAD[how] in made.stderr and made.stderr.count("\n") == 1
    assert not (tmp_path / "out").is_file()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody without permission")
@pytest.mark.parametrize("script", ["report.py", "plot.py"])
def test_a_folder_without_permission(tmp_path: Path, script: str) -> None:
    folder = write_run(tmp_path / "run", [result_row("clone/none/stack:1M", "create", 1000.0)])
    folder.chmod(0)
    made = subprocess.run(
        [
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "/usr/bin/python3",
            SCRIPTS / script,
            folder,
        ],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (
        (made.returncode, made.stdout) == (2, "")
        and made.stderr.count("\n") == 1
        and "Permission denied" in made.stderr
    )
