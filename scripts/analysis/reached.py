"""Which lines and branches of src and bench ran, of the counts that programs built by the preset `coverage` have left.

A branch is one outcome of a condition, as clang numbers them; what fork(2) returns twice is counted by clang as if one side had run
less, so there a line may be called unreached that was reached.
"""
import argparse
import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from analysis.options import Parser
from analysis.running import output_of
from analysis.script import Unreadable, main

ROOT = Path(__file__).resolve().parents[2]
WANTED = {"lines": 0.95, "branches": 0.85}
OURS = re.compile(r"(?:bench|src)/")
# What is no part of nsbench: tests and what they share, the harness of the readers' input, and what makes allocations fail.
TESTS = re.compile(r"src/(?:fuzz|failing)/|_test\.cpp$|/(?:test_\w+|fake\w*)\.h$")
# Why something was not reached, and what says so: the file, or the text of its lines; the first that fits.
GUESTS = re.compile(r"src/(?:cli/guest|sys/lab_machine|probe/(?:attach|batch_probe|state)|env/batch_watch)\.\w+$")
COMPILED = re.compile(r"\bconst(?:expr|eval)\b|^\s*NSB_\w+\(")
FAILURE = re.compile(r"error|fail|throw|errno|unexpected|nullopt|nullptr|return \{\}|_exit|EINTR|must\(|retried|patiently|refus|"
                     r"[!=]= ?-?[01]\b|< ?0\b|!\w", re.IGNORECASE)
BY_LINES = ((COMPILED, "evaluated when it is compiled"), (FAILURE, "where a call fails, or input is refused"))
NOT_RUN = "not run"
IN_GUESTS, OTHERWISE = "in guests of the lab, which keep no counts", "no test, and no fault, came there"
PROFDATA, COV = "llvm-profdata-14", "llvm-cov-14"


@dataclass
class Counted:
    """Of a file: how often each line ran, and each outcome of its conditions by where the condition stands."""

    lines: dict[int, int] = field(default_factory=dict)
    branches: dict[tuple[int, int, int, int], list[int]] = field(default_factory=dict)

    def outcomes(self) -> list[int]:
        """Of all conditions."""
        return [count for counts in self.branches.values() for count in counts]

    def add_branch(self, place: tuple[int, int, int, int], counts: Iterable[int]) -> None:
        """Of one instantiation of a template; others of the same place may be there."""
        known = self.branches.setdefault(place, [0, 0])
        self.branches[place] = [before + more for before, more in zip(known, counts)]


@dataclass
class Sum:
    """How many of how many."""

    reached: int = 0
    all: int = 0

    def add(self, counts: Iterable[int]) -> None:
        """Each of these."""
        for count in counts:
            self.all += 1
            self.reached += count > 0

    @property
    def share(self) -> float:
        return self.reached / self.all if self.all else 1.0

    def cells(self) -> str:
        """Of a table."""
        return f"{self.reached:>6} of {self.all:<6}{self.share:>6.1%}"


def is_of_interest(name: str) -> bool:
    """Whether a file, as seen from the root, is nsbench's own and no test."""
    return bool(OURS.match(name)) and not TESTS.search(name)


def own_name(path: str, root: Path) -> str:
    """As seen from the root: a module's headers are found by a link in the build."""
    resolved = Path(path).resolve()
    return str(resolved.relative_to(root)) if resolved.is_relative_to(root) else ""


def lines_of(tracefile: str, root: Path) -> dict[str, Counted]:
    """Of lcov's format."""
    found: dict[str, Counted] = {}
    name = ""
    for line in tracefile.splitlines():
        kind, _, rest = line.partition(":")
        if kind == "SF":
            name = own_name(rest, root)
        elif kind == "DA" and is_of_interest(name):
            number, count = rest.split(",")[:2]
            of_file = found.setdefault(name, Counted()).lines
            of_file[int(number)] = of_file.get(int(number), 0) + int(count)
    return found


def add_branches(exported: str, root: Path, found: dict[str, Counted]) -> None:
    """Of llvm-cov's own format, which alone says where in a line a condition stands."""
    for one in json.loads(exported)["data"][0]["files"]:
        if counted := found.get(own_name(one["filename"], root)):
            for line, column, last, end, is_true, is_false, *_ in one["branches"]:
                counted.add_branch((line, column, last, end), (is_true, is_false))


