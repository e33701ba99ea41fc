#!/usr/bin/python3
"""How far nsbench's own figures can be trusted, measured.

    scripts/validate.py yardstick [--pairs=N]            nsbench against a bare static C program, interleaved
    scripts/validate.py aa [--trials=N]                  one case twice in a run: how often are they told apart?
    scripts/validate.py compare [--trials=N] [--seed=N]  compare.py on synthetic runs whose truth is known
    scripts/validate.py replicate [--keep=DIR]           compare.py on runs of this machine, with nothing changed and a change
    scripts/validate.py runs [--runs=N]                  so many runs of one plan: do their intervals cover what they differ by?
    scripts/validate.py prepare [--runs=N]               so many runs with nsbench doctor --prepare and without: do they scatter less?
    scripts/validate.py median [--trials=N] [--seed=N]   do nsbench's intervals hold the truth, on synthetic runs?
    scripts/validate.py growth [--trials=N] [--seed=N]   does nsbench curves find a growth law again, on synthetic figures?
    scripts/validate.py changes [--trials=N] [--seed=N]  are change points found, and none where nothing changed?
    scripts/validate.py model [--runs=N] [RUN...]        do the intervals of nsbench model hold from run to run?
    scripts/validate.py position [--seconds=N]           does a sample's place in its block explain anything?
    scripts/validate.py soak [--for=2h] [--job=JOB]      hours of work: does anything grow meanwhile?
    scripts/validate.py kills [--kills=N] [--seed=N]     is nothing left of jobs that are killed at random moments?
    scripts/validate.py faults [--most=N] [--keep=DIR]   each system call of each job made to fail: does it end as it should?
    scripts/validate.py memory [--most=N] [--keep=DIR]   the same for each allocation, and each mmap
    scripts/validate.py surroundings [--row=NAME]        hostile ones: does each job hold there, or say what is in the way?
    scripts/validate.py size [--cases=N] [--samples=N]   what does a large run take of memory, and its files of time?

All but compare, growth, changes, median and size need root for the namespaces. Times are wall time in ns, ratios nsbench's median over the
yardstick's.
Exit codes: 0 within the limits printed; 1 not; 2 usage, or a program that it runs failed.
"""
from analysis import interrupt  # first, for a Ctrl-C among the imports
import argparse
import contextlib
import csv
import io
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

from analysis import programs
from analysis.options import Parser, share
from analysis.place import position
from analysis.running import output_of, progress, standard_error
from analysis.script import Unreadable, main
from analysis.soak_command import add_soak, soaked

FALSE_ALARM_LIMIT = 0.08
# Of comparisons of 100 rows, at compare.py's defaults.
COMPARED_ROWS, TRUE_CHANGE, ALPHA, THRESHOLD = 100, 0.05, 0.05, 0.02
ALARMS_LIMIT, FOUND_LIMIT = 0.05, 0.9
RUNS_TO_FIND = 10  # a side, of 100 rows


def nsbench_rows(build: Path, *options: str, before: Sequence[str | Path] = ()) -> list[dict[str, str]]:
    """The rows of results.csv, as dictionaries, of one run, started by `before`. Unreadable for one without figures: no limit
    can be held to it."""
    rows = list(csv.DictReader(io.StringIO(output_of(*before, build / "nsbench", "--csv=-", *options))))
    without = next((row for row in rows if not row["median"]), None)
    if without or not rows:
        raise Unreadable(f"{build / 'nsbench'}: " + (f"{without['case']}: {without['errno']} {without['reason']}" if without
                                                     else "it has measured nothing"))
    return rows


def yardstick(build: Path, pairs: int) -> bool:
    """Interleaves nsbench and the bare loop in pairs of random order and prints the ratios."""
    from analysis import bare_loop
    with progress("pair", pairs) as done:
        found = bare_loop.ratios(build, pairs, nsbench_rows, done)
    return bare_loop.within(found, pairs, print)


