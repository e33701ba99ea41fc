"""profile: which kernel functions does a case execute, and how many instructions in each? Exactly, without a probe.

A plugin in QEMU counts what a copy of the saved machine executes between the sampler's marks; the guest does not notice, and
its samples are the same. For each case the functions by their own instructions, and the tree of calls; --against explains
the difference to another kernel. Files in --out, beside those of a run: probe.csv (backend exact), stacks.folded for flame
graphs, and for each case callgrind.out.CASE, which KCachegrind and callgrind_annotate open.
Exit codes: 0 done; 1 a case failed, or the books do not balance; 2 usage; 3 not possible here.
"""
import argparse
import contextlib
import csv
import hashlib
import io
import json
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from analysis import columns
from analysis.stacks import FILE as STACKS
from lab import alone, books, callgrind, exact, explain, folders, guest, images, initramfs, keeping, lines, orders, runs, states, tree
from lab.books import Books
from lab.commands import Commands
from lab.errors import OK, USAGE, LabError
from lab.options import add_append, add_jobs, add_machine, add_state, of_profile, positive
from lab.progress import Progress

BACKEND = "exact"
READING = "reading the clock"
PARTING = "where the phases part"  # between the two clocks that say when
LINES = 10  # of a case that are shown
FETCH = ""  # --lines without a file


@dataclass
class Profiled:
    """One kernel: its name, the files of the run, and the books of its cases."""

    one: runs.Wanted
    files: dict[str, bytes]
    books: dict[str, Books]
    plan: orders.Plan
    lab: dict[str, object]
    status: int = 0
    source: lines.SourceMap | None = None

    def lines_of(self, case: str) -> dict[str, lines.Lines]:
        """Of each function in the phase of the case that is shown; empty where they are not known."""
        own = self.books[case]
        return lines.by_function(own.phases[own.shown].addresses, self.source) if self.source else {}


def inputs(one: runs.Wanted, vmlinux: Path | None = None) -> dict[str, object]:
    """The member "lab" of run.json: as a run's, and what is different from one."""
    return {**one.lab, "profile": BACKEND, "plugin_sha256": hashlib.sha256(exact.library().read_bytes()).hexdigest(),
            **({"lines": True} if vmlinux else {})}


def measure(one: runs.Wanted, jobs: int, progress: Progress, vmlinux: Path | None = None) -> Profiled:
    """Profiles each case of the plan, and what it is compared with, in copies of the first machine; by line, too, where
    the kernel's vmlinux is given. LabError, with the kernel and the case, where one fails."""
    if one.subject is None:
        raise LabError(f"{one.lab['together']}: a profile is made of copies of a saved machine", USAGE)
    plan = orders.plan(one.options)
    marks, lab = exact.marks(), inputs(one, vmlinux)
    number, recipe = next(iter(one.subject.recipes.items()))
    waiting = [task for task in alone.tasks(plan, one.subject) if task.number == number]
    crowd = guest.Crowd()
    pool = ThreadPoolExecutor(guest.side_by_side(jobs, recipe.machine.memory))
    name = one.image.name
    try:
        with alone.ready(one.subject, pool, crowd, lambda what: progress.show(name, what)) as machines, \
                tempfile.TemporaryDirectory(prefix="nsbench-lab-") as directory:
            marks_file = Path(directory) / "marks"
            marks_file.write_text(marks)
            words = exact.plugin(recipe, machines[number], marks_file, crowd, vmlinux is not None)
            has_lines = vmlinux and lines.check(vmlinux, lines.build_id((machines[number] / exact.NOTES).read_bytes()))
            at = exact.addresses_of(machines[number], lines.KNOWN)
            done: dict[alone.Task, dict[str, bytes]] = {}
            found: dict[str, Books] = {}

            def carry_out(task: alone.Task) -> tuple[alone.Task, dict[str, bytes], Books]:
                try:
                    files, profile = exact.run(recipe, machines[number], list(task.order), crowd, words)
                    if "run.json" not in files:
                        raise alone.said(files)
                    return task, files, books.balance(profile, files["samples.csv"].decode(), task.case)
                except LabError as error:
                    raise LabError(f"{name}: {task.case}: {error}", error.code, error.tail) from None

            for task, files, own in pool.map(carry_out, waiting):
                done[task], found[task.case] = files, own
                progress.show(name, f"{len(done)} of {len(waiting)} cases")
    except BaseException:
        crowd.end()
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()
    digest = hashlib.sha256(json.dumps(lab, sort_keys=True).encode()).hexdigest()[:16]
    files = alone.merge(plan, done, f"lab-{digest}")
    profiled = Profiled(one, files, found, plan, lab)
    if vmlinux and has_lines:
        known = {address for own in found.values() for book in own.phases.values() for _, address in book.addresses}
        profiled.source = lines.source(vmlinux, known, at)
    profiled.status, _, _ = alone.summarise(files, plan)
    return profiled


