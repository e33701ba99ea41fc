"""The sections of results/curves/README.md: each from kernels to lines of Markdown. What a sentence says is computed."""
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from analysis import curves_text
from analysis.curves import Curve
from analysis.kinds import prefixed
from lab import curves, curves_bends, curves_recorded, curves_states
from lab.curves_recorded import Kernel, level_of
from lab.explain import thousands
from lab.format import digits, folded, k
from lab.recorded import ASYNC, CREATE

NAMED = 3  # functions of a cell
BLOCK = 2  # executions of a block: the lead-in and the sample (orders.SHAPE)
TOLD = 0.01  # of a figure: smaller parts are not told of
PER_PAIR = 0.5  # instructions for each dying and each alive namespace that are told from none
# The walk in net/core/net_namespace.c, and what it calls in lib/idr.c and lib/radix-tree.c; its locks are taken elsewhere, too.
WALK = ("cleanup_net", "unhash_nsid", "idr_for_each", "radix_tree_next_chunk", "idr_get_next", "idr_get_next_ul")
ONCE = "idr_get_next"  # for each that is alive, in each walk over all of them
TERMS = 4  # of a sum over pairs: what each dying one takes, each alive one, each pair, and a start
ONE_WALK = 1.2  # times the least: what has more is more than one walk
Kernels = Sequence[Kernel]


