"""Tests of the stacks that a history keeps: the file, whose stacks are wanted, and what the page gets of them."""
import argparse
from pathlib import Path

import pytest

from analysis import stacks
from lab import guest
from lab.errors import LabError
from lab.history import carry, interactive, plan, record, recorded_stacks, steps, table, titles
from lab.history.plan import Job, Plan
from lab.history.recorded_stacks import Of, Trees
from lab.test_history import ARCHIVE, kernel, row, series_of, steps_of

CASE, NONE = "clone/NEWUTS/stack:1M", "clone/none/stack:1M"
NAME = "6.1.170-1-cloud-amd64"


def tree(of: Of, **own: int) -> stacks.Frame:
    """One whose paths are named with __ for a call."""
    return stacks.tree([(path.split("__"), value) for path, value in own.items()], recorded_stacks.named(of))


def of(version: str = "6.1.170-1", case: str = CASE, phase: str = "create", plan: str = "p") -> Of:
    return Of(f"{version}-cloud-amd64", version, plan, case, phase)


def test_stacks_are_written_and_read(tmp_path: Path) -> None:
    trees: Trees = {one: tree(one, call=10, call__a=0, call__a__b=7, call__c=3, other=4)
                    for one in (of(), of(phase="exit"), of("6.1.171-1"), Of("file", "", "p", CASE, "create"))}
    path = tmp_path / recorded_stacks.FILE
    recorded_stacks.write(path, trees)
    assert recorded_stacks.read(path) == trees
    first = path.read_bytes()
    recorded_stacks.write(path, dict(reversed(trees.items())))
    assert path.read_bytes() == first
    path.write_bytes(first[:-20])
    with pytest.raises(LabError, match="cut off"):
        recorded_stacks.read(path)
    recorded_stacks.write(path, {})
    assert not path.exists() and recorded_stacks.read(path) == {}


@pytest.mark.parametrize("lines", [",,,,,1,f,2\n", f"k,,p,{CASE},create,0,,1\n,,,,,2,f,2\n", f"k,,p,{CASE},create,0,,1\n,,,,,-1,f,2\n"])
def test_what_is_no_tree_is_refused(tmp_path: Path, lines: str) -> None:
    path = tmp_path / "stacks.csv"
    path.write_text(",".join(recorded_stacks.COLUMNS) + "\n" + lines)
    with pytest.raises(LabError, match="no tree of calls"):
        recorded_stacks.read(path)


@pytest.mark.parametrize(("level", "own"), [("", "1"), ("1.5", "1"), ("1", ""), ("1", "1.5"), ("1", "1e3")])
def test_what_is_no_whole_number_is_refused(tmp_path: Path, level: str, own: str) -> None:
    path = tmp_path / "stacks.csv"
    path.write_text(",".join(recorded_stacks.COLUMNS) + f"\nk,,p,{CASE},create,0,,1\n,,,,,{level},f,{own}\n")
    with pytest.raises(LabError, match="not a whole number"):
        recorded_stacks.read(path)


def test_a_name_that_no_kernel_has_is_refused() -> None:
    kernels = [(NAME, "6.1.170-1")]
    recorded_stacks.check(f"{NAME},6.1.170-1,{NAME.removesuffix('-cloud-amd64')}", kernels)
    recorded_stacks.check("", [])
    with pytest.raises(LabError, match="--stacks=6.1.171-1: there is no kernel"):
        recorded_stacks.check("6.1.170-1,6.1.171-1", kernels)


@pytest.mark.parametrize(("stacks_of", "broken", "said"), [
    ("6.1.171-1", "", "--stacks=6.1.171-1"), ("6.1.170-1", titles.FILE, titles.FILE), (None, recorded_stacks.FILE, recorded_stacks.FILE)])
def test_what_is_wrong_is_said_before_anything_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stacks_of: str | None,
                                                           broken: str, said: str) -> None:
    def carry_out(*_: object) -> None:
        raise AssertionError("something is measured")
    monkeypatch.setattr(carry, "carry_out", carry_out)
    monkeypatch.setattr(record, "check", lambda _: None)
    monkeypatch.setattr(record, "kernels_of", lambda _: ([Job("6.1.170-1", NAME, 0, ())], 0))
    monkeypatch.setattr(plan, "of_options", lambda *_: Plan((CASE,), (), guest.Machine(), range(1, 3)))
    monkeypatch.setattr(Plan, "about", lambda _: {})
    if broken:
        (tmp_path / broken).write_text("{")
    options = argparse.Namespace(out=tmp_path, work=tmp_path / "work", stacks=stacks_of, nsbench=[], machines=range(1, 3), accel="tcg",
                                 append="", memory=512, timeout=1, replace=False, split=0, most=0)
    with pytest.raises(LabError, match=said):
        record.history(options)


def test_a_job_s_stacks_are_whole_instructions() -> None:
    job = Job("6.1.170-1", NAME, 0, (CASE,), profile=True)
    content = {"stacks": {CASE: {"create": {"[call];f": 7.4, "[call];f;g": 0.3, "[call];h": 2.6}}, NONE: {"create": {}}}}
    found = recorded_stacks.of_job(job, "p", content)
    assert found[of()] == stacks.tree([(["[call]", "f"], 7), (["[call]", "h"], 3)], f"{CASE} create")
    assert set(found) == {of(), of(case=NONE)}