def same_twice(build: Path, trials: int) -> bool:
    """Counts how often the interval of the difference of a case to itself leaves out zero."""
    alarms: dict[tuple[str, str], list[bool]] = {}
    with progress("trial", trials) as done:
        for trial in range(trials):
            rows = nsbench_rows(build, "--op=clone", "--ns=none", "--ns=pid", "--stack=1M", "--with=twin:yes",
                                "--samples=100", f"--seed={random.getrandbits(32)}")
            for row in rows:
                if row["delta_low"]:
                    outside = float(row["delta_low"]) > 0 or float(row["delta_high"]) < 0
                    alarms.setdefault((row["namespaces"], row["phase"]), []).append(outside)
            done(trial)
    good = bool(alarms)
    if not good:
        print("no row has an interval")
    for (name, phase), outcomes in alarms.items():
        share = sum(outcomes) / len(outcomes)
        good = good and share <= FALSE_ALARM_LIMIT
        print(f"{name:<8} {phase:<7} {sum(outcomes):>4} of {len(outcomes)} intervals leave out zero: {share:.1%}")
    print(f"at most {FALSE_ALARM_LIMIT:.0%} may")
    return good


def known_truths(trials: int, seed: int) -> bool:
    """Counts how often compare.py's statistics call anything a change where nothing is, and miss one that is there."""
    import numpy
    from analysis.trials import TRUTHS, outcomes, single_alarms
    interrupt.ready()
    print(f"{trials} A/A comparisons of {COMPARED_ROWS} rows, {RUNS_TO_FIND} runs a side; "
          f"then one row slower by {TRUE_CHANGE:.0%}")
    print(f"{'runs':<34} {'false alarm in any row':>22} {'without the threshold':>22} {'slower row found':>17}")
    good = True

    for truth in TRUTHS:
        counts = outcomes(truth, numpy.random.default_rng(seed), trials, COMPARED_ROWS, TRUE_CHANGE, THRESHOLD, ALPHA)
        alarms, resolved, found = (count / trials for count in counts)
        good = good and alarms <= ALARMS_LIMIT and (found >= FOUND_LIMIT or truth.a_side < RUNS_TO_FIND)
        print(f"{truth.name:<34} {alarms:>22.1%} {resolved:>22.1%} {found:>17.1%}", flush=True)
    quiet = TRUTHS[0]
    for truth, what in ((replace(quiet, run=0, row_in_run=0), "all alike"), (quiet, "quiet")):
        alarms = single_alarms(truth, numpy.random.default_rng(seed), trials, COMPARED_ROWS, THRESHOLD, ALPHA) / trials
        good = good and alarms <= ALARMS_LIMIT
        print(f"{f'one run a side, {what}':<34} {alarms:>22.1%}")
    print(f"at most {ALARMS_LIMIT:.0%} may, at least {FOUND_LIMIT:.0%} with {RUNS_TO_FIND} runs a side must; standard errors: "
          f"{standard_error(ALARMS_LIMIT, trials):.1%} and {standard_error(FOUND_LIMIT, trials):.1%}")
    return good


def replicate(options: argparse.Namespace) -> bool:
    """Records what the folder has not yet of sides with nothing changed and with a planted change, and judges them."""
    from analysis import replicated
    from analysis.replicate import CHANGE, Plan, Recorder, chain, kept, plan_of
    interrupt.ready()
    with contextlib.ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nsbench-replicate-")))
        version = output_of(options.build / "nsbench", "--version").strip()
        plan = plan_of(folder, Plan(options.filter, options.budget, version=version))
        if options.planted and not plan.mounts:
            with progress("pair that tells what a mount costs", Recorder.PAIRS) as done:
                mounts = Recorder(output_of, options.build / "nsbench", folder, plan).mounts_for(CHANGE, done)
            plan = kept(folder, replace(plan, mounts=mounts))
        recorder = Recorder(output_of, options.build / "nsbench", folder, plan)
        names = chain("S", "S", options.comparisons) + (chain("B", "P", options.planted) if options.planted else [])
        with progress("side", len(names)) as done:
            for number, name in enumerate(names):
                recorder.side(name)
                done(number)
        print(f"{options.comparisons} comparisons with nothing changed, {options.planted} with {plan.mounts} mounts more or less, of "
              f"--filter='{plan.filter}' --budget={plan.budget}")
        with progress("comparison", options.comparisons + options.planted) as done:
            lines: list[str] = []
            good = replicated.judged(folder, options.comparisons, options.planted, done, lines.append)
        print(*lines, sep="\n")
    return good


