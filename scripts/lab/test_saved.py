"""Tests of saved machines: their cache, their states, and what a copy sends. None is booted."""
import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lab import alone, copies, guest, images, in_states, initramfs, orders, runs, saved, states, variations
from lab.errors import LabError
from lab.fake_harness import IMAGE


def recipe(tmp_path: Path, **fields: Any) -> saved.Recipe:
    """A recipe that nothing is booted from."""
    return dataclasses.replace(saved.Recipe(guest.Machine(), tmp_path / "k", "0", "7", b"i", "a"), **fields)


def pretend(one: saved.Recipe, _: object = None, size: int = 1 << 20) -> None:
    """Makes the machine's folder without a guest."""
    one.folder.mkdir()
    (one.folder / "ram").write_bytes(os.urandom(size))
    (one.folder / "devices").write_bytes(b"d" * 100)
    digests = {name: saved.digest(one.folder / name) for name in ("ram", "devices")}
    (one.folder / "machine.json").write_text(f'{{"about": "{one.about}", "digests": {str(digests).replace(chr(39), chr(34))}}}')


def test_what_all_probing_copies_say_is_said_once() -> None:
    one = "Probe: clone/A\nbody\n\nprobe: 16 by fentry; 27.4 s\nprobe: same for all\n"
    other = "Probe: clone/B\nbody\n\nprobe: 17 by fentry; 27.5 s\nprobe: same for all\n"
    assert alone.probe_text({"clone/A": one, "clone/B": other}) == (
        "Probe: clone/A\nbody\n\nProbe: clone/B\nbody\n\nprobe: 16 by fentry (clone/A)\nprobe: same for all\n"
        "probe: 17 by fentry (clone/B)\n")


def test_a_machine_is_known_by_all_that_made_it(tmp_path: Path, cache: Path) -> None:
    keys = {recipe(tmp_path).key, recipe(tmp_path, kernel_sha256="1").key, recipe(tmp_path, qemu="8").key,
            recipe(tmp_path, initrd=b"j").key, recipe(tmp_path, boot=2).key,
            recipe(tmp_path, machine=guest.Machine(memory=600)).key, recipe(tmp_path, machine=guest.Machine(append="a")).key}
    assert len(keys) == 7
    assert recipe(tmp_path, about="b", kernel=tmp_path / "other").key == recipe(tmp_path).key


@pytest.mark.parametrize("harm", ["cut", "byte", "gone", "record"])
def test_a_damaged_machine_is_told_and_made_again(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch,
                                                  capsys: pytest.CaptureFixture, harm: str) -> None:
    one = recipe(tmp_path)
    monkeypatch.setattr(saved, "make", pretend)
    with saved.held(one, guest.Crowd()) as folder:
        assert saved.damage(folder) is None
        data = bytearray((folder / "ram").read_bytes())
        if harm == "byte":
            data[777_777] ^= 1
        if harm == "record":
            (folder / "machine.json").write_text("{}")
        elif harm == "gone":
            (folder / "ram").unlink()
        else:
            (folder / "ram").write_bytes(data[:-1] if harm == "cut" else data)
    with saved.held(one, guest.Crowd()) as folder:
        assert saved.damage(folder) is None
    assert capsys.readouterr().err.count("it is made again\n") == 1


@pytest.mark.parametrize("then", [IMAGE, IMAGE + b"\n", IMAGE[:4], None], ids=["same", "another", "cut", "gone"])
def test_no_machine_is_kept_of_a_kernel_that_was_built_again(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch,
                                                             then: bytes | None) -> None:
    (tmp_path / "k").write_bytes(IMAGE)
    one = recipe(tmp_path, kernel_sha256=guest.check_image(tmp_path / "k"))

    def boot(_: saved.Recipe, part: Path, __: guest.Crowd) -> bool:
        (tmp_path / "k").unlink()
        if then is not None:
            (tmp_path / "k").write_bytes(then)
        for name in ("ram", "devices"):
            (part / name).write_bytes(b"x")
        return True
    monkeypatch.setattr(saved, "boot", boot)
    if then == IMAGE:
        saved.make(one, guest.Crowd())
    else:
        with pytest.raises(LabError, match="changed since the run began: measure again"):
            saved.make(one, guest.Crowd())
    assert [path for path in cache.iterdir() if path.is_dir()] == ([one.folder] if then == IMAGE else [])


