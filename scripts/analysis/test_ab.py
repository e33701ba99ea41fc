"""Tests of ab.py with a stand-in for nsbench whose times are set, and once with nsbench itself."""
import json
import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

for module in ("numpy", "pandas", "scipy"):
    pytest.importorskip(module, reason=f"python3-{module} is missing")
from analysis import comparison, sources
from analysis.fixtures import call, result_row, write_run
from analysis.pairs import compare_pairs

SCRIPTS = Path(__file__).resolve().parents[1]
STAND_IN = """#!/usr/bin/python3
import os, random, sys, time
from pathlib import Path
from analysis.fixtures import result_row, write_run
options = dict(word[2:].partition("=")[::2] for word in sys.argv[1:])
here = Path({folder!r})
with open(here / "log", "a") as log:
    log.write(options["name"] + " " + (here / "state").read_text() if (here / "state").exists() else options["name"] + "\\n")
if "fail" in options:
    sys.exit("nsbench: no such thing")
machine = random.uniform(1, 2) if (here / "log").read_text().count("\\n") % 2 else float((here / "last").read_text())
(here / "last").write_text(str(machine))
own = random.gauss(1, 0.002)
write_run(Path(options["out"]), [result_row("clone/" + name + options.get("suffix", ""), "create", 30000 * machine * own * factor)
          for name, factor in (("none", 1.0), ("NEWPID", float(options["factor"])))])
time.sleep(float(options.get("sleep", 0)))
"""


