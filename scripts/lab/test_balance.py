"""Tests of balance: what does not hold is told, and of a real kernel all holds."""
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from lab import alone, balance, books, callgrind, copies, exact, guest, saved
from lab.fake_harness import qemu_without_plugins

PROGRAM = Path(__file__).resolve().parents[1] / "lab.py"
PROFILE = """n 0 [no symbol]
n 1 [no symbol]
n 2 [no symbol]
n 3 [no symbol]
n 0 entry
n 4 inner
s 0 3 0
c 4 1 3
s 1 20 0
c 4 1 12
c 5 2 8
s 0 3 0
c 4 1 3
s 1 21 0
c 4 1 12
c 5 2 9
end
"""
SAMPLES = "run_id,sample,counted,create,errno,call\nx,0,1,20,,\nx,1,1,21,,\n"
TASK = alone.Task(1, "clone/NEWUTS/stack:1M", ())


def found(profile: str) -> list[str]:
    one = exact.parse(profile)
    return balance.wrong(one, books.balance(one, SAMPLES, "case"))


def test_sums_that_hold_are_no_finding() -> None:
    assert found(PROFILE) == []


def test_instructions_that_no_function_has_are_told() -> None:
    assert found(PROFILE.replace("s 1 20 0", "s 1 22 0")) == [
        "between two marks 22 instructions were executed, and the functions have 20"]


def test_returns_that_led_nowhere_are_told() -> None:
    assert found(PROFILE.replace("s 1 20 0", "s 1 20 2").replace("s 1 21 0", "s 1 21 1")) == ["create: 3 returns lost"]


@pytest.mark.parametrize("parted, more, says", [(False, 2, []), (False, -2.1, ["create is 18.4, and the functions have 20.5"]),
                                                (True, 64, []), (True, 65, ["create is 85.5, and the functions have 20.5"])])
def test_functions_that_are_not_the_figure_are_told(parted: bool, more: float, says: list[str]) -> None:
    """Whatever the reading is said to be."""
    one = exact.parse(PROFILE)
    own = books.balance(one, SAMPLES, "case")
    own.phases["create"] = replace(own.phases["create"], figure=20.5 + more, reading=more, parted=parted)
    assert balance.wrong(one, own) == says


def test_a_call_that_callgrinds_file_lacks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callgrind, "edges_of", lambda _: {})
    assert "create: [call]: its total is 20.5, its own 0, and of what it calls 0" in found(PROFILE)


@pytest.mark.parametrize("plain, other, says", [
    (SAMPLES, PROFILE, []),
    (SAMPLES.replace("x,", "y,"), PROFILE, []),  # another run's id is no difference
    (SAMPLES.replace(",21,", ",22,"), PROFILE, ["the samples differ with the plugin and without it"]),
    (SAMPLES, PROFILE.replace("c 5 2 9", "c 5 3 9"), ["two profiles differ"])])
def test_copies_that_differ_are_told(monkeypatch: pytest.MonkeyPatch, plain: str, other: str, says: list[str]) -> None:
    files = {"run.json": b"", "samples.csv": SAMPLES.encode()}
    profiles = [PROFILE, other]
    monkeypatch.setattr(copies, "run", lambda *_: {**files, "samples.csv": plain.encode()})
    monkeypatch.setattr(exact, "run", lambda *_: (files, exact.parse(profiles.pop(0))))
    sums = balance.OperationSums()
    assert balance.Copies(cast(saved.Recipe, None), Path(), "", guest.Crowd()).case(TASK, sums) == [f"{TASK.case}: {line}" for line in says]
    assert (sums.cases, sums.phases, sums.seen, sums.readings) == (1, 1, 20.5, [0])


def test_a_cost_is_a_failure_beyond_a_limit_alone() -> None:
    cost = balance.cost_of([balance.OperationSums(plain=1, profiled=4), balance.OperationSums(plain=3, profiled=6)])
    assert cost == 2.5 and balance.beyond("6.1", cost, None) == balance.beyond("6.1", cost, 3) == []
    assert balance.beyond("6.1", cost, 2) == ["6.1: a profile takes 2.50 times the CPU time of measuring, and 2 is the limit"]


def test_the_books_of_a_kernel(kernel: Path) -> None:
    done = subprocess.run([sys.executable, PROGRAM, "balance", "--kernel", kernel, "--", "--case=setns/NEWUTS/via:nsfd"], text=True,
                          capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    header, row, last = done.stdout.splitlines()
    assert row.split()[1:4] == ["setns", "1", "1"] and last.startswith("samples with the plugin and without, and two profiles: the same")


def test_a_qemu_without_plugins_is_told_once(kernel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not for each case: it is no fault of the books."""
    qemu_without_plugins(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    done = subprocess.run([sys.executable, PROGRAM, "balance", "--kernel", kernel, "--", "--filter=^setns/NEWUTS"], text=True,
                          capture_output=True, timeout=300)
    assert (done.returncode, done.stdout) == (3, "")
    assert len(re.findall("a profile needs a QEMU with plugins", done.stderr)) == 1
