"""Tests of the lab: its parts, how it fails (with a fake QEMU), and one real guest measured twice."""
import argparse
import lzma
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab import atlas, folders, guest, images, initramfs, packages, runs
from lab.errors import IMPOSSIBLE, USAGE, LabError

PROGRAM = Path(__file__).resolve().parents[1] / "lab.py"
OPTIONS = ["--filter=^clone/NEWPID/stack:1M$", "--samples=5"]


def kernel(version: str, release: str = "") -> packages.Kernel:
    release = release or version.split("-")[0] + "-cloud-amd64"
    return packages.Kernel(f"linux-image-{release}", release, version, 1)


def test_versions_sort_as_dpkg_sorts_them() -> None:
    texts = ["6.1.9-1", "6.1.10-1", "6.12.117-1~deb12u1", "6.12.117-1", "6.12.117-1+b1", "6.2-1", "7.3.4-1~bpo13+1"]
    ordered = [k.version for k in sorted(map(kernel, texts), key=packages.version_key)]
    assert ordered == ["6.1.9-1", "6.1.10-1", "6.2-1", "6.12.117-1~deb12u1", "6.12.117-1", "6.12.117-1+b1", "7.3.4-1~bpo13+1"]
    for one, other in zip(ordered, ordered[1:]):
        assert subprocess.run(["dpkg", "--compare-versions", one, "lt", other]).returncode == 0


def test_a_series_is_its_newest_kernel() -> None:
    known = [kernel("6.1.176-1", "6.1.0-50-cloud-amd64"), kernel("6.1.192-2", "6.1.0-56-cloud-amd64"),
             kernel("6.12.117-1"), kernel("7.2.13-1"), kernel("7.3.4-1~bpo13+1")]
    chosen = {name: packages.select(known, name) for name in ("6.1", "6.12", "7", "7.2", "6.1.176-1", "6.1.0-50", "5.10", "6.")}
    assert {name: k and k.version for name, k in chosen.items()} == {
        "6.1": "6.1.192-2", "6.12": "6.12.117-1", "7": "7.3.4-1~bpo13+1", "7.2": "7.2.13-1",
        "6.1.176-1": "6.1.176-1", "6.1.0-50": "6.1.176-1", "5.10": None, "6.": None,
    }


def test_metapackages_are_no_kernels() -> None:
    assert packages.PACKAGE.fullmatch("linux-image-6.1.0-50-cloud-amd64")
    assert packages.PACKAGE.fullmatch("linux-binary-7.2.13+deb14-cloud-amd64")
    for name in ("linux-image-6.1-cloud-amd64", "linux-image-6.1.0-50-rt-amd64", "linux-image-6.1.0-50-cloud-amd64-dbg"):
        assert not packages.PACKAGE.fullmatch(name)


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


@pytest.mark.parametrize(("status", "rows", "whole"), [
    (0, "ok", True), (1, "failed", True), (1, "ok", False), (139, "ok", False), (3, "skipped", False)])
def test_a_run_that_crashed_is_no_result(status: int, rows: str, whole: bool) -> None:
    assert runs.complete(status, {"results.csv": f"case,status\nx,{rows}\n".encode()}) == whole


