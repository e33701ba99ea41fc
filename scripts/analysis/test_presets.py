"""Tests of the presets: the table, the text by a stand-in for nsbench whose figures are set, what is around a run, and once
nsbench itself."""
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from analysis import crowded, preset_run, presets
from analysis.fixtures import call
from analysis.preset_figures import NoFigure

SCRIPTS = Path(__file__).resolve().parents[1]
CROWDED = str(SCRIPTS / "analysis/crowded.py")
# Writes what a load or a run writes; times come from what is around it: {at_once: …}.
STAND_IN = """#!/usr/bin/python3
import csv, json, os, sys, time
from pathlib import Path
words = sys.argv[1:]
options = dict(word[2:].partition("=")[::2] for word in words if word.startswith("--"))
out, here = Path(options["out"]), Path({folder!r})
with open(here / "log", "a") as log:
    log.write(" ".join(words) + "\\n")
if (here / "refuse").exists():
    sys.exit((sys.stderr.write("nsbench: user namespaces are off (sysctl user.max_user_namespaces)\\n"), 3)[1])
if (here / "sleep").exists() and (here / "log").read_text().count("\\n") > 1:
    time.sleep(60)
out.mkdir()
record = dict(kernel="6.1.0", in_userns=(here / "userns").exists(),
              environment=dict(cpu_model="A CPU", cpus="2", virtualisation="kvm"))
def write(name, rows):
    with open(out / name, "w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
if words[0] == "churn":
    limited = (here / "limit").exists() and "net" in options["ns"]
    record |= dict(ended_by="limit" if limited else "time", ended_because="ENOSPC: a limit" if limited else None,
                   load=dict(operations=100, failed=0, errors=dict(), rate_at_end=3000.0 if "net" in options["ns"] else 9000.0,
                             latency=dict(p50=2e6)))
    write("bursts.csv", [dict(max=5e6, rate=1000), dict(max=7e6, rate=2000), dict(max=6e6, rate=1500)])
    (out / "churn.json").write_text(json.dumps(record))
else:
    failed = (here / "fail").exists()
    base = dict(case="unshare/none", base="", phase="create", median=7, mean=7, status="ok", errno="", reason="")
    write("results.csv", [base] + [
        dict(case="unshare/NEWIPC", base="unshare/none", phase=phase, median="" if failed else 40000, mean="" if failed else 50000,
                               status="failed" if failed else "imprecise",
                               errno="EPERM" if failed else "", reason="not permitted" if failed else "3% reached of 2%")
                          for phase in ("create", "total", "start", "read", "migrate", "drain")])
    at_once = int(options.get("parallel", 3))
    lost = (here / "lose").exists()
    write("samples.csv", [dict(round=round, block=round, counted=int(round > 0), errno="EAGAIN" if lost and at == 1 else "",
                               ended="" if lost and at == 1 else end * (100 if round == 0 else 1))
                          for round in range(4)
                          for at, end in enumerate((([1e6] + at_once * [2e6])[:at_once - 1] + [3e6 + 1e6 * round]))])
    (out / "run.json").write_text(json.dumps(record))
    sys.exit(1 if failed else 0)
"""


@pytest.fixture
def nsbench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the stand-in."""
    program = tmp_path / "nsbench"
    program.write_text(STAND_IN.format(folder=str(tmp_path)))
    program.chmod(0o755)
    monkeypatch.setenv("NSBENCH_PROGRAM", str(program))
    return tmp_path


@pytest.fixture
def setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "rcu_expedited"
    file.write_text("0\n")
    monkeypatch.setattr(preset_run, "RCU", file)
    monkeypatch.setattr(preset_run, "NORMAL", tmp_path / "rcu_normal")
    return file


def preset(*words: object) -> tuple[str | int | None, str, str]:
    """The exit code, standard output and standard error; never a traceback."""
    code, out, err = call(SCRIPTS / "preset.py", words)
    assert "Traceback" not in err, err
    return code, out, err


@pytest.mark.parametrize("one", presets.PRESETS, ids=presets.NAMES)
def test_the_table_is_whole(one: presets.Preset) -> None:
    for text in (one.what, one.claim, one.source, one.kernel, one.machine, one.differs):
        assert text and "\n" not in text
    assert one.link.startswith("https://") and len(one.what) <= 60
    assert one.points and one.seconds() > 0
    assert one.name == "dying-alive" or any(point.published for point in one.points)
    assert any(point.run for point in one.points)
    for point in one.points:
        assert point.name and point.how and point.unit in ("s", "/s") and all(value > 0 for value in point.published)
        assert (point.run is None) == (point.take is None)
        if point.run:
            assert point.run.words[0] in ("churn", "run") and point.run.seconds > 0
    assert len({point.name for point in one.points}) == len(one.points)
    assert len(set(presets.NAMES)) == len(presets.PRESETS)


def program() -> str:
    """nsbench itself."""
    found = os.environ.get("NSBENCH")
    if not found:
        pytest.skip("NSBENCH is not set: scripts/test does that")
    return found


@pytest.mark.parametrize("one", presets.PRESETS, ids=presets.NAMES)
def test_nsbench_has_what_is_run(one: presets.Preset) -> None:
    """Each run's options are known, and it has one case."""
    helped = json.loads(subprocess.run([program(), "help", "--format=json"], capture_output=True, check=True).stdout)
    known = {one["name"]: one for one in helped["commands"]}
    for run in one.runs():
        command, *words = run.words
        names = {option["name"] for group in known[command]["groups"] for option in group["options"]}
        assert {word.split("=")[0] for word in words} <= names
        if command == "run":
            cases = [word for word in words if re.match("--(op|ns|with|stack|parallel)=", word)]
            listed = subprocess.run([program(), "list", "--as-root", *cases], capture_output=True, text=True, check=True)
            assert listed.stdout.count("\n") == 1, listed.stdout


