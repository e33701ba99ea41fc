"""kernel-build: a small kernel of one's own, in which nsbench has all that it needs.

From Debian's source of a series (linux-source-6.12) or a tree of your own, with patches if you like, and the configuration
small-kernel.config: all eight kinds of namespaces, and little besides. The first build takes some ten minutes of a CPU, one
after a patch a few seconds: enough for `git bisect run` (with `|| exit 125`: a kernel that does not build says nothing). The
image is a kernel for every --kernel: scripts/lab.py compare bzImage-base bzImage-new.
Exit codes: 0 built; 1 it does not build; 2 usage; 3 not possible here.
"""
import argparse
import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from analysis import files, outputs
from lab import keeping, packages, sessions
from lab.commands import Commands
from lab.errors import FAILED, IMPOSSIBLE, OK, USAGE, LabError
from lab.options import add_jobs
from lab.packages import SERIES

CONFIG = Path(__file__).resolve().parent / "small-kernel.config"
# Which instruction is of which line, and of which inlined function; without the types of data, which take most of the room.
DEBUG = "CONFIG_DEBUG_KERNEL=y\nCONFIG_DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT=y\nCONFIG_DEBUG_INFO_REDUCED=y\n"
TOOLS = ("make", "gcc", "flex", "bison", "bc", "patch", "tar", "xz")
HEADERS = ("libelf.h", "openssl/opensslv.h")
REMEDY = "apt-get install make gcc flex bison bc patch xz-utils libelf-dev libssl-dev"
PATCHED = ".nsbench-patched"  # in a tree while patches are, which it names: what is killed does not take them back
# The same sources make the same image.
SAME = {"KBUILD_BUILD_TIMESTAMP": "2026-01-01", "KBUILD_BUILD_USER": "lab", "KBUILD_BUILD_HOST": "lab", "KBUILD_BUILD_VERSION": "1"}


def check_tools() -> None:
    """LabError where something is missing that builds a kernel."""
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    folders = [Path("/usr/include"), Path("/usr/local/include"), *Path("/usr/include").glob("*-linux-gnu")]
    missing += [header for header in HEADERS if not any((folder / header).exists() for folder in folders)]
    if missing:
        raise LabError(f"building a kernel needs {', '.join(missing)}: {REMEDY}", IMPOSSIBLE)


def source_of(series: str) -> Path:
    """Debian's source of that series, downloaded and unpacked where it is not in the cache. LabError otherwise."""
    packages.find([series])  # knows the archive, and says what it has
    with packages.full(), packages.locked():
        sources = packages.cache() / "sources"
        sources.mkdir(exist_ok=True)
        found = sorted((path for path in sources.glob(f"linux-source-{series}_*") if path.is_dir()),
                       key=lambda path: list(map(int, re.findall(r"\d+", path.name))))
        if found:
            keeping.used(found[-1])
            return found[-1]
        with tempfile.TemporaryDirectory(dir=packages.cache(), prefix="part-") as name:
            part = Path(name)
            package = packages.download(f"linux-source-{series}", part)
            packages.run("dpkg-deb", "-x", package, part / "package")
            archive = next((part / "package" / "usr" / "src").glob("linux-source-*.tar.xz"), None)
            if archive is None:
                raise LabError(f"{package.name}: no source in it")
            packages.run("tar", "-xmf", archive, "-C", part)  # newer than what was built of a tree in its place
            ready = next(path for path in part.glob("linux-source-*") if path.is_dir())
            path = sources / package.name.removesuffix("_all.deb")
            ready.rename(path)
            keeping.note(path, f"source of a kernel: {path.name}")
            return path


def make(tree: Path, build: Path, jobs: int, *words: str) -> None:
    """make in a tree. LabError with the first error that it printed."""
    log = build / "build.log"
    with open(log, "wb") as file:
        code = sessions.carry_out(["make", f"-j{jobs}", f"O={build}", *words], tree, file, {**os.environ, **SAME, "LC_ALL": "C"})
    if code:
        said = log.read_text(errors="replace").splitlines()
        error = next((line for line in said if re.search(r"\berror\b|\*\*\*", line, re.IGNORECASE)), (said or ["make failed"])[-1])
        raise LabError(f"{error} ({log} has all of it)", FAILED)


def patch(tree: Path, path: Path, *words: str) -> None:
    """Applies a patch to a tree; with --dry-run it changes nothing. LabError where it does not apply."""
    done = packages.call("patch", "-p1", "--forward", "--no-backup-if-mismatch", *words, "-i", path.resolve(), cwd=tree)
    if done.returncode:
        raise LabError(f"{path}: does not apply to {tree}: {packages.complaint(done)}", USAGE)


