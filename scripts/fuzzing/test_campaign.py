"""scripts/fuzz with targets that are none: what it makes of what libFuzzer says."""
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fuzzing import campaign
from fuzzing.words import dictionary

SCRIPTS = campaign.ROOT / "scripts"
CAMPAIGN = (sys.executable, "-B", "-m", "fuzzing.campaign")
# What it is called with is in its log, since it says so.
TARGET = """#!/bin/sh
echo "$@"
echo "#2 INITED cov: 40 ft: 41 corp: 1/1b exec/s: 0 rss: 30Mb"
echo "#700 NEW cov: 55 ft: 60 corp: 2/9b"
{more}
echo "stat::number_of_executed_units: 123456"
echo "stat::new_units_added:          7"
"""
CRASH = """for word; do case $word in -artifact_prefix=*) file=${word#*=}crash-da39; echo x >"$file"
echo "Test unit written to $file"; exit 77;; esac; done"""


@pytest.fixture(name="build")
def fixture_build(tmp_path: Path) -> Path:
    for name, more in (("sizes", ""), ("sets", CRASH), ("cases", "exit 1")):
        program = tmp_path / f"fuzz-{name}"
        program.write_text(TARGET.format(more=more))
        program.chmod(0o755)
    return tmp_path


def fuzz(build: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*CAMPAIGN, f"--build={build}", *words], capture_output=True, text=True, cwd=SCRIPTS, timeout=300)


def test_what_a_target_came_to_is_a_row(build: Path) -> None:
    done = fuzz(build, "--target=sizes", "--for=1s")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[1][0::1][:2] == ["sizes", "123,456"] and rows[1][4:] == ["55", "7", "-"]
    assert rows[-1] == ["all", "123,456", "0"]
    said = (build / "findings" / "sizes.log").read_text()
    assert "-max_total_time=1 " in said and str(campaign.CORPUS / "sizes") in said
    assert (build / "corpus" / "sizes").is_dir()


def test_so_many_in_all_are_of_the_quick_ones(build: Path) -> None:
    slow = build / "fuzz-cases"
    slow.write_text("#!/bin/sh\necho 'stat::number_of_executed_units: 10'")
    done = fuzz(build, "--target=cases", "--target=sizes", "--executions=300000", "--seed=5")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == ["cases", "sizes", "sizes", "sizes", "all"]
    assert done.stdout.splitlines()[-1].split()[:2] == ["all", "370,378"]
    assert "-seed=7 " in (build / "findings" / "sizes.log").read_text(), "other input each time"


def test_a_target_that_found_something_does_not_go_on(build: Path) -> None:
    done = fuzz(build, "--target=sets", "--executions=300000")
    assert done.returncode == 1 and done.stdout.splitlines()[-1].split()[:2] == ["all", "700"]


def test_a_finding_is_kept_and_the_others_go_on(build: Path) -> None:
    done = fuzz(build, "--target=sets", "--target=sizes", "--jobs=2")
    assert done.returncode == 1
    assert f"found: {build}/fuzz-sets {build}/findings/sets/crash-da39" in done.stdout and "123,456" in done.stdout
    assert f"{build}/findings/sets.log" in done.stderr


def test_a_target_that_fails_without_a_finding_is_not_good(build: Path) -> None:
    done = fuzz(build, "--target=cases")
    assert done.returncode == 1 and "code 1" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_runs_ends_with_it(build: Path, number: int) -> None:
    for name in ("sizes", "cases"):
        (build / f"fuzz-{name}").write_text('#!/bin/sh\necho $$ >"$0.part"; mv "$0.part" "$0.pid"; exec sleep 60')
    pids = [build / f"fuzz-{name}.pid" for name in ("sizes", "cases")]
    with subprocess.Popen([*CAMPAIGN, f"--build={build}", "--target=sizes", "--target=cases", "--jobs=2"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, cwd=SCRIPTS) as started:
        end = time.monotonic() + 60
        while not all(path.exists() for path in pids) and time.monotonic() < end:
            time.sleep(0.05)
        started.send_signal(number)  # to it alone, as from another program
        said = started.communicate(timeout=60)[1]
    assert (started.returncode, said) == (130, "fuzz: interrupted\n")
    for path in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(int(path.read_text()), 0)


@pytest.mark.parametrize("words", [("--for=0s",), ("--for=x",), ("--target=nothing",), ("--jobs=0",), ("--executions=0",),
                                   ("--target=samples",)])
def test_what_is_wrong_is_one_line(build: Path, words: tuple[str, ...]) -> None:
    done = fuzz(build, *words)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr


def test_each_target_has_a_source_and_something_to_begin_with() -> None:
    known = campaign.targets()
    folder = campaign.CORPUS.parent
    sources = {path.stem for path in folder.glob("*.cpp") if path.stem != "libfuzzer" and not path.stem.endswith("_test")}
    assert set(known) == sources == {path.name for path in campaign.CORPUS.iterdir()}
    assert all(path.stat().st_size <= campaign.LONGEST for path in campaign.CORPUS.glob("*/*"))
    assert fuzz(campaign.BUILD, "--list").stdout.count("\n") == len(known)


def test_the_words_are_those_of_the_tables() -> None:
    words = dictionary().splitlines()
    for word in ("clone", "NEWPID", "stack", "spawn", "create", "samples.csv", ".."):
        assert f'"{word}"' in words
    assert all(word.startswith('"') and word.endswith('"') and len(word) < 60 for word in words)
