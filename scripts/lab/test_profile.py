"""Tests of the exact profile: sums over trees, and what explains a difference."""
import argparse
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from lab import books, callgrind, exact, explain, initramfs, kernel_build, packages, tree
from lab import profile as profile_
from lab.books import Book, Books
from lab.errors import LabError
from lab.exact import Cost

PROGRAM = Path(__file__).resolve().parents[1] / "lab.py"
PROFILE = """n 0 [no symbol]
n 1 [no symbol]
n 2 [no symbol]
n 3 [no symbol]
n 0 entry
n 4 outer
n 5 inner
n 3 tick
n 2 process_one_work
n 8 cleanup
s 0 10 3
c 4 1 10
s 1 60 0
c 4 1 10
c 5 2 20
c 6 4 25
c 7 1 5
s 0 40 0
c 8 1 10
c 9 1 30
s 1 62 1
c 4 1 10
c 5 2 20
c 6 4 27
c 7 1 5
s 0 0 0
end
"""
SAMPLES = """sample,counted,create,drain,errno,call
0,1,60,5,,
1,1,63,5,,
"""


def one_tree(**own: float) -> tree.Tree:
    """A tree of functions that "a" calls, each once."""
    found = {("[call]", "a"): Cost(1, 100)}
    return found | {("[call]", "a", name): Cost(1, value) for name, value in own.items() if name != "a"} | (
        {("[call]", "a"): Cost(1, own["a"])} if "a" in own else {})


def books_of(one: tree.Tree) -> Books:
    return Books("clone/NEWUTS/stack:1M", {"create": Book(tree.instructions(one), one, 0)})


def test_the_books_are_of_the_median_execution() -> None:
    own = books.balance(exact.parse(PROFILE), SAMPLES, "case")
    book = own.phases["create"]
    assert list(own.phases) == ["create"] and book.figure == 61.5 and tree.instructions(book.tree) == 61 and book.reading == 0.5
    assert book.tree["[call]", "entry", "outer", "inner"] == Cost(4, 26) and book.lost == 1
    assert own.later == {("process_one_work",): Cost(0.5, 5), ("process_one_work", "cleanup"): Cost(0.5, 15)}
    assert books.whole(own) == {"entry": 10, "outer": 20, "inner": 26, "[interrupts]": 5}
    assert tree.functions(own.paths()["create"])["outer"] == tree.Function("outer", 2, 20, 46)


def test_books_that_do_not_balance_are_an_error() -> None:
    with pytest.raises(LabError, match="create is 160, and 60 instructions were seen"):
        books.balance(exact.parse(PROFILE), SAMPLES.replace("1,1,63", "1,0,63").replace("0,1,60", "0,1,160"), "case")
    with pytest.raises(LabError, match="no marks around this operation"):
        books.balance(exact.parse(PROFILE.replace("s 1 ", "s 0 ")), SAMPLES, "case")
    with pytest.raises(LabError, match="2 executions are in the profile, and 1 in samples.csv"):
        books.balance(exact.parse(PROFILE), SAMPLES.replace("1,1,63,5,,\n", ""), "case")
    with pytest.raises(LabError, match="clone: EPERM"):
        books.balance(exact.parse(PROFILE), SAMPLES.replace("1,1,63,5,,", "1,1,,,EPERM,clone"), "case")
    with pytest.raises(LabError, match="not written whole"):
        exact.parse(PROFILE.removesuffix("end\n"))


def test_phases_without_marks_are_named_with_their_reason() -> None:
    samples = SAMPLES.replace("create,drain,errno", "create,exit,drain,errno").replace(",5,,", ",7,5,,")
    own = books.balance(exact.parse(PROFILE), samples, "case")
    profiled = cast(profile_.Profiled, SimpleNamespace(books={"case": own}, source=None, plan=SimpleNamespace(cases=["case"])))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(profile_, "base_of", lambda *_: None)
        text = profile_.describe(profiled, "case", argparse.Namespace(top=5, below=[], tree=0))
    assert {"exit is not profiled: the sampler has no marks around it",
            "drain is not profiled: it is the workers' after the samples: their functions are on the path async"} < set(text)
    with pytest.raises(LabError, match="--phase=drain: it is the workers' after the samples.*; case has create$"):
        profile_.ask([profiled], "drain")
    with pytest.raises(LabError, match="--phase=mount: case has create$"):
        profile_.ask([profiled], "mount")