def ask(every: list[Profiled], phase: str) -> None:
    """Has this phase shown of every case. LabError where one does not have it; what it is compared with need not."""
    for profiled in every:
        for case, own in profiled.books.items():
            if phase in own.phases:
                own.asked = phase
            elif case in profiled.plan.cases:
                why = f"{own.left_out[phase]}; " if phase in own.left_out else ""
                raise LabError(f"--phase={phase}: {why}{case} has {', '.join(own.phases)}", USAGE)


def base_of(profiled: Profiled, case: str) -> Books | None:
    """The books of the case that this one is compared with."""
    base = profiled.books.get(orders.base_of(case)) if orders.base_of(case) != case else None
    return base if base and base.shown == profiled.books[case].shown else None


def probe_csv(profiled: Profiled) -> str:
    """Each function of each case, as the probe's rows are."""
    record = json.loads(profiled.files["run.json"])
    kinds = {function["name"]: function["kind"] for function in columns.dictionary()["functions"]}  # of some, as in the source
    text = io.StringIO()
    rows = csv.DictWriter(text, list(columns.of("probe.csv")), lineterminator="\n")
    rows.writeheader()
    for case, own in profiled.books.items():
        for path, found in own.paths().items():
            for one in sorted(tree.functions(found).values(), key=lambda function: -function.self):
                if not one.name.startswith("["):
                    rows.writerow({"run_id": record["run_id"], "kernel": record["kernel"], "clock": record["clock"], "case": case,
                                   "function": one.name, "kind": kinds.get(explain.name_of(one.name), "shared"),
                                   "path": path, "backend": BACKEND, "calls_per_op": f"{one.calls:.10g}",
                                   "total": f"{one.total:.10g}", "self": f"{one.self:.10g}"})
    return text.getvalue()


def write(profiled: Profiled, keep: folders.Keep, out: Path) -> None:
    """Makes the run's folder, in or below `out`; where it is to be kept compressed, the stacks alone say it all."""
    files = dict(profiled.files)
    if not keep.compressed:
        files["probe.csv"] = probe_csv(profiled).encode()
    stacks: list[str] = []
    for case, own in profiled.books.items():
        # The tick and other tasks are on the graph, too.
        parts = {**own.paths(), **{name: own.phases[phase].tree for name, phase in own.named().items()}}
        stacks += [line for name, part in parts.items() for line in tree.folded(part, case, name)]
        what = f"{case} {own.shown}, {profiled.one.image.name}"
        if not keep.compressed:
            files[f"callgrind.out.{case.replace('/', '.').replace(':', '-')}"] = callgrind.write(
                tree.apart(own.phases[own.shown].tree), what, profiled.lines_of(case),
                profiled.source.root if profiled.source else "").encode()
    files[STACKS] = "\n".join([*stacks, ""]).encode()
    part = Path(tempfile.mkdtemp(dir=out, prefix=folders.PART))
    try:
        folders.publish(profiled.one.folder, part, files, {**profiled.lab, "status": profiled.status}, keep)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def row(one: tree.Function, whole: float) -> str:
    return f"{one.name:<44} {one.calls:>9.6g} {one.total:>11.0f} {one.self:>11.0f} {one.self / whole:>9.1%}"


def below(own: Books, names: list[str]) -> list[str]:
    """What each of these functions calls, in the call, on the way out, and later."""
    lines: list[str] = []
    missing = set(names)
    for name in names:
        for path, part in own.paths().items():
            found = tree.called_by(part, name)
            if found:
                missing.discard(name)
                whole = sum(one.total for one in found)
                lines += ["", f"{f'{name} ({path}) calls':<44} {'calls':>9} {'total':>11} {'self':>11}   of total",
                          *(f"{one.name if one.name != name else '(itself)':<44} {one.calls:>9.4g} {one.total:>11.0f} "
                            f"{one.self:>11.0f} {one.total / whole:>9.1%}" for one in found)]
    return lines + [f"{name} is not called" for name in names if name in missing]


def describe(profiled: Profiled, case: str, options: argparse.Namespace) -> list[str]:
    """A case's functions and its tree."""
    own = profiled.books[case]
    book = own.phases[own.shown]
    whole = tree.instructions(book.tree)
    parts = {owner: tree.instructions(tree.of_owners(book.tree, [owner])) for owner in exact.OWNERS}
    said = ", ".join(f"{owner} {count:.0f}" for owner, count in parts.items() if count)
    text = [f"{case}: {own.shown} {book.figure:.10g} instructions = {said}"
            + (f", {PARTING if book.parted else READING} {book.reading:+.10g}" if book.reading else "")]
    if book.lost:
        text.append(f"{book.lost} returns led to where no call is known: what was executed there is below the wrong callers")
    text += [f"{phase} is not profiled: {why}" for phase, why in own.left_out.items()]
    found = sorted((one for one in tree.functions(tree.apart(book.tree)).values() if one.self), key=lambda one: -one.self)
    text += ["", f"{'function':<44} {'calls':>9} {'total':>11} {'self':>11}  of {own.shown}"]
    text += [row(one, whole) for one in found[:options.top]]
    left = sum(one.self for one in found[options.top:])
    if left:
        text.append(f"{f'{len(found) - options.top} others':<44} {'':>9} {'':>11} {left:>11.0f} {left / whole:>9.1%}")
    if profiled.source:
        text += ["", *lines.table(profiled.lines_of(case), LINES, own.shown, whole)]
    base = base_of(profiled, case)
    if base:
        text += ["", explain.sentence(f"adds {book.figure - base.phases[base.shown].figure:+.0f} to {base.case}",
                                      books.adds(own, base), explain.NAMED)]
    text += below(own, options.below)
    if options.tree:
        text += ["", f"{'tree, in instructions':<60} {'calls':>9} {'total':>12} {'self':>11}",
                 *tree.show(book.tree, whole * options.tree / 100)]
    return text


