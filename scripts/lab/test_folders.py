"""Tests of where runs go that were not told where."""
import json
from pathlib import Path

import pytest

from lab import guest, runs
from lab.errors import LabError
from lab.folders import Keep
from lab.images import Image


def wanted(folder: Path, **lab: object) -> runs.Wanted:
    image = Image(folder.name, folder / "bzImage", "0" * 64, None)
    return runs.Wanted(image, guest.Machine("tcg", "", 512, 60), b"", folder, {"together": None, **lab}, Keep(), [], b"")


def measured(one: runs.Wanted) -> Path:
    one.folder.mkdir(parents=True)
    (one.folder / "run.json").write_text(json.dumps({"lab": one.lab}))
    return one.folder


def test_a_run_with_other_options_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    """One command of the README after the other; and the same command again finds what it made."""
    place = tmp_path / "6.1.0-56-cloud-amd64"
    made = [measured(runs.apart(wanted(place, arguments=[f"--samples={number}"]))) for number in (1, 2, 3)]
    assert [folder.name.removeprefix(place.name) for folder in made] == ["", "-2", "-3"]
    for number, folder in enumerate(made, 1):
        assert runs.apart(wanted(place, arguments=[f"--samples={number}"])).folder == folder


def test_a_folder_that_is_no_run_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "6.1").mkdir()
    assert runs.apart(wanted(tmp_path / "6.1")).folder.name == "6.1-2"
    with pytest.raises(LabError, match="no run of the lab"):
        wanted(tmp_path / "6.1").before()  # as with a folder that was named by --out


@pytest.mark.parametrize("text", ["", "{}", "[]", "\xff", '{"lab": []}', '{"lab": null}', '{"lab": "x"}',
                                  pytest.param("[" * 100_000, id="deep")])
def test_a_folder_with_another_run_json_is_told(tmp_path: Path, text: str) -> None:
    folder = measured(wanted(tmp_path / "6.1"))
    (folder / "run.json").write_text(text, encoding="latin1")
    with pytest.raises(LabError, match="6.1 exists and is no run of the lab"):
        wanted(folder).before()
