"""What recorded runs show, in words: the sections of the page, each a function from runs to lines of Markdown.

A sentence that says "on every kernel" is printed only if it holds for each; a difference counts only where it is larger
than what the two figures vary by.
"""

import math
import textwrap
from collections.abc import Callable

from analysis.kinds import ALL, KINDS, prefixed
from analysis.record import machines
from lab import (
    recorded,
    section_changes,
    section_exact,
    section_explained,
    section_functions,
    section_short,
    section_states,
    section_subsystems,
)
from lab.recorded import Recorded
from lab.format import WIDTH, Runs, all_of, cell, filled, folded, k, range_of, span, table

CLONE3 = "What NEWTIME adds is what clone3 with it takes more than clone without: only clone3 has a flag for it."


def by_kind(runs: Runs, operation: str, phase: str) -> list[tuple[str, list[str]]]:
    """`none` itself, then what each kind and all of them add to it."""
    rows = [("none, itself", [cell(run.median(operation, "none", phase)) for run in runs])]
    for kinds in (*KINDS, ALL):
        name = "all eight" if kinds == ALL else kinds
        rows.append((name, [cell(run.added(operation, kinds, phase)) for run in runs]))
    return rows


def command(words: list[str]) -> list[str]:
    """A command on as many lines as it takes."""
    first, *others = textwrap.wrap(" ".join(words), WIDTH - len("     \\"), break_long_words=False, break_on_hyphens=False)
    *before, last = [first, *(f"    {line}" for line in others)]
    return [*(f"{line} \\" for line in before), last]


def what(runs: Runs) -> list[str]:
    options = runs[0].record["options"]
    lines = [
        "The clock of these runs counts the instructions that the guest executes: path length, not time. It knows no cache",
        "misses, no memory latency, no lock contention and no second CPU, and the kernel is a small and young one: booted",
        "seconds ago, with an initramfs and six mounts. Mitigations are off.",
        "",
        "Each case was measured in a copy of its own of a saved machine, so that no case changed the kernel for another:",
        f"{options['samples']} counted samples, each in a block of its own, behind one that does not count. The cases of the kinds were",
        "measured on all of these machines, which differ in nothing that has a meaning, the others on fewer:",
        "",
        *(f"{number}. {machine['variation']}" for number, machine in machines(runs[0].record).items()),
        "",
        "The figure is the median of theirs; in brackets is how far they move it, or, where it was measured on the first",
        "machine alone, the 95% interval of its median.",
        "",
        "| kernel | package | rows | on several machines |",
        "|---|---|---:|---:|",
    ]
    for run in runs:
        several = sum(bool(row.get("resolution")) for row in run.rows.values())
        package = run.record["lab"]["kernel_package"] or "a bzImage of one's own"
        lines.append(f"| {run.name} | `{package}` | {len(run.rows)} | {several} |")
    return [
        *lines,
        "",
        "The same build on the same kernels gives the same figures to the bit, on any machine; what is cloned is nsbench's",
        "sampler, so that another build of it can give others. `run.json` has the hashes. The runs are made again, and this",
        "page from them, by",
        "",
        "```",
        *command(["scripts/lab.py", "atlas", *(f"--kernel={run.version}" for run in runs), "--out=DIR"]),
        "scripts/lab.py page DIR",
        "```",
        "",
    ]


def kinds(runs: Runs) -> list[str]:
    return [
        "What each kind adds to a plain clone (phase `create`: the call, in the parent), in k instructions executed; in brackets,",
        f"where it shows, how far meaningless variations of the machine move it. {CLONE3}",
        "",
        *table(runs, "clone", by_kind(runs, "clone", "create")),
    ]


def total(runs: Runs) -> list[str]:
    lines = [
        "The same until the child is reaped (phase `total`):",
        "",
        *table(runs, "clone", by_kind(runs, "clone", "total")),
    ]
    below = [
        kind for kind in KINDS if all((f := run.added("clone", kind, "total")) and f.high < 0 for run in runs)
    ]
    for kind in below:
        values = [-figure.value for figure in all_of(run.added("clone", kind, "total") for run in runs)]
        lines.append(
            f"- A clone with {kind} ends earlier than one without, by {span(values)}{': it is a clone3' if kind == 'NEWTIME' else ''}."
        )
    return [*lines, ""] if below else lines


def unshare(runs: Runs) -> list[str]:
    lines = [
        "What each kind costs a process that exists (unshare, phase `create`):",
        "",
        *table(runs, "unshare", by_kind(runs, "unshare", "create")),
    ]
    share = [
        100 * part.value / whole.value
        for run in runs
        if (part := run.median("unshare", "NEWPID", "create"))
        and (whole := run.median("clone", "NEWPID", "create"))
        and whole.value > 0
    ]
    if share:
        lines += [
            f"- unshare of NEWPID is {min(share):.1f}% to {max(share):.1f}% of a clone with it: no process "
            "is made, and the "
            "namespace itself comes with the first child.",
            "",
        ]
    return lines


