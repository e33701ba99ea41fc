"""The page's section from the probed runs: the kernel functions that a kind's cost is in, and its memory."""

import math

from analysis.kinds import ALL, KINDS
from lab.recorded import Probed, RecordedFigure
from lab.format import Runs, all_of, digits, folded, k, name_of, range_of, table

ENOUGH = 0.9  # of what a kind adds: the functions named make up so much of it
NAMED = 4  # functions of a kind
AGREES = 0.05  # as much as the probe's figures may be off those of the plain run, or the resolution of these
ALLOCATORS = ("kmalloc", "slab", "percpu")
KIB = 1024


def largest(probed: Probed | None, kinds: str) -> str:
    """The functions that make up most of what a set adds, the largest first, and the sum of all."""
    adds = (probed.adds if probed else {}).get(kinds)
    if not adds:
        return "–"
    whole = math.fsum(adds.values())
    named: list[tuple[str, float]] = []
    for name, own in sorted(adds.items(), key=lambda item: -item[1])[:NAMED]:
        if math.fsum(value for _, value in named) < ENOUGH * whole:
            named.append((name, own))
    return f"{k(whole)}: " + ", ".join(f"{name} {k(own)}" for name, own in named)


def bytes_of(probed: Probed | None, kinds: str) -> str:
    """KiB by kmalloc, slab and percpu."""
    memory = (probed.memory if probed else {}).get(kinds)
    return " / ".join(digits(memory.get(one, 0) / KIB) for one in ALLOCATORS) if memory else "–"


def code(runs: Runs) -> list[str]:
    """Sentences about the functions."""
    lines, probed = [], [run.probed for run in runs if run.probed]
    for kind in KINDS:
        parts = all_of(one.adds.get(kind) for one in probed)
        if not parts or not all(math.fsum(adds.values()) > 0 for adds in parts):
            continue
        tops = [max(adds, key=adds.__getitem__) for adds in parts]
        shares = [adds[top] / math.fsum(adds.values()) for adds, top in zip(parts, tops)]
        if len(set(tops)) == 1 and all(0.5 < share <= 1 for share in shares):
            span = range_of(f"{100 * min(shares):.0f}%", f"{100 * max(shares):.0f}%")
            lines.append(f"- {kind}: on every kernel more than half is in {tops[0]}, {span}.")
    return lines + accounted(runs)


def agrees(whole: float, plain: RecordedFigure) -> bool:
    """Whether a sum over functions is the plain run's figure."""
    return abs(whole - plain.value) <= max(AGREES * abs(plain.value), plain.high - plain.value, plain.value - plain.low)


def accounted(runs: Runs) -> list[str]:
    """Whether the functions' sum is what the plain run says that the kind adds, and a table of where it is not."""
    count, others = 0, []
    for run in runs:
        if not (probed := run.probed):
            continue
        for kinds, adds in probed.adds.items():
            plain = run.added("clone", kinds, "create")
            if not adds or not plain or plain.value <= 0:
                continue
            count += 1
            whole = math.fsum(adds.values())
            if not agrees(whole, plain):
                loaded = probed.loaded.get(kinds)
                others.append([name_of(kinds), run.name, k(plain.value), k(whole), f"{whole / plain.value:.2f}",
                               k(loaded) if loaded is not None else "–", why(kinds, probed)])
    if not count:
        return [""]
    lines = [f"- For {count - len(others)} of {count} sets and kernels the sum of the functions is what the plain run adds to",
             f"  `create`, within {100 * AGREES:.0f}% or what that varies by."]
    if others:
        lines += ["", *folded(f"The {len(others)} others", [
                  "In k; `loaded` is what the plain call adds in a kernel that has the probe loaded, and not attached:", "",
                  "| set | kernel | plain | functions | ratio | loaded | why |", "|---|---|---:|---:|---:|---:|---|",
                  *(f"| {' | '.join(row)} |" for row in others)])]
    return lines if others else [*lines, ""]


def why(kinds: str, probed: Probed) -> str:
    """Why the functions' sum is not what the plain run adds, as far as the figures tell."""
    if kinds == "NEWTIME":
        return "clone3 against clone: they differ outside of the traced functions, too"
    if probed.memory.get(kinds, {}).get("percpu"):
        return "it takes percpu memory, and so do the probe's programs: the allocator searches elsewhere"
    return "unknown"


def memory(runs: Runs) -> list[str]:
    """Sentences about memory, percpu left out: it is counted once, not for each CPU."""
    found = [{kind: one.memory[kind].get("kmalloc", 0) + one.memory[kind].get("slab", 0) for kind in KINDS if kind in one.memory}
             for one in (run.probed for run in runs) if one and one.memory]
    ordered = [sorted(kinds, key=kinds.__getitem__, reverse=True)[:2] for kinds in found]
    if not found or not all(len(two) == 2 for two in ordered) or len({two[0] for two in ordered}) != 1:
        return []
    top = ordered[0][0]
    values = [kinds[top] for kinds in found]
    others = [kinds[two[1]] for kinds, two in zip(found, ordered)]
    if min(others) <= 0:
        return []
    times = min(value / other for value, other in zip(values, others))
    size = range_of(f"{min(values) / KIB:.0f}", f"{max(values) / KIB:.0f}")
    return [f"- {top} takes the most on every kernel: {size} KiB without percpu, at least {math.floor(times * 10) / 10:g} times "
            "any other kind."]


def functions(runs: Runs) -> list[str]:
    """The section; nothing where no run was probed."""
    if not any(run.probed for run in runs):
        return []
    every = (*KINDS, ALL)
    return [
        "What each kind adds to a plain clone, by kernel function: from a second run, in which the probe traced them.",
        "",
        *code(runs),
        *folded("The functions on each kernel", [
            f"The sum over all traced functions, then those that make up {100 * ENOUGH:.0f}% of it, {NAMED} at most, each without",
            "the traced functions that it calls, in k:",
            "",
            *table(runs, "clone", [(name_of(kinds), [largest(run.probed, kinds) for run in runs]) for kinds in every]),
        ]),
        "Memory that is allocated more than for a plain clone, in KiB: by kmalloc / from slabs / percpu, where a copy for each",
        "possible CPU is not multiplied in:",
        "",
        *table(runs, "clone", [(name_of(kinds), [bytes_of(run.probed, kinds) for run in runs]) for kinds in every]),
        *memory(runs),
        "",
    ]
