"""history: what every kernel of Debian's archive costs, case by case, when that changed, and in which function.

Kernels whose rows are there by the same plan are left out: a stopped history goes on where it was, and a kernel that is new in the
archive is one more. Every kernel is a job (--split: several), without any state: --engine says what carries the jobs out, here, on
many machines by GNU parallel, or by Slurm. The merged files are the same to the byte.
With --tree the kernels are the commits of a git tree, built by --build; their images stay in the folder of work.
Exit codes: 0 done; 1 a kernel could not be built or measured (it is tried again the next time); 2 usage; 3 not possible here.
"""
import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from analysis import files, programs
from lab import guest, images, packages
from lab.commands import Commands
from lab.errors import FAILED, USAGE, LabError
from lab.folders import exclusive
from lab.history import again, carry, commits, engines, explained, job, page, plan, recorded_stacks, table
from lab.history.plan import Job
from lab.history.table import Row
from lab.options import add_append, add_machine, machine_numbers, positive

RESULTS = programs.recorded() / "history"
WORK = Path("lab-results") / "history"


def of_archive(series: list[str]) -> list[Job]:
    """The archive's kernels (only of these series), without cases. LabError where no list can be had, or a series has none."""
    with packages.locked():
        apt = packages.Apt()
        apt.refresh()
        every = apt.known()
    chosen = [one for one in every if not series or one.version.startswith(tuple(f"{name}." for name in series))]
    for name in series:
        if not any(one.version.startswith(f"{name}.") for one in chosen):
            raise LabError(f"--series={name}: the archive has no kernel of it", USAGE)
    return [Job(one.version, one.release, 0, ()) for one in chosen]


def of_files(paths: Sequence[str]) -> list[Job]:
    """Files of one's own, in the order given. LabError for what is no file."""
    missing = next((path for path in paths if not Path(path).is_file()), None)
    if missing is not None:
        raise LabError(f"--images: {missing!r} is no file: the archive's kernels are --series'", USAGE)
    found = [Job(str(Path(path).resolve()), images.image_of(path).name, number, ()) for number, path in enumerate(paths, 1)]
    if len({one.name for one in found}) < len(found):
        raise LabError("--images: one of them is there twice", USAGE)
    return found


def of_tree(options: argparse.Namespace) -> tuple[list[Job], int]:
    """The commits of --tree, built where their images are not in the folder of work; and how many are left out, since they did not
    build."""
    chosen = commits.chosen(options.tree, options.commit)
    kept = commits.folder_of(options.tree, options.build, options.image, options.work)
    made = commits.Builder(options.tree, options.build, options.image, kept).all(chosen)
    return of_files([str(path) for path in made]), len(chosen) - len(made)


def is_page_alone(options: argparse.Namespace) -> bool:
    """Whether the steps and their page are made again, and no kernel is needed."""
    return bool(options.as_recorded) and options.explain is None and options.stacks is None and not options.titles


def kernels_of(options: argparse.Namespace) -> tuple[list[Job], int]:
    """What is asked for, and how many commits of it could not be built."""
    if is_page_alone(options):
        return [], 0
    if options.tree:
        return of_tree(options)
    if options.images:
        return of_files(options.images.split(",")), 0
    every = of_archive(options.series.split(",") if options.series else [])
    if not options.random:
        return every, 0
    among = {row.of for row in again.rows_of(options.against)} if options.against else None
    return again.of_random(every, options.random, options.seed, among), 0


def measured(every: list[Job], stacks: str | None) -> list[Job]:
    """Those whose rows are measured where they are missing: who asks for some kernels' stacks asks for these."""
    names = recorded_stacks.names(stacks or "")
    return [one for one in every if not names or recorded_stacks.is_named(one.of, names)]


def check(options: argparse.Namespace) -> None:
    """LabError where the options contradict each other."""
    if sum(map(bool, (options.images, options.series, options.tree))) > 1:
        raise LabError("--images, --series and --tree: one of the three", USAGE)
    if options.random and (options.images or options.tree):
        raise LabError("--random: it is of the archive's kernels", USAGE)
    if options.as_recorded and (options.replace or options.random or options.most):
        raise LabError("--as-recorded: it measures no kernel: --replace, --random and --most are of those that are measured", USAGE)
    if options.as_recorded and not (options.out / table.FILE).exists():
        raise LabError(f"--as-recorded: {options.out} has no {table.FILE}: there is no history in it", USAGE)
    if is_page_alone(options) and (options.images or options.series or options.tree):
        raise LabError("--as-recorded: without --explain, --stacks and --titles it is of all rows: --images, --series and --tree choose "
                       "kernels", USAGE)
    if options.against:
        again.rows_of(options.against)
    commits.check(options)
    if bool(options.commit) != bool(options.tree):
        raise LabError("--tree needs commits, or a range of them" if options.tree else f"{options.commit[0]}: commits are of --tree", USAGE)


def newest_first(every: list[Job]) -> list[Job]:
    """The newest of each series, then what comes before each, so that a history that is stopped is one of all series."""
    by_series: dict[str, list[Job]] = {}
    for one in every:
        by_series.setdefault(".".join(one.kernel.split(".")[:2]), []).insert(0, one)
    return [line[at] for at in range(max(map(len, by_series.values()), default=0)) for line in by_series.values() if at < len(line)]


