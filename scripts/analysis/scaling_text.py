"""Scaling as text, as Markdown, as CSV and as JSON."""
import csv
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TextIO

from analysis import columns, kinds, scaling_law
from analysis.read import Run
from analysis.scaling import PERCENTILES, Family, Level, Placement
from analysis.scaling_law import LEVEL, MISFIT, Law, Range

HEADER = ("N", "operations/s", "of ideal", *(f"p{percent}" for percent in PERCENTILES), "timed")
FIELDS = ("run_id", "case", "phase", "unit", "parallel", "place", "rounds", "blocks", "blocks_apart", "throughput", "throughput_low",
          "throughput_high", "throughput_mean", "efficiency", "efficiency_low", "efficiency_high",
          *(f"p{percent}{end}" for percent in PERCENTILES for end in ("", "_low", "_high")), "timed", "of_processes",
          "of_processes_low", "of_processes_high")
WORDS = (f"N: samplers at once, each of which begins an operation when its last is done; operations/s: of all of them, the median of "
         f"the rounds; p50 … p99: of an operation; in brackets {LEVEL:.0%} intervals, of rounds drawn again (bootstrap)",
         "of ideal: throughput over N times that of N=1; timed: the part of the samplers' time that is in the operation's phases")
BEYOND = "beyond the CPUs: samplers take turns on them, which is queueing, and no law is fitted to it"


@dataclass(frozen=True)
class Scaling:
    """Of one run: `without` are lines on what there is nothing of."""

    run: Run
    where: Placement
    families: list[Family]
    without: list[str]


def place_of(level: Level) -> str:
    return "within" if level.is_within else "beyond"


def ranged(one: Range, text: Callable[[float], str]) -> str:
    """2.53 k [2.50 k … 2.56 k]."""
    return text(one.value) if math.isnan(one.low) else f"{text(one.value)} [{text(one.low)} … {text(one.high)}]"


def _share(value: float) -> str:
    return f"{value:.1%}"


def _cells(level: Level, clock: str) -> list[str]:
    return [str(level.count), ranged(level.throughput, kinds.prefixed), ranged(level.efficiency, _share) if level.efficiency else "",
            *(ranged(level.percentiles[percent], lambda value: kinds.time_text(value, clock)) for percent in PERCENTILES),
            f"{level.timed:.0%}"]


def law_lines(law: Law | None, without: str, cpus: int) -> list[str]:
    """What the law says, or why there is none."""
    if law is None:
        return [without]
    named: list[tuple[str, Range, Callable[[float], str], str]] = [
        ("λ", law.rate, kinds.prefixed, "operations/s of one sampler"), ("α", law.contention, "{:.4f}".format, "contention"),
        ("β", law.coherency, "{:.5f}".format, "coherency")]
    lines = [f"X(N) = λN / (1 + α(N−1) + βN(N−1)), fitted to N = {', '.join(map(str, law.counts))}"]
    for name, one, text, meaning in named:
        vague = ": not identifiable, since its interval goes from nothing to no gain at all" if name in law.vague else ""
        lines.append(f"{name} {ranged(one, text)}, {meaning}{vague}")
    if law.p < MISFIT:
        lines.append(f"the law does not hold: throughput is up to {law.largest:.1%} away from it, which is more than chance "
                     f"(p {law.p:.2g})")
    top = scaling_law.peak(law)
    if not law.vague:
        lines.append(f"most operations/s at N = {top:.1f}" if top <= cpus else f"no peak within the {cpus} CPUs")
    return lines + list(law.notes)


def title(family: Family) -> str:
    """A table's heading."""
    return f"{family.name}, {family.phase}"


def below(family: Family, where: Placement) -> list[str]:
    """What is said below a table."""
    told = [f"N={level.count} ×{ranged(level.of_processes, '{:.3f}'.format)}" for level in family.levels if level.of_processes]
    beside = [f"of what samplers with a memory each do: {', '.join(told)}"] if told else []
    return [*beside, *law_lines(family.law, family.without, where.cpus), *family.notes]


def place_lines(one: Scaling) -> list[str]:
    """Where the samplers were, and what that means for N."""
    where = one.where
    lines = [str(where)]
    most = max((level.count for family in one.families for level in family.levels), default=1)
    if where.cpus == 1 and most > 1:
        lines.append("with one CPU nothing happens at the same time: samplers take turns (give nsbench more CPUs: taskset, cpuset)")
    elif most > where.cpus:
        lines.append(f"up to N={where.cpus} each has a CPU of its own; from N={where.cpus + 1} on they share them")
    if where.is_smt:
        lines.append("CPUs that are siblings of one core (SMT) share its units: less than the ideal is to be expected of them")
    return lines


def rows_of(family: Family, clock: str) -> list[list[str]]:
    """A table's, the header first; beyond the CPUs a line of words stands between."""
    found = [list(HEADER)]
    for previous, level in zip([None, *family.levels], family.levels):
        if not level.is_within and (previous is None or previous.is_within):
            found.append([BEYOND])
        found.append(_cells(level, clock))
    return found