def table(head: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> list[str]:
    """The first columns are of words."""
    rule = "|" + "---|" * words + "---:|" * (len(head) - words)
    return [f"| {' | '.join(head)} |", rule, *(f"| {' | '.join(row)} |" for row in rows), ""]


def called(one: Curve) -> str:
    """The case for people: clone NEWNS, clone none spawn:vm."""
    return " ".join(part for part in one.case.split("/") if not part.startswith("stack:"))


def by_case(kernels: Kernels, name: str, phase: str | None = None) -> dict[str, list[Curve]]:
    """Each case's curves, the oldest kernel's first."""
    found: dict[str, list[Curve]] = {}
    for kernel in kernels:
        for one in kernel.curves(name, phase):
            found.setdefault(one.case, []).append(one)
    return {case: group for case, group in found.items() if any(one.levels for one in group)}


def figures(group: Sequence[Curve]) -> list[str]:
    """A row for each kernel, a column for each level; in k."""
    levels = sorted({level for one in group for level in one.levels})
    parameter = group[0].parameter
    rows = []
    for one in group:
        at = dict(zip(one.levels, one.figures))
        rows.append([one.run.name, *(k(at[level]) if level in at else "–" for level in levels)])
    return table([parameter.key, *(curves_text.level_text(parameter, level) for level in levels)], rows)


def law_cells(one: Curve) -> list[str]:
    """Law, slope, start, residuals and rival."""
    _, _, law, slope, _, start, weight, rival, residuals = curves_text.cells(one)
    return [f"{law} ({weight})" if weight else law, slope, start, rival, residuals]


LAW_HEAD = ("law (its weight)", "slope", "starts at", "rival", "residuals: median, largest")


def laws(rows: Sequence[tuple[str, Curve]], head: str = "kernel") -> list[str]:
    """A row for each curve."""
    return table([head, *LAW_HEAD], [[name, *law_cells(one)] for name, one in rows], words=3)


def unfit(group: Sequence[Curve]) -> list[str]:
    """Sentences on what follows no single law, and what has a bend."""
    lines = []
    if names := [one.run.name for one in group if one.growth and one.growth.is_misfit]:
        lines.append(f"- No single law fits on {', '.join(names)}: the table has the likeliest one, which is more than 5% off somewhere.")
    for one in group:
        levels = ", ".join(curves_text.level_text(one.parameter, level) for level in one.without)
        lines += [f"- {one.run.name} has no figure at {levels}: {'; '.join(dict.fromkeys(one.without.values()))}."] if levels else []
    return lines


def piecewise(kernels: Kernels, name: str, group: Sequence[Curve], is_profiled: bool) -> list[str]:
    """What no single law fits, from level to level, with the functions behind its bends."""
    profiles = {kernel.name: kernel.profiles.get(name) for kernel in kernels}
    said = []
    for one in (one for one in group if one.growth and one.growth.is_misfit):
        said += curves_bends.scatter_told(one) + curves_bends.outliers_told(one)
        said += [curves_bends.told(one, bend, profiles[one.run.name] if is_profiled else None) for bend in curves_bends.bends(one)]
    rows = curves_bends.rows(group)
    lines = [f"What one {curves_bends.unit(group[0])[0]} more costs from level to level, where no single law fits and most pieces rise:",
             "", *table(rows[0], rows[1:])] if rows else []
    return [*lines, *said, ""] if said or lines else []


def shares(kernels: Kernels, name: str, case: str) -> list[str]:
    """The largest functions of the call at the lowest, a middle and the highest profiled level, by their own instructions."""
    key = next(one for one in curves.RECORDINGS if one.name == name).key
    rows = []
    for kernel in kernels:
        profile = kernel.profiles.get(name)
        cases = [one for one in profile.parts if without(one, key) == case and profile.of(one, CREATE)] if profile else []
        if profile is None or not cases:
            continue
        for one in dict.fromkeys(cases[at] for at in (0, len(cases) // 2, -1)):
            own, whole = profile.own(one, CREATE), profile.whole(one, CREATE)
            largest = sorted(own.items(), key=lambda item: -item[1])[:NAMED]
            rows.append([kernel.name, one_level(one, key), k(whole),
                         ", ".join(f"{function} {value / whole:.0%}" for function, value in largest)])
    return table(["kernel", key, "all of them, in k", "the largest, by their own instructions"], rows) if rows else []


def parts(kernels: Kernels, name: str, case: str) -> list[str]:
    """The law of each part of the call, and how much of the figure percpu's allocator and what ran meanwhile are at most."""
    rows: list[tuple[str, Curve]] = []
    percpu, meanwhile = [], []
    for kernel in kernels:
        for one in (one for one in kernel.curves(name) if one.case == case):
            found = curves_recorded.split(one, kernel, name)
            whole = [sum(figures) for figures in zip(*(part.figures for part in found.values()))]
            for what, part in found.items():
                share, place = max((y / z, place) for place, (y, z) in enumerate(zip(part.figures, whole)))
                at = f"{share:.0%} on {kernel.name} (at {curves_text.level_text(part.parameter, part.levels[place])}"
                if share < TOLD:
                    continue
                if what == curves_recorded.MEANWHILE:
                    meanwhile.append(f"{at})")
                elif part.growth:
                    rows.append((f"{kernel.name}: {what}", part))
                    percpu += [f"{at}, most of it in {kernel.profiles[name].most_of_percpu(part.cases[place])})"] \
                        if what == curves_recorded.PERCPU else []
    if not rows:
        return []
    lines = ["The call taken apart by the profile, without what ran meanwhile on its CPU (the child, workers, the tick):", "",
             *laws(rows, "part"), *fits(rows)]
    lines += [f"- Percpu's allocator is at most {', '.join(percpu)} of the figure."] if percpu else []
    return [*lines, *([f"- What ran meanwhile is at most {', '.join(meanwhile)} of the figure."] if meanwhile else []), ""]


def without(case: str, key: str) -> str:
    return "/".join(part for part in case.split("/") if not part.startswith(f"{key}:"))


def one_level(case: str, key: str) -> str:
    return next((part.partition(":")[2] for part in case.split("/") if part.startswith(f"{key}:")), "0")


def each(kernels: Kernels, name: str, phase: str | None = None) -> list[str]:
    """The figures and laws of all cases of a recording, and their functions."""
    lines: list[str] = []
    for case, group in by_case(kernels, name, phase).items():
        lines += [f"**{called(group[0])}**, {group[0].phase}, in k instructions, over {group[0].parameter.key}:", "", *figures(group),
                  *laws([(one.run.name, one) for one in group]), *unfit(group), "", *piecewise(kernels, name, group, phase is None)]
        if phase is None and (found := shares(kernels, name, case)):
            lines += [*parts(kernels, name, case), *folded("Which functions that is, by the exact profile", found)]
    return lines


def fits(rows: Sequence[tuple[str, Curve]]) -> list[str]:
    """Which parts follow one of the laws, and which none."""
    fitted = [(name, one.growth.is_misfit) for name, one in rows if one.growth]
    return [f"- {what}: {', '.join(names)}." for wrong, what in ((False, "One law fits"), (True, "No single law fits"))
            if (names := [name for name, is_misfit in fitted if is_misfit == wrong])]


def mounts(kernels: Kernels) -> list[str]:
    """The call, and the child's exit, which takes the copies down."""
    why = "Each mount has counters of its own for each CPU (`mnt_pcp`), for which percpu's allocator looks for room in its chunks."
    return [why, "", *curves_states.states(kernels), *each(kernels, "mounts"), *each(kernels, "mounts", "exit")]


def per_one(kernels: Kernels, name: str, key: str) -> list[str]:
    """What workers execute for each one more, from the lowest profiled level to the highest."""
    said = []
    for kernel in kernels:
        profile = kernel.profiles.get(name)
        cases = sorted(profile.parts, key=lambda case: level_of(case, key)) if profile else []
        if profile and len(cases) > 1:
            first, last = cases[0], cases[-1]
            more = BLOCK * (profile.whole(last, ASYNC) - profile.whole(first, ASYNC)) / (level_of(last, key) - level_of(first, key))
            said.append(f"{prefixed(more)} on {kernel.name}")
    return ["Their teardown is the workers', after the call: by the profile, what they execute for each one of them is "
            f"{', '.join(said)}.", ""] if said else []


def flat(kernels: Kernels) -> list[str]:
    """The ways to a mount namespace, and which of them do not grow: what follows the law `constant`, the call without what goes by
    steps, percpu's allocator and the pages that slabs take."""
    lines = []
    for kernel in kernels:
        for one in kernel.curves("mount_ns"):
            rows = one.run.results
            of = rows[(rows["phase"] == one.phase) & rows["case"].isin(one.cases)]
            varies = float(of["resolution"].fillna(0).astype(float).median())
            first, last = one.levels[0], one.levels[-1]
            rest = curves_recorded.split(one, kernel, "mount_ns").get(curves_recorded.REST)
            told = rest or one
            is_flat = told.growth is not None and told.growth.best.law == "constant" and not told.growth.is_misfit
            ends = [told.figures[0], told.figures[-1]]
            what = f"; without percpu's allocator and cleared pages {prefixed(ends[0])} and {prefixed(ends[1])}" if rest else ""
            lines.append(f"- {one.case.rpartition('/')[2]} {'does not grow' if is_flat else 'grows'} on {kernel.name}: "
                         f"{prefixed(one.figures[0])} at {first:g} mounts, {prefixed(one.figures[-1])} at {last:g} (machines vary by "
                         f"±{prefixed(varies)} at the median level){what}, {thousands((ends[1] - ends[0]) / (last - first))} a mount.")
    return [*lines, ""] if lines else []


@dataclass(frozen=True)
class Pairs:
    """What a function executes in the teardown of a block: for each pair of a dying and an alive namespace, beside a part for each
    dying and one for each alive; and how far figures are off that sum at most, as a share."""

    factor: float
    residual: float


def more_walks(kernel: Kernel) -> dict[str, float]:
    """The cases in which some namespaces went in a batch of their own, with one more walk over those that were left: by how much ONCE
    executed there, for the least where as many were alive."""
    profile = kernel.profiles["dying-alive"]
    ran = {case: profile.own(case, ASYNC).get(ONCE, 0.0) for case in sorted(profile.parts, key=pair_of)}
    least: dict[float, float] = {}
    for case, own in ran.items():
        alive = pair_of(case)[1]
        least[alive] = min(least.get(alive, own), own)
    times = {case: own / least[pair_of(case)[1]] for case, own in ran.items() if least[pair_of(case)[1]] > 0}
    return {case: of for case, of in times.items() if of > ONE_WALK}


def pair_of(case: str) -> tuple[float, float]:
    """How many are dying, and how many alive."""
    return level_of(case, "dying"), level_of(case, "netns")


def pairs(kernel: Kernel, without: Collection[str] = ()) -> dict[str, Pairs]:
    """By function; without some of the cases."""
    profile = kernel.profiles["dying-alive"]
    cases = [case for case in profile.parts if case not in without]
    dying, alive = (np.array([level_of(case, key) for case in cases], float) for key in ("dying", "netns"))
    terms = np.column_stack([np.ones(len(cases)), dying, alive, dying * alive])
    own = [profile.own(case, ASYNC) for case in cases]
    found = {}
    for name in sorted({name for one in own for name in one}):
        values = BLOCK * np.array([one.get(name, 0.0) for one in own])
        coefficients = np.linalg.lstsq(terms, values, rcond=None)[0]
        off = float(np.max(np.abs(values - terms @ coefficients)) / max(np.max(values), 1.0))
        found[name] = Pairs(float(coefficients[3]), off)
    return found


def walk_of(kernel: Kernel) -> str:
    """The functions of the walk that a kernel has."""
    return ", ".join(name for name in WALK if name in pairs(kernel))


def dying_alive(kernels: Kernels) -> list[str]:
    """The teardown of dying namespaces beside those that are alive, and what its walk takes for each pair of them."""
    there = [kernel for kernel in kernels if "dying-alive" in kernel.profiles]
    if not there:
        return []
    are_pairs: list[bool] = []
    names, lines = [name for name in WALK if any(name in pairs(kernel) for kernel in there)], []
    said = ["A net namespace that goes is looked for among the ids that each other one may have for it. Before Linux 7acee67a6bce "
            "(February 2026) cleanup_net walked all alive ones for each dying one (`__peernet2id`, by idr_for_each); since then once for "
            "all dying ones together (by idr_get_next). Here none has an id. A block's teardown is that of its dying namespaces, of the "
            "two that its executions make, and then of its alive ones.", ""]
    for kernel in there:
        profile = kernel.profiles["dying-alive"]
        found = {(level_of(case, "dying"), level_of(case, "netns")): case for case in profile.parts}
        alive, dying = (sorted({pair[at] for pair in found}) for at in (1, 0))

        def cell(case: str, of: Sequence[str]) -> str:
            own = profile.own(case, ASYNC)
            return k(BLOCK * sum(own.get(name, 0) for name in of))
        rows = [[str(one), *(cell(found[one, other], names) for other in alive)] for one in dying]
        lines += [f"**{kernel.name}**: {', '.join(names)} in the teardown of a block, in k; a row for each number of dying namespaces, a "
                  "column for each number of alive ones:", "", *table(["dying", *map(str, alive)], rows, words=0)]
        of_them = {name: one for name, one in pairs(kernel).items() if name in names}
        largest = ", ".join(f"{name} {digits(one.factor)}" for name, one in sorted(of_them.items(), key=lambda item: -item[1].factor)
                            if one.factor >= PER_PAIR)
        total = sum(one.factor for one in of_them.values())
        law = f"grows with dying × alive, by {digits(total)} instructions a pair ({largest})" if total >= PER_PAIR else \
            "is a part for each dying one and one for each alive one, and does not grow with dying × alive"
        off = max(one.residual for one in of_them.values())
        said.append(f"- On {kernel.name} the walk {law}; its figures are within {off:.1%} of that."
                    + ("" if total >= PER_PAIR else said_of_more_walks(kernel, names)))
        are_pairs.append(total >= PER_PAIR)
    said += [f"- Between {before.name} and {after.name} the law of the walk changes, from {walk_of(before)} to {walk_of(after)}."
             for before, after, was, is_now in zip(there, there[1:], are_pairs, are_pairs[1:]) if was != is_now]
    return [*said, "", *lines]


def said_of_more_walks(kernel: Kernel, names: Collection[str]) -> str:
    """What makes the figures of some cases larger; empty where no case has more walks than one."""
    cases = more_walks(kernel)
    if not cases:
        return ""
    where = ", ".join("{:g} × {:g}".format(*pair_of(case)) + f" ({times:.1f} times)" for case, times in cases.items())
    said = (f" Some namespaces went in a batch of their own, with a walk of its own over those that were left: {ONCE}, which runs once for "
            f"each of them, executed more at dying × alive of {where}.")
    left = len(kernel.profiles["dying-alive"].parts) - len(cases)
    if left <= TERMS:
        return said
    off = max(one.residual for name, one in pairs(kernel, cases).items() if name in names)
    return f"{said} The other {left} figures are within {off:.1%} of a law of {TERMS} terms."


def containers(kernels: Kernels) -> list[str]:
    """A start, and what it and the end take together."""
    why = ("A container's mount namespace by each [way](../../bench/README.md#ways-to-a-mount-namespace): `start` is from the call to "
           "the first instruction of the program inside, and has the mounts around copied, where the way copies them, and unmounted "
           "again. The name without `mntns` is clone's.")
    return [why, "", *each(kernels, "container", "start"), *each(kernels, "container", "total")] if by_case(kernels, "container") else []


def law_words(one: Curve) -> str:
    """linear, 1.87 k instructions a mount."""
    assert one.growth
    best = one.growth.best
    return ", ".join(filter(None, (curves_text.law_text(one, best), curves_text.slope_text(one, best))))


def short(kernels: Kernels) -> list[str]:
    """Each case: the law of the call, or, where none fits, of what is left of it without what goes by steps."""
    lines = []
    for recording in (one for one in curves.RECORDINGS if one.levels):
        for group in by_case(kernels, recording.name).values():
            whole = {one.run.name: one for one in group if one.growth}
            fitting = [f"{name} {law_words(one)}" for name, one in whole.items() if one.growth and not one.growth.is_misfit]
            others = [name for name, one in whole.items() if one.growth and one.growth.is_misfit]
            rests = {kernel.name: curves_recorded.split(one, kernel, recording.name).get(curves_recorded.REST)
                     for kernel in kernels for one in kernel.curves(recording.name) if one.case == group[0].case}
            left = [f"{name} {law_words(one)}" for name, one in rests.items()
                    if name in others and one and one.growth and not one.growth.is_misfit]
            said = [", ".join(fitting)] if fitting else []
            said += [f"no single law on {', '.join(others)}"] if others else []
            said += [f"without percpu's allocator, cleared pages and what ran meanwhile: {', '.join(left)}"] if left else []
            lines.append(f"- **{called(group[0])}** over {group[0].parameter.key}: {'; '.join(said)}.")
    walks = [f"- **Teardown over dying × alive**: {line[2].lower()}{line[3:]}" for line in dying_alive(kernels)
             if line.startswith(("- On", "- Between"))]
    return [*lines, *walks, ""]


def absent(kernels: Kernels) -> list[str]:
    """What of the recordings is not there."""
    lines = []
    for kernel in kernels:
        every = [one for one in curves.RECORDINGS if one.is_of(kernel.name)]
        runs = [one.name for one in every if one.name not in kernel.runs]
        profiles = [one.name for one in every if one.is_profiled and one.name in kernel.runs and one.name not in kernel.profiles]
        said = [f"{what} {', '.join(names)}" for what, names in (("curves over", runs), ("profiles of", profiles)) if names]
        lines += [f"- {kernel.name} has no {'; no '.join(said)}."] if said else []
    for series in curves.SERIES:
        if not any(kernel.name.startswith(f"{series}.") for kernel in kernels):
            names = [one.name for one in curves.RECORDINGS if one.is_of(f"{series}.")]
            lines.append(f"- Of {series} nothing is recorded, which is to have {', '.join(names)}.")
    return ["Not recorded yet; `scripts/lab.py curves` goes on with what is missing:", "", *lines, ""] if lines else []


def builds(kernels: Kernels) -> list[str]:
    """Where not all kernels, which the tables compare, are of one build of nsbench, whose programs' sizes move a guest's memory, and
    with it figures a little."""
    of_build: dict[str, list[str]] = {}
    for kernel in kernels:
        for digest, names in kernel.builds.items():
            of_build.setdefault(digest, []).append(f"{kernel.name} {', '.join(names)}")
    lines = [f"- {digest}: {'; '.join(of)}." for digest, of in of_build.items()] if len(of_build) > 1 else []
    return ["Recorded by several builds of nsbench (the first digits of its SHA-256), which differ a little by where its programs lie in "
            "a guest's memory:", "", *lines, ""] if lines else []


SECTIONS = {
    "short": ("In short", short),
    "mounts": ("A mount namespace over the mounts that it copies", mounts),
    "peers": ("A mount namespace over mounts of one peer group", lambda kernels: each(kernels, "peers")),
    "netns": ("A net namespace beside others that are alive",
              lambda kernels: [*each(kernels, "netns"), *per_one(kernels, "netns", "netns")]),
    "dying": ("A net namespace beside others that are torn down",
              lambda kernels: [*each(kernels, "dying"), *each(kernels, "dying", "total"), *per_one(kernels, "dying", "dying")]),
    "dying-alive": ("Teardown: dying × alive", dying_alive),
    "rss": ("A fork over its caller's memory", lambda kernels: each(kernels, "rss")),
    "depth": ("User and pid namespaces over the depth of those around", lambda kernels: each(kernels, "depth")),
    "mount_ns": ("The ways to a mount namespace over the mounts around", lambda kernels: [*flat(kernels), *each(kernels, "mount_ns")]),
    "container": ("A container's start over the mounts around, by the way of its mount namespace", containers),
}
