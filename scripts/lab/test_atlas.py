"""Tests of the atlas: which kernels it measures, and what it has beside each."""
import argparse
import os
from pathlib import Path

import pytest

from lab import atlas, images, runs
from lab.errors import USAGE, LabError
from lab.fake_harness import FakeLab


def test_the_atlas_tries_older_kernels_until_one_boots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def run_all(every: list[str], out: Path, jobs: int) -> list[runs.Result]:
        tried.extend(every)
        bad = {"7.3": LabError("panic"), "7.2": LabError("panic")}
        return [runs.Result(images.Image(name, Path(name), "0"), out / name, error=bad.get(name), booted=name not in bad)
                for name in every]

    def candidates(name: str) -> list[str]:
        if name == "9":
            raise LabError("the archive has no 9", USAGE)
        return {"7": ["7.3", "7.2", "7.1"]}.get(name, [name])
    monkeypatch.setattr(atlas, "candidates", candidates)
    monkeypatch.setattr(runs, "each", lambda names, *_, **__: names)
    monkeypatch.setattr(runs, "run_all", run_all)
    options = argparse.Namespace(accel="tcg", append="", memory=512, timeout=9, nsbench=[], kernel=["9", "6.1", "7"], out=tmp_path,
                                 again=False, jobs=1, machines=range(1, 2))
    done, code = atlas.measure(options)
    assert ([result.image.name for result in done], code) == (["6.1", "7.1"], USAGE)
    assert tried == ["6.1", "7.3", "7.2", "7.1"]


def test_the_atlas_has_states_and_a_probed_run_beside_each(lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[runs.Wanted] = []
    monkeypatch.setenv("PATH", f"{lab.bin}:{os.environ['PATH']}")

    def run_all(every: list[runs.Wanted], *_: object) -> list[runs.Result]:
        asked.extend(every)
        return []
    monkeypatch.setattr(runs, "run_all", run_all)
    options = argparse.Namespace(accel="tcg", append="", memory=512, timeout=9, nsbench=["--samples=5"], out=lab.out, again=False,
                                 jobs=1)
    measured = [runs.Result(images.Image(name, lab.kernel, "0"), lab.out / name, error=error)
                for name, error in (("a", None), ("b", LabError("panic")))]
    atlas.beside(options, measured)
    assert [one.folder for one in asked] == [lab.out / "a" / name for name in ("churned", "crowded", "probe")]
    assert [one.lab["state"] for one in asked] == ["churned", "crowded", "fresh"]
    words = asked[2].lab["arguments"]
    assert isinstance(words, list) and words[:3] == ["--samples=5", f"--filter={atlas.PROBED}", "--probe"]
    assert len(str(asked[0].lab["nsbench_sha256"])) == 64 and str(lab.path) not in str(asked[0].lab["qemu"])