def plans(path: Path) -> dict[str, object]:
    """What the plans' digests stand for."""
    try:
        found = files.json_of(path)
    except FileNotFoundError:
        return {}
    return found if isinstance(found, dict) else {}


def history(options: argparse.Namespace) -> int:
    """The command."""
    check(options)
    machine = guest.Machine(options.accel, options.append, options.memory, options.timeout)
    chosen = plan.of_options(options.nsbench, machine, options.machines)
    if len(chosen.numbers) == 1:
        print("lab: --machines: one machine shows no resolution: its rows make no steps", file=sys.stderr)
    about = chosen.about()
    digest = plan.digest_of(about)
    with exclusive(options.out), exclusive(options.work):
        every, unbuilt = kernels_of(options)
        old = table.read(options.out / table.FILE)
        explained.check(options.out)
        recorded_stacks.check(options.stacks or "", [*(one.of for one in every), *(row.of for row in old if row.plan == digest)])
        if not options.replace and not options.as_recorded:
            table.refuse_another_plan(old, (one.of for one in every), digest, chosen.cases)
        there: dict[table.Kernel, list[Row]] = {}
        for row in old:
            there.setdefault(row.of, []).append(row)
        left = carry.failed_last((part for one in newest_first(measured(every, options.stacks))
                                  for part in plan.jobs_of(Job(one.kernel, one.name, one.order, chosen.cases), there.get(one.of, []),
                                                           digest, options.split)), digest, options.work) if not options.as_recorded else []
        jobs = left[:options.most] if options.most else left
        begun = time.monotonic()
        done = carry.carry_out(jobs, chosen, digest, options)
        took = time.monotonic() - begun
        both = table.merged(old, {f"results/{one.key(digest)}.json": job.rows_of(content) for one, content in done.items()},
                            options.replace)
        for name, version in both.held_back:
            print(f"lab: {name} {version}: not all cases are there by the new plan: the rows by the old one stay", file=sys.stderr)
        rows = table.in_order(both.rows, (one.name for one in every if one.order))
        table.write(options.out / table.FILE, rows)
        code, used = explained.update(options, rows, {one.of: one for one in every}, chosen, digest)
        known: dict[str, object] = {**plans(options.out / page.PLANS), digest: about}
        carry.write_json(options.out / page.PLANS, {name: what for name, what in known.items() if name in used})
    kernels = len(table.by_member(rows))
    print(f"{options.out}: {kernels} kernels, {len(rows)} rows; {len(done)} of {len(jobs)} jobs done"
          + (f", in {took:.0f} s" if jobs else "") + (f"; {len(left) - len(done)} are left" if len(left) > len(done) else ""))
    if options.against:
        code = max(code, again.against(rows, options.against))
    return FAILED if unbuilt or len(done) < len(jobs) else code


def add_parser(commands: Commands) -> None:
    """Adds the command to lab.py's."""
    one = commands.add_parser("history", help="what every kernel of the archive costs, and when that changed", description=__doc__,
                              allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)
    one.add_argument("--series", default="", metavar="SERIES,...", help="only these, such as 6.1,6.12")
    one.add_argument("--images", default="", metavar="FILE,...", help="bzImages of your own, in their order, instead")
    one.add_argument("commit", nargs="*", metavar="COMMIT", help="of --tree, or a range such as v6.15..v6.16")
    commits.add_options(one, "a git tree, whose commits are measured instead")
    one.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="the history's files (results/history)")
    one.add_argument("--work", type=Path, default=WORK, metavar="DIR", help="the jobs and what each gave (%(default)s); for several "
                     "machines a folder that all of them see")
    one.add_argument("--engine", choices=sorted(engines.ENGINES), default="local", help="what carries the jobs out (%(default)s)")
    one.add_argument("--at-once", type=positive, default=0, metavar="N", help="jobs (local: 1; others: as the engine has it)")
    one.add_argument("--replace", action="store_true", help="take what is measured in place of the history's rows, also of more cases "
                     "by another plan")
    one.add_argument("--as-recorded", action="store_true", help="measure no kernel: make the steps and their page again from the rows "
                     "that are there; with --explain (or --stacks, --titles) explain them, whatever build of nsbench they are by, where "
                     "the step by this one is the same within its resolution or a tenth")
    one.add_argument("--sshlogin", action="append", default=[], metavar="LOGIN", help="of GNU parallel; repeatable")
    one.add_argument("--sbatch", action="append", default=[], metavar="WORD", help="one more word for sbatch; repeatable")
    one.add_argument("--split", type=positive, default=0, metavar="N", help="cases of a job (all of a kernel's)")
    one.add_argument("--most", type=positive, default=0, metavar="N", help="jobs of this call (all)")
    one.add_argument("--machines", type=machine_numbers, default=plan.MACHINES, metavar="N", help="saved machines (%(default)s)")
    again.add_options(one)
    explained.add_options(one)
    add_append(one)
    add_machine(one)
    one.set_defaults(command=history, takes_nsbench=True)
