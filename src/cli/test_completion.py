"""Completion, in the three shells themselves: each is typed at, on a terminal, or asked as it asks itself."""

import os
import pty
import re
import select
import shutil
import struct
import subprocess
import termios
import time
from fcntl import ioctl
from pathlib import Path

import pytest

import thorough
from nsbench_harness import binary, list_ids, measure
from options_harness import all_options

SHELLS = ("bash", "zsh", "fish")


def completed(*words):
    """What nsbench says may be in the place of the last word."""
    done = subprocess.run([binary(), "complete", "--", *words], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return [line.split("\t")[0] for line in done.stdout.splitlines()]


def test_every_option_is_said():
    """Of each fourth command, unless all is asked for, and of nsbench itself."""
    options = all_options()
    assert len(options) > 30 and {("run", ), ("compare", ), ("lab", "run"), ("validate", "replicate")} <= set(options)
    for words, wanted in list(options.items())[::thorough.of(4, 1)]:
        assert wanted and wanted == {word.rstrip("=") for word in completed(*words, "--")}, words
    assert options[("run", )] == {word.rstrip("=") for word in completed("--")}


@pytest.mark.parametrize("words, wanted", [
    (("com", ), ["compare", "completion"]), (("--ns=pid", "lis"), ["list"]), (("--ns", "pid,ne"), ["pid,net"]),
    (("--ns=pid,", ), [f"--ns=pid,{kind}" for name, flag in (
        ("cgroup", "NEWCGROUP"), ("ipc", "NEWIPC"), ("net", "NEWNET"), ("mnt", "NEWNS"), ("time", "NEWTIME"), ("user", "NEWUSER"),
        ("uts", "NEWUTS")) for kind in (name, flag)]),
    (("--op=clone,se", ), ["--op=clone,setns"]), (("--case=setns/NEWPID/via:p", ), ["--case=setns/NEWPID/via:pidfd"]),
    (("list", "--with=via:ns", ), ["--with=via:nsfd"]),
    (("list", "--with=spa", ), ["--with=spawn:", "--with=spawn:fork", "--with=spawn:vm"]),
    (("list", "--curve=sta", ), ["--curve=stack:"]), (("--curve=stack:", ), ["--curve=stack:16K..1G"]),
    (("doctor", "--leave=gov", ), ["--leave=governor"]), (("help", "verif"), ["verify"]), (("completion", ""), ["bash", "zsh", "fish"]),
    (("--out=", ), [":folder"]), (("--csv", ""), [":file"]), (("exec", "--ns=pid", "--", "p"), [":command"]),
    (("exec", "--ns=pid", "--", "ps", "-"), [":file"]), (("--filter=x", ), []), (("nosuch", "--"), []), (("--nosuch=", ), []),
    (("compare", "--phase=create,tot"), ["--phase=create,total"]), (("compare", "--format", "c"), ["csv"]), (("compare", "x"), [":file"]),
    (("plot", "--format=png,s"), ["--format=png,svg"]),
    (("plot", "--only=abcdefgh"), ["--only=abcdefghi", "--only=abcdefghj", "--only=abcdefghk"]),
    (("curves", "--of=sta"), ["--of=stack"]),
    (("model", "--op=clone,uns"), ["--op=clone,unshare"]), (("model", "--phase=crea"), ["--phase=create"]),
    (("lab", "comp"), ["compare"]), (("lab", "page", "--section=ver"), ["--section=versions"]),
    (("lab", "run", "--state=chu"), ["--state=churned", ":file"]),
    (("lab", "run", "--kernel", "6.1", "--", "--quie"), ["--quiet"]), (("benchmark", "--benchmark_format=j"), ["--benchmark_format=json"]),
])
def test_what_may_follow(words, wanted):
    assert completed(*words) == wanted


def test_case_ids_complete():
    assert completed("--case=clone/") == [f"--case={case}" for case in list_ids("--op=clone")]
    assert completed("--case", "clone3/NEWTIME/") == ["clone3/NEWTIME/stack:1M"]  # in no default plan


def test_kernels_of_the_cache_complete(tmp_path, monkeypatch):
    kernel = tmp_path / "nsbench/lab/kernels/6.1.0-9-cloud-amd64_6.1.9-1/vmlinuz"
    kernel.parent.mkdir(parents=True)
    kernel.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if not completed("lab", "run", "--kernel=6"):
        pytest.fail(f"the lab's cache is elsewhere: {list(tmp_path.rglob('*'))}")
    assert completed("lab", "run", "--kernel=6") == ["--kernel=6.1", "--kernel=6.1.0-9-cloud-amd64", ":file"]


@pytest.mark.parametrize("shell", SHELLS)
def test_nsbench_prints_the_file_of_a_shell(shell):
    name = {"bash": "nsbench", "zsh": "_nsbench", "fish": "nsbench.fish"}[shell]
    text = measure("completion", shell).stdout
    assert text == (Path(__file__).parent / "completion" / name).read_text()
    assert text == (Path(binary()).parent / "completions" / name).read_text()


class Typed:
    """A shell on a terminal of many lines, with nsbench in the PATH and its completion read."""

    COMMANDS = {
        "bash": ["bash", "--norc", "--noprofile", "-i"],
        "zsh": ["zsh", "-f", "-i"],
    }
    SET_UP = {
        "bash": "bind 'set show-all-if-ambiguous on'; bind 'set page-completions off'; bind 'set completion-query-items 0'; "
                "bind 'set enable-bracketed-paste off'; eval \"$(nsbench completion bash)\"",
        "zsh": "LISTMAX=100000; unsetopt beep; autoload -U compinit; compinit -u -D; eval \"$(nsbench completion zsh)\"",
    }

    def __init__(self, shell, home):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(home)
            os.execvpe(shell, self.COMMANDS[shell], {
                "PATH": f"{Path(binary()).parent}:{os.environ['PATH']}", "HOME": str(home), "TERM": "dumb", "PS1": "ready> ",
                "LC_ALL": "C.UTF-8"})
        ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 2000, 250, 0, 0))
        self.type(self.SET_UP[shell] + "; ")

    def type(self, text):
        """What is shown until the shell is done with it, has carried out a command behind it, and waits for another."""
        os.write(self.terminal, f"{text}echo do''ne\n".encode())
        seen, end = "", time.monotonic() + 30
        while time.monotonic() < end:
            if select.select([self.terminal], [], [], 1)[0]:
                seen += os.read(self.terminal, 65536).decode(errors="replace")
            shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[>=]", "", seen)
            if re.search(r"done\r\n[^\n]*ready> ", shown):
                return shown
        raise AssertionError(f"{text!r}: {seen[-2000:]!r}")

    def close(self):
        os.close(self.terminal)
        os.waitpid(self.pid, 0)