def test_a_digest_does_not_depend_on_holes(tmp_path: Path) -> None:
    data = b"\0" * (3 * saved.BLOCK) + b"x" + b"\0" * (2 * saved.BLOCK + 5)
    (tmp_path / "full").write_bytes(data)
    with open(tmp_path / "holes", "wb") as file:
        file.seek(3 * saved.BLOCK)
        file.write(b"x")
        file.truncate(len(data))
    with open(tmp_path / "within", "wb") as file:  # data that begins within a block
        file.truncate(len(data))
        file.seek(saved.BLOCK + 4096 * 3)
        file.write(b"y" * 4096)
    within = bytearray(len(data))
    within[saved.BLOCK + 4096 * 3:saved.BLOCK + 4096 * 4] = b"y" * 4096
    (tmp_path / "within-full").write_bytes(within)
    assert saved.digest(tmp_path / "within") == saved.digest(tmp_path / "within-full")
    (tmp_path / "shorter").write_bytes(data[:-1])
    assert saved.digest(tmp_path / "full") == saved.digest(tmp_path / "holes") != saved.digest(tmp_path / "shorter")


def test_the_cache_keeps_what_is_used_and_what_was_used_last(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NSBENCH_LAB_CACHE", "0.003")
    monkeypatch.setattr(saved, "make", pretend)
    many = [recipe(tmp_path, initrd=bytes([i])) for i in range(5)]
    with saved.held(many[0], guest.Crowd()):
        for i, one in enumerate(many[1:], start=1):
            with saved.held(one, guest.Crowd()):
                os.utime(one.folder, (i, i))
            os.utime(many[0].folder, (0, 0))
        assert many[0].folder.exists()  # the oldest, but in use
    assert not many[1].folder.exists() and many[4].folder.exists()
    monkeypatch.setenv("NSBENCH_LAB_CACHE", "much")
    with pytest.raises(LabError, match="a number of GiB"):
        saved.limit()


def test_two_labs_make_a_machine_once(tmp_path: Path, cache: Path) -> None:
    code = f"""
import time, pathlib
from lab import guest, saved, test_saved
def slow(one, crowd):
    print("made", flush=True)
    time.sleep(0.5)
    test_saved.pretend(one)
saved.make = slow
with saved.held(test_saved.recipe(pathlib.Path({str(tmp_path)!r})), guest.Crowd()):
    time.sleep(0.3)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    labs = [subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert sorted(lab.communicate(timeout=60)[0] for lab in labs) == ["", "", "made\n"]
    assert [lab.returncode for lab in labs] == [0, 0, 0]


def test_a_journal_that_was_cut_off_keeps_its_whole_lines(tmp_path: Path) -> None:
    journal = alone.Journal(tmp_path / "j")
    journal.add("one", {"a": b"\0\xff"})
    journal.add("two", {"b": b"2"})
    whole = (tmp_path / "j").read_bytes()
    (tmp_path / "j").write_bytes(whole[:-7])
    again = alone.Journal(tmp_path / "j")
    assert again.done == {"one": {"a": b"\0\xff"}}
    again.add("three", {"c": b"3"})
    assert set(alone.Journal(tmp_path / "j").done) == {"one", "three"}


def test_what_a_copy_sent_is_whole_or_nothing() -> None:
    assert copies.unpack(b"a.csv 4\nx\ny\nstatus 1\n0") == {"a.csv": b"x\ny\n", "status": b"0"}
    for data in (b"", b"a 3\nxyz", b"status 1\n", b"a 9\nxyzstatus 1\n0"):
        with pytest.raises(LabError, match="before its results were out"):
            copies.unpack(data)


class Ended:
    """A copy's monitor, to which all that it is told is right."""

    def __init__(self, _: object) -> None:
        pass

    def command(self, *_: object, **more: object) -> None:
        pass

    def migrated(self) -> None:
        pass


PANIC = "[ 9.1] Kernel panic - not syncing: Fatal exception"


@pytest.mark.parametrize(("console", "seconds", "says"), [
    (f"lab: measuring\n{PANIC}\n", 0, f"the guest's kernel said: {PANIC}"),
    ("lab: measuring\n", 0, "the copy ended before its results were out whole"),
    ("lab: measuring\n", 9, "the copy was still measuring after 0.3 s"),
])
def test_a_copy_that_fails_says_why_with_its_console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, console: str, seconds: int,
                                                     says: str) -> None:
    def launch(_: list[str], messages: Path, __: int) -> "subprocess.Popen[bytes]":
        for name, text in (("stderr", ""), ("console", console), ("debug", "samples.csv 100\ncut off")):
            (messages.parent / name).write_text(text)
        return subprocess.Popen(["sleep", str(seconds)])
    monkeypatch.setattr(copies, "launch", launch)
    monkeypatch.setattr(copies, "Monitor", Ended)
    with pytest.raises(LabError, match=re.escape(says)) as raised:
        copies.run(recipe(tmp_path, machine=guest.Machine(timeout=0.3 if seconds else 60)), tmp_path, [], guest.Crowd())
    assert raised.value.tail == console.strip()


