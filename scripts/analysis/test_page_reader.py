"""The page's reader of CSV on lines that are made up: in Chromium it gives the fields that were written."""
import csv
import io
import json
import random
from pathlib import Path

import pytest

pytest.importorskip("selenium", reason="python3-selenium is missing")
from selenium import webdriver

READER = Path(__file__).resolve().parents[1] / "page" / "data.js"
LETTERS = 'ab1.-,,"" <>&\'\\\u2028\ufffdé\U0001f600'
LINES = 3000


def line_of(fields: list[str]) -> str:
    """As nsbench writes it (csv_field in src/core/utf8.cpp): quotes where a field has a comma or a quote, and elsewhere none."""
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(fields)
    return out.getvalue() if len(fields) > 1 or fields[0] else ""


def test_fields_are_read_as_they_were_written(browser: webdriver.Chrome) -> None:
    made = random.Random(1)
    rows = [["".join(made.choices(LETTERS, k=made.choice((0, 0, 1, 3, 40)))) for _ in range(made.randint(1, 6))] for _ in range(LINES)]
    rows += [["", '"'], ['"'], ["", "", ","], ["x" * 100_000, '""', ""]]
    browser.get("about:blank")
    script = f"{READER.read_text()}\nreturn arguments[0].map(fieldsOf);"
    for row, read in zip(rows, browser.execute_script(script, [line_of(row) for row in rows]), strict=True):
        assert read == row, json.dumps(row)


def test_a_figure_that_is_not_there_is_none(browser: webdriver.Chrome) -> None:
    browser.get("about:blank")
    script = f"{READER.read_text()}\nreturn rowsOf(arguments[0], {{median: {{unit: 'ns'}}, reason: {{}}}});"
    rows = browser.execute_script(script, 'reason,median\n"a, ""b""",1.5\n,\n\n"",2\n')
    assert rows == [{"reason": 'a, "b"', "median": 1.5}, {"reason": "", "median": None}, {"reason": "", "median": 2}]