def ranges(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """The first and the last of each run of numbers, which are in order."""
    for _, group in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        run = [number for _, number in group]
        yield run[0], run[-1]


@dataclass(frozen=True)
class Unreached:
    """A stretch of lines that did not run, or a condition of which an outcome never came."""

    where: str
    what: str
    why: str
    size: int  # lines, or outcomes

    @property
    def is_branch(self) -> bool:
        return self.what != NOT_RUN

    def __str__(self) -> str:
        return f"{self.where}: {self.what}: {self.why}"


def why(name: str, text: str) -> str:
    """By the file, or what stands there."""
    if GUESTS.match(name):
        return IN_GUESTS
    return next((reason for pattern, reason in BY_LINES if pattern.search(text)), OTHERWISE)


def unreached(name: str, counted: Counted, source: Sequence[str]) -> Iterator[Unreached]:
    """Of a file with these lines."""
    for first, last in ranges(sorted(number for number, count in counted.lines.items() if not count)):
        where = f"{name}:{first}" if first == last else f"{name}:{first}-{last}"
        yield Unreached(where, NOT_RUN, why(name, "\n".join(source[first - 1:last])), last - first + 1)
    for (line, column, last, _), (is_true, is_false) in sorted(counted.branches.items()):
        if not (is_true and is_false):
            outcome = "never false" if is_true else "never true" if is_false else "never asked"
            missing = (not is_true) + (not is_false)
            yield Unreached(f"{name}:{line}:{column}", outcome, why(name, "\n".join(source[line - 1:last])), missing)


def counted(build: Path) -> dict[str, Counted]:
    """Of all programs of a build. Unreadable where there are no counts."""
    counts = sorted(build.glob("counts/*.profraw"))
    programs = [path for path in sorted(build.iterdir()) if path.is_file() and (path.suffix == ".so" or path.stat().st_mode & 0o111)
                and path.name not in ("nsbench-program", "nsbench-reporter")]
    if not counts or not programs:
        raise Unreadable(f"{build}: no counts: scripts/coverage builds and runs what counts")
    merged = build / "counts.profdata"
    subprocess.run([PROFDATA, "merge", "--sparse", "--failure-mode=all", f"--output={merged}", *counts], check=True)
    words = [COV, "export", f"--instr-profile={merged}", str(programs[0]), *(f"--object={path}" for path in programs[1:])]
    found = lines_of(output_of(*words, "--format=lcov"), ROOT)
    add_branches(output_of(*words, "--format=text"), ROOT, found)
    if not found:
        raise Unreadable(f"{build}: what counts there is not of {ROOT}")
    return found


def without_counts(found: Iterable[str], root: Path) -> list[str]:
    """Sources of nsbench's that no program counts a line of."""
    sources = (str(path.relative_to(root)) for folder in ("bench", "src") for path in (root / folder).rglob("*.c*"))
    return sorted(name for name in sources if name.endswith((".c", ".cpp")) and is_of_interest(name) and name not in set(found))


def told(found: dict[str, Counted]) -> tuple[list[str], bool]:
    """A table by folder, and whether all of it comes to what is wanted."""
    folders: dict[str, tuple[Sum, Sum]] = {}
    for name in sorted(found):
        for folder in (str(Path(name).parent), "all"):
            lines, branches = folders.setdefault(folder, (Sum(), Sum()))
            lines.add(found[name].lines.values())
            branches.add(found[name].outcomes())
    lines, branches = folders.pop("all")
    folders["all"] = lines, branches
    text = [f"{'folder':<12}{'lines':>10}{'':>13}{'branches':>14}"]
    text += [f"{folder:<12}{of_lines.cells()}   {of_branches.cells()}" for folder, (of_lines, of_branches) in folders.items()]
    return text, lines.share >= WANTED["lines"] and branches.share >= WANTED["branches"]


def reasons(listed: Sequence[Unreached]) -> Iterator[str]:
    """A table of what was not reached, by why."""
    yield f"{'not reached':<45}{'lines':>8}{'branches':>10}"
    for reason in sorted({one.why for one in listed}):
        lines, branches = (sum(one.size for one in listed if one.why == reason and one.is_branch == is_branch)
                           for is_branch in (False, True))
        yield f"{reason:<45}{lines:>8}{branches:>10}"


def report(words: list[str]) -> int:
    """Prints the tables, writes the list beside the counts."""
    parser = Parser("scripts/coverage --report", description="Which lines and branches of src and bench ran.")
    parser.add_argument("build", type=Path, help=argparse.SUPPRESS)
    build = parser.parse_args(words).build
    found = counted(build)
    text, is_enough = told(found)
    listed = [one for name in sorted(found) for one in unreached(name, found[name], (ROOT / name).read_text().splitlines())]
    (build / "unreached.txt").write_text("".join(f"{one}\n" for one in listed))
    if missing := without_counts(found, ROOT):
        text.append(f"not counted: {', '.join(missing)}")
    print(*text, f"at least {WANTED['lines']:.0%} of lines and {WANTED['branches']:.0%} of branches are wanted", "", *reasons(listed),
          f"each with its line: {build / 'unreached.txt'}", sep="\n")
    return 0 if is_enough else 1


if __name__ == "__main__":
    main(report, "coverage")