def ten_runs(build: Path, runs: int, pattern: str, budget: str) -> bool:
    """Whether the stated intervals cover what runs differ by."""
    from analysis.ten_runs import spread
    found = []
    with progress("run", runs) as done:
        for number in range(runs):
            found.append(nsbench_rows(build, f"--filter={pattern}", f"--budget={budget}"))
            done(number)
    return spread(found, print)


def model_runs(options: argparse.Namespace) -> bool:
    """Whether the intervals of effects, as nsbench model has them, hold in another run."""
    from analysis import model_check
    with progress("run", options.runs) as done:
        numbers = count()

        def fresh(folder: Path) -> None:
            output_of(options.build / "nsbench", f"--filter={options.filter}", f"--budget={options.budget}", "--quiet", f"--out={folder}")
            done(next(numbers))

        runs = model_check.recorded(options.given, fresh, options.runs)
    return model_check.check(runs, print)


def prepared_runs(build: Path, runs: int, leave: str, options: tuple[str, ...]) -> bool:
    """Whether both kinds of runs, in pairs of random order, can be compared."""
    from analysis.prepared import compare
    prepare: tuple[str | Path, ...] = (build / "nsbench", "doctor", "--prepare", *([f"--leave={leave}"] if leave else []), "--")
    found: dict[bool, list[list[dict[str, str]]]] = {False: [], True: []}
    with progress("pair", runs) as done:
        for number in range(runs):
            for is_prepared in random.sample((False, True), 2):
                found[is_prepared].append(nsbench_rows(build, *options, before=prepare if is_prepared else ()))
            done(number)
    return compare(found[False], found[True], print)


def median(build: Path, trials: int, seed: int) -> bool:
    """Whether nsbench's intervals hold the truth as often as they say."""
    from analysis.holding import held
    return held(build, trials, seed)


def size(build: Path, cases: int, samples: int) -> bool:
    """Whether a large run is within the limits of memory and time."""
    from analysis import size as sizes
    return sizes.check(build, cases, samples, lambda line: print(line, flush=True))


def growth(trials: int, seed: int) -> bool:
    """Whether the law that figures follow is found as often as it has to be."""
    from analysis import growth_check
    interrupt.ready()
    return growth_check.check(trials, seed, lambda line: print(line, flush=True))


def change_points(trials: int, seed: int) -> bool:
    """Whether change points are found as often, and false ones are as rare, as they have to be."""
    from analysis import change_points_check
    interrupt.ready()
    return change_points_check.check(trials, seed, lambda line: print(line, flush=True))


def kills(options: argparse.Namespace) -> bool:
    """Whether nothing is left of runs that are killed."""
    from faults import kills as of_jobs
    interrupt.ready()
    return of_jobs.run(options)


def faults(options: argparse.Namespace) -> bool:
    """Whether each job ends as it should, whichever of its system calls or allocations fails."""
    from faults import campaign
    interrupt.ready()
    return campaign.run(options)


def surroundings(options: argparse.Namespace) -> bool:
    """Whether each job holds in each hostile surrounding."""
    from faults import hostile
    interrupt.ready()
    return hostile.run(options)


def at_least(least: int) -> Callable[[str], int]:
    """The kind of an option that is a whole number from there."""
    def number(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) >= least):
            raise argparse.ArgumentTypeError(f"{text!r}: a whole number from {least} is needed")
        return int(text)
    return number