SOCK = """sock: containers a second, with and without a net namespace
  claim   net namespaces limit how many containers are made and removed in a second
  source  Oakes et al., SOCK, USENIX ATC '18, https://www.usenix.org/conference/atc18/presentation/oakes
  theirs  Linux 4.13; machine: not stated
  ours    Linux 6.1.0; machine: A CPU, 2 CPUs, kvm
  differs ours: 2 CPUs; eight bare clones at a time that end at once, instead of containers

figure                                                published    here  here/published
with a net namespace                                      200/s  3000/s           ×15.0
the same, IPv6 and broadcast code removed: more than      400/s    none                  needs a kernel without that code
without a net namespace                                   900/s  9000/s           ×10.0

with a net namespace, without a net namespace: operations each second in the last third of the load
"""


def test_a_preset_as_text(nsbench: Path) -> None:
    assert preset("sock") == (0, SOCK, "")
    lines = (nsbench / "log").read_text().splitlines()
    assert [line.split(" --quiet")[0] for line in lines] == [
        "churn --ns=mnt,uts,ipc,pid,net --for=10s --drain=3s --workers=8",
        "churn --ns=mnt,uts,ipc,pid --for=10s --drain=3s --workers=8"]


def test_as_markdown_and_json(nsbench: Path, setting: Path) -> None:
    code, out, _ = preset("veth-moved", "--format=markdown")
    assert code == 0
    assert "| 30 at once, moved | 5.00 s | 2.00 ms | ×0.000400 |  |" in out.splitlines()
    code, out, _ = preset("mohan", "expedited", "--format=json")
    assert code == 0 and setting.read_text() == "0\n"
    found = json.loads(out)
    assert [one["name"] for one in found] == ["mohan", "expedited"]
    figures = {one["name"]: one for one in found[0]["figures"]}
    assert figures["create, 10 at once"]["here"] == pytest.approx(0.005)  # the middle of 4, 5 and 6 ms: not of the warm-up
    assert figures["clean up, 50"]["here"] == pytest.approx(0.002)
    assert figures["clean up, 50"]["ratios"] == [pytest.approx(0.002 / 3.24)]
    assert found[0]["here"] == {"kernel": "Linux 6.1.0", "machine": "A CPU, 2 CPUs, kvm", "cpus": "2", "through_userns": False,
                                "seconds": found[0]["here"]["seconds"]}


def test_a_burst_that_is_not_whole_is_no_figure(nsbench: Path) -> None:
    (nsbench / "lose").touch()
    code, out, _ = preset("veth-moved")
    assert code == 3
    assert len(re.findall("none +no burst was whole: 29 of 30 at most; 4 of 120 operations failed: EAGAIN 4$", out, re.M)) == 2


def test_a_range_has_two_ratios() -> None:
    point = presets.named("expedited").points[0]
    assert preset_run.Taken(point, 0.03).ratios() == pytest.approx((0.5, 0.25))


def test_what_cannot_be_had_ends_its_point_alone(nsbench: Path) -> None:
    (nsbench / "limit").touch()
    code, out, _ = preset("sock")
    assert code == 1
    assert re.search(r"^with a net namespace +200/s +none +ENOSPC: a limit$", out, re.M)
    assert re.search(r"^without a net namespace +900/s +9000/s +×10.0$", out, re.M)
    (nsbench / "fail").touch()
    code, out, _ = preset("lkml-ipc")
    assert code == 3 and re.search("^1000 calls since .* EPERM: not permitted$", out, re.M), "the base's figure is not ours"
    (nsbench / "refuse").touch()
    code, out, _ = preset("lkml-ipc")
    assert code == 3 and re.search(r"none +user namespaces are off \(sysctl user.max_user_namespaces\)$", out, re.M)


