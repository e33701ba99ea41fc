"""What came of faults, and how it is told: tables, and the files of those that fell short."""
import collections
import shutil
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis import outputs
from faults.drawing import Fault


@dataclass(frozen=True)
class Outcome:
    """What came of it: held, short, or unreached where the run did not make the call so often."""

    fault: Fault
    outcome: str
    code: int
    seconds: float
    shortfall: str


OUTCOMES = ("held", "short", "unreached")
ENOUGH = 5  # attempts at a job, one of which at least has to meet it: one or two may miss it by chance


def never_met(attempts: Sequence[tuple[str, bool]], even_once: Collection[str] = ()) -> list[str]:
    """Jobs that were not tested, of which attempts met which job: those of many attempts if none did, those of `even_once` also of a
    single one; all jobs where no attempt at all did."""
    counts = collections.Counter(job for job, _ in attempts)
    met = {job for job, is_met in attempts if is_met}
    return [job for job, count in counts.items() if job not in met and (not met or count >= ENOUGH or job in even_once)]


def keep_files(folder: Path, place: Path) -> None:
    """Puts what a run has left in its folder there, instead of what another one had left."""
    outputs.own_folder(place)
    shutil.rmtree(place)
    for path in (folder, *sorted(folder.rglob("*"))):
        within = path.relative_to(folder)
        if path.is_symlink() or within.parts[:1] and within.parts[0].startswith("given-"):
            continue
        if path.is_dir():
            outputs.own_folder(place / within)
        elif path.is_file():
            outputs.replace(place / within, path.read_bytes())


def tables(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Tried and fallen short, by job and call; and the command that tries each shortfall again."""
    for part in ("job", "call"):
        counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
        for one in outcomes:
            counts[getattr(one.fault, part)][one.outcome] += 1
        yield f"{part:<20} {'tried':>6} {'fell short':>11} {'not reached':>12}"
        for name, of_it in sorted(counts.items()):
            yield f"{name:<20} {of_it['held'] + of_it['short']:>6} {of_it['short']:>11} {of_it['unreached']:>12}"
        yield ""
    for one in outcomes:
        if one.outcome == "short":
            yield f"{one.fault.command()}\n    {one.shortfall}"
    by = collections.Counter(one.outcome for one in outcomes)
    yield f"{by['held'] + by['short']} faults tried, {by['short']} fell short; {by['unreached']} more were not reached"