def unpatched(find: Callable[[], Path]) -> tuple[Path, int]:
    """The tree that `find` gives, and a descriptor that has it for this lab alone. In the cache, a tree in which a lab that was killed
    has left patches is made anew. LabError for a tree of one's own with such, and where another lab builds from it."""
    for _ in range(keeping.TRIES):
        try:
            tree, handle = keeping.locked(find, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LabError(f"{error.filename}: another lab builds from this tree") from None
        if not (tree / PATCHED).exists():
            return tree, handle
        os.close(handle)
        if tree.parent != packages.cache() / "sources":
            raise LabError(f"{tree}: a lab has left patches in it: take them back, then remove {tree / PATCHED}, which "
                           "names them", USAGE)
        print(f"lab: {tree}: a lab that was killed has left patches in it: it is unpacked anew", file=sys.stderr)
        with contextlib.suppress(FileNotFoundError):  # another lab was faster
            keeping.remove(keeping.entry_of(tree))
    raise LabError(f"{packages.cache() / 'sources'}: a tree with patches of a lab that was killed cannot be removed")


@contextlib.contextmanager
def patched(find: Callable[[], Path], patches: list[Path]) -> Iterator[Path]:
    """The tree that `find` gives, with these patches, for this lab alone. LabError where another builds from it, or where one
    does not apply."""
    tree, handle = unpatched(find)
    begun: list[Path] = []
    applied: list[Path] = []

    def mark() -> None:
        (tree / PATCHED).write_text("".join(f"{one.resolve()}\n" for one in begun))

    try:
        for path in patches:
            patch(tree, path, "--dry-run")
            begun.append(path)
            mark()
            patch(tree, path)
            applied.append(path)
        yield tree
    finally:
        try:
            for path in reversed(applied):
                patch(tree, path, "--reverse", "--dry-run")
                patch(tree, path, "--reverse")
                begun.remove(path)
                mark()
            if patches and not begun:  # else half of one may be in it
                (tree / PATCHED).unlink(missing_ok=True)
        finally:
            os.close(handle)


def tree_of(source: str) -> Path:
    """The tree of that path, or of that series. LabError for neither."""
    tree = Path(source)
    if not tree.is_dir():
        if not re.fullmatch(SERIES, source):
            raise LabError(f"{source}: neither a tree of the kernel's source nor a series such as 6.12", USAGE)
        tree = source_of(source)
    if not (tree / "Kconfig").exists():
        raise LabError(f"{tree}: not the kernel's source", USAGE)
    return tree


def folder_of(tree: Path, config: str) -> Path:
    """Where that tree is built with that configuration: the folder in the cache, made if it is missing."""
    key = hashlib.sha256(f"{tree.resolve()}\0{config}".encode()).hexdigest()[:16]
    folder = packages.cache() / "builds" / key
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def compile_in(into: Path, tree: Path, config: str, jobs: int) -> None:
    """Builds the image in that folder. LabError with the first error."""
    fragment = into / "small.config"
    if not fragment.exists() or fragment.read_text() != config or not (into / ".config").exists():
        fragment.write_text(config)
        print(f"lab: configuring and building in {into}: some ten minutes", file=sys.stderr)
        make(tree, into, jobs, f"KCONFIG_ALLCONFIG={fragment}", "allnoconfig")
        missing = set(config.splitlines()) - set((into / ".config").read_text().splitlines())
        for line in sorted(line for line in missing if line.startswith("CONFIG_")):
            print(f"lab: {line}: this kernel has it not, or something that it needs is off", file=sys.stderr)
    make(tree, into, jobs, "bzImage")


def build(options: argparse.Namespace) -> int:
    """The command."""
    check_tools()
    for name, path in (("--out", options.out), ("--vmlinux", options.vmlinux)):
        if path is None:
            continue
        if path.is_dir() or not path.resolve().parent.is_dir():
            raise LabError(f"{name} {path}: a file in a folder that exists is needed", USAGE)
        try:
            outputs.check(path)
        except OSError as error:
            raise LabError(f"{name} {path}: {error.strerror}", USAGE) from None
    for path in [*options.patch, *options.config]:
        if not path.is_file():
            raise LabError(f"{path}: no such file", USAGE)
    config = "".join(files.text_of(path) for path in [CONFIG, *options.config]) + (DEBUG if options.vmlinux else "")
    with patched(lambda: tree_of(options.source), options.patch) as tree, keeping.in_use(lambda: folder_of(tree, config)) as into:
        compile_in(into, tree, config, options.jobs or os.cpu_count() or 1)
        keeping.note(into, f"build of {tree}{' with its debug information' if options.vmlinux else ''}")
        for made, out in ((into / "arch" / "x86" / "boot" / "bzImage", options.out), (into / "vmlinux", options.vmlinux)):
            if out:
                outputs.replace(out, made.read_bytes())
                print(out)
    return OK


def add_parser(commands: Commands) -> None:
    """Adds the command to lab.py's."""
    one = commands.add_parser("kernel-build", help="a small kernel of your own", description=__doc__, allow_abbrev=False,
                              formatter_class=argparse.RawDescriptionHelpFormatter)
    one.add_argument("source", metavar="SERIES|TREE", help="such as 6.12, or a tree of the kernel's source")
    one.add_argument("--patch", type=Path, action="append", default=[], metavar="FILE",
                     help="applied with -p1 before, and taken back afterwards; repeatable")
    one.add_argument("--config", type=Path, action="append", default=[], metavar="FILE",
                     help="options besides small-kernel.config; repeatable")
    one.add_argument("--out", type=Path, default=Path("bzImage"), metavar="FILE", help="the image (%(default)s)")
    one.add_argument("--vmlinux", type=Path, metavar="FILE",
                     help="the kernel with its debug information, for profile --lines: another build, of more time")
    add_jobs(one)
    one.set_defaults(command=build)