def test_through_a_user_namespace_is_said(nsbench: Path) -> None:
    (nsbench / "userns").touch()
    assert "; not root: through a user namespace, so each set has NEWUSER too\n" in preset("churn-start")[1]


def test_an_interrupted_one_shows_what_was_measured(nsbench: Path) -> None:
    (nsbench / "sleep").touch()
    running = subprocess.Popen(["/usr/bin/python3", SCRIPTS / "preset.py", "sock", f"--out={nsbench}/out"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (nsbench / "log").exists() or (nsbench / "log").read_text().count("\n") < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (130, "")
    assert "3000/s" in out and "without a net namespace" not in out.replace("with and without", "")
    assert len(json.loads((nsbench / "out/presets.json").read_text())[0]["figures"]) == 2


def test_the_list_and_what_is_refused(nsbench: Path, tmp_path: Path) -> None:
    code, out, _ = preset()
    assert code == 0 and [line.split()[0] for line in out.splitlines()] == ["preset", *presets.NAMES]
    assert preset("--list")[1] == out
    assert [one["name"] for one in json.loads(preset("--format=json")[1])] == list(presets.NAMES)
    assert preset("sok")[::2] == (2, "nsbench preset: sok: no preset; the nearest is sock (nsbench preset lists them)\n")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    code, _, err = preset("sock", f"--out={tmp_path}/full")
    assert code == 2 and "is not empty" in err


def test_rcu_expedited_is_put_back(setting: Path) -> None:
    with preset_run.rcu_expedited(True):
        assert setting.read_text() == "1\n"
    assert setting.read_text() == "0\n"
    with pytest.raises(KeyboardInterrupt), preset_run.rcu_expedited(True):
        raise KeyboardInterrupt
    assert setting.read_text() == "0\n"
    preset_run.NORMAL.write_text("1\n")
    with pytest.raises(NoFigure, match="without effect"), preset_run.rcu_expedited(True):
        pass
    preset_run.NORMAL.write_text("0\n")
    setting.unlink()
    with pytest.raises(NoFigure, match="No such file"), preset_run.rcu_expedited(True):
        pass


def test_rcu_expedited_is_put_back_after_a_kill(setting: Path) -> None:
    text = f"""import os, signal
from pathlib import Path
from analysis import preset_run
preset_run.RCU = preset_run.NORMAL = Path({str(setting)!r})
with preset_run.rcu_expedited(True):
    assert preset_run.RCU.read_text() == "1\\n"
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", text], env={**os.environ, "PYTHONPATH": str(SCRIPTS)})
    assert done.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 30
    while setting.read_text() != "0\n":
        assert time.monotonic() < deadline
        time.sleep(0.01)


def around(place: Path, what: str, shell: str) -> str:
    """What a shell says with that around it."""
    done = subprocess.run([sys.executable, CROWDED, f"--place={place}", what, "--", "/bin/sh", "-c", shell], capture_output=True,
                          text=True)
    if done.returncode == crowded.NOT_PERMITTED:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 7, done.stderr
    return done.stdout


def test_mounts_are_around_a_command_and_gone_with_it(tmp_path: Path) -> None:
    before = Path("/proc/self/mountinfo").read_text()
    count = before.count("\n") + 40
    assert around(tmp_path, f"--mounts={count}", "wc -l </proc/self/mountinfo; exit 7").strip() == str(count)
    assert around(tmp_path, "--peers=40", "grep -c master: /proc/self/mountinfo; exit 7").strip() == "40"
    assert Path("/proc/self/mountinfo").read_text() == before and not list(tmp_path.iterdir())


def test_net_namespaces_are_around_a_command(tmp_path: Path) -> None:
    ours = around(tmp_path, "--netns=5", "readlink /proc/self/ns/net /proc/$PPID/fd/* | grep '^net:'; exit 7").split()
    assert len(set(ours)) == 6 and ours[0] == os.readlink("/proc/self/ns/net")


def test_nsbench_itself() -> None:
    environment = {**os.environ, "NSBENCH_PROGRAM": program()}
    done = subprocess.run([sys.executable, SCRIPTS / "preset.py", "lkml-ipc", "--format=json"], env=environment, capture_output=True,
                          text=True)
    if done.returncode == 3:
        pytest.skip(done.stdout + done.stderr)
    assert done.returncode == 0, done.stderr
    before, since = json.loads(done.stdout)[0]["figures"]
    assert before["here"] is None and "5.7" in before["reason"]
    assert since["published"] == [0.03] and 0.001 < since["here"] < 10 and since["ratios"]