def add_recording(commands: "argparse._SubParsersAction[Parser]") -> None:
    """The commands that compare runs of this machine with one another."""
    one = commands.add_parser("replicate")
    one.add_argument("--comparisons", type=at_least(1), default=100, help="with nothing changed (%(default)s)")
    one.add_argument("--planted", type=at_least(0), default=100, help="with a planted change (%(default)s)")
    one.add_argument("--keep", type=Path, metavar="DIR", help="record there, only what is not there yet, and leave it: also "
                     "after Ctrl-C it goes on where it was")
    ten = commands.add_parser("runs")
    ten.add_argument("--runs", type=at_least(3), default=10)
    prepare = commands.add_parser("prepare")
    prepare.add_argument("--runs", type=at_least(3), default=10, help="of each kind (%(default)s)")
    prepare.add_argument("--leave", default="", metavar="SETTING,...", help="settings that stay as they are")
    of_model = commands.add_parser("model")
    of_model.add_argument("given", nargs="*", type=Path, metavar="RUN", help="these, instead of fresh ones")
    of_model.add_argument("--runs", type=at_least(3), default=5, help="that are made (%(default)s)")
    of_model.add_argument("--filter", default="^clone/[A-Za-z-]+/stack:1M$", metavar="REGEX", help="the plan (%(default)s)")
    of_model.add_argument("--budget", default="30s", metavar="TIME", help="of each run (%(default)s)")
    for command, budget in ((one, "2s"), (ten, "10s"), (prepare, "2s")):
        command.add_argument("--filter", default="^clone/[A-Za-z]+/stack:1M$", metavar="REGEX", help="the plan (%(default)s)")
        command.add_argument("--budget", default=budget, metavar="TIME", help="of each run (%(default)s)")


def add_faults(commands: "argparse._SubParsersAction[Parser]") -> None:
    """The commands that make calls fail."""
    from faults.jobs import BY_NAME
    from faults.struck import OUTSIDE, TERMINATING, VICTIMS
    of_kills = commands.add_parser("kills")
    of_kills.add_argument("--kills", type=at_least(1), default=500, help="each job in turn (%(default)s)")
    of_kills.add_argument("--seed", type=at_least(0), default=random.getrandbits(31),
                          help="of victims, signals and moments (a random one, which is printed)")
    of_kills.add_argument("--job", action="append", choices=BY_NAME, metavar="JOB", help="this one alone; may be given several times")
    of_kills.add_argument("--victim", choices=(*VICTIMS, *OUTSIDE), metavar="WHO",
                          help=f"this one alone: {', '.join((*VICTIMS, *OUTSIDE))}")
    of_kills.add_argument("--signal", choices=TERMINATING, metavar="NAME", help="this one alone, such as SIGTERM")
    of_kills.add_argument("--moment", type=share, metavar="SHARE", help="of the time that the job takes (random ones)")
    of_kills.add_argument("--jobs", type=at_least(1), default=1, metavar="N", help="so many at once (%(default)s)")
    for name in ("faults", "memory"):
        one = commands.add_parser(name)
        one.add_argument("--most", type=at_least(1), metavar="N", help="so many of all, drawn by the seed")
        one.add_argument("--seed", type=at_least(0), default=int(time.strftime("%Y%m%d")), help="of what is drawn (the date)")
        one.add_argument("--job", action="append", choices=BY_NAME, metavar="JOB", help="this one alone; may be given several times")
        one.add_argument("--call", metavar="CALL", help="this system call alone" if name == "faults" else
                         "malloc or mmap alone; with a + all behind it, too")
        if name == "memory":
            one.add_argument("--each", action="store_true", help="each allocation, and not one of those that have the same callers")
        one.add_argument("--error", metavar="ERRNO", help="this errno alone, such as ENOMEM")
        one.add_argument("--role", metavar="NAME", help="this process alone: nsbench, nsbench-sampler, …; with a + what these fork")
        one.add_argument("--when", type=at_least(1), metavar="N", help="at this occurrence alone")
        one.add_argument("--jobs", type=at_least(1), default=1, metavar="N", help="so many at once (%(default)s)")
        one.add_argument("--keep", type=Path, metavar="DIR",
                         help="faults.csv, which goes on from what was tried before, and the files of each run that fell short")