@pytest.fixture(scope="module", params=SHELLS)
def asked(request, tmp_path_factory):
    """What a shell offers for a line that has been begun, by its name."""
    shell = request.param
    if not shutil.which(shell):
        pytest.skip(f"{shell} is missing: apt-get install {shell}")
    home = tmp_path_factory.mktemp(shell)
    (home / "folder").mkdir()
    (home / "file").touch()
    if shell == "fish":
        environment = {**os.environ, "HOME": str(home), "PATH": f"{Path(binary()).parent}:{os.environ['PATH']}"}

        def by_fish(line):
            done = subprocess.run(["fish", "--no-config", "-c", f"nsbench completion fish | source; complete -C '{line}'"], cwd=home,
                                  env=environment, capture_output=True, text=True, timeout=60)
            assert (done.returncode, done.stderr) == (0, "")
            return done.stdout
        yield by_fish
        return
    typed = Typed(shell, home)

    yield lambda line: typed.type(f"{line}\t\x15")  # completed, and then taken away
    typed.close()


def test_every_option_completes(asked):
    """A shell hands on what nsbench says, which test_every_option_is_said asks for each command: a few of these."""
    commands = list(all_options().items())
    for words, wanted in thorough.of(commands[::5], commands):
        shown = asked(f"nsbench {' '.join(words)} --")
        assert wanted <= set(re.findall(r"--[a-z_-]*[a-z]", shown)), words


@pytest.mark.parametrize("line, wanted", [
    ("nsbench comple", "completion"), ("nsbench --ns=pid,ne", "pid,net"), ("nsbench list --case=setns/NEWPID/via:pid", "via:pidfd"),
    ("nsbench list --case setns/NEWPID/via:pid", "via:pidfd"), ("nsbench --out=fo", "folder/"), ("nsbench compare fi", "file"),
    ("nsbench compare --form", "--format="), ("nsbench lab kernel-bu", "kernel-build"), ("nsbench verify --format=c", "=csv"),
])
def test_a_word_is_completed(asked, line, wanted):
    assert wanted in asked(line)