def test_stacks_of_what_was_measured_otherwise_go() -> None:
    trees: Trees = {one: tree(one, call=1) for one in (of(), of("6.1.171-1"), of(plan="q"))}
    assert set(recorded_stacks.kept(trees, series_of([1]))) == {of()}
    assert set(recorded_stacks.kept(trees, series_of([1]), {"q"})) == {of(), of(plan="q")}  # by which steps are explained


def test_the_newest_of_each_series_and_both_sides_of_steps_are_wanted() -> None:
    rows = [*series_of([100, 300, 300]), row(kernel("6.12.1-1"), 5), row(kernel("6.12.2-1"), 5, plan="q")]
    step = next(one for one in steps.entries(steps_of(rows), {}) if one.edge.new.version == "6.1.171-1")
    found = recorded_stacks.wanted("", [NONE], rows, [step], "p")
    assert {one.version: cases for one, cases in found.items()} == {
        "6.1.172-1": {NONE}, "6.12.1-1": {NONE}, "6.1.170-1": {CASE}, "6.1.171-1": {CASE}}
    named = recorded_stacks.wanted(f"{NAME},6.1.171-1", [CASE], rows, [step], "p")
    assert {one.version: cases for one, cases in named.items()} == {"6.1.170-1": {CASE}, "6.1.171-1": {CASE}}
    with pytest.raises(LabError, match="--stacks=6.12.2-1: no kernel"):
        recorded_stacks.wanted("6.12.2-1", [CASE], rows, [], "p")


def test_only_kernels_whose_stacks_are_asked_for_are_measured() -> None:
    every = [Job(one.version, one.name, 0, ()) for one in ARCHIVE]
    assert record.measured(every, None) == record.measured(every, "") == every
    asked = f"6.1.170-3,{ARCHIVE[1].name},{ARCHIVE[0].name.removesuffix('-cloud-amd64')}"
    assert record.measured(every, asked) == [every[0], every[1], every[2]]


def test_stacks_that_are_there_are_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                  capsys: pytest.CaptureFixture[str]) -> None:
    rows = series_of([100, 300])
    asked: list[Job] = []

    def carry_out(every: list[Job], *_: object) -> dict[Job, dict[str, object]]:
        asked.extend(every)
        return {one: {"stacks": {case: {"create": {"[call];f": 2.0}} for case in one.cases}, "figures": {}} for one in every}
    monkeypatch.setattr(carry, "carry_out", carry_out)
    options = argparse.Namespace(out=tmp_path, stacks="", nsbench=[], as_recorded=False)
    chosen = Plan((CASE, NONE, "unshare/NEWUTS"), (), guest.Machine(), range(1, 2))
    jobs = {(one.kernel, one.version): Job(one.version, one.kernel, 0, ()) for one in rows}
    assert recorded_stacks.update(options, rows, jobs, [], chosen, "p") == 0
    assert [(one.kernel, one.cases, one.profile) for one in asked] == [("6.1.171-1", (CASE, NONE), True)]
    options.stacks, options.nsbench = "6.1.170-1,6.1.171-1", ["--op", "unshare"]
    assert recorded_stacks.update(options, rows, jobs, [], chosen, "p") == 0
    assert [(one.kernel, one.cases) for one in asked[1:]] == [("6.1.170-1", tuple(sorted(chosen.cases))),
                                                              ("6.1.171-1", ("unshare/NEWUTS",))]
    options.stacks = "6.1.170-1"
    assert recorded_stacks.update(options, rows, {}, [], chosen, "p") == 0
    assert "it cannot be had any more" in capsys.readouterr().err and len(asked) == 3
    options.stacks = None
    assert recorded_stacks.update(options, rows, jobs, [], chosen, "p") == 0 and len(asked) == 3
    assert len(recorded_stacks.read(tmp_path / recorded_stacks.FILE)) == 6


def test_the_page_has_frames_that_are_wide_in_any_kernel(tmp_path: Path) -> None:
    table.write(tmp_path / table.FILE, series_of([100, 300]))
    carry.write_json(tmp_path / interactive.STEPS, [])
    assert interactive.payload(tmp_path)["stacks"] == {}
    recorded_stacks.write(tmp_path / recorded_stacks.FILE, {
        of(): tree(of(), call=100000, call__wide=50, call__small=1, call__never=1),
        of("6.1.171-1"): tree(of("6.1.171-1"), call=100000, call__wide=500, call__small=200)})
    found = interactive.payload(tmp_path)
    before = found["stacks"][NAME][CASE]["create"]  # type: ignore[index]
    assert (before["plan"], found["least"]) == ("p", 0.001)
    assert before["tree"] == {"name": f"{CASE} create", "value": 100052, "children": [
        {"name": "call", "value": 100052, "children": [{"name": "small", "value": 1}, {"name": "wide", "value": 50}]}]}