@pytest.mark.parametrize("phase, says", [("create", "reading the clock -1"), ("ready", "where the phases part -1")])
def test_what_is_left_is_said_by_what_it_is_of(phase: str, says: str) -> None:
    samples = SAMPLES.replace("create", phase).replace("1,1,63", "1,0,63").replace("0,1,60", "0,1,59")
    own = books.balance(exact.parse(PROFILE), samples, "case")
    options = argparse.Namespace(top=5, below=[], tree=0)
    profiled = cast(profile_.Profiled, SimpleNamespace(books={"case": own}, source=None))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(profile_, "base_of", lambda *_: None)
        assert profile_.describe(profiled, "case", options)[0] == f"case: {phase} 59 instructions = [call] 55, [interrupts] 5, {says}"


@pytest.mark.parametrize("words, says", [
    (["--append=kaslr"], "--append=kaslr: nokaslr, which the lab gives every kernel, wins: leave kaslr out"),
    (["--append=quiet kaslr"], "--append=kaslr: nokaslr, which the lab gives every kernel, wins: leave kaslr out"),
    (["--accel=kvm"], "--accel=kvm: the emulator makes the profile"),
    (["--", "--probe"], "--probe behind --: a profile is made without the probe"),
    (["--", "--folded=stacks.folded"], "--probe behind --: a profile is made without the probe")])
@pytest.mark.parametrize("command", ["profile", "balance"])
def test_what_a_profile_cannot_have_is_refused(command: str, words: list[str], says: str) -> None:
    done = subprocess.run([sys.executable, PROGRAM, command, "--kernel=/nowhere", *words], text=True, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"lab: {says}\n")


def test_phases_in_turn_are_the_cases() -> None:
    """Bits 1 to 3 come in turn; of them the case has 1 and 3."""
    turns = exact.parse("".join(f"s {1 | 14 * (turn > 0)} {own} 0 {14 * (turn > 0)} {turn}\n" for turn, own in
                                ((0, 1), (1, 10), (1, 20), (2, 30), (3, 40), (0, 2))) + "end\n")
    turns.settle_turns(0b1011)
    assert [(segment.phases, segment.instructions) for segment in turns.segments] == [(1, 1), (3, 10), (3, 20), (9, 30), (1, 40), (1, 2)]


def test_a_call_inside_of_itself_counts_once() -> None:
    recursive = {("[call]", "a"): Cost(1, 1), ("[call]", "a", "b"): Cost(1, 10), ("[call]", "a", "b", "a"): Cost(1, 100)}
    found = tree.functions(recursive)
    assert (found["a"].total, found["a"].self, found["a"].calls, found["b"].total) == (111, 101, 2, 110)


def test_stacks_and_callgrinds_format() -> None:
    own = {("[call]",): Cost(), ("[call]", "a"): Cost(1, 3), ("[call]", "a", "b"): Cost(2, 7)}
    assert tree.folded(own, "case", "create") == ["case;create;[call];a 3", "case;create;[call];a;b 7"]
    text = callgrind.write(own, "it", {})
    assert text.split("\n\n")[1].splitlines() == ["fl=kernel", "fn=[call]", "0 0", "cfn=a", "calls=1 0", "0 10"]
    assert "fn=a\n0 3\ncfn=b\ncalls=2 0\n0 7\n" in text


def test_inlining_is_told_from_work() -> None:
    base = one_tree(a=100, small=50, old=40)
    new = one_tree(a=145, fresh=30)  # small became a part of a; old is gone; fresh is new
    found = explain.explain((books_of(base), None), (books_of(new), None))
    assert found.inlined == {"small": ["a"]}
    assert found.changes() == {"a": -5, "old": -40, "fresh": 30}
    assert (found.before, found.after) == (190, 175)


