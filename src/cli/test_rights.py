"""What nsbench has in effect where it works on files and prints: the capabilities over files alone."""
import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from nsbench_harness import as_user, binary, measure, needs_root, wait_for
from rights_harness import NUMBERS, capabilities, sets_of

OVER_FILES = ("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID")
# Behind nsbench; RUN is a run's folder, SETS that of one with all sets of four kinds.
ON_RESULTS = ("summary RUN", "plot RUN", "model SETS", "curves RUN", "scaling RUN", "export RUN --format=openmetrics",
              "compare --single RUN RUN", "history add RUN")


@pytest.fixture(scope="module", name="recorded")
def recorded_runs(tmp_path_factory):
    """By what stands for them: runs that these commands take."""
    folder = tmp_path_factory.mktemp("recorded")
    measure("--filter=^unshare/(none|NEW(CGROUP|IPC|PID|UTS)(-NEW(IPC|PID|UTS))*)$", "--samples=2", "--block=1", f"--out={folder}/SETS")
    measure("--op=clone", "--ns=none", "--ns=pid", "--stack=1M", "--parallel=1,2", "--curve=procs:0..12:7", "--samples=4", "--block=1",
            f"--out={folder}/RUN")
    return folder


def rights_while_it_prints(words, folder):
    """The command's sets while it waits to print, since nobody reads it; then it is read, and ends well."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while os.write(writing, bytes(4096)):
            pass
    os.set_blocking(writing, True)
    with open(reading, "rb") as pipe, open(folder / "stderr", "wb") as stderr:
        with subprocess.Popen([binary(), *words], stdin=subprocess.DEVNULL, stdout=writing, stderr=stderr, cwd=folder) as process:
            def is_printing():
                """Within write(2), which has the number 1 on x86-64, to descriptor 1."""
                assert process.poll() is None, (folder / "stderr").read_text()
                return Path(f"/proc/{process.pid}/syscall").read_text().startswith("1 0x1 ")
            try:
                wait_for(is_printing, 30, "it to print")
                seen = sets_of(process.pid)
                os.close(writing)
                pipe.read()
                assert process.wait(60) == 0, (folder / "stderr").read_text()
            finally:
                process.kill()
    return seen


@needs_root
@pytest.mark.parametrize("command", ON_RESULTS)
def test_what_works_on_results_has_rights_over_files_alone(command, recorded, tmp_path):
    expected = capabilities(*OVER_FILES)
    words = [str(recorded / word) if word in ("RUN", "SETS") else word for word in command.split()]
    assert rights_while_it_prints(words, tmp_path) == {
        "CapInh": 0, "CapPrm": expected, "CapEff": expected, "CapBnd": expected, "CapAmb": 0}


# What measures has the others in effect only where it needs them

SMALL = ("--case=clone/NEWPID/stack:1M", "--samples=2")
CHURN = ("churn", "--ns=pid", "--for=100ms", "--drain=1ms")


@needs_root
@pytest.mark.parametrize("words", [SMALL, (*SMALL, "--repeat=2"), CHURN], ids=("run", "repeats", "churn"))
def test_what_measures_prints_with_rights_over_files_alone(words, tmp_path):
    seen = rights_while_it_prints((*words, "--csv=-"), tmp_path)
    assert (seen["CapEff"], seen["CapPrm"]) == (capabilities(*OVER_FILES), sets_of("self")["CapPrm"])


def traced(folder, *words, follow=()):
    """Of the calls of each process, as strace writes them, those that change its rights, open, rename and remove files, and start
    programs; without `follow` of nsbench alone."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    done = subprocess.run(["strace", *follow, "-o", folder / "calls", "-e", "trace=capset,prctl,execve,openat,mkdirat,renameat,renameat2,"
                           "unlinkat,vfork,clone,clone3,fork", binary(), *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, encoding="utf-8", timeout=120, check=False)
    if done.returncode and "ptrace(" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    return [path.read_text().splitlines() for path in sorted(folder.glob("calls*"))]


