"""The commits of a git tree as kernels: each is checked out, and a command builds its image."""
import argparse
import contextlib
import hashlib
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from lab import packages, sessions
from lab.errors import FAILED, IMPOSSIBLE, USAGE, LabError
from lab.guest import check_image

BUILT = "arch/x86/boot/bzImage"
BISECTING = "BISECT_START"
SHORT = 12  # digits of a commit that name it
CONFIG = ".config"  # of which git knows nothing: the build may change it for a commit that has other options
COMPILERS = ("gcc", "clang")


def git(tree: Path, *words: str) -> str:
    """What git says. LabError where it fails."""
    if not shutil.which("git"):
        raise LabError("git is missing: apt-get install git", IMPOSSIBLE)
    done = packages.call("git", "-C", tree, *words)
    if done.returncode:
        raise LabError(f"git {words[0]}: {packages.complaint(done)}", USAGE)
    return done.stdout


def is_bisecting(tree: Path) -> bool:
    return (tree / git(tree, "rev-parse", "--git-path", BISECTING).strip()).exists()


def commit_of(tree: Path, name: str) -> str:
    """The whole hash. LabError for what is no commit."""
    return git(tree, "rev-parse", "--verify", f"{name}^{{commit}}").strip()


def check_out(tree: Path, commit: str) -> None:
    git(tree, "checkout", "-q", "--detach", commit)


def config_path(tree: Path, image: str) -> Path:
    """The file with the configuration that an image is built by: in the tree, or with O= in the folder that has the image's arch/x86/boot.
    An image that lies elsewhere says of no folder."""
    made = tree / image
    folder = made.parents[3] if len(made.parts) > 4 and (made.parts[-4], made.parts[-2]) == ("arch", "boot") else tree
    return next((one / CONFIG for one in (folder, tree) if (one / CONFIG).is_file()), folder / CONFIG)


def config_of(path: Path) -> bytes | None:
    """The configuration in that file; None without one."""
    return path.read_bytes() if path.exists() else None


def configure(path: Path, config: bytes | None) -> None:
    """Puts that configuration there, where it is not: a newer file would make the build look at all options again."""
    if config_of(path) == config:
        return
    if config is None:
        path.unlink()
    else:
        path.parent.mkdir(parents=True, exist_ok=True)  # the build may begin with an empty folder
        path.write_bytes(config)


@contextlib.contextmanager
def as_before(tree: Path) -> Iterator[None]:
    """Other commits may be checked out meanwhile; the tree is as it was afterwards. LabError where that could lose something."""
    if git(tree, "status", "--porcelain", "--untracked-files=no").strip():
        raise LabError(f"{tree}: it has changes that are not committed, which a checkout of other commits could lose", USAGE)
    if is_bisecting(tree):
        raise LabError(f"{tree}: git is bisecting there already: git bisect reset ends that", USAGE)
    branch = packages.call("git", "-C", tree, "symbolic-ref", "--short", "-q", "HEAD").stdout.strip()
    before = branch or git(tree, "rev-parse", "HEAD").strip()
    try:
        yield
    finally:
        if is_bisecting(tree):
            git(tree, "bisect", "reset", before)
        else:
            git(tree, "checkout", "-q", before)


def build(tree: Path, command: str, image: Path, log: Path) -> None:
    """Builds what is checked out. LabError with the last line that the command said. An image that is there is another commit's."""
    image.unlink(missing_ok=True)
    with open(log, "wb") as file:
        code = sessions.carry_out(["sh", "-c", command], tree, file)
    if code:
        said = log.read_text(errors="replace").strip().splitlines() or [f"exit {code}"]
        raise LabError(f"--build failed: {said[-1]}", FAILED)
    if not image.exists():
        raise LabError(f"--build made no {image}", FAILED)


class Builder:
    """Builds the commits of a tree by one command, and keeps the images in a folder; what is in it is not built again."""

    def __init__(self, tree: Path, command: str, image: str, kept: Path) -> None:
        self.tree, self.command, self.kept = tree.resolve(), command, kept
        self.image = self.tree / image
        self.path_of_config = config_path(self.tree, image)
        self.config = config_of(self.path_of_config)

    @contextlib.contextmanager
    def configured(self) -> Iterator[None]:
        """The configuration is as it was afterwards, whatever is built meanwhile."""
        try:
            yield
        finally:
            configure(self.path_of_config, self.config)

    def built(self, commit: str) -> Path:
        """The image of the commit that is checked out. LabError where it does not build, or no kernel comes of it."""
        path = self.path(commit)
        configure(self.path_of_config, self.config)  # each is built from the same one, or from none, whatever was built before it
        build(self.tree, self.command, self.image, self.kept / "log")
        part = path.with_name(f"part-{path.name}")
        shutil.copyfile(self.image, part)
        try:
            check_image(part)
        except LabError as error:
            raise LabError(f"--build: {error}", FAILED) from None
        part.replace(path)
        return path

    def path(self, commit: str) -> Path:
        return self.kept / f"bzImage-{commit[:SHORT]}"

    def all(self, commits: Sequence[str]) -> list[Path]:
        """The images of these commits, in order; one that does not build is said and left out."""
        found = []
        missing = [one for one in commits if not self.path(one).exists()]
        with contextlib.ExitStack() as stack:
            if missing:
                stack.enter_context(as_before(self.tree))
                stack.enter_context(self.configured())
            for number, commit in enumerate(commits, 1):
                try:
                    if commit in missing:
                        check_out(self.tree, commit)
                        self.built(commit)
                        print(f"lab: {commit[:SHORT]}: built, {number} of {len(commits)}", file=sys.stderr)
                    found.append(self.path(commit))
                except LabError as error:
                    if error.code != FAILED:
                        raise
                    print(f"lab: {commit[:SHORT]}: left out: {error}", file=sys.stderr)
        return found


def chosen(tree: Path, names: Sequence[str]) -> list[str]:
    """The commits of these names, in order and once each; of a range such as v6.15..v6.16 all in it, oldest first."""
    found: list[str] = []
    for name in names:
        in_range = git(tree, "rev-list", "--topo-order", "--reverse", name, "--").split() if ".." in name else [commit_of(tree, name)]
        if not in_range:
            raise LabError(f"{name}: no commit is in that range", USAGE)
        found += in_range
    return list(dict.fromkeys(found))


def check(options: argparse.Namespace) -> None:
    """LabError where --tree and --build are not both there."""
    if bool(options.tree) != bool(options.build):
        raise LabError("--tree and --build belong together", USAGE)


def compilers() -> list[str]:
    """What each compiler here says of its version: another one makes other images by the same command."""
    return [packages.call(name, "--version").stdout.partition("\n")[0] for name in COMPILERS if shutil.which(name)]


def folder_of(tree: Path, command: str, image: str, work: Path) -> Path:
    """Where the images are kept that this command makes of this tree, with the configuration and the compilers there are: the folder,
    made if it is missing."""
    config = hashlib.sha256(config_of(config_path(tree, image)) or b"").hexdigest()
    key = hashlib.sha256("\0".join((str(tree.resolve()), command, image, config, *compilers())).encode()).hexdigest()[:SHORT]
    folder = work.resolve() / "images" / key
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def add_options(parser: argparse.ArgumentParser, about: str) -> None:
    """Those that name the tree and what builds it."""
    parser.add_argument("--tree", type=Path, metavar="DIR", help=about)
    parser.add_argument("--build", default="", metavar="COMMAND", help="for a shell in the tree: makes the image")
    parser.add_argument("--image", default=BUILT, metavar="FILE", help="what it makes (%(default)s)")
