"""The manual: a page for each command, with every option, which man and mandoc find nothing wrong with."""

import filecmp
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from nsbench_harness import binary, measure
from options_harness import all_options

MANUAL = Path(__file__).resolve().parents[2] / "scripts/manual.py"


def written(folder):
    subprocess.run([MANUAL, folder], check=True, timeout=60, env={**os.environ, "NSBENCH_PROGRAM": binary()})
    return folder


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    return written(tmp_path_factory.mktemp("man"))


def test_each_command_has_a_page(pages):
    commands = [one for one in json.loads(measure("help", "--format=json").stdout)["commands"] if one["group"]]
    assert {path.name for path in pages.iterdir()} == {"nsbench.1", *(f"nsbench-{one['name']}.1" for one in commands)}
    assert (pages / "nsbench-run.1").resolve() == pages / "nsbench.1"
    for one in commands:
        page = (pages / f"nsbench-{one['name']}.1").read_text()
        assert one["name"] == "run" or f"\n.SH NAME\nnsbench\\-{one['name']} \\- " in page
        assert f"nsbench\\-{one['name']}\\fR(1)\n" in (pages / "nsbench.1").read_text()


def test_every_option_is_in_its_page(pages):
    for (name, *below), wanted in all_options().items():
        page = (pages / f"nsbench-{name}.1").read_text()
        if not below:
            page = page.split("\n.SH COMMANDS\n")[0]
        else:
            page = page.split(f"\n.SS {below[0]}\n".replace("-", r"\-"))[1].split("\n.SS ")[0]
        defined = {option.replace(r"\-", "-") for line in re.findall(r"^\.TP\n(.*)$", page, re.MULTILINE)
                   for option in re.findall(r"\\fB(\\-\\-[^\\]*(?:\\-[^\\]*)*)\\fR", line)}
        assert wanted == defined, (name, *below)


def test_pages_are_the_same_each_time(pages, tmp_path):
    names = [path.name for path in pages.iterdir()]
    assert filecmp.cmpfiles(pages, written(tmp_path / "again"), names, shallow=False) == (names, [], [])
    for name in names:
        text = (pages / name).read_text()
        assert str(Path(binary()).parent) not in text and str(MANUAL.parent) not in text, name


def test_man_finds_nothing_wrong(pages):
    if not shutil.which("man"):
        pytest.skip("man is missing: apt-get install man-db")
    for path in pages.iterdir():
        done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", path], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, timeout=30, env={**os.environ, "MANWIDTH": "80"})
        assert (done.returncode, done.stderr) == (0, ""), path.name


def test_mandoc_finds_nothing_wrong(pages):
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is missing: apt-get install mandoc")
    done = subprocess.run(["mandoc", "-Tlint", "-W", "warning", *pages.iterdir()], capture_output=True, text=True, timeout=30)
    # A date would differ from build to build.
    assert [line for line in done.stdout.splitlines() if "missing date" not in line] == []
