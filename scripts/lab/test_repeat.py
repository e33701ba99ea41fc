"""Tests of what repeat says of samples that differ between two boots; nothing is measured."""
import argparse
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from lab import alone, guest, images, initramfs, orders, repeat, runs


@dataclass
class FakeRecipe:
    boot: int = 0


@dataclass
class FakeSubject:
    recipes: dict[int, FakeRecipe] = field(default_factory=lambda: {1: FakeRecipe()})


def test_rows_that_differ_are_shown_as_they_are(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    one = SimpleNamespace(subject=FakeSubject(), options=[], image=SimpleNamespace(name="6.1"), lab={})
    monkeypatch.setattr(guest, "Machine", lambda *_: None)
    monkeypatch.setattr(initramfs, "base", lambda: b"")
    monkeypatch.setattr(runs, "arguments", lambda *_: [])
    monkeypatch.setattr(runs, "wanted", lambda *_, **__: one)
    monkeypatch.setattr(images, "images", lambda _: [one.image])
    monkeypatch.setattr(orders, "plan", lambda _: SimpleNamespace(every=[1]))
    monkeypatch.setattr(repeat, "how_of", lambda _: None)
    monkeypatch.setattr(alone, "tasks", lambda _, subject: subject)
    monkeypatch.setattr(alone, "measure", lambda tasks, *_: tasks.recipes[1].boot)
    monkeypatch.setattr(alone, "merge", lambda _, boot, __: {"samples.csv": f"case,create\na,7\nb,{boot}\n".encode()})
    options = argparse.Namespace(accel="tcg", append="", memory=1, timeout=1, nsbench=[], kernel=["6.1"], jobs=1)
    assert repeat.repeat(options) == 1
    said = capsys.readouterr().out
    assert said.startswith("6.1: 1 of 2 samples of 1 cases differ between two boots; ")
    assert said.splitlines()[1:] == ["  b,1", "  b,2"]
