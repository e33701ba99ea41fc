"""Saved machines with real guests: a case's samples depend on the case alone, and each way to fail is told in a line."""
import csv
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import thorough
from lab import alone, copies, folders, guest, images, initramfs, orders, runs, saved

PROGRAM = Path(__file__).resolve().parents[1] / "lab.py"
FOUR = ("clone/NEWPID/stack:1M", "clone/NEWNET/stack:1M", "unshare/NEWNS", "setns/NEWUTS/via:nsfd")
TWELVE = (*FOUR, "clone/NEWNS/stack:1M", "clone/NEWIPC/stack:1M", "unshare/NEWUSER", "unshare/NEWNET", "setns/NEWNET/via:pidfd",
          "clone/NEWNET-NEWPID/stack:1M", "unshare/NEWUTS", "proc_remount/NEWNS-NEWPID/stack:1M")


def run(kernel: Path, out: Path, *words: str, machines: str = "1") -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [sys.executable, PROGRAM, "run", f"--machines={machines}", "--kernel", kernel, "--out", out, *words]
    done = subprocess.run(command, text=True, capture_output=True, timeout=300)
    assert "Traceback" not in done.stderr
    return done


def samples(out: Path) -> dict[str, list[str]]:
    """By case: the lines of samples.csv, without the run's own columns."""
    found: dict[str, list[str]] = {}
    with open(next(out.glob("*/samples.csv")), newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["case"], []).append(",".join(list(row.values())[3:]))
    return found


def of(*cases: str) -> list[str]:
    return ["--", *(f"--case={case}" for case in cases), "--samples=5"]


def test_samples_depend_on_the_case_alone(kernel: Path, tmp_path: Path) -> None:
    """Alone, in a larger plan, in the other order, by another seed."""
    assert run(kernel, tmp_path / "four", "--jobs=2", *of(*FOUR)).returncode == 0
    expected = samples(tmp_path / "four")
    assert run(kernel, tmp_path / "two", "--jobs=1", *of(*reversed(FOUR[:2])), "--seed=9").returncode == 0
    assert samples(tmp_path / "two") == {case: expected[case] for case in samples(tmp_path / "two")}
    assert run(kernel, tmp_path / "one", *of(FOUR[0])).returncode == 0
    assert samples(tmp_path / "one")[FOUR[0]] == expected[FOUR[0]]


@thorough.only
def test_nothing_else_moves_them(kernel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan of twelve by two jobs under load, and another boot."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        assert run(kernel, tmp_path / "twelve", "--jobs=2", *of(*TWELVE)).returncode == 0
    finally:
        for process in busy:
            process.kill()
            process.wait()
    expected = samples(tmp_path / "twelve")
    assert len(expected) == len(TWELVE) + 2
    assert run(kernel, tmp_path / "four", "--jobs=1", *of(*reversed(FOUR)), "--seed=9").returncode == 0
    assert samples(tmp_path / "four") == {case: expected[case] for case in samples(tmp_path / "four")}
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # an empty one: its machine is booted anew
    assert run(kernel, tmp_path / "again", *of(*FOUR)).returncode == 0
    assert samples(tmp_path / "again") == samples(tmp_path / "four")


def assert_ended(session: int) -> None:
    """Nothing of a session goes on. What feeds a QEMU its saved state (cat) ends by itself once that is killed."""
    limit = time.monotonic() + 20
    while (left := subprocess.run(["pgrep", "-a", "-s", str(session)], capture_output=True, text=True).stdout):
        assert time.monotonic() < limit, left
        time.sleep(0.05)


def test_many_copies_at_once_are_the_same(kernel: Path, tmp_path: Path) -> None:
    """With more QEMUs than CPUs: what src/qemu/lockstep.c is for."""
    one = runs.wanted(images.images([str(kernel)])[0], guest.Machine(), runs.arguments(["--case=clone/NEWNET/stack:1M"], "tcg"),
                      initramfs.base(), tmp_path, how=runs.How(numbers=range(1, 2)))
    assert one.subject
    recipe, order = one.subject.recipes[1], orders.plan(one.options).order("clone/NEWNET/stack:1M", "fresh")
    with saved.held(recipe, guest.Crowd()) as folder, ThreadPoolExecutor(3 * (os.cpu_count() or 1)) as pool:
        done = pool.map(lambda _: copies.run(recipe, folder, order, guest.Crowd())["samples.csv"], range(thorough.of(8, 40)))
        assert len(set(done)) == 1


def test_a_stopped_plan_goes_on(kernel: Path, tmp_path: Path) -> None:
    command: list[str | Path] = [sys.executable, PROGRAM, "run", "--machines=1", "--jobs=1", "--kernel", kernel, "--out", tmp_path,
                                 *of(*TWELVE)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)
    limit = time.monotonic() + 120
    while not any(path.stat().st_size > 20_000 for path in tmp_path.glob(f"{folders.JOURNAL}*")):
        assert time.monotonic() < limit
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert "what was finished is kept" in process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert_ended(process.pid)
    kept = len(alone.Journal(next(tmp_path.glob(f"{folders.JOURNAL}*"))).done)
    assert kept > 0
    assert run(kernel, tmp_path, *of(*TWELVE)).returncode == 0
    assert not list(tmp_path.glob(f"{folders.JOURNAL}*"))
    assert len(samples(tmp_path)) == len(TWELVE) + 2


def test_an_interrupt_while_a_machine_is_made_leaves_no_part_of_it(kernel: Path, tmp_path: Path, cache: Path) -> None:
    command: list[str | Path] = [sys.executable, PROGRAM, "run", "--kernel", kernel, "--out", tmp_path / "out", *of(FOUR[0])]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)
    limit = time.monotonic() + 60
    while not list(cache.glob("part-*/ram")):
        assert time.monotonic() < limit
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    begun = time.monotonic()
    assert "what was finished is kept" in process.communicate(timeout=60)[1]
    assert process.returncode == 130 and time.monotonic() - begun < 20
    assert_ended(process.pid)
    assert not list(cache.glob("part-*"))
    assert not [path for path in cache.iterdir() if path.is_dir() and saved.damage(path)], "a machine that was finished is whole"