def vmlinux_of(given: str, image: images.Image, held: contextlib.ExitStack) -> Path | None:
    """The file with the kernel's debug information, which stays in the cache as long as it is held; None, and a line that says
    so, where its package cannot be had."""
    if given != FETCH:
        if not Path(given).is_file():
            raise LabError(f"--lines={given}: no such file", USAGE)
        there = lines.build_id_of(image)  # what is wrong is told before a machine is made
        if there:
            lines.check(Path(given), there)
        else:
            lines.read(Path(given))
        return Path(given)
    try:
        return held.enter_context(keeping.in_use(lambda: lines.fetch(image).parent)) / lines.VMLINUX
    except LabError as error:
        if error.code == USAGE:
            raise
        print(f"lab: no debug information, functions only: {error}", file=sys.stderr)
        return None


def profile(options: argparse.Namespace) -> int:
    """The command."""
    machine, given = of_profile(options, options.nsbench)
    if options.against and (options.below or options.tree or options.lines is not None):
        raise LabError("--below, --tree and --lines show one kernel: leave --against out", USAGE)
    every = images.images([options.kernel, *([options.against] if options.against else [])])
    if options.against and len(every) == 1:
        raise LabError(f"--against {options.against}: that is the same kernel", USAGE)
    out, base, progress = options.out or Path("nowhere"), initramfs.base(), Progress([image.name for image in every])
    wanted = [runs.wanted(image, machine, given, base, out / image.name, how=runs.How(states.find(options.state), range(1, 2)))
              for image in every]
    with contextlib.ExitStack() as held:
        vmlinux = vmlinux_of(options.lines, every[0], held) if options.lines is not None else None
        if options.out:
            held.enter_context(folders.exclusive(out))
        if options.out:
            for one in wanted:
                folders.finished(one.folder, inputs(one, vmlinux))  # raises where another run is there
        done = [measure(one, options.jobs, progress, vmlinux) for one in wanted]
        if options.phase:
            ask(done, options.phase)
        if options.out:
            for profiled in done:
                write(profiled, folders.Keep(), out)
    if vmlinux and not done[0].source:
        print(f"lab: {vmlinux} has no debug information: functions only", file=sys.stderr)
    if options.against:
        new, old = done
        before, after = ({case: (one.books[case], base_of(one, case)) for case in one.plan.cases} for one in (old, new))
        names = [one.one.image.name for one in (old, new)]
        print("\n\n".join("\n".join(lines) for lines in explain.changes(before, after, names, options.top)))
        return OK
    for case in done[0].plan.cases:
        print("\n".join([*describe(done[0], case, options), ""]))
    return OK


def percent(text: str) -> float:
    """A number of percent from 0 to 100."""
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = -1
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text!r}: a percentage is needed, such as 1%")
    return value


def add_parser(commands: Commands) -> None:
    """Adds the command to lab.py's."""
    one = commands.add_parser("profile", help="every kernel function's instructions, without a probe", description=__doc__,
                              allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)
    one.add_argument("--kernel", required=True, metavar="KERNEL")
    one.add_argument("--against", metavar="KERNEL", help="explain what is different from this kernel")
    one.add_argument("--out", type=Path, metavar="DIR", help="write the files there, a folder for each kernel in it")
    one.add_argument("--top", type=positive, default=15, metavar="N", help="functions of a case that are shown (%(default)s)")
    one.add_argument("--tree", type=percent, default=0.0, metavar="P%",
                     help="show the tree of calls, too, down to paths of this part of the whole")
    one.add_argument("--phase", default="", metavar="NAME", help="show this one, such as exit, instead of a case's first")
    one.add_argument("--lines", nargs="?", const=FETCH, metavar="VMLINUX",
                     help="by source line, too, with the debug information of this file; without one: of Debian's debug package")
    one.add_argument("--below", action="append", default=[], metavar="FUNCTION",
                     help="show what this one calls, too, such as ops_init: a net namespace's subsystems; repeatable")
    add_state(one)
    add_jobs(one)
    add_append(one)
    add_machine(one)
    one.set_defaults(command=profile, takes_nsbench=True)
