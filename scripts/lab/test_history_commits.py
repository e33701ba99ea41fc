"""Tests of a history of a git tree's commits: which they are, and what becomes of each."""
import argparse
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import images
from lab.errors import FAILED, USAGE, LabError
from lab.fake_harness import IMAGE, PROGRAM, interrupted, is_gone
from lab.history import bisection, commits, record
from lab.history.table import Value, What
from lab.test_history_bisect import Repository

BUILD = 'echo >>../builds; grep -q None figure && exit 1; cp ../image bzImage; cat figure >>bzImage'


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    (tmp_path / "image").write_bytes(IMAGE)
    (tmp_path / "tree").mkdir()
    (tmp_path / "kept").mkdir()
    return Repository(tmp_path / "tree", monkeypatch)


def builder(repository: Repository, build: str = BUILD, image: str = "bzImage") -> commits.Builder:
    return commits.Builder(repository.path, build, image, repository.path.parent / "kept")


def builds(repository: Repository) -> int:
    path = repository.path.parent / "builds"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_names_and_ranges_are_commits_in_order(repository: Repository) -> None:
    every = repository.commits([1, 2, 3, 4])
    assert commits.chosen(repository.path, [every[0][:9], f"{every[1]}..main"]) == [every[0], *every[2:]]
    assert commits.chosen(repository.path, ["main", "main~1", f"{every[1]}..main"]) == [every[3], every[2]]
    for names, says in ((["nothing"], "rev-parse"), (["main..main"], "no commit is in that range"), (["main..nothing"], "rev-list")):
        with pytest.raises(LabError, match=says):
            commits.chosen(repository.path, names)


def test_each_commit_is_built_once(repository: Repository) -> None:
    every = repository.commits([1, 2])
    found = builder(repository).all(every[::-1])
    assert [path.name for path in found] == [f"bzImage-{one[:12]}" for one in every[::-1]]
    assert [path.read_bytes()[len(IMAGE):].split()[0] for path in found] == [b"2", b"1"]
    assert builds(repository) == 2
    assert repository.git("symbolic-ref", "--short", "HEAD") == "main"
    (repository.path / "figure").write_text("mine")  # nothing is to be checked out
    assert builder(repository).all(every) == found[::-1] and builds(repository) == 2


def test_images_of_another_configuration_or_compiler_are_others(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    def folder() -> Path:
        return commits.folder_of(repository.path, BUILD, "bzImage", repository.path.parent)

    found = [folder()]
    for text in ("CONFIG_NET_NS=y\n", "CONFIG_NET_NS=n\n"):
        (repository.path / ".config").write_text(text)
        found.append(folder())
    (repository.path.parent / "gcc").write_text("#!/bin/sh\necho gcc 99\n")
    (repository.path.parent / "gcc").chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(repository.path.parent), prepend=":")
        found.append(folder())
    assert len(set(found)) == 4 and folder() == found[2]


@pytest.mark.parametrize("config", ["yours\n", None])
def test_a_build_that_changes_the_configuration_changes_it_for_no_other(repository: Repository, config: str | None) -> None:
    every = repository.commits([1, 2])
    if config:
        (repository.path / ".config").write_text(config)
    here = repository.path / ".config"
    made = builder(repository, f"cat .config >>../configs || echo none >>../configs; echo mine >.config; {BUILD}").all(every)
    assert len(made) == 2 and (here.read_text() if here.exists() else None) == config
    assert (repository.path.parent / "configs").read_text() == (config or "none\n") * 2


# With O=, in which the image lies; the command may make the folder anew.
OUTSIDE = "../out/arch/x86/boot/bzImage"
BUILD_OUTSIDE = f"""cat ../out/.config >>../configs || echo none >>../configs; rm -rf ../out; mkdir -p ../out/arch/x86/boot
echo mine >../out/.config; cp ../image {OUTSIDE}; cat figure >>{OUTSIDE}"""


@pytest.mark.parametrize("config", ["yours\n", None])
def test_the_configuration_is_that_of_the_folder_that_is_built_in(repository: Repository, config: str | None) -> None:
    every = repository.commits([1, 2])
    here = repository.path.parent / "out" / ".config"
    folder = commits.folder_of(repository.path, BUILD_OUTSIDE, OUTSIDE, repository.path.parent)
    if config:
        here.parent.mkdir()
        here.write_text(config)
    assert (commits.folder_of(repository.path, BUILD_OUTSIDE, OUTSIDE, repository.path.parent) == folder) == (config is None)
    made = builder(repository, BUILD_OUTSIDE, OUTSIDE).all(every)
    assert len(made) == 2 and (here.read_text() if here.exists() else None) == config
    assert (repository.path.parent / "configs").read_text() == (config or "none\n") * 2