def test_a_wrong_option_is_told_by_the_first_copy(kernel: Path, tmp_path: Path) -> None:
    done = run(kernel, tmp_path, "--", "--filter=^unshare/", "--sampels=5")
    assert done.returncode == 2 and "unknown option '--sampels'" in done.stderr.splitlines()[-1]
    assert not [path for path in tmp_path.iterdir() if path.stat().st_size]


FAILING = [
    ("echo no luck; exit 7\n", "the state's script ended with 7: no luck"),
    ("while :; do :; done\n", "(--timeout) and was ended"),
    ("echo '<4>WARNING: quiet' >/dev/kmsg\n", "the guest's kernel said: ["),
    ("echo 'BUG: mine' >/dev/console\n", "the guest's kernel said: BUG: mine"),
]


@pytest.mark.parametrize(("script", "says"), thorough.of(FAILING[:1], FAILING))
def test_a_state_that_fails_is_one_line(kernel: Path, tmp_path: Path, cache: Path, script: str, says: str) -> None:
    (tmp_path / "state.sh").write_text(script)
    done = run(kernel, tmp_path / "out", f"--state={tmp_path}/state.sh",
               f"--timeout={30 if 'while' in script else 300}", *of(FOUR[0]))
    assert done.returncode == 1
    assert [says in line for line in done.stderr.splitlines() if line.startswith("lab: ")] == [True]
    assert not [path for path in cache.iterdir() if path.is_dir()]


@thorough.only
def test_a_state_changes_what_it_is_about(kernel: Path, tmp_path: Path) -> None:
    (tmp_path / "mounts.sh").write_text("for i in 1 2 3 4; do mkdir /tmp/m$i; mount -t tmpfs m /tmp/m$i; done\n")
    cases = ("unshare/NEWNS", "unshare/NEWUTS")
    for state in ("fresh", f"{tmp_path}/mounts.sh"):
        assert run(kernel, tmp_path / Path(state).stem, f"--state={state}", *of(*cases)).returncode == 0
    rows = []
    for name in ("fresh", "mounts"):
        with open(next((tmp_path / name).glob("*/results.csv")), newline="") as file:
            rows.append({row["case"]: row for row in csv.DictReader(file) if row["phase"] == "create"})
    assert rows[0]["unshare/NEWNS"]["state"] == "fresh" and rows[1]["unshare/NEWNS"]["state"].startswith("mounts-")
    assert float(rows[1]["unshare/NEWNS"]["median"]) > 1.1 * float(rows[0]["unshare/NEWNS"]["median"])
    assert rows[1]["unshare/NEWUTS"]["median"] == rows[0]["unshare/NEWUTS"]["median"]


@pytest.mark.usefixtures("own_mounts")
def test_a_cache_without_room_is_one_line(kernel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "small", tmp_path / "cache"], check=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    try:
        done = run(kernel, tmp_path / "out", *of(FOUR[0]))
        left = list((tmp_path / "cache" / "nsbench" / "lab" / "machines").glob("*/"))
    finally:
        subprocess.run(["umount", tmp_path / "cache"], check=True)
    assert (done.returncode, left) == (1, [])
    assert [line for line in done.stderr.splitlines() if line.startswith("lab: ")] == [done.stderr.splitlines()[-1]]
    assert "no room" in done.stderr or "No space left" in done.stderr