@pytest.fixture
def nsbench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The machine is up to twice as slow in each pair; within a pair runs scatter by 0.2%."""
    monkeypatch.setenv("PYTHONPATH", str(SCRIPTS))
    path = tmp_path / "nsbench"
    path.write_text(STAND_IN.format(folder=str(tmp_path)))
    path.chmod(0o755)
    return str(path)


def ab(*words: object) -> tuple[str | int | None, str, str]:
    """The exit code, standard output and standard error; never a traceback."""
    code, out, err = call(SCRIPTS / "ab.py", words)
    assert "Traceback" not in err, err
    return code, out, err


def test_a_change_is_found_though_the_machine_wavers(nsbench: str, tmp_path: Path) -> None:
    code, out, err = ab("--seed=1", "--format=json", f"--out={tmp_path}/runs", f"{nsbench} --name=a --factor=1",
                        f"{nsbench} --name=b --factor=1.05")
    assert (code, err) == (1, "")
    found = {row["case"]: row for row in json.loads(out)["rows"]}
    assert found["clone/NEWPID"]["verdict"] == "slower" and found["clone/NEWPID"]["ratio"] == pytest.approx(1.05, abs=0.005)
    assert found["clone/none"]["verdict"] not in ("slower", "faster")
    assert found["clone/none"]["base_runs"] == 12  # the default for so few rows
    assert len(list((tmp_path / "runs").iterdir())) == 24
    log = (tmp_path / "log").read_text().split()
    assert all(set(log[i:i + 2]) == {"a", "b"} for i in range(0, 24, 2))
    assert 0 < sum(log[i] == "a" for i in range(0, 24, 2)) < 12


def test_faster_is_0(nsbench: str) -> None:
    code, out, _ = ab(f"{nsbench} --name=a --factor=1", f"{nsbench} --name=b --factor=0.9")
    assert code == 0
    assert re.search(r"^clone/NEWPID +create .* -\d+\.\d% .* faster$", out, re.M)
    assert "scatter of pairs" in out


def test_too_few_pairs_say_how_many_are_needed(nsbench: str) -> None:
    code, out, _ = ab("--pairs=4", f"{nsbench} --name=a --factor=1", f"{nsbench} --name=b --factor=1.5")
    assert code == 0
    assert "4 pairs cannot tell any of 2 rows: --pairs=10, or fewer rows" in out
    assert "the interval is one of 88%: there are too few pairs for 95%" in out


@pytest.mark.parametrize("pairs, verdict", [(1, "~"), (5, "~"), (6, "same")])  # 6 are the fewest whose interval is one of 95%
def test_rows_are_the_same_by_an_interval_of_the_stated_level(nsbench: str, pairs: int, verdict: str) -> None:
    code, out, _ = ab(f"--pairs={pairs}", "--seed=1", "--threshold=5%", "--format=json", f"{nsbench} --name=a --factor=1",
                      f"{nsbench} --name=b --factor=1")
    assert code == 0 and {row["verdict"] for row in json.loads(out)["rows"]} == {verdict}


def test_the_correction_that_is_named_is_that_of_pairs(tmp_path: Path) -> None:
    chance = random.Random(1)
    sides = [[sources.load(write_run(tmp_path / f"{side}{number}", [
        result_row(f"clone/none/stack:{size}K", "create", 30000 * chance.gauss(1, 0.01)) for size in range(16, 46)]))
        for number in range(8)] for side in "ab"]
    assert comparison.compare(sides[0], sides[1], None, 0.05).correction.startswith("Westfall and Young")
    assert compare_pairs(sides[0], sides[1], None, 0.05).correction == "Holm"


def test_ids_that_differ_by_a_parameter(nsbench: str) -> None:
    commands = [f"{nsbench} --name=a --factor=1 --suffix=/spawn:vm", f"{nsbench} --name=b --factor=1 --suffix=/stack:1M"]
    code, _, err = ab("--pairs=2", *commands)
    assert code == 2 and "no case was measured on both sides" in err
    code, out, _ = ab("--pairs=2", "--ignore=spawn,stack", *commands)
    assert code == 0 and re.search("^clone/NEWPID +create", out, re.M)


def test_hooks_come_before_each_side_and_once_after(nsbench: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    code, _, _ = ab("--pairs=3", f"--before-a=echo 0 >{state}", f"--before-b=echo 1 >{state}", f"--after=echo restored >{state}",
                    f"{nsbench} --name=a --factor=1", f"{nsbench} --name=b --factor=1")
    assert code == 0
    assert sorted((tmp_path / "log").read_text().splitlines()) == ["a 0"] * 3 + ["b 1"] * 3
    assert state.read_text() == "restored\n"


@pytest.mark.parametrize(("words", "says"), [
    ([], "two commands are needed"), (["--pairs=0", "a", "b"], "--pairs"), (["--pairs=x", "a", "b"], "--pairs"),
    (["--op=clone", "--op=clone", "--pairs=3"], "'--pairs=3': an option of ab.py; the two commands come last"),
    (["--pair=3", "a", "b"], "--pair: unknown option; the nearest is --pairs"),
    (["nsbench --out=x", "b"], "without --out: ab.py takes the results"), (["'", "b"], "No closing quotation"),
    (["/nowhere/nsbench", "/nowhere/nsbench"], "/nowhere/nsbench: No such file"),
    (["{n} --name=a --fail", "{n} --name=b --fail"], "exit code 1: nsbench: no such thing"),
    (["--before-a=echo no >&2; exit 3", "{n} --name=a --factor=1", "{n} --name=b --factor=1"], "exit code 3: no"),
])
def test_what_cannot_be_measured_is_2_and_one_line(nsbench: str, words: list[str], says: str) -> None:
    code, out, err = ab(*(word.format(n=nsbench) for word in words))
    assert (code, out) == (2, "")
    assert says in err and err.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_an_interrupted_one_shows_whole_pairs_and_puts_things_back(nsbench: str, tmp_path: Path, number: int) -> None:
    running = subprocess.Popen(["/usr/bin/python3", SCRIPTS / "ab.py", "--pairs=500", f"--after=touch {tmp_path}/restored",
                                f"{nsbench} --name=a --factor=1 --sleep=0.2", f"{nsbench} --name=b --factor=1 --sleep=0.2"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "log").exists() or (tmp_path / "log").read_text().count("\n") < 5:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    running.send_signal(number)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130 and "Traceback" not in err
    assert re.search("^clone/NEWPID +create", out, re.M)
    assert (tmp_path / "restored").exists()
    runs = (tmp_path / "log").read_text()
    time.sleep(0.5)
    assert (tmp_path / "log").read_text() == runs  # nothing is left that goes on


def test_a_failing_after_leaves_the_table(nsbench: str) -> None:
    code, out, err = ab("--pairs=2", "--after=echo no >&2; exit 3", f"{nsbench} --name=a --factor=1",
                        f"{nsbench} --name=b --factor=1")
    assert code == 2 and re.search("^clone/NEWPID +create", out, re.M)
    assert err == "ab: hook 'echo no >&2; exit 3': exit code 3: no\n"


def test_nsbench_itself() -> None:
    program = os.environ.get("NSBENCH")
    if not program:
        pytest.skip("NSBENCH is not set: scripts/test does that")
    command = f"{program} --op=clone --ns=none --stack=1M --samples=20"
    code, out, err = ab("--pairs=2", "--phase=total", command, f"{command} --cpu=any")
    if "exit code 3" in err:
        pytest.skip(err.strip())
    assert code == 0, err
    assert "pinned to CPU differs" in out and re.search(r"^clone/none/stack:1M +total", out, re.M)