def test_a_state_is_a_name_or_a_script(tmp_path: Path) -> None:
    assert states.find("churned").name == "churned"
    (tmp_path / "my state.sh").write_text("true\n")
    assert states.find(str(tmp_path / "my state.sh")).name.startswith("my_state-")
    with pytest.raises(LabError, match="neither one of fresh, churned, crowded, favordynmods nor a script"):
        states.find("fersh")


def test_variations_are_all_different() -> None:
    assert len({str(one) for one in variations.VARIATIONS}) == len(variations.VARIATIONS) > variations.FOR_RESOLUTION
    assert str(variations.VARIATIONS[0]) == "as it is"


def test_options_are_joined_to_their_values() -> None:
    assert orders.joined(["--filter", "a b", "--alone", "--samples=3", "--ns", "pid"]) == [
        "--filter=a b", "--alone", "--samples=3", "--ns=pid"]


def test_a_case_has_the_same_order_in_any_plan() -> None:
    case = "clone/NEWPID/stack:1M"
    one, many = (orders.Plan(cases, ("clone/none/stack:1M",), ("--samples=10",)) for cases in ((case,), ("unshare/NEWNS", case)))
    assert one.order(case, "fresh") == many.order(case, "fresh")


def test_states_stand_side_by_side() -> None:
    row = {"case": "c", "delta": "2000", "delta_resolution": "10", "median": "9", "resolution": ""}
    lines = in_states.table({"fresh": {"c": row}, "churned": {"c": {**row, "delta": "3000"}}, "crowded": {}})
    assert lines[1].split() == ["c", "2.00", "±0.01", "3.00", "±0.01", "×1.50", "–"]


def test_where_nothing_can_be_saved_all_is_measured_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                             capsys: pytest.CaptureFixture) -> None:
    """With KVM, and with a QEMU that refuses."""
    image = images.Image("k", tmp_path / "k", "0")
    try:
        one = runs.wanted(image, guest.Machine("kvm"), ["--samples=1"], initramfs.base(), tmp_path / "k")
        other = runs.wanted(image, guest.Machine(), ["--case=unshare/none"], initramfs.base(), tmp_path / "k")
    except LabError as error:
        pytest.skip(str(error))
    assert other.subject and one.subject is None and one.lab["state"] == "together" and "kvm" in str(one.lab["together"])
    assert "all cases are measured together" in capsys.readouterr().err

    def refuse(*_: object) -> None:
        raise saved.CannotSave("QEMU: no such capability")
    monkeypatch.setattr(alone, "measure", refuse)
    instead = runs.run_copies(other, other.subject, runs.Result(image, tmp_path / "k"), tmp_path, 1, runs.Progress([]))
    assert instead is not None and instead.subject is None
    assert instead.lab["together"] == "QEMU: no such capability" in capsys.readouterr().err
