"""Tests of the report's page in a headless Chromium: that nothing covers anything at any width, what is printed, what is said
for who does not see it, and a page of two kernels whose runs have one name, with the probe beside them."""
import base64
import itertools
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("pandas", reason="python3-pandas is missing")
pytest.importorskip("selenium", reason="python3-selenium is missing")
from selenium import webdriver

import thorough
from analysis.fixtures_full import full_run
from analysis.test_page import choose, report, wait

pytestmark = pytest.mark.usefixtures("libraries")

KERNELS = {"old": ("6.1.0-9-amd64", 1.0), "new": ("6.12.1-2-amd64", 1.25)}

# Pairs of texts of one chart that cover each other by more than a pixel, and texts that the chart's edge cuts off.
COVERED = """
const found = [];
const common = (a, b, low, high) => Math.min(a[high], b[high]) - Math.max(a[low], b[low]) > 1;
for (const chart of document.querySelectorAll(".chart svg")) {
  const id = chart.closest(".chart").id, whole = chart.getBoundingClientRect();
  const texts = [...chart.querySelectorAll("text")]
    .filter((one) => one.textContent.trim())
    .map((one) => [one.textContent, one.getBoundingClientRect()]);
  texts.forEach(([text, box], index) => {
    if (box.left < whole.left - 1 || box.right > whole.right + 1) found.push(`${id}: ${text} is cut`);
    if (box.top < whole.top - 2 || box.bottom > whole.bottom + 2) found.push(`${id}: ${text} is cut`);
    for (const [other, its] of texts.slice(index + 1))
      if (common(box, its, "left", "right") && common(box, its, "top", "bottom")) found.push(`${id}: ${text} and ${other}`);
  });
}
return found;
"""
DRAWN = """
return [...document.querySelectorAll(".chart")]
  .filter((one) => !one.querySelector("svg") && !one.classList.contains("empty"))
  .map((one) => one.id);
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of two kernels, by instructions; the folders have one name, and the probe's runs lie in them."""
    folder = tmp_path_factory.mktemp("kernels")
    for name, (kernel, factor) in KERNELS.items():
        (folder / name).mkdir()
        run = full_run(folder / name / "run", "instructions", factor, 4, False, kernel, name)
        (run / "samples.csv").unlink()
        full_run(run / "probe", "instructions", factor, 4, True, kernel, f"{name}-probe")
    made = report(folder / "new/run", folder / "old/run", "-o", folder / "report.html")
    assert (made.returncode, made.stderr) == (0, "")
    return folder / "report.html"


def open_page(browser: webdriver.Chrome, page: Path, width: int, theme: str = "light") -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]})
    browser.get(page.as_uri())
    wait("the page is drawn", lambda: browser.execute_script("return document.documentElement.dataset.ready === 'yes'"))


@pytest.fixture
def opened(browser: webdriver.Chrome, page: Path) -> Iterator[webdriver.Chrome]:
    open_page(browser, page, 1280)
    browser.get_log("browser")
    yield browser
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert [entry["message"] for entry in browser.get_log("browser")] == []


WIDTHS, THEMES = (400, 800, 1280), ("light", "dark")


