"""Tests of the lab: what goes into a guest, how it fails (with a fake QEMU), and one real guest measured twice."""
import gzip
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

import thorough
from lab import guest, images, initramfs, packages, runs
from lab.errors import IMPOSSIBLE, USAGE, LabError
from lab.fake_harness import OPTIONS, PROGRAM, FakeLab, sent


def test_an_archive_does_not_depend_on_order_or_times(tmp_path: Path) -> None:
    members = {"b/x": (stat.S_IFREG | 0o644, b"1"), "a": (stat.S_IFLNK | 0o777, b"b/x")}
    data = initramfs.archive(members)
    assert data == initramfs.archive(dict(reversed(members.items())))
    assert len(data) % initramfs.PAGE == 0
    if shutil.which("cpio"):
        listed = subprocess.run(["cpio", "-it", "--quiet"], input=data, capture_output=True, check=True).stdout.split()
        assert listed == [b"a", b"b", b"b/x"]


def test_arguments_reach_the_guest_as_they_are(tmp_path: Path) -> None:
    words = ["--filter=^a'b \"$(reboot)`;|é$", "*"]
    text = guest.Machine().initrd("run", words, b"")
    settings = tmp_path / "settings"
    settings.write_bytes(text[text.index(b"mode="):text.index(b"\0", text.index(b"mode="))])
    said = subprocess.run(["sh", "-c", f'. {settings}; printf "%s\\n" "$@"'], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines() == words


def test_defaults_yield_to_what_was_given() -> None:
    assert runs.arguments(["run", "--samples", "9", "--cpu=1"], "tcg") == [
        "--samples", "9", "--cpu=1", "--seed=1", "--clock=instructions", "--no-progress"]
    assert "--clock=wall" in runs.arguments([], "kvm")


@pytest.mark.parametrize("options", [["doctor"], ["--out=x"], ["--resume", "x"], ["--csv=x"], ["--json=x"], ["--clock=wall"],
                                     ["--clock", "wall"], ["--probe", "--folded=mine"]])
def test_options_without_a_meaning_in_a_guest_are_refused(options: list[str]) -> None:
    with pytest.raises(LabError) as error:
        runs.arguments(options, "tcg")
    assert error.value.code == USAGE


@pytest.mark.parametrize("line", ["[ 1.0] BUG: unable to handle", "[ 1.0] WARNING: CPU: 0 PID: 1", "Oops: 0002 [#1]",
                                  "WARNING: kernel/fork.c:1 at copy_process", "kernel BUG at mm/slub.c:305!", "Call Trace:",
                                  "Kernel panic - not syncing", "Out of memory: Killed process 9"])
def test_faults_are_seen_on_the_console(line: str) -> None:
    assert guest.splat(f"lab: booted\n{line}\nmore\n") == line
    assert guest.splat("Linux version 6.1\nlab: booted\n") is None


def test_what_only_looks_like_a_fault_is_none() -> None:
    assert guest.splat("[ 0.1] DEBUG: x\n[ 0.2] Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on\n") is None


def test_a_folder_is_no_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("6.1").mkdir()
    Path("bzImage").touch()
    assert [images.is_path(name) for name in ("6.1", "bzImage", "./6.1")] == [False, True, True]


def test_two_packages_of_one_release_are_two_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    def image_of(version: str) -> images.Image:
        release = "6.12.0-amd64" if version.startswith("6.12") else "6.1.0-amd64"
        return images.Image(release, Path("vmlinuz"), version, f"linux-image-{release} {version}")

    monkeypatch.setattr(images, "image_of", image_of)
    assert [image.name for image in images.images(["6.1.27-1", "6.12.9-1", "6.1.38-1", "6.1.27-1"])] == [
        "6.1.0-amd64_6.1.27-1", "6.12.0-amd64", "6.1.0-amd64_6.1.38-1"]
    assert [image.name for image in images.images(["6.1.38-1"])] == ["6.1.0-amd64"]


@pytest.mark.parametrize(("status", "rows", "whole"), [
    (0, "ok", True), (1, "failed", True), (1, "ok", False), (139, "ok", False), (3, "skipped", False)])
def test_a_run_that_crashed_is_no_result(status: int, rows: str, whole: bool) -> None:
    assert runs.complete(status, {"results.csv": f"case,status\nx,{rows}\n".encode()}) == whole


def test_a_guest_that_does_not_boot_is_ended(lab: FakeLab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lab.qemu("exec sleep 1000\n")
    monkeypatch.setenv("PATH", f"{lab.bin}:{os.environ['PATH']}")
    monkeypatch.setattr(guest, "BOOT_LIMIT", {"tcg": 0.2, "kvm": 0.2})
    for accel, says in (("tcg", "had not booted after"), ("kvm", "KVM does not work here")):
        with pytest.raises(LabError, match=says):
            guest.try_boot(guest.Machine(accel), lab.kernel)


@pytest.mark.parametrize(("script", "says"), [
    ("echo 'Kernel panic - not syncing: attempted to kill init' >$console", "Kernel panic"),
    ("echo 'Kernel panic: VFS: Unable to mount root fs' >$console", "CONFIG_BLK_DEV_INITRD"),
    ("echo 'Out of memory: Killed process 9 (nsbench)' >$console", "Out of memory"),
    ("exit 0", "without a word"),
    ("echo 'lab: measuring' >$console", "results were out whole"),
    ("echo 'lab: done' >$console; printf 'x\\nlab 2 %064d\\n' 0 >$sent", "results were out whole"),
    ("echo 'cannot set up guest memory' >&2; exit 1", "cannot set up guest memory"),
])
def test_a_guest_that_fails_says_why_and_leaves_nothing(lab: FakeLab, script: str, says: str) -> None:
    lab.qemu(script + "\n")
    code, stderr = lab.run()
    assert code == 1
    assert says in next(line for line in stderr.splitlines() if line.startswith("lab: "))


def test_what_was_measured_of_a_kernel_that_was_built_again_is_no_result(lab: FakeLab) -> None:
    files = dict.fromkeys(runs.FILES, b"") | {"status": b"0", "run.json": b"{}"}
    (lab.path / "files").write_bytes(sent(files))
    again = f"cp {lab.path / 'files'} $sent; echo 'lab: done' >$console\n"
    lab.qemu(f"echo >>{lab.kernel}\n{again}")
    code, stderr = lab.run()
    assert code == 1 and "bzImage: the file has changed since the run began: measure again, or a copy of it" in stderr
    # When it has booted, QEMU has read the file.
    lab.qemu(f"echo 'lab: booted' >$console; sleep 1; echo >>{lab.kernel}\n{again}")
    process = lab.start()
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 0, stderr
    assert [(path / "run.json").exists() for path in lab.out.iterdir()] == [True]


@pytest.mark.usefixtures("own_mounts")
def test_a_full_disk_is_named(lab: FakeLab) -> None:
    lab.out.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "full", lab.out], check=True)
    try:
        code, stderr = lab.run()
    finally:
        subprocess.run(["umount", lab.out], check=True)
    assert code == 1
    assert stderr.splitlines()[-1].endswith(": No space left on device") and str(lab.out) in stderr