def teardown(runs: Runs) -> list[str]:
    names = ("NEWIPC", "NEWNET", "NEWUSER", ALL)
    rows = [
        ("all eight" if name == ALL else name, [cell(run.median("clone", name, "drain")) for run in runs])
        for name in names
    ]
    lines = [
        "What is left to do when the child has been reaped, for each namespace in a batch of two (phase `drain`, by workers of",
        "the kernel, their waits included; on one CPU, where waiting for other CPUs can be free):",
        "",
        *table(runs, "after clone", rows),
    ]
    for kind in ("NEWIPC", "NEWNET"):
        for one, other in zip(runs, runs[1:]):
            x, y = one.median("clone", kind, "drain"), other.median("clone", kind, "drain")
            if x and y and (x.low > 2 * y.high or y.low > 2 * x.high):
                (more, most), (less, least) = sorted(((one, x), (other, y)), key=lambda pair: -pair[1].value)
                if least.value > 0:
                    ratio = most.value / least.value
                    lines.append(
                        f"- {kind}: {ratio:.{1 if ratio < 10 else 0}f} times as much on {more.name} as on "
                        f"{less.name}."
                    )
    return [*lines, ""]


def setns(runs: Runs) -> list[str]:
    rows = [
        (
            kind,
            [
                " / ".join(
                    k(f.value) if (f := run.median(f"setns:{via}", kind, "switch")) else "–"
                    for via in ("nsfd", "pidfd")
                )
                for run in runs
            ],
        )
        for kind in KINDS
    ]
    lines = [
        "Entering an existing namespace (setns, by its file / by a pidfd):",
        "",
        *table(runs, "setns", rows),
    ]
    more = [
        b.value - a.value
        for run in runs
        for kind in KINDS
        if (a := run.median("setns:nsfd", kind, "switch"))
        and (b := run.median("setns:pidfd", kind, "switch"))
    ]
    if more and min(more) > 0:
        lines += [
            f"- A pidfd costs more than the namespace's file, by {min(more):.0f} to {max(more):.0f} "
            "instructions.",
            "",
        ]
    return lines


def proc(runs: Runs) -> list[str]:
    rows = [
        (phase, [cell(run.median("proc_remount", "NEWNS-NEWPID", phase)) for run in runs])
        for phase in ("mount", "unmount", "total")
    ]
    lines = [
        "proc mounted afresh in new mount and pid namespaces, and unmounted (`total` has the clone and the "
        "reaping):",
        "",
        *table(runs, "proc_remount", rows),
    ]
    figures = all_of(run.median("proc_remount", "NEWNS-NEWPID", "mount") for run in runs)
    if len(figures) > 1 and all(f.value > 0 for f in figures) and all(
        a.low > b.high for a, b in zip(figures, figures[1:])
    ):
        first, last = figures[0].value, figures[-1].value
        lines += [
            f"- The mount has become shorter with every one of these kernels: {prefixed(first)} → {prefixed(last)}, "
            f"{100 * (1 - last / first):.0f}% less.",
            "",
        ]
    return lines


def change(one: Recorded, other: Recorded, operation: str, phase: str) -> tuple[int, int, int, float]:
    """Rows of both; how many are slower and faster, intervals apart; the geometric mean of the ratios."""
    slower = faster = 0
    logs = []
    for kinds in one.sets(operation, phase):
        a, b = one.median(operation, kinds, phase), other.median(operation, kinds, phase)
        if a and b and a.value > 0 and b.value > 0:
            slower += b.low > a.high
            faster += b.high < a.low
            logs.append(math.log(b.value / a.value))
    return len(logs), slower, faster, math.exp(math.fsum(logs) / len(logs)) if logs else 1.0


def changes_of(one: Recorded, other: Recorded) -> list[str]:
    """Rows of how much longer or shorter all sets are."""
    rows = []
    for operation, phase in (("clone", "create"), ("clone", "total"), ("unshare", "create"), ("setns:nsfd", "switch")):
        count, slower, faster, ratio = change(one, other, operation, phase)
        if count:
            rows.append(f"| {one.name} | {other.name} | {operation} | {phase} | {ratio:.3f} | {slower} | {faster} | {count} |")
    return rows


def parts_of(one: Recorded, other: Recorded) -> str:
    """A sentence on the kinds whose part of clone changed."""
    found = []
    for kind in KINDS:
        a, b = one.added("clone", kind, "create"), other.added("clone", kind, "create")
        if a and b and a.differs(b):
            found.append(f"{kind} {prefixed(a.value)} → {prefixed(b.value)}")
    if not found:
        return f"- {one.name} → {other.name}: no kind's part changed by more than it varies."
    return f"- {one.name} → {other.name}: the part that a kind adds to clone changed for {', '.join(found)}."


