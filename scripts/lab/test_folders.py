"""Tests of the folders of runs: whole or not there, known by what was measured, and found where none was named."""
import json
import lzma
from pathlib import Path

import pytest

from lab import folders, guest, images, runs
from lab.errors import LabError


def wanted(folder: Path, **lab: object) -> runs.Wanted:
    image = images.Image(folder.name, folder / "bzImage", "0" * 64, None)
    return runs.Wanted(image, guest.Machine("tcg", "", 512, 60), b"", folder, {"together": None, **lab}, folders.Keep(), [], b"")


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


def finish(out: Path, image: images.Image, lab: dict[str, object]) -> Path:
    """A run's folder, made as a guest's files would make it."""
    part = out / (folders.PART + "x")
    part.mkdir()
    folders.publish(out / image.name, part, {"run.json": b'{"a": 1}', "results.csv": b"r\n", "dmesg": b""}, lab)
    part.rmdir()
    return out / image.name


def test_an_output_by_any_name_is_a_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what a guest says besides is not."""
    monkeypatch.setattr(folders, "OUTPUTS", {"ids.txt"})
    (tmp_path / "part").mkdir()
    folders.publish(tmp_path / "run", tmp_path / "part", {"run.json": b"{}", "ids.txt": b"a\n", "stdout": b"", "dmesg": b""}, {})
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["ids.txt", "run.json"]


def test_a_finished_run_is_known_by_its_inputs(tmp_path: Path) -> None:
    image = images.Image("k", Path("k"), "0")
    folder = finish(tmp_path, image, {"accel": "tcg", "memory_mb": 512})
    assert sorted(p.name for p in folder.iterdir()) == ["results.csv", "run.json"]
    assert folders.finished(folder, {"accel": "tcg", "memory_mb": 512})
    with pytest.raises(LabError, match="another memory_mb: give another --out"):
        folders.finished(folder, {"accel": "tcg", "memory_mb": 256})
    assert not folders.finished(tmp_path / "none", {})
    (folder / "run.json").write_text("{}")
    with pytest.raises(LabError, match="no run of the lab"):
        folders.finished(folder, {})


def test_a_folder_is_for_one_lab_at_a_time(tmp_path: Path) -> None:
    with folders.exclusive(tmp_path):
        with pytest.raises(LabError, match="another lab"), folders.exclusive(tmp_path):
            pass
    (tmp_path / (folders.PART + "left")).mkdir()
    with folders.exclusive(tmp_path):
        assert not list(tmp_path.iterdir())


def test_another_run_in_the_folder_is_replaced_in_one_step(tmp_path: Path) -> None:
    image = images.Image("k", Path("k"), "0")
    folder = finish(tmp_path, image, {"accel": "tcg"})
    other: dict[str, object] = {"accel": "kvm"}
    keep = folders.Keep(compressed=True, replace=True)
    assert not folders.finished(folder, other, keep)
    part = tmp_path / (folders.PART + "y")
    part.mkdir()
    folders.publish(folder, part, {"run.json": b"{}", "results.csv": b"new\n", "samples.csv": b"s\n"}, other, keep)
    assert sorted(p.name for p in folder.iterdir()) == ["results.csv", "run.json", "samples.csv.xz"]
    assert lzma.decompress((folder / "samples.csv.xz").read_bytes()) == b"s\n"
    assert (part / "ready" / "results.csv").read_bytes() == b"r\n"
    assert folders.finished(folder, other, keep)


@pytest.mark.parametrize("text", ["", "{}", "[]", "\xff", '{"lab": []}', '{"lab": null}', '{"lab": "x"}',
                                  pytest.param("[" * 100_000, id="deep")])
def test_a_folder_with_another_run_json_is_told(tmp_path: Path, text: str) -> None:
    folder = measured(wanted(tmp_path / "6.1"))
    (folder / "run.json").write_text(text, encoding="latin1")
    with pytest.raises(LabError, match="6.1 exists and is no run of the lab"):
        wanted(folder).before()