def test_a_guest_that_does_not_boot_is_ended(lab: "Lab", monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lab.qemu("exec sleep 1000\n")
    monkeypatch.setenv("PATH", f"{lab.bin}:{os.environ['PATH']}")
    monkeypatch.setattr(guest, "BOOT_LIMIT", {"tcg": 0.2, "kvm": 0.2})
    for accel, says in (("tcg", "had not booted after"), ("kvm", "KVM does not work here")):
        with pytest.raises(LabError, match=says):
            guest.try_boot(guest.Machine(accel), lab.kernel)


def finish(out: Path, image: images.Image, lab: dict) -> Path:
    """A run's folder, made as a guest's files would make it."""
    part = out / (folders.PART + "x")
    part.mkdir()
    folders.publish(out / image.name, part, {"run.json": b'{"a": 1}', "results.csv": b"r\n", "dmesg": b""}, lab)
    part.rmdir()
    return out / image.name


def test_a_finished_run_is_known_by_its_inputs(tmp_path: Path) -> None:
    image = images.Image("k", Path("k"), "0")
    folder = finish(tmp_path, image, {"accel": "tcg", "memory_mb": 512})
    assert sorted(p.name for p in folder.iterdir()) == ["results.csv", "run.json"]
    assert folders.finished(folder, {"accel": "tcg", "memory_mb": 512})
    with pytest.raises(LabError, match="another memory_mb: give another --out"):
        folders.finished(folder, {"accel": "tcg", "memory_mb": 256})
    assert not folders.finished(tmp_path / "none", {})
    (folder / "run.json").write_text("{}")
    with pytest.raises(LabError, match="no run of the lab"):
        folders.finished(folder, {})


def test_a_folder_is_for_one_lab_at_a_time(tmp_path: Path) -> None:
    with folders.exclusive(tmp_path):
        with pytest.raises(LabError, match="another lab"), folders.exclusive(tmp_path):
            pass
    (tmp_path / (folders.PART + "left")).mkdir()
    with folders.exclusive(tmp_path):
        assert not list(tmp_path.iterdir())


class Lab:
    """The command line with a fake QEMU and a file that passes for a kernel, in a folder of its own."""

    def __init__(self, path: Path) -> None:
        self.path, self.bin, self.out = path, path / "bin", path / "out"
        self.bin.mkdir()
        self.kernel = path / "bzImage"
        self.kernel.write_bytes(b"\0" * 0x202 + b"HdrS")

    def qemu(self, script: str) -> None:
        """A QEMU of shell code, with $console and $sent the files of its serial ports."""
        ports = 'for w; do case $w in file:*/console) console=${w#file:};; file:*/sent) sent=${w#file:};; esac; done\n'
        text = "#!/bin/sh\n[ \"$1\" = --version ] && { echo QEMU emulator version 0.0; exit; }\n" + ports + script
        (self.bin / guest.QEMU).write_text(text)
        (self.bin / guest.QEMU).chmod(0o755)

    def start(self, *words: str, options: list[str] = OPTIONS) -> subprocess.Popen:
        environment = {**os.environ, "PATH": f"{self.bin}:{os.environ['PATH']}"}
        command = [sys.executable, PROGRAM, *(words or ("run", "--together", "--kernel", str(self.kernel))), "--out", self.out,
                   "--", *options]
        return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *words: str, options: list[str] = OPTIONS) -> tuple[int, str]:
        """The exit code and standard error; nothing may be left in the results' folder."""
        process = self.start(*words, options=options)
        _, stderr = process.communicate(timeout=60)
        assert not self.out.exists() or not list(self.out.iterdir())
        assert "Traceback" not in stderr
        return process.returncode, stderr


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    try:
        initramfs.base()
    except LabError as error:
        pytest.skip(str(error))
    made = Lab(tmp_path)
    made.qemu("exit 0\n")
    return made


@pytest.mark.parametrize(("script", "says"), [
    ("echo 'Kernel panic - not syncing: attempted to kill init' >$console", "Kernel panic"),
    ("echo 'Kernel panic: VFS: Unable to mount root fs' >$console", "CONFIG_BLK_DEV_INITRD"),
    ("echo 'Out of memory: Killed process 9 (nsbench)' >$console", "Out of memory"),
    ("exit 0", "without a word"),
    ("echo 'lab: measuring' >$console", "results were out whole"),
    ("echo 'lab: done' >$console; printf 'x\\nlab 2 %064d\\n' 0 >$sent", "results were out whole"),
    ("echo 'cannot set up guest memory' >&2; exit 1", "cannot set up guest memory"),
])
def test_a_guest_that_fails_says_why_and_leaves_nothing(lab: Lab, script: str, says: str) -> None:
    lab.qemu(script + "\n")
    code, stderr = lab.run()
    assert code == 1
    assert says in next(line for line in stderr.splitlines() if line.startswith("lab: "))


def test_a_full_disk_is_named(lab: Lab) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    lab.out.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "full", lab.out], check=True)
    try:
        code, stderr = lab.run()
    finally:
        subprocess.run(["umount", lab.out], check=True)
    assert code == 1
    assert stderr.splitlines()[-1].endswith(": No space left on device") and str(lab.out) in stderr


def test_a_kernel_that_is_cut_off_is_told(lab: Lab) -> None:
    data = bytearray(lab.kernel.read_bytes())
    data[0x1F1], data[0x1F4] = 3, 255
    lab.kernel.write_bytes(data)
    code, stderr = lab.run()
    assert code == USAGE
    assert f"cut off: {len(data)} bytes of {4 * 512 + 255 * 16}" in stderr