def add_surroundings(commands: "argparse._SubParsersAction[Parser]") -> None:
    """The command that tries hostile ones."""
    from faults import guest_rows
    from faults.surroundings import BY_NAME
    one = commands.add_parser("surroundings", description="Rows in guests take a kernel, which is downloaded where it is not in the lab's "
                              "cache; without a network, they are skipped.")
    one.add_argument("--row", action="append", choices=[*BY_NAME, *guest_rows.BY_NAME], metavar="NAME",
                     help="this one alone; may be given several times")
    one.add_argument("--quick", action="store_true", help="without the doctor, which measures for 5 s")
    one.add_argument("--capabilities", action="store_true", help="each capability dropped in turn, instead: what is missed of each")


def parser() -> Parser:
    """The command line."""
    top = Parser(prog="scripts/validate.py", description=__doc__, allow_abbrev=False,
                 formatter_class=argparse.RawDescriptionHelpFormatter)
    top.add_argument("--build", type=Path, default=programs.folder(), metavar="DIR",
                     help="where nsbench is (beside the one that started this, or in this tree's build)")
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("yardstick").add_argument("--pairs", type=at_least(2), default=60)  # quartiles are of two or more
    commands.add_parser("aa").add_argument("--trials", type=at_least(1), default=200)
    commands.add_parser("position").add_argument("--seconds", type=at_least(1), default=60, help="of each of two runs (60)")
    of_compare = commands.add_parser("compare")
    of_compare.add_argument("--trials", type=at_least(1), default=500)
    of_compare.add_argument("--seed", type=at_least(0), default=1)
    of_growth = commands.add_parser("growth")
    of_growth.add_argument("--trials", type=at_least(1), default=1000, help="of each law at each number of levels (%(default)s)")
    of_growth.add_argument("--seed", type=at_least(0), default=1)
    of_changes = commands.add_parser("changes")
    of_changes.add_argument("--trials", type=at_least(1), default=500,
                            help="histories of one row for each noise, with a step and without; a tenth as many of many rows (%(default)s)")
    of_changes.add_argument("--seed", type=at_least(0), default=1)
    add_recording(commands)
    add_soak(commands)
    add_faults(commands)
    add_surroundings(commands)
    of_size = commands.add_parser("size")
    of_size.add_argument("--cases", type=at_least(1), default=10_000, help="of the run (%(default)s)")
    of_size.add_argument("--samples", type=at_least(1), default=1000, help="of each case, with those that do not count (%(default)s)")
    of_median = commands.add_parser("median")
    of_median.add_argument("--trials", type=at_least(1), default=1000)
    of_median.add_argument("--seed", type=at_least(0), default=1)
    return top


def validate(words: list[str]) -> int:
    """The script."""
    top = parser()
    options = top.parse_args(words)
    if options.command == "compare":
        return 0 if known_truths(options.trials, options.seed) else 1
    if options.command == "growth":
        return 0 if growth(options.trials, options.seed) else 1
    if options.command == "changes":
        return 0 if change_points(options.trials, options.seed) else 1
    interrupt.ready()
    is_given = options.command == "model" and options.given  # and nothing is measured
    if not is_given and not (options.build / "nsbench").exists():
        top.error(f"no nsbench in {options.build}: {programs.remedy()}")
    measured: dict[str, Callable[[], bool]] = {
        "yardstick": lambda: yardstick(options.build, options.pairs),
        "aa": lambda: same_twice(options.build, options.trials),
        "position": lambda: position(options.build, options.seconds),
        "kills": lambda: kills(options),
        "size": lambda: size(options.build, options.cases, options.samples),
        "median": lambda: median(options.build, options.trials, options.seed),
        "replicate": lambda: replicate(options),
        "faults": lambda: faults(options),
        "memory": lambda: faults(options),
        "surroundings": lambda: surroundings(options),
        "model": lambda: model_runs(options),
        "soak": lambda: soaked(options),
        "prepare": lambda: prepared_runs(options.build, options.runs, options.leave,
                                         (f"--filter={options.filter}", f"--budget={options.budget}")),
        "runs": lambda: ten_runs(options.build, options.runs, options.filter, options.budget)}
    return 0 if measured[options.command]() else 1


if __name__ == "__main__":
    main(validate, "validate")
