"""Tests of the bisection: over a fake measurer, and over the commits of a real git tree."""
import argparse
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from lab import images, packages
from lab.errors import IMPOSSIBLE, LabError
from lab.history import bisection, record, search, table
from lab.history.commits import build
from lab.history.plan import Job
from lab.history.table import Row, Value, What
from lab.history.versions import Member, segments, way


def value(figure: float | None, resolution: float = 0) -> Value | None:
    return None if figure is None else Value(figure, resolution, What.delta)


def measure_in(line: Sequence[float | None], asked: list[int], resolution: float = 0) -> Callable[[int], Value | None]:
    def measure(at: int) -> Value | None:
        asked.append(at)
        return value(line[at], resolution)
    return measure


def said(found: search.Ended[int]) -> tuple[object, ...]:
    assert found.figures
    return found.before, found.after, tuple(figure.value for figure in found.figures), found.left_out


@pytest.mark.parametrize("place", range(1, 17))
def test_a_step_is_found_in_the_logarithm_of_looks(place: int) -> None:
    asked: list[int] = []
    line = [100.0 if at < place else 300.0 for at in range(17)]
    found = search.search([range(17)], measure_in(line, asked))
    assert said(found) == (place - 1, place, (100, 300), []) and found.whole == 200
    assert len(asked) <= 2 + 4 and len(asked) == len(set(asked)) == found.tried


def test_a_step_is_told_from_small_changes_beside_it() -> None:
    line = [100.0, 104, 99, 101, 290, 310, 295, 300]
    found = search.search([range(8)], measure_in(line, []))
    assert said(found) == (3, 4, (101, 290), []) and found.whole == 200


def test_what_cannot_be_measured_is_left_out_and_does_not_count() -> None:
    found = search.search([range(6)], measure_in([1.0, None, None, None, 5, 5], []))
    assert said(found) == (0, 4, (1, 5), [1, 2, 3]) and found.tried == 3
    assert said(search.search([range(6)], measure_in([1.0, None, 1, None, 5, 5], []))) == (2, 4, (1, 5), [3])


def test_a_figure_of_nothing_is_a_figure() -> None:
    assert said(search.search([range(4)], measure_in([7.0, 7, 0, 0], []))) == (1, 2, (7, 0), [])


@pytest.mark.parametrize(("line", "says"), [
    ([None, 1.0], "cannot be measured"), ([1.0, None], "cannot be measured"), ([1.0, 2, 1], "the same in both:"),
    ([1.0, 9, 3], "within its resolution of 2"),
])
def test_ends_that_do_not_differ_are_refused(line: list[float | None], says: str) -> None:
    with pytest.raises(LabError, match=says):
        search.search([range(len(line))], measure_in(line, [], 1))


def kernel(version: str, compiler: str) -> Member:
    return Member(version, version, compiler)


# The way from 6.1.174 to 6.12.96: back in time to the oldest of 6.1, across to the oldest of 6.12, and on by another compiler.
OLD = [kernel(f"6.1.{at}-1", "gcc-12") for at in (170, 172, 174)]
NEW = [kernel(f"6.12.{at}-1~bpo12+1", "gcc-12") for at in (43, 63, 90)]
OTHER = [kernel(f"6.12.{at}-1", "gcc-14") for at in (90, 94, 95, 96)]


def searched(costs: dict[str, float], asked: list[str], first: Member, last: Member, few: bool = False) -> search.Ended[str]:
    lines = segments(way([*OLD, *NEW, *OTHER], first, last))
    ages = {one.version: one.key for line in lines for one in line}

    def measure(version: str) -> Value | None:
        asked.append(version)
        return value(costs[version])
    return search.search([[one.version for one in line] for line in lines], measure, ages.__getitem__, few)


def costs(at: str, before: float = 100, after: float = 300) -> dict[str, float]:
    """By version, the kernels in the order of the lines: from this one on another cost."""
    names = [one.version for one in (*OLD, *NEW, *OTHER)]
    return {name: before if number < names.index(at) else after for number, name in enumerate(names)}


