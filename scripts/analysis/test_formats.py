"""Tests of how figures are written: by Python and by the page, from the vectors that the C++ test reads too."""
import csv
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from analysis import columns, kinds, render

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "page"
with (HERE / "format_vectors.csv").open(encoding="utf-8", newline="") as vectors:
    VECTORS = [(row["what"], float(row["value"]), row["text"]) for row in csv.DictReader(vectors)]
# What the table of nsbench, which has no room for it, leaves out behind a number of instructions.
PYTHON = {"instructions": " instructions"}
PAGES = {"instructions": " instr."}


@pytest.mark.parametrize("what, value, text", VECTORS)
def test_python_writes_the_shared_vectors(what: str, value: float, text: str) -> None:
    alone = {"bytes": kinds.bytes_text, "change": kinds.change}
    said = alone[what](value) if what in alone else kinds.time_text(value, what)
    assert said == text + PYTHON.get(what, "")


@pytest.mark.parametrize("value, text", [(value, text) for what, value, text in VECTORS if what == "wall"])
def test_a_comparison_writes_them_too(value: float, text: str) -> None:
    assert render.ticks(value, "ns") == text


@pytest.mark.parametrize("value, text", [(value, text) for what, value, text in VECTORS if what == "change"])
def test_a_comparison_writes_changes_so(value: float, text: str) -> None:
    """With the terminal's own minus, as its tables always had it."""
    assert render.change(value) == text.replace("−", "-")
    assert render.change(float("nan")) == "?"


def by_page(script: str, expression: str, given: object) -> object:
    """What the expression on `given` is where this script of the page is loaded."""
    node = shutil.which("node")
    if not node:
        pytest.skip("node is missing: apt-get install npm")
    program = (
        "const read = (file) => require('fs').readFileSync(file, 'utf8');"
        f"require('vm').runInThisContext(read({json.dumps(str(PAGE / script))}));"
        f"const given = JSON.parse(read(0)); console.log(JSON.stringify({expression}));"
    )
    done = subprocess.run([node, "-e", program], input=json.dumps(given), capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_the_page_writes_the_shared_vectors() -> None:
    expression = "given.map(([what, value]) => ({bytes: bytesText, change: changeOf})[what]?.(value) ?? timeText(value, what))"
    said = by_page("figures.js", expression, VECTORS)
    assert said == [text + PAGES.get(what, "") for what, _, text in VECTORS]


def test_the_vectors_have_what_is_rounded_into_the_next_unit_and_halves() -> None:
    said = {(what, value): text for what, value, text in VECTORS}
    assert said["wall", 999.6] == "1.00 µs" and said["wall", 1225] == "1.23 µs" and said["instructions", 999.6] == "1.00 k"


def test_the_page_knows_from_the_dictionary_which_columns_hold_numbers() -> None:
    """Also of those that came later, such as the resolution."""
    units = {one.name: {"unit": one.unit} for one in columns.of("results.csv").values()}
    rows = by_page("data.js", "rowsOf(given.csv, given.units)", {"csv": "case,resolution\na,1.5\nb,\n", "units": units})
    assert rows == [{"case": "a", "resolution": 1.5}, {"case": "b", "resolution": None}]
