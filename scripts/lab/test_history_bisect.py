"""Tests of the bisection: over a fake measurer, and over the commits of a real git tree."""
import os
import subprocess
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.history import bisection, search


def measure_in(line: list[float | None], asked: list[int]):
    def measure(at: int) -> float | None:
        asked.append(at)
        return line[at]
    return measure


@pytest.mark.parametrize("place", range(1, 17))
def test_a_step_is_found_in_the_logarithm_of_looks(place: int) -> None:
    asked: list[int] = []
    line = [100.0 if at < place else 300.0 for at in range(17)]
    found = search.search(range(17), measure_in(line, asked))
    assert (found.before, found.after, found.figures, found.left_out) == (place - 1, place, (100, 300), [])
    assert len(asked) <= 2 + 4 and len(asked) == len(set(asked)) == found.tried


def test_a_step_is_told_from_small_changes_beside_it() -> None:
    line = [100.0, 104, 99, 101, 290, 310, 295, 300]
    found = search.search(range(8), measure_in(line, []))
    assert (found.before, found.after, found.figures) == (3, 4, (101, 290))


def test_what_cannot_be_measured_is_left_out() -> None:
    found = search.search(range(6), measure_in([1.0, None, None, None, 5, 5], []))
    assert (found.before, found.after, found.left_out) == (0, 4, [1, 2, 3])
    found = search.search(range(6), measure_in([1.0, None, 1, None, 5, 5], []))
    assert (found.before, found.after, found.left_out) == (2, 4, [3])


@pytest.mark.parametrize(("line", "says"), [
    ([None, 1.0], "cannot be measured"), ([1.0, None], "cannot be measured"), ([1.0, 2, 1], "the same"),
])
def test_ends_that_do_not_differ_are_refused(line: list[float | None], says: str) -> None:
    with pytest.raises(LabError, match=says):
        search.search(range(len(line)), measure_in(line, []))


class Repository:
    """A git tree whose file `figure` says what a kernel built from it would cost."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        for role in ("AUTHOR", "COMMITTER"):
            monkeypatch.setenv(f"GIT_{role}_NAME", "t")
            monkeypatch.setenv(f"GIT_{role}_EMAIL", "t@localhost")
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        self.asked: list[str] = []
        self.git("init", "-q", "-b", "main", ".")

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=self.path, text=True, capture_output=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commits(self, figures: list[float | None]) -> list[str]:
        found = []
        for number, figure in enumerate(figures):
            (self.path / "figure").write_text(f"{figure}\n{number}\n")
            self.git("add", ".")
            self.git("commit", "-q", "-m", f"{number}")
            found.append(self.git("rev-parse", "HEAD"))
        return found

    def measure(self, commit: str) -> float | None:
        assert self.git("rev-parse", "HEAD") == commit
        self.asked.append(commit)
        said = (self.path / "figure").read_text().split()[0]
        return None if said == "None" else float(said)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    return Repository(tmp_path, monkeypatch)


@pytest.mark.parametrize("place", (1, 7, 16))
def test_a_commit_is_found(repository: Repository, place: int) -> None:
    commits = repository.commits([100.0 if at < place else 300.0 for at in range(17)])
    found = search.search_tree(repository.path, commits[0], "main", repository.measure)
    assert (found.before, found.after, found.figures) == (commits[place - 1], commits[place], (100, 300))
    assert len(repository.asked) <= 2 + 4
    assert repository.git("symbolic-ref", "--short", "HEAD") == "main"
    assert not (repository.path / ".git" / "BISECT_START").exists()


def test_commits_that_do_not_build_are_left_out(repository: Repository) -> None:
    commits = repository.commits([1.0, 1.0, None, None, 9.0, 9.0])
    found = search.search_tree(repository.path, commits[0], commits[-1], repository.measure)
    assert (found.before, found.after, found.left_out) == (commits[1], commits[4], commits[2:4])
    assert repository.git("symbolic-ref", "--short", "HEAD") == "main"


def test_a_tree_with_changes_is_left_alone(repository: Repository) -> None:
    commits = repository.commits([1.0, 2.0, 3.0])
    (repository.path / "figure").write_text("mine")
    with pytest.raises(LabError, match="not committed"):
        search.search_tree(repository.path, commits[0], commits[-1], repository.measure)
    assert (repository.path / "figure").read_text() == "mine"


def test_a_tree_is_as_before_when_nothing_is_to_be_found(repository: Repository) -> None:
    commits = repository.commits([1.0, 1.0])
    with pytest.raises(LabError, match="the same in both"):
        search.search_tree(repository.path, commits[0], commits[-1], repository.measure)
    assert repository.git("symbolic-ref", "--short", "HEAD") == "main"


def test_what_is_built_must_be_there(tmp_path: Path) -> None:
    image, log = tmp_path / "bzImage", tmp_path / "log"
    bisection.build(tmp_path, "touch bzImage", image, log)
    with pytest.raises(LabError, match="failed: no rule"):
        bisection.build(tmp_path, "echo no rule >&2; false", image, log)
    image.unlink()
    with pytest.raises(LabError, match="made no"):
        bisection.build(tmp_path, "true", image, log)