def test_a_function_that_is_inlined_with_its_caller_is_no_change() -> None:
    base = {("[call]", "a"): Cost(1, 100), ("[call]", "a", "b"): Cost(1, 30), ("[call]", "a", "b", "c"): Cost(1, 80)}
    found = explain.explain((books_of(base), None), (books_of(one_tree(a=205)), None))
    assert found.inlined == {"b": ["a"], "c": ["a"]} and found.changes() == {"a": -5}


def test_a_function_may_be_inlined_into_several_callers() -> None:
    base = one_tree(a=100, b=50) | {("[call]", "a", "small"): Cost(1, 40), ("[call]", "a", "b", "small"): Cost(2, 60)}
    new = one_tree(a=138, b=105)
    found = explain.explain((books_of(base), None), (books_of(new), None))
    assert found.inlined == {"small": ["a", "b"]} and found.changes() == {"a": -2, "b": -5}
    lines = explain.lines_of("case", (books_of(base), None), (books_of(new), None), ["6.1", "7.3"], 9)
    assert lines[-1].endswith("1 function is inlined on one side, and counted with their callers: small (a, b)")


def test_only_the_caller_that_grew_has_it_inlined() -> None:
    base = one_tree(a=100, b=50) | {("[call]", "a", "small"): Cost(1, 40), ("[call]", "a", "b", "small"): Cost(2, 60)}
    found = explain.explain((books_of(base), None), (books_of(one_tree(a=138, b=50)), None))
    assert found.inlined == {"small": ["a"]} and found.changes() == {"small": -60, "a": -2}


def test_what_the_compiler_makes_of_a_name_is_no_change() -> None:
    new = {("[call]", "a"): Cost(1, 100), ("[call]", "a", "b.isra.0"): Cost(1, 20),
           ("[call]", "a", "b.constprop.1.part.0"): Cost(1, 30)}
    found = explain.explain((books_of(one_tree(b=50)), None), (books_of(new), None))
    assert found.changes() == {}


def test_what_does_not_belong_to_the_call_is_apart() -> None:
    own = {("[call]", "memset"): Cost(1, 10), ("[interrupts]", "tick", "memset"): Cost(1, 90)}
    assert {name: one.self for name, one in tree.functions(tree.apart(own)).items() if one.self} == {"memset": 10, "[interrupts]": 90}


def test_amounts_have_three_digits() -> None:
    assert [explain.thousands(value) for value in (12.4, -1234, 123456, 999_600, 1_234_567)] == [
        "+12", "−1.23 k", "+123 k", "+1.00 M", "+1.23 M"]


HUNK = "--- a/{0}\n+++ b/{0}\n@@ -1,3 +1,3 @@\n {1}\n-{2}\n+x\n {3}\n"