def _text(one: Scaling, out: TextIO) -> None:
    print(*place_lines(one), sep="\n", file=out)
    for family in one.families:
        rows = rows_of(family, one.run.clock)
        widths = [max(len(row[i]) for row in rows if len(row) > 1) for i in range(len(HEADER))]
        print("", title(family), sep="\n", file=out)
        for row in rows:
            line = row[0] if len(row) == 1 else "  ".join(cell.ljust(width) if 0 < i < len(row) - 1 else cell.rjust(width)
                                                          for i, (cell, width) in enumerate(zip(row, widths)))
            print(line.rstrip(), file=out)
        print(*below(family, one.where), sep="\n", file=out)
    print("", *WORDS, *one.without, sep="\n", file=out)


def _markdown(one: Scaling, out: TextIO) -> None:
    print("", *(f"- {line}" for line in place_lines(one)), sep="\n", file=out)
    for family in one.families:
        print(f"\n**{title(family)}**\n\n| {' | '.join(HEADER)} | |\n|{'--:|' * len(HEADER)}---|", file=out)
        for level in family.levels:
            print(f"| {' | '.join(_cells(level, one.run.clock))} | {place_of(level)} the CPUs |", file=out)
        words = [BEYOND] if any(not level.is_within for level in family.levels) else []
        print("", *(f"- {line}" for line in words + below(family, one.where)), sep="\n", file=out)
    print("", *(f"- {line}" for line in (*WORDS, *one.without)), sep="\n", file=out)


def _number(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.6g}"


def _csv(every: Sequence[Scaling], out: TextIO) -> None:
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(FIELDS)
    for one in every:
        for family in one.families:
            for level in family.levels:
                nothing = Range(math.nan, math.nan, math.nan)
                figures = [level.throughput.value, level.throughput.low, level.throughput.high, level.mean]
                for found in (level.efficiency or nothing, *(level.percentiles[percent] for percent in PERCENTILES)):
                    figures += [found.value, found.low, found.high]
                rows.writerow([one.run.run_id, family.name, family.phase, columns.unit_of(one.run.clock), level.count, place_of(level),
                               level.rounds, level.blocks, level.apart, *map(_number, figures), _number(level.timed),
                               *map(_number, vars(level.of_processes or nothing).values())])


def _known(one: Range | None) -> dict[str, float | None] | None:
    if one is None:
        return None
    return {name: value if math.isfinite(value) else None for name, value in vars(one).items()}


def _level(level: Level) -> dict[str, object]:
    return {"parallel": level.count, "place": place_of(level), "rounds": level.rounds, "blocks": level.blocks,
            "blocks_apart": level.apart, "lead_in": level.shape[0], "samples_per_block": level.shape[1],
            "throughput": _known(level.throughput), "throughput_mean": level.mean, "efficiency": _known(level.efficiency),
            "percentiles": {f"p{percent}": _known(level.percentiles[percent]) for percent in PERCENTILES}, "timed": level.timed,
            "of_processes": _known(level.of_processes)}


def _law(law: Law | None) -> dict[str, object] | None:
    if law is None:
        return None
    top = scaling_law.peak(law)
    return {"parallel": list(law.counts), "lambda": _known(law.rate), "alpha": _known(law.contention), "beta": _known(law.coherency),
            "not_identifiable": list(law.vague), "p": law.p, "largest_residual": law.largest,
            "peak": top if math.isfinite(top) else None, "notes": list(law.notes)}


def _json(every: Sequence[Scaling], out: TextIO) -> None:
    def of(one: Scaling) -> dict[str, object]:
        cases = [{"case": family.name, "phase": family.phase, "levels": list(map(_level, family.levels)), "law": _law(family.law),
                  "without_law": family.without or None, "notes": family.notes} for family in one.families]
        return {"run": one.run.identity(), "run_id": one.run.run_id, "kernel": one.run.kernel, "unit": columns.unit_of(one.run.clock),
                "cpus": one.where.cpus, "pinned": list(one.where.pinned), "smt": one.where.is_smt, "place": place_lines(one),
                "cases": cases, "left_out": one.without}

    print(json.dumps({"runs": list(map(of, every))}, indent=1, ensure_ascii=False, allow_nan=False), file=out)


def render(every: Sequence[Scaling], form: str) -> None:
    """Prints it. What is no row goes to standard error for csv, so that standard output is the rows alone."""
    if form == "json":
        _json(every, sys.stdout)
        return
    if form == "csv":
        _csv(every, sys.stdout)
    for one in every:
        out = sys.stderr if form == "csv" else sys.stdout
        print(f"{'- ' if form == 'markdown' else ''}{one.run.identity()}", file=out)
        (_markdown if form == "markdown" else _text)(one, out)