@pytest.mark.parametrize(("files", "image", "says"), [
    (["tree"], commits.BUILT, "tree"), (["tree", "out"], OUTSIDE, "tree/../out"), (["tree"], OUTSIDE, "tree"), ([], OUTSIDE, "tree/../out"),
    (["tree", "out"], "../out/bzImage", "tree"), (["tree/out"], "out/arch/x86/boot/bzImage", "tree/out"),
])
def test_an_image_says_where_its_configuration_is(tmp_path: Path, files: list[str], image: str, says: str) -> None:
    for name in ("tree", *files):
        (tmp_path / name).mkdir(exist_ok=True)
    for name in files:
        (tmp_path / name / ".config").touch()
    assert commits.config_path(tmp_path / "tree", image) == tmp_path / says / ".config"


def test_a_bisection_leaves_the_configuration_as_it_was(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    every = repository.commits([1, 1, 9, 9])
    (repository.path / ".config").write_text("yours\n")

    def tell(_: object, __: str, image: Callable[[], images.Image]) -> Value:
        return Value(float(image().path.read_bytes()[len(IMAGE):].split()[0]), 0, What.delta)
    monkeypatch.setattr(bisection.Measurer, "tell", tell)
    options = options_of(repository, good=every[0], bad="main", build=f"cat .config >>../configs; echo mine >.config; {BUILD}", phase="")
    ended = bisection.of_tree(options, bisection.Measurer(options, "c"), repository.path.parent / "kept")
    assert (ended.before, ended.after) == (every[1], every[2])
    assert (repository.path.parent / "configs").read_text() == "yours\n" * builds(repository)
    assert (repository.path / ".config").read_text() == "yours\n"


def test_what_does_not_build_is_left_out(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    every = repository.commits([1, None, 3])
    assert [path.name[-12:] for path in builder(repository).all(every)] == [every[0][:12], every[2][:12]]
    assert f"{every[1][:12]}: left out: --build failed: exit 1" in capsys.readouterr().err
    assert builder(repository, "echo >bzImage").all(every[:1]) != []  # is there already
    with pytest.raises(LabError, match="not a kernel image") as raised:
        builder(repository, "echo >bzImage").built("0" * 40)
    assert raised.value.code == FAILED


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_build_ends_with_the_lab(repository: Repository, number: signal.Signals) -> None:
    """With all that it has started, before the tree is as it was."""
    every = repository.commits([1, 2])
    pid = repository.path.parent / "pid"
    build = f"sh -c 'echo $$ >{pid}.part; mv {pid}.part {pid}; exec sleep 1000'; true"
    command: list[str | Path] = [sys.executable, PROGRAM, "history", "--tree", repository.path, "--image=bzImage", "--build", build,
                                 "--work", pid.with_name("work"), "--out", pid.with_name("out"), every[0], "--", "--case=unshare/none"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert "interrupted" in interrupted(process, pid.exists, number) and process.returncode == 130
    assert is_gone(int(pid.read_text()))
    assert repository.git("symbolic-ref", "--short", "HEAD") == "main"


def test_a_tree_with_changes_is_left_alone(repository: Repository) -> None:
    every = repository.commits([1, 2])
    (repository.path / "figure").write_text("mine")
    with pytest.raises(LabError, match="not committed"):
        builder(repository).all(every)
    assert (repository.path / "figure").read_text() == "mine"


def options_of(repository: Repository, **more: object) -> argparse.Namespace:
    return argparse.Namespace(**{"random": 0, "as_recorded": False, "against": None, "images": "", "series": "", "image": "bzImage",
                                 "tree": repository.path, "build": BUILD, "commit": ["main"], "work": repository.path.parent} | more)


def test_commits_are_kernels_of_a_history_in_their_order(repository: Repository) -> None:
    every = repository.commits([1, None, 3])
    jobs, unbuilt = record.kernels_of(options_of(repository, commit=["main~2", "main~2..main"]))
    assert [(one.name[:20], one.order) for one in jobs] == [(f"bzImage-{every[0][:12]}", 1), (f"bzImage-{every[2][:12]}", 2)]
    assert unbuilt == 1
    assert all(Path(one.kernel).parent.parent == repository.path.parent / "images" for one in jobs)


@pytest.mark.parametrize(("more", "says"), [
    ({"build": ""}, "belong together"), ({"tree": None}, "belong together"), ({"commit": []}, "needs commits"),
    ({"tree": None, "build": ""}, "main: commits are of --tree"), ({"series": "6.1"}, "one of the three"),
])
def test_options_that_contradict_each_other_are_refused(repository: Repository, more: dict[str, object], says: str) -> None:
    with pytest.raises(LabError, match=says) as raised:
        record.check(options_of(repository, **more))
    assert raised.value.code == USAGE