@pytest.mark.parametrize(("at", "pair"), [
    ("6.12.43-1~bpo12+1", ("6.1.170-1", "6.12.43-1~bpo12+1")), ("6.12.63-1~bpo12+1", ("6.12.43-1~bpo12+1", "6.12.63-1~bpo12+1")),
    ("6.12.90-1", ("6.12.90-1~bpo12+1", "6.12.90-1")), ("6.12.95-1", ("6.12.94-1", "6.12.95-1")),
])
@pytest.mark.parametrize("is_back", [False, True])
def test_the_ends_of_each_line_are_looked_at_first(at: str, pair: tuple[str, str], is_back: bool) -> None:
    asked: list[str] = []
    ends = (OTHER[-1], OLD[-1]) if is_back else (OLD[-1], OTHER[-1])
    found = searched(costs(at), asked, *ends)
    assert (found.before, found.after) == pair and found.figures
    assert [figure.value for figure in found.figures] == [100, 300] and found.whole == (-200 if is_back else 200)
    inner = {"6.1.172-1", "6.12.63-1~bpo12+1", "6.12.94-1", "6.12.95-1"}
    assert not set(asked[:6]) & inner and len(asked) == len(set(asked)) <= 8
    looks: list[str] = []
    assert searched(costs(at), looks, *ends, few=True) == replace(found, tried=len(looks))
    assert len(looks) == len(set(looks)) <= 2 + 4  # the logarithm of ten kernels


@pytest.mark.parametrize("few", [False, True])
def test_of_a_line_that_the_way_leads_back_through_the_older_is_before(few: bool) -> None:
    found = searched({**costs("6.12.90-1", 300, 300), "6.1.174-1": 100}, [], OLD[-1], OTHER[-1], few)
    assert (found.before, found.after) == ("6.1.172-1", "6.1.174-1") and found.figures
    assert [figure.value for figure in found.figures] == [300, 100]


def test_the_largest_part_of_a_change_is_found() -> None:
    found = searched({**costs("6.12.43-1~bpo12+1", 100, 140), **{one.version: 300.0 for one in OTHER}}, [], OLD[0], OTHER[-1])
    assert (found.before, found.after, found.whole) == ("6.12.90-1~bpo12+1", "6.12.90-1", 200)


