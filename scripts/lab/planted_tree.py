"""A git tree of Debian's kernel source with steps planted in it, for tests: each commit adds instructions to one function."""
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lab import kernel_build, keeping, packages

PROGRAM = Path(__file__).resolve().parents[1] / "lab.py"
SERIES = "6.12"
IMAGE = "bzImage"
DATE = "2026-01-01T00:00:00Z"  # the same patches are the same commits
WHO = {f"GIT_{role}_{part}": text for role in ("AUTHOR", "COMMITTER")
       for part, text in (("NAME", "t"), ("EMAIL", "t@localhost"), ("DATE", DATE))}


@dataclass(frozen=True)
class Planted:
    """So many instructions more in a function, before the first place in it that reads so, and the case that executes them."""

    function: str
    file: str
    before: str
    case: str
    size: int
    loops: bool = False

    @property
    def code(self) -> str:
        if self.loops:  # one that sets the counter, and two for each turn
            return f'asm volatile("mov ${self.size // 2},%%ecx\\n1: dec %%ecx\\n jnz 1b" ::: "ecx", "cc");'
        return f'asm volatile(".rept {self.size}\\n nop\\n .endr");'

    @property
    def instructions(self) -> int:
        return 1 + self.size // 2 * 2 if self.loops else self.size

    def into(self, text: str) -> str:
        """The file's text with it. ValueError where the source has no such place."""
        begin = re.search(rf"^[a-z][^;{{}}#]*\b{self.function}\([^;{{}}]*\)\s*^{{$", text, re.MULTILINE)
        at = text.find(self.before, begin.end()) if begin else -1
        end = text.find("\n}\n", begin.end()) if begin else -1
        if not 0 <= at < end:
            raise ValueError(f"{self.file}: no {self.before!r} in {self.function}")
        line = text.rindex("\n", 0, at) + 1
        return f"{text[:line]}\t{self.code}\n{text[line:]}"


PLANTED = (
    Planted("copy_utsname", "kernel/utsname.c", "new_ns = clone_uts_ns(", "clone/NEWUTS/stack:1M", 200),
    Planted("copy_pid_ns", "kernel/pid_namespace.c", "return create_pid_namespace(", "clone/NEWPID/stack:1M", 75),
    Planted("setup_net", "net/core/net_namespace.c", "list_for_each_entry(ops, &pernet_list", "clone/NEWNET/stack:1M", 2000, loops=True),
    Planted("copy_ipcs", "ipc/namespace.c", "return create_ipc_ns(", "clone/NEWIPC/stack:1M", 500),
    Planted("copy_mnt_ns", "fs/namespace.c", "new_ns = alloc_mnt_ns(", "clone/NEWNS/stack:1M", 120),
    Planted("copy_cgroup_ns", "kernel/cgroup/namespace.c", "new_ns = alloc_cgroup_ns(", "clone/NEWCGROUP/stack:1M", 50),
    Planted("create_user_ns", "kernel/user_namespace.c", "ret = -ENOSPC;", "clone/NEWUSER/stack:1M", 1000, loops=True),
    Planted("copy_time_ns", "kernel/time/namespace.c", "return clone_time_ns(", "clone/NEWTIME/stack:1M", 300),
    Planted("free_uts_ns", "kernel/utsname.c", "dec_uts_namespaces(", "clone/NEWUTS/stack:1M", 150),
    Planted("pidns_install", "kernel/pid_namespace.c", "if (!ns_capable(", "setns/NEWPID/via:nsfd", 90),
)


class Tree:
    """Its folder is in the cache beside the source, whose files are in both: a second test builds only what it changes. Git knows only
    the files that are patched; a checkout makes these anew, so that those of the source stay."""

    def __init__(self) -> None:
        source = kernel_build.source_of(SERIES)
        self.folder = source.with_name(f"planted-{source.name}")
        if not self.folder.exists():
            ready, self.folder = self.folder, source.with_name(f"{keeping.PART}{self.folder.name}")
            self.make(source)
            self.folder = self.folder.rename(ready)
            keeping.note(self.folder, f"source of a kernel: {self.folder.name}")

    def make(self, source: Path) -> None:
        """The source's files, and a commit of those that are patched. Debian's .gitignore names all that upstream has."""
        shutil.rmtree(self.folder, ignore_errors=True)
        packages.run("cp", "-al", source, self.folder)
        files = sorted({one.file for one in PLANTED})
        for name in files:  # a patch is written in place
            path = self.folder / name
            text = path.read_bytes()
            path.unlink()
            path.write_bytes(text)
        self.git("init", "-q", "-b", "main", ".")
        self.git("add", "--force", *files)
        self.git("commit", "-q", "-m", "source")
        self.git("tag", "source")

    def git(self, *words: str) -> str:
        environment = {**os.environ, **WHO, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
        done = subprocess.run(["git", *words], cwd=self.folder, env=environment, text=True, capture_output=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def line(self, patches: Iterable[Planted]) -> list[str]:
        """The commits of a branch main that begins at the source, a patch each."""
        self.git("checkout", "-q", "-f", "-B", "main", "source")
        commits = []
        for one in patches:
            path = self.folder / one.file
            path.write_text(one.into(path.read_text()))
            self.git("commit", "-q", "-a", "-m", f"{one.instructions} in {one.function}")
            commits.append(self.git("rev-parse", "HEAD"))
        return commits

    def lab(self, *words: str | Path, log: Path) -> "subprocess.CompletedProcess[str]":
        """A command of the lab with this tree, whose builds each leave a line in the log."""
        build = f"echo >>'{log}' && '{sys.executable}' '{PROGRAM}' kernel-build . --out {IMAGE}"
        command: list[str | Path] = [sys.executable, PROGRAM, *words[:1], "--tree", self.folder, "--build", build, f"--image={IMAGE}",
                                     *words[1:]]
        return subprocess.run(command, text=True, capture_output=True)
