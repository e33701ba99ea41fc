"""Tests of the report's flame graph: of recorded exact profiles, and of how two runs differ, frame by frame."""
import lzma
from pathlib import Path

import pytest

pytest.importorskip("pandas", reason="python3-pandas is missing")
pytest.importorskip("selenium", reason="python3-selenium is missing")
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from analysis import stacks
from analysis.fixtures import result_row, write_run
from analysis.test_page import choose, report, wait

pytestmark = pytest.mark.usefixtures("libraries")

CASE = "clone/NEWNET/stack:1M"
PARTS = "clone/NEWIPC/stack:1M"  # with several parts
BASE = f"""{CASE};create;[call];outer 1000
{CASE};create;[call];outer;grown 2000
{CASE};create;[call];outer;shrunk 3000
{CASE};create;[call];outer;same 500
{CASE};create;[call];outer;gone 700
{CASE};create;[call];outer;small 6
{PARTS};create;[call];outer 1000
{PARTS};destroy;do_exit 3000
{PARTS};async;process_one_work 10
"""
NEW = f"""{CASE};create;[call];outer 1000
{CASE};create;[call];outer;grown 5000
{CASE};create;[call];outer;shrunk 2000
{CASE};create;[call];outer;same 500
{CASE};create;[call];outer;fresh 40
{CASE};create;[call];outer;small 40
{PARTS};create;[call];outer 1500
{PARTS};destroy;do_exit 1000
{PARTS};async;process_one_work 10
"""


def profiled(folder: Path, text: str) -> Path:
    """A run with folded stacks as the recorded ones are kept."""
    write_run(folder, [result_row(CASE, "create", 1000.0, clock="instructions", unit="instructions")], clock="instructions")
    (folder / f"{stacks.FILE}.xz").write_bytes(lzma.compress(text.encode()))
    return folder


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("flame")
    made = report(profiled(folder / "base", BASE), profiled(folder / "next", NEW), "-o", folder / "report.html")
    assert (made.returncode, made.stderr) == (0, "")
    return folder / "report.html"


@pytest.fixture
def opened(browser: webdriver.Chrome, page: Path) -> webdriver.Chrome:  # noqa: F811
    browser.get_log("browser")
    browser.get(page.as_uri())
    wait("the page is drawn", lambda: browser.execute_script("return document.documentElement.dataset.ready === 'yes'"))
    return browser


def fills(opened: webdriver.Chrome) -> dict[str, list[int]]:
    """Red, green and blue of each frame by its name."""
    found = opened.execute_script(
        "return [...document.querySelectorAll('#flame g.frame')]"
        ".map((one) => [one.__data__.data.name, getComputedStyle(one.querySelector('rect')).fill])"
    )
    return {name: [int(part) for part in fill[4:-1].split(",")] for name, fill in found}


MARKED = "<u>marked"  # as text, and as HTML another element


def test_names_of_runs_and_frames_are_text(browser: webdriver.Chrome, tmp_path: Path) -> None:
    text = f"{CASE};create;{MARKED} 1000\n"
    made = report(profiled(tmp_path / "base", text), profiled(tmp_path / MARKED, text), "-o", tmp_path / "report.html")
    assert (made.returncode, made.stderr) == (0, "")
    browser.get((tmp_path / "report.html").as_uri())
    wait("the page is drawn", lambda: browser.execute_script("return document.documentElement.dataset.ready === 'yes'"))
    choose(browser, "second", MARKED)
    header = "return document.querySelector('#table .tabulator-col[tabulator-field=other]')?.textContent.trim()"
    wait("the table has both", lambda: browser.execute_script(header))
    assert browser.execute_script(header) == f"median of {MARKED}"
    assert browser.execute_script("return table.getColumns().find((one) => one.getField() === 'other').getDefinition().titleDownload") == (
        f"median of {MARKED}")
    browser.execute_script(
        "[...document.querySelectorAll('#flame g.frame')].find((one) => one.__data__.data.name === arguments[0])"
        ".dispatchEvent(new MouseEvent('mouseover'))", MARKED)
    assert browser.find_element(By.ID, "flame-details").text.startswith(f"{MARKED}: 1.00 k instr.")
    assert browser.execute_script("return document.querySelectorAll('u').length") == 0


def shown_of(*texts: str) -> list[dict[str, stacks.Shown]]:
    return stacks.shown([stacks.trees(text) for text in texts])


def test_a_frame_is_kept_in_all_runs_or_in_none() -> None:
    base, new = (one[CASE]["children"][0]["children"][0]["children"][0] for one in shown_of(BASE, NEW))
    assert {child["name"] for child in base["children"]} == {"grown", "shrunk", "same", "gone", "small"}
    alone = shown_of(BASE)[0][CASE]["children"][0]["children"][0]["children"][0]
    assert "small" not in {child["name"] for child in alone["children"]}
    assert {child["name"] for child in new["children"]} == {"grown", "shrunk", "same", "fresh", "small"}


def test_the_change_is_red_and_blue(opened: webdriver.Chrome) -> None:
    assert "grown" in fills(opened)  # the compressed stacks are read
    choose(opened, "flame-shown", "change to the second run")
    assert "Choose a second run" in opened.find_element(By.ID, "flame").text
    choose(opened, "second", "next")
    shown = wait("the change is drawn", lambda: fills(opened))
    for name, (red, _, blue) in shown.items():
        if name in ("grown", "fresh", "small"):
            assert red > blue, name
        elif name == "shrunk":
            assert blue > red, name
        else:
            assert abs(red - blue) < 9, name
    assert "gone" not in shown
    assert shown["grown"][1] < shown["fresh"][1]  # the larger, the stronger
    said = opened.find_element(By.ID, "flame-change").text
    assert said.startswith(f"From base to next, {CASE}: +1.37 k instr. per execution "
                           "(grown +3.00 k instr., shrunk −1.00 k instr., gone −700 instr.")
    assert "What next has no more, −700 instr. of that, is not in the graph." in said
    assert opened.get_log("browser") == []


def test_the_change_of_a_case_is_told_by_its_parts(opened: webdriver.Chrome) -> None:
    choose(opened, "second", "next")
    choose(opened, "flame-case", PARTS)
    choose(opened, "flame-shown", "change to the second run")
    said = opened.find_element(By.ID, "flame-change").text
    assert said.startswith(f"From base to next, {PARTS}: −1.50 k instr. per execution, of which create +500 instr., "
                           "destroy −2.00 k instr., async ±0 (do_exit −2.00 k instr., outer +500 instr.)")
    assert opened.get_log("browser") == []


def test_the_keys_go_from_frame_to_frame(opened: webdriver.Chrome) -> None:
    choose(opened, "second", "next")
    choose(opened, "flame-shown", "change to the second run")
    element = opened.find_element(By.ID, "flame")
    assert element.get_attribute("aria-label").startswith(f"Flame graph of {CASE}")
    for key in (Keys.ARROW_DOWN,) * 5 + (Keys.ARROW_RIGHT,) * 2:
        element.send_keys(key)
    said = opened.find_element(By.ID, "flame-details").text
    assert said.startswith("shrunk: 2.00 k instr. per execution") and "itself −1.00 k instr. (3.00 k instr. → 2.00 k instr.)" in said
    element.send_keys(Keys.ENTER)
    wait("it is enlarged", lambda: opened.execute_script(
        "return [...document.querySelectorAll('#flame g.frame')].find((one) => one.__data__.data.name === 'shrunk')"
        ".getBoundingClientRect().width > 0.9 * document.getElementById('flame').clientWidth"))
    assert opened.get_log("browser") == []