def test_a_patch_is_applied_whole_and_taken_back(tmp_path: Path) -> None:
    texts = {"one": "a\nb\nc\n", "two": "d\ne\nf\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    good, bad = tmp_path / "good.patch", tmp_path / "bad.patch"
    good.write_text(HUNK.format("one", "a", "b", "c"))
    bad.write_text(HUNK.format("one", "a", "x", "c") + HUNK.format("two", "d", "q", "f"))
    with kernel_build.patched(lambda: tmp_path, [good]):
        assert (tmp_path / "one").read_text() == "a\nx\nc\n"
        with pytest.raises(LabError, match="another lab builds"), kernel_build.patched(lambda: tmp_path, []):
            pass
    with pytest.raises(LabError, match="bad.patch: does not apply"), kernel_build.patched(lambda: tmp_path, [good, bad]):
        pass
    assert {name: (tmp_path / name).read_text() for name in texts} == texts and not list(tmp_path.glob("*.rej"))
    assert not (tmp_path / kernel_build.PATCHED).exists()


def killed(tree: Path, path: Path) -> None:
    """A lab builds from the tree with a patch, and is killed."""
    def lab() -> None:
        with kernel_build.patched(lambda: tree, [path]):
            os.kill(os.getpid(), signal.SIGKILL)

    child = multiprocessing.get_context("fork").Process(target=lab)
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL and (tree / "one").read_text() == "a\nx\nc\n"


def test_what_a_killed_lab_left_patched_is_not_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                     capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    good = tmp_path / "good.patch"
    good.write_text(HUNK.format("one", "a", "b", "c"))
    kept, own = packages.cache() / "sources" / "linux-source-6.12_1", tmp_path / "own"

    def unpacked(into: Path) -> Path:
        if not into.exists():
            into.mkdir(parents=True)
            (into / "one").write_text("a\nb\nc\n")
        return into

    for source in (kept, own):
        killed(unpacked(source), good)
    with kernel_build.patched(lambda: unpacked(kept), []) as source:
        assert source == kept and (source / "one").read_text() == "a\nb\nc\n"
    assert "has left patches in it: it is unpacked anew" in capsys.readouterr().err
    with pytest.raises(LabError, match="take them back, then remove .*/own/.nsbench-patched"), kernel_build.patched(lambda: own, []):
        pass
    assert (own / kernel_build.PATCHED).read_text() == f"{good}\n"


def test_a_patch_that_was_begun_is_not_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as one at which Ctrl-C came: half of it may be in the tree."""
    def patch(tree: Path, path: Path, *words: str) -> None:
        if "--dry-run" not in words:
            raise KeyboardInterrupt

    monkeypatch.setattr(kernel_build, "patch", patch)
    with pytest.raises(KeyboardInterrupt), kernel_build.patched(lambda: tmp_path, [Path("good.patch")]):
        pass
    assert (tmp_path / kernel_build.PATCHED).exists()


@pytest.mark.parametrize("words, says", [
    (["no/such/tree"], "neither a tree"), (["."], "not the kernel's source"), (["6.12", "--patch", "missing"], "missing: no such file"),
    (["6.12", "--out", "/no/folder/bzImage"], "a file in a folder that exists"), (["6.12", "--out", "/"], "a file in a folder"),
    (["6.12", "--vmlinux", "/no/folder/vmlinux"], "--vmlinux /no/folder/vmlinux: a file in a folder")])
def test_what_cannot_be_built_is_one_line(tmp_path: Path, words: list[str], says: str) -> None:
    done = subprocess.run([sys.executable, PROGRAM, "kernel-build", *words], cwd=tmp_path, text=True, capture_output=True, timeout=60)
    if done.returncode == 3:
        pytest.skip(done.stderr)
    assert done.returncode == 2 and says in done.stderr and len(done.stderr.splitlines()) == 1


def test_only_what_the_case_adds_is_explained() -> None:
    none = books_of(one_tree(b=5))
    found = explain.explain((books_of(one_tree(b=15)), none), (books_of(one_tree(b=15, c=200)), none))
    assert found.changes() == {"c": 200}
    lines = explain.lines_of("case", (books_of(one_tree(b=15)), none), (books_of(one_tree(b=15, c=200)), none), ["6.1", "7.3"], 9)
    assert lines[0] == "case +200 (adds to clone/NEWUTS/stack:1M: 10 on 6.1, 210 on 7.3): c +200"
    assert lines[3].split() == ["c", "+200", "0", "200", "new"]


def test_a_sampler_without_marks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(exact.marks().splitlines()) >= 14
    subprocess.run(["objcopy", f"--remove-section={exact.SECTION}", initramfs.program("nsbench-sampler"),
                    tmp_path / "nsbench-sampler"], check=True)
    monkeypatch.setattr(initramfs, "program", lambda name: tmp_path / name)
    with pytest.raises(LabError, match="nsbench-sampler has no .nsbench.marks: build it again"):
        exact.marks()


def test_paths_are_of_the_phases_that_they_are_called_by() -> None:
    def phase(amount: float) -> Book:
        return Book(amount, {("[call]", "f"): Cost(1, amount)}, 0)

    def sums(*phases: str) -> dict[str, float]:
        own = Books("case", {name: phase(10.0 ** at) for at, name in enumerate(phases)})
        return {name: tree.instructions(part) for name, part in own.paths().items() if part}

    assert sums("start", "create", "ready") == {"create": 10}
    assert sums("setgroups", "uid_map", "gid_map", "total") == {"setgroups": 1, "uid_map": 10, "gid_map": 100}
    assert sums("switch") == {"create": 1} and sums("mount", "unmount", "total") == {"create": 1, "destroy": 10}