def versions(runs: Runs) -> list[str]:
    head = ["| from | to | operation | phase | ratio | slower | faster | of |", "|---|---|---|---|---:|---:|---:|---:|"]
    pairs = list(zip(runs, runs[1:]))
    every = [*head, *(row for one, other in pairs for row in changes_of(one, other)), "", *(parts_of(one, other) for one, other in pairs)]
    first, last = runs[0], runs[-1]
    return [
        "From one kernel to another: the geometric mean of the ratios over all sets, and how many sets are slower or faster by more",
        "than they vary:",
        "",
        *([*head, *changes_of(first, last), "", *folded("From each kernel to the next", every)] if len(runs) > 2 else [*every, ""]),
        "All rows of two kernels side by side, largest change first:",
        "",
        "```",
        f"scripts/lab.py compare results/{first.folder.name} results/{last.folder.name} --phase=create --threshold=5%",
        "```",
        "",
    ]


def sums_of(run: Recorded) -> tuple[list[float], int]:
    """What sets of several kinds add, in sums of what their kinds add alone; and for how many the sum is not within the interval."""
    ratios, apart = [], 0
    for kinds in run.sets("clone", "create"):
        names = kinds.split("-")
        whole, parts = run.added("clone", kinds, "create"), all_of(run.added("clone", name, "create") for name in names)
        if len(names) < 2 or not whole or not parts:
            continue
        alone = math.fsum(part.value for part in parts)
        if alone <= 0:
            continue
        ratios.append(whole.value / alone)
        low, high = (math.fsum(getattr(part, end) for part in parts) for end in ("low", "high"))
        apart += whole.low > high or whole.high < low
    return ratios, apart


def sets(runs: Runs) -> list[str]:
    rows = []
    for kind in KINDS:
        figures = [recorded.middle(values) if len(values := run.adding("clone", kind, "create")) > 1 else None for run in runs]
        rows.append((kind, ["–" if f is None else f"{k(f.value)} ({k(f.low)} … {k(f.high)})" for f in figures]))
    found = {run.name: sums for run in runs if len((sums := sums_of(run))[0]) > 1}
    middles = {name: recorded.middle(ratios) for name, (ratios, _) in found.items()}
    lines, each = [], []
    if middles:
        values = [middle.value for middle in middles.values()]
        lines = [f"- A set of several kinds adds {range_of(f'{min(values):.2f}', f'{max(values):.2f}')} times the sum of what its "
                 "kinds add alone: the median of a kernel's sets, from kernel to kernel.", ""]
        each = ["The sets of several kinds, by the sum of what their kinds add alone (median, in brackets the quartiles), and how many",
                "of them lie outside of it with their whole interval:", "",
                "| kernel | times the sum | sets | outside |", "|---|---:|---:|---:|",
                *(f"| {name} | {f.value:.2f} ({f.low:.2f} … {f.high:.2f}) | {len(found[name][0])} | {found[name][1]} |"
                  for name, f in middles.items())]
    return [
        *lines,
        *folded("On each kernel", [
            "What a kind adds to a set that lacks it (clone, `create`, in k): the median over the 128 sets without it, in brackets the",
            "quartiles. It says what NEWUSER or NEWNET costs beside other kinds:",
            "",
            *table(runs, "kind added", rows),
            *each,
        ]),
    ]


SECTIONS: dict[str, tuple[str, Callable[[Runs], list[str]]]] = {
    "short": ("In short", section_short.short),
    "kinds": ("What each kind costs", kinds),
    "changes": ("The largest changes", section_changes.changes),
    "explained": ("What explains the changes", section_explained.explained),
    "exact": ("Where the instructions go, exactly", section_exact.exact),
    "subsystems": ("The parts of a net namespace", section_subsystems.subsystems),
    "states": ("What the kernel's state does to a cost", section_states.states),
    "total": ("Until the child is reaped", total),
    "unshare": ("Without a new process", unshare),
    "teardown": ("Afterwards", teardown),
    "setns": ("Entering", setns),
    "proc": ("Mounting proc", proc),
    "versions": ("What changed between versions", versions),
    "sets": ("Sets of kinds", sets),
    "functions": ("What the probe sees", section_functions.functions),
    "what": ("How it was measured, and what it is not", what),
}


def section(name: str, runs: Runs) -> list[str]:
    """A section's lines, with the command that prints it; none where these runs have nothing for it."""
    title, make = SECTIONS[name]
    lines = filled(make(runs))
    return [f"### {title}", "", f"`scripts/lab.py page --section={name}`", "", *lines] if lines else []