def test_an_interrupted_download_leaves_no_kernel(tmp_path: Path) -> None:
    """apt-get's place is taken by a program that writes half a package and waits."""
    tool = tmp_path / "bin" / "apt-get"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho half >kernel.deb; touch $XDG_CACHE_HOME/begun; exec sleep 1000\n")
    tool.chmod(0o755)
    code = f"import sys; sys.path.insert(0, {str(PROGRAM.parent)!r})\nfrom lab import packages\n" \
           "packages.fetch(packages.Kernel('linux-image-9.9.9-cloud-amd64', '9.9.9-cloud-amd64', '9.9.9-1', 1))"
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "PATH": f"{tool.parent}:{os.environ['PATH']}"}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, start_new_session=True)
    limit = time.monotonic() + 30
    while not (tmp_path / "begun").exists():
        assert time.monotonic() < limit
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    cache = tmp_path / "nsbench" / "lab"
    assert process.returncode != 0
    assert not list(cache.glob("part-*")) and not list(cache.glob("kernels/*"))


def test_another_run_in_the_folder_is_replaced_in_one_step(tmp_path: Path) -> None:
    image = images.Image("k", Path("k"), "0")
    folder = finish(tmp_path, image, {"accel": "tcg"})
    other, keep = {"accel": "kvm"}, folders.Keep(compressed=True, replace=True)
    assert not folders.finished(folder, other, keep)
    part = tmp_path / (folders.PART + "y")
    part.mkdir()
    folders.publish(folder, part, {"run.json": b"{}", "results.csv": b"new\n", "samples.csv": b"s\n"}, other, keep)
    assert sorted(p.name for p in folder.iterdir()) == ["results.csv", "run.json", "samples.csv.xz"]
    assert lzma.decompress((folder / "samples.csv.xz").read_bytes()) == b"s\n"
    assert (part / "ready" / "results.csv").read_bytes() == b"r\n"
    assert folders.finished(folder, other, keep)


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


def test_the_atlas_has_states_and_a_probed_run_beside_each(lab: "Lab", monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[runs.Wanted] = []
    monkeypatch.setenv("PATH", f"{lab.bin}:{os.environ['PATH']}")
    monkeypatch.setattr(runs, "run_all", lambda every, out, jobs: asked.extend(every) or [])
    options = argparse.Namespace(accel="tcg", append="", memory=512, timeout=9, nsbench=["--samples=5"], out=lab.out, again=False,
                                 jobs=1)
    measured = [runs.Result(images.Image(name, lab.kernel, "0"), lab.out / name, error=error)
                for name, error in (("a", None), ("b", LabError("panic")))]
    atlas.beside(options, measured)
    assert [one.folder for one in asked] == [lab.out / "a" / name for name in ("churned", "crowded", "probe")]
    assert [one.lab["state"] for one in asked] == ["churned", "crowded", "fresh"]
    assert asked[2].lab["arguments"][:3] == ["--samples=5", f"--filter={atlas.PROBED}", "--probe"]
    assert len(asked[0].lab["nsbench_sha256"]) == 64 and str(lab.path) not in asked[0].lab["qemu"]


def test_a_guest_that_hangs_is_ended(lab: Lab) -> None:
    lab.qemu("echo 'lab: booted' >$console; exec sleep 1000\n")
    code, stderr = lab.run("run", "--together", "--kernel", str(lab.kernel), "--timeout", "1")
    assert code == 1
    assert "still settling after 1 s (--timeout)" in stderr and "| lab: booted" in stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_guests(lab: Lab, number: signal.Signals) -> None:
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
def test_bad_input_is_one_line(lab: Lab, words: list[str], code: int, says: str) -> None:
    got, stderr = lab.run(*words)
    assert got == code
    assert says in stderr.splitlines()[-1]


def test_a_missing_qemu_names_the_package(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(lab.bin))
    (lab.bin / guest.QEMU).unlink()
    guest.qemu_version.cache_clear()
    with pytest.raises(LabError, match="qemu-system-x86") as error:
        guest.qemu_version()
    assert error.value.code == IMPOSSIBLE


def test_two_guests_measure_the_same_while_the_cpus_are_busy(tmp_path: Path) -> None:
    try:
        guest.qemu_version()
        image = packages.fetch(packages.find(["6.1"])[0])
        initramfs.base()
    except LabError as error:
        pytest.skip(str(error))
    command = [sys.executable, PROGRAM, "run", "--together", "--kernel", image, "--out"]
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
        one, other = (next((tmp_path / run).glob(f"*/{name}")).read_text().splitlines() for run in "ab")
        assert len(one) > 1
        assert [line.split(",", 1)[1] for line in one] == [line.split(",", 1)[1] for line in other]
        assert all(line.split(",")[2] == "instructions" for line in one[1:])


def fetching(tmp_path: Path, cache: Path, image: bytes) -> subprocess.CompletedProcess[str]:
    """Fetches a package with this image through an apt-get that copies it."""
    (tmp_path / "deb" / "DEBIAN").mkdir(parents=True)
    (tmp_path / "deb" / "DEBIAN" / "control").write_text(
        "Package: linux-image\nVersion: 9\nArchitecture: amd64\nMaintainer: t\nDescription: t\n")
    (tmp_path / "deb" / "boot").mkdir()
    (tmp_path / "deb" / "boot" / "vmlinuz-9.9.9-cloud-amd64").write_bytes(image)
    subprocess.run(["dpkg-deb", "-Znone", "--root-owner-group", "-b", tmp_path / "deb", tmp_path / "made.deb"], check=True,
                   stdout=subprocess.DEVNULL)
    tool = tmp_path / "bin" / "apt-get"
    tool.parent.mkdir()
    tool.write_text(f"#!/bin/sh\nln -s {tmp_path}/made.deb kernel.deb\n")
    tool.chmod(0o755)
    code = f"import sys; sys.path.insert(0, {str(PROGRAM.parent)!r})\nfrom lab import errors, packages\ntry:\n" \
           "    packages.fetch(packages.Kernel('linux-image-9.9.9-cloud-amd64', '9.9.9-cloud-amd64', '9.9.9-1', 1))\n" \
           "except errors.LabError as error:\n    sys.exit(str(error))"
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "PATH": f"{tool.parent}:{os.environ['PATH']}"}
    return subprocess.run([sys.executable, "-c", code], env=environment, text=True, capture_output=True)