def test_a_kernel_that_is_cut_off_is_told(lab: FakeLab) -> None:
    data = bytearray(lab.kernel.read_bytes())
    for said, sectors in ((3, 3), (0, 4)):
        data[0x1F1], data[0x1F4] = said, 255
        lab.kernel.write_bytes(data)
        code, stderr = lab.run()
        assert code == USAGE
        assert f"cut off: {len(data)} bytes of {(sectors + 1) * 512 + 255 * 16}" in stderr


@pytest.mark.parametrize("said, sectors", [(3, 3), (0, 4)])
def test_the_kernel_in_an_image_is_behind_its_setup(tmp_path: Path, said: int, sectors: int) -> None:
    elf = b"\x7fELF" + bytes(100)
    payload = gzip.compress(elf)
    setup = bytearray((sectors + 1) * 512)
    setup[0x1F1], setup[0x202:0x206] = said, b"HdrS"
    setup[0x248:0x250] = (0).to_bytes(4, "little") + len(payload).to_bytes(4, "little")
    (tmp_path / "bzImage").write_bytes(bytes(setup) + payload)
    assert images.unpacked(tmp_path / "bzImage") == elf


def test_a_guest_that_hangs_is_ended(lab: FakeLab) -> None:
    lab.qemu("echo 'lab: booted' >$console; exec sleep 1000\n")
    code, stderr = lab.run("run", "--together", "--kernel", str(lab.kernel), "--timeout", "4")
    assert code == 1
    assert "still settling after 4 s (--timeout)" in stderr and "| lab: booted" in stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_ends_the_guests(lab: FakeLab, number: signal.Signals) -> None:
    lab.qemu("echo $$ >" + str(lab.path / "pid") + "; exec sleep 1000\n")
    process = lab.start()
    limit = time.monotonic() + 30
    while not (lab.path / "pid").exists() or not (lab.path / "pid").read_text():
        assert time.monotonic() < limit
        time.sleep(0.02)
    second = lab.start()
    assert "another lab" in second.communicate(timeout=30)[1]
    process.send_signal(number)
    assert "interrupted" in process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert not list(lab.out.iterdir())
    with pytest.raises(ProcessLookupError):
        os.kill(int((lab.path / "pid").read_text()), 0)


