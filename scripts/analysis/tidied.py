"""clang-tidy on sources of a build, side by side, but for those in which it has found nothing as they are.

A source is known by what the preprocessor makes of it, with the comments, and by the settings and the version of clang-tidy. Where
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
from pathlib import Path

from analysis.options import Parser
from analysis.running import output_of
from analysis.script import Unreadable, main

ROOT = Path(__file__).resolve().parents[2]


def commands_of(build: Path) -> dict[Path, list[str]]:
    """By source of ours: what its objects are compiled with."""
    database = build / "compile_commands.json"
    try:
        entries = json.loads(database.read_text())
    except (OSError, ValueError) as error:
        raise Unreadable(f"{database}: {error}") from None
    commands = defaultdict(list)
    for entry in entries:
        source = Path(entry["directory"], entry["file"]).resolve()
        if source.is_relative_to(ROOT) and not source.is_relative_to(ROOT / "build"):
            commands[source].append(entry["command"])
    return dict(sorted(commands.items()))


def preprocessed(command: str, build: Path) -> bytes:
    """What the compiler sees, with comments: some of them are clang-tidy's."""
    words = shlex.split(command)
    at = words.index("-o")
    done = subprocess.run([*words[:at], "-E", "-C", *(word for word in words[at + 2:] if word != "-c")], cwd=build, capture_output=True)
    if done.returncode:
        raise Unreadable(f"{words[-1]}: the preprocessor fails: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


class Tidy:
    """What clang-tidy finds in the sources of a build."""

    def __init__(self, build: Path) -> None:
        self.build = build
        self.clean = build / "clean"
        self.clean.mkdir(exist_ok=True)
        self.settings = output_of("clang-tidy", "--version") + (ROOT / ".clang-tidy").read_text()

    def stamp(self, commands: Iterable[str]) -> Path:
        """The file that is there if nothing was found."""
        key = hashlib.sha256(self.settings.encode())
        for command in commands:
            key.update(preprocessed(command, self.build))
        return self.clean / key.hexdigest()

    def look(self, source: Path, commands: Iterable[str]) -> str | None:
        """What it says of the source; empty where nothing, None where that was known."""
        stamp = self.stamp(commands)
        if stamp.exists():
            return None
        done = subprocess.run(["clang-tidy", "-quiet", "-p", self.build, source], text=True, errors="replace", capture_output=True)
        if done.returncode == 0:
            stamp.touch()
            return ""
        return done.stdout or f"{source}: exit code {done.returncode} of clang-tidy: {done.stderr.strip()}\n"


def look_at_all(tidy: Tidy, wanted: dict[Path, list[str]]) -> int:
    """Prints what is found, and how far it is on standard error. The exit code."""
    found = known = 0
    begun = time.monotonic()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        looks = {pool.submit(tidy.look, source, commands): source for source, commands in wanted.items()}
        try:
            for number, look in enumerate(as_completed(looks), 1):
                said = look.result()
                known += said is None
                found += bool(said)
                print(said or "", end="", flush=True)
                left = (time.monotonic() - begun) / max(number - known, 1) * (len(looks) - number) / 60
                print(f"tidy: {number} of {len(looks)}, {looks[look].relative_to(ROOT)}; at most {left:.0f} min left", file=sys.stderr)
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
    commands = commands_of(options.build)
    wanted = {ROOT / source for source in options.source} or set(commands)
    if strange := sorted(wanted - set(commands)):
        raise Unreadable(f"{strange[0].relative_to(ROOT)}: is not a source of that build")
    return look_at_all(Tidy(options.build), {source: command for source, command in commands.items() if source in wanted})


if __name__ == "__main__":
    main(run, "tidy")