class Repository:
    """A git tree whose file `figure` says what a kernel built from it would cost."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        for role in ("AUTHOR", "COMMITTER"):
            monkeypatch.setenv(f"GIT_{role}_NAME", "t")
            monkeypatch.setenv(f"GIT_{role}_EMAIL", "t@localhost")
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        self.asked: list[str] = []
        self.made = 0
        self.git("init", "-q", "-b", "main", ".")

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=self.path, text=True, capture_output=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commits(self, figures: Sequence[float | None]) -> list[str]:
        return [self.commit(figure) for figure in figures]

    def commit(self, figure: float | None) -> str:
        self.made += 1
        (self.path / "figure").write_text(f"{figure}\n{self.made}\n")
        self.git("add", ".")
        self.git("commit", "-q", "-m", f"{self.made}")
        return self.git("rev-parse", "HEAD")

    def merge(self, branch: str, figure: float) -> str:
        """A merge of this cost of the branch into what is checked out."""
        subprocess.run(["git", "merge", "-q", "--no-commit", branch], cwd=self.path, capture_output=True)
        return self.commit(figure)

    def measure(self, commit: str) -> Value | None:
        assert self.git("rev-parse", "HEAD") == commit
        self.asked.append(commit)
        said = (self.path / "figure").read_text().split()[0]
        return None if said == "None" else value(float(said))


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    return Repository(tmp_path, monkeypatch)


@pytest.mark.parametrize("place", (1, 7, 16))
def test_a_commit_is_found(repository: Repository, place: int) -> None:
    commits = repository.commits([100.0 if at < place else 300.0 for at in range(17)])
    found = search.search_tree(repository.path, commits[0], "main", repository.measure)
    assert (found.before, found.after, found.figures) == (commits[place - 1], commits[place], (value(100), value(300)))
    assert len(repository.asked) <= 2 + 4
    assert repository.git("symbolic-ref", "--short", "HEAD") == "main"
    assert not (repository.path / ".git" / "BISECT_START").exists()


def test_commits_that_do_not_build_are_left_out(repository: Repository) -> None:
    commits = repository.commits([1.0, 1.0, None, None, 9.0, 9.0])
    found = search.search_tree(repository.path, commits[0], commits[-1], repository.measure)
    assert (found.before, found.after, found.left_out) == (commits[1], commits[4], commits[2:4])
    assert found.figures == (value(1), value(9)) and found.tried == 4 - (len(repository.asked) < 6)
    assert repository.git("symbolic-ref", "--short", "HEAD") == "main"


def branched(repository: Repository, main: Sequence[float | None], side: Sequence[float | None]) -> tuple[str, list[str], list[str]]:
    """A first commit that costs 1, and two branches from it."""
    first = repository.commit(1)
    repository.git("checkout", "-q", "-b", "side")
    there = repository.commits(side)
    repository.git("checkout", "-q", "main")
    return first, repository.commits(main), there


def test_a_merge_that_is_the_first_has_no_size(repository: Repository) -> None:
    first, _, _ = branched(repository, [1.0, 1.0], [1.0, 1.0])
    merge = repository.merge("side", 9)
    found = search.search_tree(repository.path, first, "main", repository.measure)
    assert (found.before, found.after, found.figures, found.left_out) == (None, merge, None, [])


def test_a_commit_of_a_branch_is_found(repository: Repository) -> None:
    first, _, there = branched(repository, [1.0, 1.0, 1.0], [1.0, 9.0, 9.0])
    repository.merge("side", 9)
    found = search.search_tree(repository.path, first, "main", repository.measure)
    assert (found.before, found.after, found.figures) == (there[0], there[1], (value(1), value(9)))


def test_all_that_could_be_the_first_are_told_where_there_are_merges(repository: Repository) -> None:
    first, main, there = branched(repository, [None, None], [None, None])
    merge = repository.merge("side", 9)
    found = search.search_tree(repository.path, first, "main", repository.measure)
    assert (found.before, found.after, found.figures) == (None, merge, None)
    assert set(found.left_out) == {*main, *there} and found.tried == 2


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
    image.write_text("of another commit")
    build(tmp_path, "touch bzImage", image, log)
    assert image.read_text() == ""
    with pytest.raises(LabError, match="failed: no rule"):
        build(tmp_path, "echo no rule >&2; false", image, log)
    with pytest.raises(LabError, match="made no"):
        build(tmp_path, "true", image, log)


def measurer(monkeypatch: pytest.MonkeyPatch, rows: list[Row | LabError]) -> bisection.Measurer:
    """One whose kernels cost this, in turn."""
    left = iter(rows)

    def figures(*_: object) -> list[Row]:
        one = next(left)
        if isinstance(one, LabError):
            raise one
        return [one]
    monkeypatch.setattr(bisection.job, "figures", figures)
    return bisection.Measurer(argparse.Namespace(phase=""), "clone/NEWPID/stack:1M")


IMAGE = images.Image("k", Path("k"), "0" * 64)
ROW = Row("k", "", 0, "0" * 64, "gcc-12", "", "clone/NEWPID/stack:1M", "create", "ok", "", "1007", "", "7", "")


def test_a_median_is_left_out_where_others_have_a_delta(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    one = measurer(monkeypatch, [ROW, replace(ROW, delta=""), replace(ROW, status="failed", errno="EINVAL"), replace(ROW, delta="0")])
    assert [one.tell("a", lambda: IMAGE) for _ in range(4)] == [value(7), None, None, value(0)]
    assert "it has a median, the others a delta" in capsys.readouterr().err


def test_what_is_not_possible_here_ends_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    one = measurer(monkeypatch, [LabError("the guest ended"), LabError("qemu is missing", IMPOSSIBLE)])
    assert one.tell("a", lambda: IMAGE) is None
    with pytest.raises(LabError, match="qemu is missing"):
        one.tell("b", lambda: IMAGE)


def test_what_is_found_is_told_with_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    one = measurer(monkeypatch, [ROW])
    one.tell("a", lambda: IMAGE)
    pair = Value(100, 0, What.delta), Value(260, 0, What.delta)
    said = bisection.where(one, search.Ended("a", "b", pair, 200, 5), False)
    assert said == ["between a (older) and b (newer): clone/NEWPID/stack:1M create adds 100 and 260 instructions (+160)",
                    "5 kernels were measured", "of +200 from GOOD to BAD; the rest lies elsewhere"]
    assert len(bisection.where(one, search.Ended("a", "b", pair, 160, 5), True)) == 1
    assert "not measured: it is a merge" in bisection.where(one, search.Ended(None, "b", None, 160, 5), True)[0]


def test_the_lines_of_the_archive_are_those_of_the_history(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    every = [*OLD, *NEW, *OTHER, kernel("7.1.1-1", "gcc-14")]
    rows = [replace(ROW, kernel=one.name, version=one.version, compiler=one.compiler) for one in every if one is not OTHER[1]]
    table.write(tmp_path / table.FILE, rows)
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    monkeypatch.setattr(record, "of_archive", lambda _: [Job(one.version, one.name, 0, ()) for one in every])
    monkeypatch.setattr(packages, "find", lambda names: [packages.Kernel("p", name, name, 1) for name in names])
    monkeypatch.setattr(images, "image_of", lambda name: replace(IMAGE, name=name))
    asked: list[str] = []

    def compiler_in(image: images.Image) -> str:
        asked.append(image.name)
        return "gcc-14"
    monkeypatch.setattr(bisection.job, "compiler_in", compiler_in)
    found = bisection.archive_lines("6.1.174-1", "6.12.96-1")
    assert [[one.version for one in line] for line in found] == [[one.version for one in line] for line in (OLD[::-1], NEW, OTHER)]
    assert asked == [OTHER[1].version]
    with pytest.raises(LabError, match="two kernels of the archive"):
        bisection.archive_lines("6.1.174-1", "6.1.174-1")