@pytest.mark.parametrize(("words", "code", "says"), [
    (["run", "--kernel", "/nowhere/bzImage"], USAGE, "No such file"),
    (["run", "--kernel", str(PROGRAM)], USAGE, "not a kernel image"),
    (["run", "--kernel", "x", "--jobs", "0"], USAGE, "whole number from 1"),
    (["run", "--kernel", "x", "--append", "a\nb"], USAGE, "printable ASCII"),
    (["run"], USAGE, "--kernel"),
    (["page"], USAGE, "unrecognized arguments: --out"),
])
def test_bad_input_is_one_line(lab: FakeLab, words: list[str], code: int, says: str) -> None:
    got, stderr = lab.run(*words)
    assert got == code
    assert says in stderr.splitlines()[-1]


def test_a_missing_qemu_names_the_package(lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(lab.bin))
    (lab.bin / guest.QEMU).unlink()
    guest.qemu_version.cache_clear()
    with pytest.raises(LabError, match="qemu-system-x86") as error:
        guest.qemu_version()
    assert error.value.code == IMPOSSIBLE


@thorough.only
def test_two_guests_measure_the_same_while_the_cpus_are_busy(tmp_path: Path) -> None:
    try:
        guest.qemu_version()
        image = packages.fetch(packages.find(["6.1"])[0])
        initramfs.base()
    except LabError as error:
        pytest.skip(str(error))
    command: list[str | Path] = [sys.executable, PROGRAM, "run", "--together", "--kernel", image, "--out"]
    first = subprocess.run([*command, tmp_path / "a", "--", *OPTIONS], check=False)
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        second = subprocess.run([*command, tmp_path / "b", "--", *OPTIONS], check=False)
        assert [other.poll() for other in others] == [None] * len(others)
    finally:
        for other in others:
            other.kill()
            other.wait()
    assert (first.returncode, second.returncode) == (0, 0)
    for name in ("results.csv", "samples.csv"):
        ours, theirs = (next((tmp_path / run).glob(f"*/{name}")).read_text().splitlines() for run in "ab")
        assert len(ours) > 1
        assert [line.split(",", 1)[1] for line in ours] == [line.split(",", 1)[1] for line in theirs]
        assert all(line.split(",")[2] == "instructions" for line in ours[1:])


def test_options_behind_the_dashes_are_for_those_that_take_them(tmp_path: Path) -> None:
    for words in (["page", str(tmp_path)], ["kernels"], ["fetch", "6.1"], ["shell", "--kernel=6.1"], ["agree", "--kernel=6.1"]):
        done = subprocess.run([sys.executable, PROGRAM, *words, "--", "--samples=3"], text=True, capture_output=True)
        assert (done.returncode, done.stdout) == (USAGE, "")
        assert "only run, compare, states, repeat, profile, balance, atlas, history and bisect take" in done.stderr


@pytest.mark.parametrize(("redirection", "code"), [(">&-", USAGE), (">/dev/full", 1), ("2>&-", 0), (">&- 2>&-", USAGE)])
def test_closed_streams_are_no_traceback(redirection: str, code: int) -> None:
    done = subprocess.run(["sh", "-c", f'"$1" "$2" page --section=kinds {redirection}', "sh", sys.executable, PROGRAM], text=True,
                          capture_output=True)
    assert (done.returncode, done.stderr.count("\n")) == (code, int(code != 0 and "2>" not in redirection))
    assert "Traceback" not in done.stderr
