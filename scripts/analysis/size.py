"""What a large run takes of memory and of time where it is kept, written and read again: what nsbench-size says, held to limits."""
import tempfile
from collections.abc import Callable
from pathlib import Path

from analysis import programs
from analysis.running import output_of
from analysis.script import Unreadable

MEMORY_LIMIT = 512  # MiB that the process may ever have held
WRITTEN_LIMIT = 10.0  # s that all writing may take


def check(build: Path, cases: int, samples: int, say: Callable[[str], None]) -> bool:
    """Whether so many cases, of so many samples each, are within the limits."""
    program = programs.find("nsbench-size", build)
    if program is None:
        raise Unreadable(f"no nsbench-size in {build}: {programs.remedy()}")
    with tempfile.TemporaryDirectory(prefix="nsbench-size-") as folder:
        said = output_of(program, str(cases), str(samples), f"{folder}/run")
    wanted = cases * samples
    stages = {name: (int(count), float(seconds), float(peak)) for name, count, seconds, peak in map(str.split, said.splitlines())}
    if set(stages) < {"taken", "rows", "written", "read"} or any(count != wanted for count, _, _ in stages.values()):
        raise Unreadable(f"{program}: not each of its stages has {wanted} samples")
    say(f"{'':<7} {'samples':>9} {'s':>7} {'MiB':>5}")
    for line in said.splitlines():
        say(line)
    written, peak = stages["written"][1], max(peak for _, _, peak in stages.values())
    say(f"{cases} cases; MiB: the most until then; at most {MEMORY_LIMIT} MiB, and {WRITTEN_LIMIT:.0f} s of writing, may be")
    return written <= WRITTEN_LIMIT and peak <= MEMORY_LIMIT
