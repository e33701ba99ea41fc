"""Which plots there are of runs, by letter and name; none is drawn until it is asked for."""
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from analysis import beside, columns, limits, plots_churn, plots_curves, plots_probe, plots_scaling, plots_sets, plots_times, stacks, tables
from analysis.read import Run


@dataclass(frozen=True)
class Plot:
    """`name` is its file's, and `make` draws it or says why there is nothing to draw."""

    letter: str
    name: str
    make: Callable[[], Figure | str]


def plots(runs: list[Run], folded: list[Path]) -> Iterator[Plot]:
    """All plots. Unreadable for folded stacks that are none. Curves that several kernels have are one plot of all."""
    by_kernel = plots_curves.by_kernel(runs)
    for run, begin, file in zip(runs, file_names([run.name for run in runs]), limits.of_each(runs, folded)):
        stacks.of_run(run, file)  # what is no such file is said before anything is drawn
        for name, make in _of_run(run, file, by_kernel):
            yield Plot(name[0], f"{begin}-{name}" if len(runs) > 1 else name, make)
    for name in tables.set_operations(runs[0]) or ["clone"]:
        yield Plot("f", f"f-kernels-{name}", partial(plots_times.kernels, runs, name))
    for key, name, phase in by_kernel:
        yield Plot("i", f"i-kernels-{key}-{name}-{phase}", partial(plots_curves.kernels, runs, key, name, phase))


def of_loads(loads: list[plots_churn.Load]) -> Iterator[Plot]:
    """A plot of each load."""
    for load, begin in zip(loads, file_names([load.name for load in loads])):
        name = "k-churn"
        yield Plot("k", f"{begin}-{name}" if len(loads) > 1 else name, partial(plots_churn.over_time, load))


def file_names(names: list[str]) -> list[str]:
    """What each run's files begin with: its name without slashes, and numbered where another is called so by now."""
    found: list[str] = []
    for name in names:
        plain = name.replace("/", "-").strip("-")
        numbered = (f"{plain}-{number}" for number in itertools.count(2))
        found.append(next(one for one in itertools.chain([plain], numbered) if one not in found))
    return found


def _of_run(run: Run, folded: Path | None, by_kernel: list[tuple[str, str, str]]) -> Iterator[tuple[str, Callable[[], Figure | str]]]:
    operations = tables.set_operations(run) or ["clone"]
    measured = list(dict.fromkeys(run.measured["operation"]))
    for name in operations:
        yield f"a-sets-{name}", partial(plots_sets.heat_map, run, name)
        yield f"b-kinds-{name}", partial(plots_sets.added, run, name)
        yield f"d-distributions-{name}", partial(plots_times.distributions, run, name)
    for name in measured:
        if columns.has_parameter(name, "stack"):
            yield f"c-stack-{name}", partial(plots_sets.stack_sizes, run, name)
    for key, name, phase in (one for one in plots_curves.pictures(run) if one not in by_kernel):
        yield f"i-curve-{key}-{name}-{phase}", partial(plots_curves.curve, run, key, name, phase)
    others = [name for name in measured if name not in operations]
    yield "e-phases", partial(plots_times.phases, run, [*operations, *others])
    yield "g-functions", lambda: plots_probe.functions(beside.probed(run) or run)
    yield "g-icicle", lambda: plots_probe.icicle(*(beside.folded(run, folded) or (run, None)))
    yield "h-memory", lambda: plots_probe.memory(beside.probed(run) or run)
    yield "j-scaling", partial(plots_scaling.throughput, run)