@pytest.mark.parametrize(
    ("width", "theme"), thorough.of(list(zip(WIDTHS, itertools.cycle(THEMES))), list(itertools.product(WIDTHS, THEMES)))
)
def test_nothing_covers_anything(browser: webdriver.Chrome, page: Path, width: int, theme: str) -> None:
    open_page(browser, page, width, theme)
    assert browser.execute_script("return document.documentElement.dataset.theme") == theme
    browser.execute_script("restyle(true)")
    for scale in ("log", "value"):
        browser.execute_script("STATE.scale = arguments[0]; redraw()", scale)
        assert browser.execute_script(DRAWN) == []
        assert browser.execute_script("return document.querySelectorAll('.chart svg text').length") > 150
        assert browser.execute_script(COVERED) == []
    widths = browser.execute_script("return [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert widths[0] == widths[1] <= width, "nobody scrolls sideways"
    tallest = "return Math.max(...[...document.querySelectorAll('.changes tr, .figures tr')].map((one) => one.offsetHeight))"
    assert browser.execute_script(tallest) < 40, "tables that are too wide scroll, and break no words"


def test_what_covers_something_is_found(opened: webdriver.Chrome) -> None:
    """The check above, with a chart squeezed."""
    opened.execute_script("restyle(true); echarts.getInstanceByDom(document.getElementById('sets')).resize({width: 300})")
    assert any(line.startswith("sets: ") for line in opened.execute_script(COVERED))


def test_a_printed_page_has_all_charts(browser: webdriver.Chrome, page: Path) -> None:
    open_page(browser, page, 1280, "dark")
    assert browser.execute_script(DRAWN) != [], "those that were not in view are not drawn"
    browser.execute_script(
        "addEventListener('beforeprint', () => { window.printed = { missing: (() => {" + DRAWN + "})(), covered: (() => {" + COVERED
        + "})(), theme: document.documentElement.dataset.theme, width: document.getElementById('sets').clientWidth,"
        " flame: [...document.querySelectorAll('#flame rect')].some((frame) => frame.getBoundingClientRect().width > 100) }; })"
    )
    pdf = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"])
    assert pdf.startswith(b"%PDF")
    printed = browser.execute_script("return window.printed")
    assert printed == {"missing": [], "covered": [], "theme": "light", "width": 690, "flame": True}
    wait("the screen is as it was", lambda: browser.execute_script("return document.documentElement.dataset.theme === 'dark'"))
    assert browser.execute_script("return document.getElementById('sets').clientWidth") > 1000


def test_contents_and_title(opened: webdriver.Chrome) -> None:
    assert opened.title == "nsbench: 2 kernels, 6.1.0-9-amd64 to 6.12.1-2-amd64 · new/run, old/run"
    sections = opened.execute_script("return [...document.querySelectorAll('main > section')].map((one) => '#' + one.id)")
    links = opened.execute_script("return [...document.querySelectorAll('nav a')].map((one) => one.getAttribute('href'))")
    assert links == sections and len(links) > 10
    assert sections[0] == "#changes", "where there are several kernels, what changed is first"


def test_what_changed_is_judged_as_compare_does(opened: webdriver.Chrome, page: Path) -> None:
    said = opened.execute_script("return document.getElementById('changes').textContent")
    compared = subprocess.run(
        [Path(__file__).resolve().parents[1] / "compare.py", page.parent / "old/run", page.parent / "new/run"],
        capture_output=True, text=True, timeout=100,
    ).stdout
    counts = re.search(r"^(\d+) of (\d+) rows slower .*, (\d+) faster", compared, re.M)
    assert counts and int(counts[1]) > 1000
    assert f"{counts[1]} slower, {counts[3]} faster of {counts[2]} rows" in said and counts[0] in said
    assert "6.1 → 6.12" in said and "clone net+25.0%" in said


def test_functions_from_kernel_to_kernel(opened: webdriver.Chrome) -> None:
    """Those of the probe's runs, which were not named."""
    heads = opened.execute_script("return [...document.querySelectorAll('#function-table tr')[0].children].map((one) => one.textContent)")
    assert heads == ["function", "6.1", "6.12", "self, last ÷ first"]
    line = opened.execute_script(
        "return [...[...document.querySelectorAll('#function-table tr')].find((one) => one.textContent.startsWith('function_13'))"
        ".children].map((one) => one.textContent)"
    )
    assert line == ["function_13", "14.0 k", "9.00 k", "14.0 k", "9.00 k", "+0.0%"]
    opened.execute_script("restyle(true)")
    assert opened.execute_script("return document.getElementById('functions-caption').textContent").startswith("new/run/probe:")
    assert len(opened.find_elements("css selector", "#flame rect")) == 9, "the flame graph is open too"
    # One look for a function, whatever else is in the panel.
    look = (
        "return JSON.stringify(echarts.getInstanceByDom(document.getElementById('functions')).getOption().series"
        ".filter((one) => one.name === 'function_9').map((one) => [one.itemStyle.color, one.itemStyle.decal]))"
    )
    first = opened.execute_script(look)
    choose(opened, "path", "teardown by the kernel's workers")
    assert opened.execute_script(look) == first != "[]"


def test_panels_have_linear_axes_from_zero(opened: webdriver.Chrome) -> None:
    opened.execute_script("STATE.scale = 'log'; restyle(true)")
    axes = opened.execute_script(
        "return echarts.getInstanceByDom(document.getElementById('kernels')).getOption().yAxis.map((one) => [one.type, one.min])"
    )
    assert len(axes) == 10 and all(kind == "value" and least <= 0 for kind, least in axes)
    heads = opened.execute_script(
        "return echarts.getInstanceByDom(document.getElementById('kernels')).getOption().title.map((one) => one.subtext)"
    )
    assert all(re.fullmatch(r"\S+( k| M)? → \S+( k| M)?, (\+|×)\S+", head) for head in heads), heads


def test_what_has_no_place_on_a_logarithmic_axis_is_said(opened: webdriver.Chrome) -> None:
    opened.execute_script("rowAt(STATE.first, 'clone/NEWUTS/stack:1M', 'create').delta = -329; restyle(true)")
    notes = {name: opened.execute_script(f"return document.getElementById('{name}-note').textContent") for name in ("sets", "added")}
    assert "uts −329 instr." in notes["added"] and "down to −329 instr. of uts" in notes["sets"]
    choose(opened, "scale", "linear")
    assert opened.execute_script("return document.getElementById('added-note').hidden && document.getElementById('sets-note').hidden")


def test_charts_are_said_in_real_units(opened: webdriver.Chrome) -> None:
    opened.execute_script("restyle(true)")
    said = opened.execute_script(
        "return Object.fromEntries([...document.querySelectorAll('.chart[role=img]')]"
        ".map((one) => [one.id, one.getAttribute('aria-label')]))"
    )
    net = opened.execute_script("return timeText(rowAt(STATE.first, 'clone/NEWNET/stack:1M', 'create').delta, 'instructions')")
    assert f"net {net}" in said["added"] and net.endswith(" instr.")
    assert set(said) == {"sets", "added", "sums", "pairs", "kernels", "stacks", "growth", "phases", "drain", "functions", "memory", "sites"}
    for name, text in said.items():
        assert not re.search(r"\d\.\d{4}", text), f"{name}: {text}"  # ECharts' own words have the figures as they are drawn
        assert name == "sums" or re.search(r"instr|KiB| k\b", text), f"{name}: {text}"


def test_without_an_interval_nothing_is_told(opened: webdriver.Chrome) -> None:
    opened.execute_script(
        "for (const name of ['NEWUTS', 'NEWNET-NEWPID'])"
        " Object.assign(rowAt(STATE.first, `clone/${name}/stack:1M`, 'create'), {delta_low: null, delta_high: null});"
        "restyle(true)"
    )
    note = opened.execute_script("return document.getElementById('added-note').textContent")
    assert note == "Hollow, without an interval, so that nothing tells them from zero: uts."
    marks = opened.execute_script(
        "return echarts.getInstanceByDom(document.getElementById('added')).getOption().series[0].data"
        ".filter((one) => one.symbol.startsWith('empty')).map((one) => one.value[2])"
    )
    assert marks == ["NEWUTS"]
    said = opened.execute_script("return document.getElementById('sums').getAttribute('aria-label')")
    # uts alone has its delta, so that sums with it can be made: they are told by the sets' intervals.
    counts = [int(count) for count in re.findall(r"(\d+) sets: ", said)]
    assert said.count("1 sets: no interval") == 1 and len(counts) == 3 and sum(counts) == 247
