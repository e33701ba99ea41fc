"""--curve: what it plans, what it refuses, and the laws that a run prints below its table."""

import json
import os
import shutil
from pathlib import Path

import pytest

from nsbench_harness import assert_one_line, binary, list_ids, measure, run

CURVE = "--curve=stack:16K..64M:7"
LEVELS = ["16K", "64K", "256K", "1M", "4M", "16M", "64M"]
WORDS = (CURVE, "--op=clone", "--ns=none", "--samples=8", "--seed=1")


def measured(*words, **more):
    """As run(); skips where nothing can be measured."""
    done = run(*words, **more)
    if done.returncode == 3:
        pytest.skip(f"nothing can be measured here: {done.stderr.strip()}")
    return done


def test_a_curve_is_of_its_levels():
    assert list_ids(CURVE, "--op=clone", "--ns=none", "--with=touch:all") == [f"clone/none/stack:{one}/touch:all" for one in LEVELS]
    assert list_ids("--curve=parallel:1..32", "--op=unshare", "--ns=none") == [
        "unshare/none", *(f"unshare/none/parallel:{n}" for n in (2, 4, 8, 16, 32))]


def test_without_more_it_is_of_the_headlines_that_have_the_parameter():
    ids = list_ids(CURVE, "--as-root")
    assert len(ids) == len(LEVELS) * 10 and {one.split("/")[0] for one in ids} == {"clone", "proc_remount"}
    assert set(ids) == set(list_ids(CURVE, "--quick", "--as-root"))
    assert len(list_ids(CURVE, "--filter=/NEWPID/", "--as-root")) == len(LEVELS)


@pytest.mark.parametrize("words, said", [
    (["--curve=stack"], "accepted is KEY:LOW..HIGH"), (["--curve=stak:16K..64M"], "nearest: 'stack'"),
    (["--curve=touch:none..all"], "is a choice"), (["--curve=stack:64M..16K"], "64M is not below 16K"),
    (["--curve=stack:4K..64M"], "'4K': accepted is a size from 16K to 1G"),
    (["--curve=stack:16K..64M:3"], "'3' steps: accepted are 6 to 64"),
    (["--curve=parallel:1..3"], "has 3 values"), ([CURVE, "--stack=1M"], "leave out --stack"),
    ([CURVE, "--op=setns"], "setns has no stack; those with it are clone"),
    ([CURVE, "--case=clone/none/stack:1M"], "--case names whole cases"),
    ([CURVE, CURVE], "curve"), ([CURVE, "--filter=nothing"], "no case matches"),
])
def test_a_wrong_curve_is_one_line(words, said):
    for command in (["list"], ["run"], ["benchmark"]):
        done = run(*command, *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert_one_line(done.stderr)
        assert said in done.stderr


def test_a_run_prints_the_laws_below_its_table(tmp_path):
    pytest.importorskip("statsmodels", reason="python3-statsmodels is missing")
    done = measured(*WORDS, f"--out={tmp_path / 'run'}")
    assert (done.returncode, done.stderr) == (0, "")
    below = done.stdout.split("create over stack: 7 levels from 16K to 64M\n")[1]
    assert below.splitlines()[0].split()[0] == "law" and below.splitlines()[1].startswith("clone/none ")
    selection = json.loads((tmp_path / "run/run.json").read_text())["options"]["selection"]
    assert selection["curve"] == "stack:16K..64M:7"
    assert "create over stack" in measure("curves", tmp_path / "run").stdout
    assert "create over stack" in measure("summary", tmp_path / "run").stdout


@pytest.mark.parametrize("words", [["--quiet"], ["--csv=-"], ["--format=json"], ["--format=markdown"]])
def test_what_is_for_programs_has_no_laws(words):
    assert " over stack" not in measured(*WORDS, *words).stdout


def test_a_resumed_run_keeps_its_curve(tmp_path):
    folder = tmp_path / "run"
    measured(CURVE, "--op=clone", "--ns=none", "--budget=500ms", "--quiet", f"--out={folder}")
    measure(f"--resume={folder}", "--budget=1s", "--quiet")
    with (folder / "results.csv").open() as file:
        assert {line.split(",")[3].removeprefix("clone/none/stack:") for line in list(file)[1:]} == set(LEVELS)
    assert "besides it only --budget" in run(f"--resume={folder}", CURVE).stderr


def test_without_the_script_it_is_said_and_measured_all_the_same(tmp_path):
    program = tmp_path / "bin/nsbench"
    program.parent.mkdir()
    shutil.copy(binary(), program)
    program.with_name("nsbench-sampler").symlink_to(Path(binary()).with_name("nsbench-sampler"))
    done = measured(*WORDS, executable=program)
    assert done.returncode == 0 and "clone/none/stack:64M" in done.stdout
    assert_one_line(done.stderr)
    assert "curves: this installation has no " in done.stderr and "build or install it whole" in done.stderr


def test_a_missing_package_is_one_line_with_the_remedy(tmp_path):
    """Python finds a module of the test's first, which is as if there was none."""
    (tmp_path / "statsmodels").mkdir()
    (tmp_path / "statsmodels/__init__.py").write_text(
        "raise ModuleNotFoundError('No module named statsmodels', name='statsmodels')\n")
    done = measured(*WORDS, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert done.returncode == 0
    assert done.stderr == "nsbench curves: python3-statsmodels is missing: apt-get install python3-statsmodels\n"


def test_nothing_is_left_of_the_laws(tmp_path):
    measured(*WORDS, env={**os.environ, "TMPDIR": str(tmp_path)}, cwd=tmp_path)
    assert not list(tmp_path.iterdir())