def text_of_rights():
    """Those over files that this process has, as strace writes them."""
    return "|".join(f"1<<CAP_{name}" for name in sorted(OVER_FILES, key=lambda name: NUMBERS[name]) if capabilities(name))


@needs_root
@pytest.mark.parametrize(("words", "resumed"), [((*SMALL,), True), ((*SMALL, "--repeat=2"), True), (CHURN, False)],
                         ids=("run", "repeats", "churn"))
def test_what_measures_has_rights_over_files_alone_where_it_reads_and_writes(words, resumed, tmp_path):
    """By the calls that nsbench makes: each capset(2) says what is in effect from there on."""
    run = tmp_path / "run"
    calls, = traced(tmp_path, *words, f"--out={run}", f"--csv={tmp_path}/csv")
    if resumed:
        calls += traced(tmp_path, f"--resume={run}", f"--csv={tmp_path}/csv")[0]
    in_effect = "all"
    on_files, starts = [], []
    for line in calls:
        if said := re.match(r"capset\(.*?effective=([^,]*), permitted=([^,]*), .*= 0$", line):
            in_effect = {text_of_rights(): "files", said[2]: "all"}.get(said[1], "others")
        elif re.match(r'(mkdirat|renameat2?|unlinkat)\(|openat\(.*("run\.json|"rounds\.csv|"samples\.csv|O_CREAT)', line):
            on_files.append((in_effect, line))
        elif re.match(r"(v?fork|clone3?)\(", line):
            starts.append(in_effect)
    assert len(on_files) > 5 and not [line for rights, line in on_files if rights != "files"]
    assert starts and set(starts) == {"all"}


@needs_root
def test_what_fits_laws_behind_a_run_has_rights_over_files_alone(tmp_path):
    calls = traced(tmp_path, "--op=clone", "--ns=none", "--stack=1M", "--curve=procs:0..12:7", "--samples=2", "--block=1",
                   follow=("-ff", "--seccomp-bpf"))
    (own, begun), = ((lines, at) for lines in calls for at, line in enumerate(lines) if line.startswith('execve("/usr/bin/python3"'))
    dropped = sum(line.startswith("prctl(PR_CAPBSET_DROP") and line.endswith("= 0") for line in own[:begun])
    assert dropped == bin(sets_of("self")["CapBnd"] & ~capabilities(*OVER_FILES)).count("1")
    last = [line for line in own[:begun] if line.startswith("capset") and line.endswith("= 0")][-1]
    assert f"effective={text_of_rights()}, permitted={text_of_rights()}," in last


@needs_root
def test_giving_up_gives_nothing(recorded, home):
    """A capability over files that is permitted and not in effect stays so."""
    folder = home / "permitted"
    folder.mkdir()
    folder.chmod(0o755)
    nsbench, cat = (Path(shutil.copy(program, folder)) for program in (binary(), "/usr/bin/cat"))
    for program in (nsbench, cat):
        if not shutil.which("setcap") or subprocess.run(["setcap", "cap_dac_override,cap_dac_read_search+p", program],
                                                        check=False).returncode:
            pytest.skip("setcap is not installed, or refused here")
    if not re.search(r"CapPrm:\s*0*[1-9a-f]", as_user(home, cat, "/proc/self/status").stdout):
        pytest.skip("a file's capabilities count for nothing here")
    run = Path(shutil.copytree(recorded / "RUN", folder / "run"))
    run.chmod(0o700)
    done = as_user(home, nsbench, "summary", run)
    assert done.returncode == 2 and f"{run}" in done.stderr and "EACCES" in done.stderr, done.stderr


@needs_root
def test_rights_that_cannot_be_given_up_are_said(recorded):
    prefix = ("setpriv", "--bounding-set=-setpcap", "--inh-caps=-setpcap")
    done = subprocess.run([*prefix, binary(), "summary", recorded / "RUN"], capture_output=True, encoding="utf-8", timeout=60, check=False)
    assert done.returncode == 0
    assert done.stderr == "nsbench: not all capabilities that it does not need are given up: prctl(PR_CAPBSET_DROP): EPERM\n"
    assert "clone/NEWPID/stack:1M" in done.stdout
