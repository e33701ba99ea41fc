"""Carrying out presets: nsbench, with what is around it, and each point's figure or why there is none."""
import contextlib
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from analysis import crowded, preset_figures
from analysis.commands import ran
from analysis.preset_figures import NoFigure, Output
from analysis.presets import Point, Preset, Run
from analysis.script import IMPOSSIBLE, INTERRUPTED, Unreadable, last_line

RCU = Path("/sys/kernel/rcu_expedited")
NORMAL = Path("/sys/kernel/rcu_normal")  # where it is 1, the other has no effect
WRONG_USE = 2
PYTHON = "/usr/bin/python3"
# Puts the setting back when its standard input ends: also where this script is killed.
GUARD = 'trap "" INT TERM HUP; cat >/dev/null; echo "$0" >"$1"'


@dataclass(frozen=True)
class Taken:
    """A point's figure, or why it has none."""

    point: Point
    value: float | None = None
    reason: str = ""
    note: str = ""

    def ratios(self) -> tuple[float, ...]:
        """Ours over the published ones."""
        return tuple(self.value / one for one in self.point.published) if self.value is not None else ()


@dataclass
class Repeated:
    """A preset that was carried out, as far as it was."""

    preset: Preset
    taken: list[Taken] = field(default_factory=list)
    kernel: str = ""
    machine: str = ""
    cpus: str = ""
    through_userns: bool = False
    seconds: float = 0


def _is_normal() -> bool:
    try:
        return NORMAL.read_text().strip() == "1"
    except OSError:  # a kernel without it
        return False


@contextlib.contextmanager
def rcu_expedited(wanted: bool | None) -> Iterator[None]:
    """The setting for as long as this lasts. NoFigure where it cannot be made."""
    if wanted is None:
        yield
        return
    if wanted and _is_normal():
        raise NoFigure(f"{NORMAL} is 1, which leaves {RCU.name} without effect: echo 0 >{NORMAL}")
    try:
        before = RCU.read_text().strip()
        if before == str(int(wanted)):
            yield
            return
        RCU.open("r+").close()  # whether it may be written
    except OSError as error:
        raise NoFigure(f"{RCU}: {error.strerror}; as root it may be set") from None
    with subprocess.Popen(["/bin/sh", "-c", GUARD, before, str(RCU)], stdin=subprocess.PIPE, start_new_session=True) as guard:
        try:
            RCU.write_text(f"{int(wanted)}\n")
            yield
        finally:
            assert guard.stdin
            guard.stdin.close()
            guard.wait()
            if RCU.read_text().strip() != before:
                raise Unreadable(f"{RCU} is not {before} as it was: echo {before} >{RCU}")


def command_of(run: Run, nsbench: Path, folder: Path, place: Path) -> list[str]:
    """Its words."""
    around = [f"--{name}={count}" for name in ("mounts", "peers", "netns") if (count := getattr(run, name))]
    before = [PYTHON, crowded.__file__, f"--place={place}", *around, "--"] if around else []
    return [*before, str(nsbench), *run.words, "--quiet", "--no-progress", f"--out={folder}"]


def _reason(code: int, said: str) -> str:
    """Why a command has no figures, in one line."""
    line = re.sub(r"^[\w ]+: ", "", last_line(said).removeprefix(": "))
    return line if code == IMPOSSIBLE and line else f"exit code {code}{': ' if line else ''}{line}"


def carry_out(run: Run, nsbench: Path, folder: Path, meanwhile: Callable[[], None] | None) -> Output:
    """The run's output. NoFigure where there is none; KeyboardInterrupt where somebody ended it."""
    with tempfile.TemporaryDirectory(prefix="nsbench-preset-") as place, rcu_expedited(run.expedited):
        command = command_of(run, nsbench, folder, Path(place))
        try:
            code, said = ran(command, meanwhile)
        except OSError as error:
            raise Unreadable(f"{command[0]}: {error.strerror}") from None
    if code in (-2, INTERRUPTED):
        raise KeyboardInterrupt
    output = Output(folder)
    if code in (0, 1):
        return output
    if (folder / "churn.json").exists():  # its reader says why it ended
        return output
    raise NoFigure(_reason(code, said) + (f" ({shlex.join(run.words)})" if code == WRONG_USE else ""))


def take(point: Point, output: Output | NoFigure) -> Taken:
    """The point's figure."""
    if point.run is None or point.take is None:
        return Taken(point, reason=point.how)
    if isinstance(output, NoFigure):
        return Taken(point, reason=str(output))
    try:
        return Taken(point, point.take(output), note=preset_figures.failures(output))
    except NoFigure as error:
        return Taken(point, reason=str(error))


def _describe(result: Repeated, output: Output) -> None:
    """Where it was measured."""
    with contextlib.suppress(NoFigure):
        record = output.record
        environment = record["environment"]
        result.kernel, result.cpus = f"Linux {record['kernel']}", str(environment["cpus"])
        result.machine = f"{environment['cpu_model']}, {result.cpus} CPUs, {environment['virtualisation']}"
        result.through_userns = bool(record["in_userns"])


class Progress:
    """A line on a terminal: which run of which preset it is, and about how long all still take."""

    def __init__(self, presets: list[Preset]) -> None:
        self.left = sum(preset.seconds() for preset in presets)
        self.is_shown = sys.stderr.isatty()
        self.text, self.began, self.seconds = "", 0.0, 0.0

    def begin(self, text: str, seconds: float) -> None:
        self.text, self.began, self.seconds = text, time.monotonic(), seconds
        self.look()

    def look(self) -> None:
        if not self.is_shown:
            return
        left = self.left - min(time.monotonic() - self.began, self.seconds)
        print(f"\r\033[K{self.text}, about {max(left, 1):.0f} s left", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        self.left -= self.seconds
        if self.is_shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def repeat(preset: Preset, nsbench: Path, out: Path, progress: Progress, result: Repeated) -> None:
    """Carries a preset out into `result`, which has what was measured also where this is interrupted."""
    began = time.monotonic()
    outputs: dict[Run, Output | NoFigure] = {}
    runs = preset.runs()
    try:
        for number, run in enumerate(runs, 1):
            progress.begin(f"{preset.name}: run {number} of {len(runs)}", run.seconds)
            try:
                outputs[run] = output = carry_out(run, nsbench, out / f"{number:02}", progress.look)
                _describe(result, output)
            except NoFigure as error:
                outputs[run] = error
            finally:
                progress.end()
    finally:
        result.seconds = time.monotonic() - began
        result.taken = [take(point, outputs[point.run] if point.run else NoFigure()) for point in preset.points
                        if point.run is None or point.run in outputs]