IMAGE = b"\0" * 0x202 + b"HdrS" + bytes(3 << 20)


def test_a_package_gives_its_image_or_none(tmp_path: Path) -> None:
    done = fetching(tmp_path, tmp_path / "cache", IMAGE)
    assert (done.returncode, done.stderr) == (0, "")
    assert next((tmp_path / "cache").glob("nsbench/lab/kernels/*/vmlinuz")).read_bytes() == IMAGE


def test_a_package_with_another_file_in_the_image_s_place_is_told(tmp_path: Path) -> None:
    done = fetching(tmp_path, tmp_path / "cache", b"text")
    assert done.returncode == 1 and "not a kernel image" in done.stderr
    assert not list((tmp_path / "cache").glob("nsbench/lab/kernels/*"))


def test_a_full_disk_leaves_no_cut_off_kernel_in_the_cache(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    (tmp_path / "cache").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "full", tmp_path / "cache"], check=True)
    try:
        done = fetching(tmp_path, tmp_path / "cache", IMAGE)
        left = list((tmp_path / "cache").glob("nsbench/lab/kernels/*"))
    finally:
        subprocess.run(["umount", tmp_path / "cache"], check=True)
    assert (done.returncode, left) == (1, [])
    assert done.stderr.startswith(f"{tmp_path}/cache/nsbench/lab: No space left on device: ")


def test_without_a_network_there_is_no_empty_list(tmp_path: Path) -> None:
    """A proxy that does not answer: apt-get update then says so in warnings, and exits with 0."""
    if not shutil.which("apt-get"):
        pytest.skip("apt is missing")
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "http_proxy": "http://127.0.0.1:9",
                   "https_proxy": "http://127.0.0.1:9"}
    for words in (["kernels"], ["fetch", "6.1"]):
        done = subprocess.run([sys.executable, PROGRAM, *words], env=environment, text=True, capture_output=True)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (IMPOSSIBLE, "", 1)
        assert "http_proxy" in done.stderr or "no Debian archive" in done.stderr
    assert not (tmp_path / "nsbench" / "lab" / "apt" / "updated").exists()


def test_options_behind_the_dashes_are_for_those_that_take_them(tmp_path: Path) -> None:
    for words in (["page", tmp_path], ["kernels"], ["fetch", "6.1"], ["shell", "--kernel=6.1"], ["agree", "--kernel=6.1"]):
        done = subprocess.run([sys.executable, PROGRAM, *words, "--", "--samples=3"], text=True, capture_output=True)
        assert (done.returncode, done.stdout) == (USAGE, "")
        assert "only run, compare, states, repeat, profile, balance and atlas" in done.stderr


@pytest.mark.parametrize(("redirection", "code"), [(">&-", USAGE), (">/dev/full", 1), ("2>&-", 0), (">&- 2>&-", USAGE)])
def test_closed_streams_are_no_traceback(redirection: str, code: int) -> None:
    done = subprocess.run(["sh", "-c", f'"$1" "$2" page --section=kinds {redirection}', "sh", sys.executable, PROGRAM], text=True,
                          capture_output=True)
    assert (done.returncode, done.stderr.count("\n")) == (code, int(code != 0 and "2>" not in redirection))
    assert "Traceback" not in done.stderr
