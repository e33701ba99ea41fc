"""Tests of the page of a history of kernels in a browser: a step, its titles, and how two kernels differ as a flame graph."""
from pathlib import Path

import pytest

pytest.importorskip("selenium", reason="python3-selenium is missing")
from selenium import webdriver
from selenium.webdriver.common.by import By

from analysis import stacks
from analysis.test_page import choose, report, wait
from lab.history import carry, interactive, recorded_stacks, table
from lab.history.recorded_stacks import Of
from lab.test_history import kernel, row

pytestmark = pytest.mark.usefixtures("libraries")

CASE = "clone/NEWUTS/stack:1M"
TWICE = "unshare/NEWUTS"  # measured by two plans
VERSIONS = ("6.1.170-1", "6.1.171-1", "6.1.172-1")
NAMES = [f"{version}-cloud-amd64" for version in VERSIONS]
STEP = {
    "from": NAMES[0], "from_version": VERSIONS[0], "to": NAMES[1], "to_version": VERSIONS[1], "kind": "update", "function": "copy_utsname",
    "instructions": 200, "also": [],
    "rows": [{"case": CASE, "phase": "create", "before": 100, "after": 300, "resolution": 2}],
    "functions": [{"function": "copy_utsname", "before": 10, "after": 210}],
    "titles": {"titles_between": 9, "unlisted": ["6.1.171"], "functions": {
        "copy_utsname": {"file": "kernel/utsname.c", "titles": ["utsname: copy it <twice>"], "more": 2},
        "kfree": {"file": None, "titles": []}}}}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("history")
    members = [kernel(version) for version in VERSIONS]
    table.write(folder / table.FILE, [row(one, value) for one, value in zip(members, (100, 300, 300))])
    carry.write_json(folder / interactive.STEPS, [STEP])
    trees = {}
    for name, version, own in zip(NAMES, VERSIONS, (10, 210)):
        of = Of(name, version, "p", CASE, "create")
        trees[of] = stacks.tree([(["[call]"], 50), (["[call]", "copy_utsname"], own), (["[call]", f"only_{own}"], 7)],
                                recorded_stacks.named(of))
        twice = Of(name, version, f"q of {version}", TWICE, "create")
        trees[twice] = stacks.tree([(["[call]"], 50)], recorded_stacks.named(twice))
    recorded_stacks.write(folder / recorded_stacks.FILE, trees)
    made = report(folder, "-o", folder / "kernels.html")
    assert (made.returncode, made.stderr) == (0, "")
    return folder / "kernels.html"


@pytest.fixture
def opened(browser: webdriver.Chrome, page: Path) -> webdriver.Chrome:
    browser.get_log("browser")
    browser.get(page.as_uri())
    wait("the page is drawn", lambda: browser.execute_script("return document.documentElement.dataset.ready === 'yes'"))
    return browser


def text_of(opened: webdriver.Chrome, name: str) -> str:
    return str(opened.find_element(By.ID, name).text)


def test_two_kernels_differ_frame_by_frame(opened: webdriver.Chrome) -> None:
    assert text_of(opened, "flame-change").startswith(
        f"From {NAMES[0]} to {NAMES[1]}, {CASE} create: +200 instr. per execution (copy_utsname +200 instr., only_210 +7.00 instr., "
        f"only_10 −7.00 instr.). What {NAMES[1]} has no more, −7.00 instr. of that, is not in the graph.")
    names = opened.execute_script("return [...document.querySelectorAll('#flame g.frame')].map((one) => one.__data__.data.name)")
    assert {"[call]", "copy_utsname", "only_210"} <= set(names)
    assert opened.get_log("browser") == []


def test_what_makes_missing_stacks_is_said(opened: webdriver.Chrome) -> None:
    choose(opened, "history-to", "6.1.172, gcc-12 (no stacks)")
    assert text_of(opened, "flame") == (f"No stacks of {CASE} are kept of {NAMES[2]}: scripts/lab.py history --stacks={VERSIONS[2]} -- "
                                        f"--case={CASE} makes them.")
    assert not opened.find_element(By.ID, "flame-change").is_displayed()
    choose(opened, "history-to", "6.1.170, gcc-12")
    assert "±0 per execution (no function differs)" in text_of(opened, "flame-change")


def test_stacks_of_two_plans_are_not_held_against_each_other(opened: webdriver.Chrome) -> None:
    choose(opened, "history-case", TWICE)
    assert text_of(opened, "flame") == ("The two were measured by different plans, and are not held against each other: the history must "
                                        "be measured by one plan first, and their stacks made anew by it.")


def test_a_chosen_step_shows_its_functions_titles_and_kernels(opened: webdriver.Chrome) -> None:
    choose(opened, "history-from", "6.1.172, gcc-12 (no stacks)")
    opened.find_element(By.CSS_SELECTOR, "#history-steps td").click()
    said = text_of(opened, "history-steps")
    assert "copy_utsname 10 210 +200" in said
    assert "9 titles of patches between the two. Of kfree the file is not known: only the name was looked for. Of 6.1.171 " \
        "the changelog lists no patch. A title does not say" in said
    assert "copy_utsname kernel/utsname.c utsname: copy it <twice>" in said and "and 2 more" in said
    assert text_of(opened, "flame-change").startswith(f"From {NAMES[0]} to {NAMES[1]}")
    assert opened.get_log("browser") == []
