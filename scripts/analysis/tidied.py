"""clang-tidy on sources of a build, side by side, but for those in which it has found nothing as they are.

A source is known by the bytes of all files that it is made of, by how it is compiled, and by clang-tidy's settings and version. Where
nothing was found, an empty file in `clean` of the build's folder has that as its name: an interrupted run goes on where it was.
"""
import argparse
import hashlib
import json
import os
import shlex
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from analysis.options import Parser
from analysis.running import output_of
from analysis.script import Unreadable, main

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Compiled:
    """How an object is made of a source."""

    command: str
    folder: str  # in which the command is given


def compiled_in(build: Path) -> dict[Path, list[Compiled]]:
    """By source of ours: its objects."""
    database = build / "compile_commands.json"
    try:
        entries = json.loads(database.read_text())
    except (OSError, ValueError) as error:
        raise Unreadable(f"{database}: {error}") from None
    found = defaultdict(list)
    for entry in entries:
        source = Path(entry["directory"], entry["file"]).resolve()
        if source.is_relative_to(ROOT) and not source.is_relative_to(ROOT / "build"):
            found[source].append(Compiled(entry["command"], entry["directory"]))
    return dict(sorted(found.items()))


def made_of(one: Compiled) -> list[Path]:
    """The source, and all that it includes. Unreadable where one is missing."""
    words = shlex.split(one.command)
    at = words.index("-o")
    listing = [*words[:at], "-M", *(word for word in words[at + 2:] if word != "-c")]
    done = subprocess.run(listing, cwd=one.folder, text=True, errors="replace", capture_output=True)
    if done.returncode:
        raise Unreadable(f"{words[-1]}: the preprocessor fails: {done.stderr.strip()}")
    return [Path(one.folder, word) for word in shlex.split(done.stdout.partition(":")[2].replace("\\\n", " "))]


class Tidy:
    """What clang-tidy finds in the sources of a build."""

    def __init__(self, build: Path) -> None:
        self.build = build
        self.clean = build / "clean"
        self.clean.mkdir(exist_ok=True)
        self.settings = output_of("clang-tidy", "--version") + (ROOT / ".clang-tidy").read_text()

    def stamp(self, compiled: Iterable[Compiled]) -> Path:
        """The file that is there if nothing was found."""
        key = hashlib.sha256(self.settings.encode())
        for one in compiled:
            key.update(one.command.encode())
            for file in made_of(one):
                key.update(file.read_bytes())
        return self.clean / key.hexdigest()

    def look(self, source: Path, compiled: Iterable[Compiled]) -> str | None:
        """What it says of the source; empty where nothing, None where that was known."""
        try:
            stamp = self.stamp(compiled)
            if stamp.exists():
                return None
            done = subprocess.run(["clang-tidy", "-quiet", "-p", self.build, source], text=True, errors="replace", capture_output=True)
            if done.returncode:
                return done.stdout or f"{source}: exit code {done.returncode} of clang-tidy: {done.stderr.strip()}\n"
            if self.stamp(compiled) == stamp:  # else it was changed meanwhile
                stamp.touch()
            return ""
        except Unreadable as unreadable:
            return f"{unreadable}\n"


def look_at_all(tidy: Tidy, wanted: dict[Path, list[Compiled]]) -> int:
    """Prints what is found, and how far it is on standard error. The exit code."""
    found = known = 0
    begun = time.monotonic()
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        looks = {pool.submit(tidy.look, source, compiled): source for source, compiled in wanted.items()}
        try:
            for number, look in enumerate(as_completed(looks), 1):
                said = look.result()
                known += said is None
                found += bool(said)
                print(said or "", end="", flush=True)
                left = (time.monotonic() - begun) / max(number - known, 1) * (len(looks) - number) / 60
                print(f"tidy: {number} of {len(looks)}, {looks[look].relative_to(ROOT)}; about {left:.0f} min left", file=sys.stderr)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    print(f"tidy: of {len(wanted)} sources, {found} with findings, {known} known to have none", file=sys.stderr)
    return int(found > 0)


def run(words: Sequence[str]) -> int:
    parser = Parser(prog="tidied", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path, help="its folder, with compile_commands.json")
    parser.add_argument("source", nargs="*", help="relative to the tree; all without")
    options = parser.parse_args(words)
    compiled = compiled_in(options.build)
    wanted = {ROOT / source for source in options.source} or set(compiled)
    for strange in sorted(wanted - set(compiled)):
        print(f"tidy: {strange.relative_to(ROOT)} is no source of that build", file=sys.stderr)
    return look_at_all(Tidy(options.build), {source: how for source, how in compiled.items() if source in wanted})


if __name__ == "__main__":
    main(run, "tidy")
