"""What recorded runs show, in words: the sections of the page, each a function from runs to lines of Markdown.

A sentence that says "on every kernel" is printed only if it holds for each; a difference counts only where it is larger
than what the two figures vary by.
"""

import math
from collections.abc import Callable

from analysis.kinds import ALL, KINDS
from analysis.record import machines
from lab import (
    recorded,
    section_changes,
    section_exact,
    section_explained,
    section_functions,
    section_states,
    section_subsystems,
)
from lab.recorded import Recorded
from lab.format import Runs, all_of, cell, k, span, table


def by_kind(runs: Runs, operation: str, phase: str) -> list[tuple[str, list[str]]]:
    """`none` itself, then what each kind and all of them add to it."""
    rows = [("none, itself", [cell(run.median(operation, "none", phase)) for run in runs])]
    for kinds in (*KINDS, ALL):
        name = "all eight" if kinds == ALL else kinds
        rows.append((name, [cell(run.added(operation, kinds, phase)) for run in runs]))
    return rows


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
    kernels = " ".join(f"--kernel {run.version}" for run in runs)
    return [
        *lines,
        "",
        "The same build on the same kernels gives the same figures to the bit, on any machine; what is cloned is nsbench's",
        "sampler, so that another build of it can give others. `run.json` has the hashes. The runs are made again, and this",
        "page from them, by",
        "",
        "```",
        f"scripts/lab.py atlas {kernels} --out DIR",
        "scripts/lab.py page DIR",
        "```",
        "",
    ]


def kinds(runs: Runs) -> list[str]:
    lines = ["What each kind adds to a plain clone (phase `create`: the call, in the parent), in thousands of instructions executed;",
             "in brackets, where it shows, how far meaningless variations of the machine move it:", ""]
    lines += table(runs, "clone", by_kind(runs, "clone", "create"))
    added = {kind: all_of(run.added("clone", kind, "create") for run in runs) for kind in KINDS}
    if all(added.values()):
        order = [max(KINDS, key=lambda kind: added[kind][i].low) for i in range(len(runs))]
        if len(set(order)) == 1:
            first = order[0]
            rest = [max(added[kind][i].high for kind in KINDS if kind != first) for i in range(len(runs))]
            times = [added[first][i].low / rest[i] if rest[i] > 0 else 0 for i in range(len(runs))]
            if min(times) > 1:
                lines.append(
                    f"- On every kernel {first} is the dearest: {span([f.value for f in added[first]])} "
                    "thousand instructions, "
                    f"at least {math.floor(min(times) * 10) / 10:g} times any other kind."
                )
        bare = [run.median("clone", "none", "create") for run in runs]
        cheap = [kind for kind in KINDS if all(b and f.high < 0.1 * b.low for f, b in zip(added[kind], bare))]
        if cheap:
            values = [f.value for kind in cheap for f in added[kind]]
            lines.append(
                f"- {', '.join(cheap)} add less than a tenth of a plain clone on every kernel: "
                f"{span(values)} thousand."
            )
    return [*lines, ""]


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
            f"- A clone with {kind} ends earlier than one without: {span(values)} thousand instructions "
            "less. What is "
            f"compared is clone3 with clone: only clone3 has a flag for time namespaces."
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
            f"- The mount has become shorter with every one of these kernels: {k(first)} → {k(last)} "
            "thousand, "
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


def versions(runs: Runs) -> list[str]:
    pairs = list(zip(runs, runs[1:])) + ([(runs[0], runs[-1])] if len(runs) > 2 else [])
    lines = [
        "From one kernel to the next: the geometric mean of the ratios over all sets, and how many sets "
        "are slower or faster",
        "by more than they vary:",
        "",
        "| from | to | operation | phase | ratio | slower | faster | of |",
        "|---|---|---|---|---:|---:|---:|---:|",
    ]
    for one, other in pairs:
        for operation, phase in (
            ("clone", "create"),
            ("clone", "total"),
            ("unshare", "create"),
            ("setns:nsfd", "switch"),
        ):
            count, slower, faster, ratio = change(one, other, operation, phase)
            if count:
                lines.append(
                    f"| {one.name} | {other.name} | {operation} | {phase} | {ratio:.3f} | {slower} | "
                    f"{faster} | {count} |"
                )
    lines.append("")
    for one, other in zip(runs, runs[1:]):
        found = []
        for kind in KINDS:
            a, b = one.added("clone", kind, "create"), other.added("clone", kind, "create")
            if a and b and a.differs(b):
                found.append(f"{kind} {k(a.value)} → {k(b.value)}")
        said = (
            f"the part that a kind adds to clone changed for {', '.join(found)} thousand"
            if found
            else "no kind's part changed by more than it varies"
        )
        lines.append(f"- {one.name} → {other.name}: {said}.")
    folders = [f"results/{run.folder.name}" for run in (runs[0], runs[-1])]
    return [
        *lines,
        "",
        "All rows of two kernels side by side, largest change first:",
        "",
        "```",
        f"scripts/lab.py compare {' '.join(folders)} --phase=create --threshold=5%",
        "```",
        "",
    ]


def sets(runs: Runs) -> list[str]:
    rows = []
    for kind in KINDS:
        figures = [
            recorded.middle(values) if len(values := run.adding("clone", kind, "create")) > 1 else None
            for run in runs
        ]
        rows.append(
            (kind, ["–" if f is None else f"{k(f.value)} ({k(f.low)} … {k(f.high)})" for f in figures])
        )
    lines = [
        "What a kind adds to a set that lacks it: the median over the 128 sets without it, in brackets the "
        "quartiles",
        "(clone, `create`). It says what NEWUSER or NEWNET costs beside other kinds:",
        "",
        *table(runs, "kind added", rows),
    ]
    for run in runs:
        ratios, apart = [], []
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
            if whole.low > high or whole.high < low:
                apart.append(kinds)
        if len(ratios) > 1:
            f = recorded.middle(ratios)
            lines.append(
                f"- {run.name}: a set of several kinds adds {f.value:.2f} times the sum of what its kinds "
                "add alone (median of "
                f"{len(ratios)} sets; half of them {f.low:.2f} to {f.high:.2f}); for {len(apart)} the "
                "interval lies outside the sum's."
            )
    return [*lines, ""]


SECTIONS: dict[str, tuple[str, Callable[[Runs], list[str]]]] = {
    "kinds": ("What each kind costs", kinds),
    "exact": ("Where the instructions go, exactly", section_exact.exact),
    "subsystems": ("The parts of a net namespace", section_subsystems.subsystems),
    "changes": ("The largest changes", section_changes.changes),
    "explained": ("What explains the changes", section_explained.explained),
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
    lines = make(runs)
    return [f"### {title}", "", f"`scripts/lab.py page --section={name}`", "", *lines] if lines else []
