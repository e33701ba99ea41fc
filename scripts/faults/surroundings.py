"""Hostile surroundings that nsbench has to hold in: one table, of what each is, how it is made, and what is expected of each job.

A job either goes well, with all its figures, or ends with this exit code and one line that says what stands in the way, by its call
and errno, and what helps. In both cases nothing is left.
"""
import errno
import resource
from collections.abc import Mapping
from dataclasses import dataclass, field

from faults import ways
from faults.jobs import OUT
from faults.stage import Work, findings_of, lines_of, rows_of, verdicts_of
from faults.ways import Make, both

SETS = ("--ns=none", "--ns=mnt,pid", "--ns=uts", "--ns=user")
TWO = ("--stack=1M", "--samples=2", "--block=1", "--quiet", f"--out={OUT}")
LIST = Work("list", ("list",), lines_of)
MEASURE = Work("measure", ("--op=clone,clone3,unshare,setns,proc_remount,container,cgroup", *SETS, *TWO), rows_of)
DOCTOR = Work("doctor", ("doctor",), findings_of)
VERIFY = Work("verify", ("verify", "--format=csv"), verdicts_of)
EXEC = Work("exec", ("exec", "--ns=all", "--proc", "--hostname=box", "--net-lo", "--map-root", "--", "/bin/sh", "-c",
                     "echo inside; exit 7"), lines_of, own=7)
SUMMARY = Work("summary", ("summary", OUT, "--quiet"), rows_of, given=True)
WORKS = (LIST, MEASURE, VERIFY, EXEC, SUMMARY, DOCTOR)
ROOT, USER = "root", "user"


@dataclass(frozen=True)
class Expected:
    """Of a job: this exit code, or its own. `says`: what its one line of error, and the reason of each thing that it lacks, has to
    have (a pattern). `lacks`: which things have no figure or verdict though it ends with its own code (a pattern; at least one)."""

    code: int | None = None
    says: str = ""
    lacks: str = ""


def refuses(says: str, *jobs: Work, code: int = 3) -> dict[str, Expected]:
    """All of these end so."""
    return {job.name: Expected(code, says) for job in jobs}


@dataclass(frozen=True)
class Surrounding:
    """`expected` is by the jobs' names; of a job that is not named that all is well. `than`: as whom the runs were that it is held
    against. `without`: a job that cannot be tried. `elsewhere`: the tests that look closer."""

    name: str
    make: Make
    expected: Mapping[str, Expected] = field(default_factory=dict)
    than: str = ROOT
    without: tuple[Work, ...] = ()
    elsewhere: str = ""


KIB, MIB = 1 << 10, 1 << 20
LIMITS = (
    Surrounding("nofile-8", ways.limit(resource.RLIMIT_NOFILE, 8), refuses("EMFILE.*ulimit -n", MEASURE, DOCTOR, VERIFY, EXEC),
                elsewhere="cli/test_endings.py"),
    Surrounding("nofile-16", ways.limit(resource.RLIMIT_NOFILE, 16), elsewhere="cli/test_endings.py"),
    Surrounding("nproc-1", both(ways.limit(resource.RLIMIT_NPROC, 1), ways.user(ways.ALONE)),
                refuses("EAGAIN.*ulimit -u", MEASURE, DOCTOR, VERIFY, EXEC), than=USER, elsewhere="isolate/test_surroundings.py"),
    Surrounding("nproc-40", both(ways.limit(resource.RLIMIT_NPROC, 40), ways.user(ways.ALONE)), than=USER),
    Surrounding("as-64M", ways.limit(resource.RLIMIT_AS, 64 * MIB), elsewhere="cli/test_endings.py (less)"),
    Surrounding("stack-64K", ways.limit(resource.RLIMIT_STACK, 64 * KIB), elsewhere="cli/test_endings.py"),
    Surrounding("fsize-1K", ways.limit(resource.RLIMIT_FSIZE, KIB), {
        **refuses("EFBIG.*ulimit -f", LIST, DOCTOR, VERIFY, SUMMARY, code=1), **refuses("EFBIG.*ulimit -f", MEASURE)},
        elsewhere="cli/test_outputs.py"),
    Surrounding("core-0", ways.limit(resource.RLIMIT_CORE, 0)),
    Surrounding("cpu-20s", ways.limit(resource.RLIMIT_CPU, 20)),
)

NO_PROC = "/proc is not mounted here: mount -t proc"
# verify's checks that need /proc.
OF_PROC = "overflow_ids|root_inside|capabilities|differ|shared|kept_open|kept_bound|root|monotonic|boottime|proc_before"
FOREIGN = "/proc is of another pid namespace.*--mount-proc"


def _without_proc(says: str) -> dict[str, Expected]:
    return {**refuses(says, MEASURE, DOCTOR, EXEC), VERIFY.name: Expected(None, says, OF_PROC)}


FORKED = ("unshare", "--pid", "--fork", "--kill-child")
CHROOTED = "as in a chroot|/ is a chroot's|a chroot|/dev"
MISSING = (
    Surrounding("no-proc", ways.unmounted("/proc"), _without_proc(NO_PROC), elsewhere="cli/test_endings.py"),
    Surrounding("empty-proc", ways.hidden("/proc"), _without_proc(NO_PROC)),
    Surrounding("foreign-proc", both(ways.foreign_proc, ways.started_by(*FORKED)), _without_proc(FOREIGN),
                elsewhere="run/test_outer_proc.py, isolate/test_surroundings.py"),
    Surrounding("outer-proc", ways.started_by(*FORKED), elsewhere="run/test_outer_proc.py"),
    Surrounding("hidepid-2", both(ways.mounted("proc", "/proc", "hidepid=2"), ways.user()),
                {VERIFY.name: Expected(None, "hidepid", "proc_before")}, than=USER, elsewhere="isolate/test_surroundings.py"),
    Surrounding("no-sys", ways.unmounted("/sys")),
    Surrounding("no-dev", ways.hidden("/dev"), refuses(r"open\(/dev/null\).*ENOENT.*mknod", MEASURE, DOCTOR),
                elsewhere="cli/test_endings.py"),
    Surrounding("no-tmp", ways.hidden("/tmp", "mode=000,ro")),
    Surrounding("tmpdir-unwritable", ways.unwritable_temporary),
    Surrounding("read-only", ways.read_only, refuses("EROFS", MEASURE, SUMMARY, code=2), elsewhere="cli/test_destinations.py"),
    Surrounding("read-only-but-out", both(ways.read_only, ways.writable_out)),
    Surrounding("full-disk-64K", ways.small_disk(64), refuses(r"write\(.*ENOSPC", MEASURE, code=1), without=(SUMMARY,),
                elsewhere="cli/test_destinations.py"),
    Surrounding("chroot", ways.in_chroot(), {
        **refuses(NO_PROC, MEASURE, DOCTOR), **refuses("EPERM.*nsbench doctor", EXEC),
        VERIFY.name: Expected(None, f"{CHROOTED}|{NO_PROC}", ".*")}),
    Surrounding("chroot-proc-dev", ways.in_chroot("proc", "dev"), {
        MEASURE.name: Expected(None, CHROOTED, "(proc_remount|container|clone|clone3|unshare|setns)/.*"),
        VERIFY.name: Expected(None, CHROOTED, ".*"), **refuses("EPERM.*a chroot → .*pivot_root", EXEC)}),
    Surrounding("scratch", ways.scratch, {MEASURE.name: Expected(None, "ENOENT.*mkdir /tmp", "container/.*")}),
    Surrounding("bwrap", ways.started_by("bwrap", "--bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-pid", "--"),
                refuses(r"mount\(proc on /proc\).*EPERM.*mounted over", EXEC)),
    Surrounding("bwrap-user", both(ways.user(), ways.started_by("bwrap", "--bind", "/", "/", "--dev", "/dev", "--proc", "/proc",
                                                                "--unshare-all", "--")),
                {VERIFY.name: Expected(None, "cgroup.*mkdir: EACCES", "root")}, than=USER),
    Surrounding("no-cgroups", ways.hidden("/sys/fs/cgroup")),
    Surrounding("cgroup-v1", both(ways.hidden("/sys/fs/cgroup", "mode=755"), ways.mounted_below("/sys/fs/cgroup/pids", "cgroup", "pids"))),
    # As systemd mounts them: some controllers by v1, its own hierarchy, and v2 below them.
    Surrounding("cgroup-hybrid", both(ways.hidden("/sys/fs/cgroup", "mode=755"),
                                      ways.mounted_below("/sys/fs/cgroup/pids", "cgroup", "pids"),
                                      ways.mounted_below("/sys/fs/cgroup/systemd", "cgroup", "none,name=nsb-hostile"),
                                      ways.mounted_below("/sys/fs/cgroup/unified", "cgroup2", ""))),
    Surrounding("cgroup-v2", ways.mounted("cgroup2", "/sys/fs/cgroup")),
    Surrounding("time-ns", ways.started_by("unshare", "--time", "--monotonic=100000000", "--boottime=100000000", "--fork",
                                           "--kill-child")),
)

DOCKER = refuses("EPERM.*seccomp", MEASURE, DOCTOR) | refuses("EPERM.*nsbench doctor", VERIFY) | refuses("ENOSYS.*nsbench doctor", EXEC)
FORBIDDEN = (
    Surrounding("user", ways.user(), than=USER, elsewhere="run/test_unprivileged.py"),
    Surrounding("clone3-ENOSYS", ways.refusing_clone3(errno.ENOSYS), {
        MEASURE.name: Expected(None, "ENOSYS", "clone3/.*|cgroup/.*via:into.*"), **refuses("ENOSYS.*nsbench doctor", EXEC),
        VERIFY.name: Expected(None, "ENOSYS", "differ|shared|kept_open|kept_bound")}, elsewhere="run/test_results.py"),
    Surrounding("clone3-EPERM", ways.refusing_clone3(errno.EPERM), {
        **refuses("posix_spawn.*EPERM.*a seccomp filter forbids it", MEASURE, DOCTOR),
        **refuses("EPERM.*nsbench doctor", VERIFY, EXEC)}, elsewhere="cli/test_endings.py"),
    Surrounding("docker-filter", ways.dockers_filter(), DOCKER),
    Surrounding("docker", both(ways.dockers_filter(), ways.dockers_capabilities()), DOCKER, than=USER),
    Surrounding("no-capability", ways.started_by("setpriv", "--bounding-set=-all", "--inh-caps=-all"),
                {**refuses("write.uid_map.*EPERM.*needs CAP_SETFCAP", VERIFY, EXEC),
                 MEASURE.name: Expected(None, "write.uid_map.*CAP_SETFCAP", "container/.*")}, than=USER),
)

CLOSED = refuses("standard output is closed; redirect it", LIST, MEASURE, DOCTOR, VERIFY, SUMMARY, code=2)
CALLERS = (
    *(Surrounding(f"locale-{name}", ways.in_environment(LC_ALL=name)) for name in ("C", "C.UTF-8", "de_DE.ISO-8859-1", "unknown")),
    Surrounding("no-environment", lambda stage: stage.environment.clear()),
    Surrounding("no-stdin", ways.streams_closed(0)),
    # The command under exec has none either, and its shell says so.
    Surrounding("no-stdout", ways.streams_closed(1), {**CLOSED, EXEC.name: Expected(None, "echo: I/O error", ".*")},
                elsewhere="cli/test_destinations.py"),
    Surrounding("no-stderr", ways.streams_closed(2)),
    Surrounding("no-streams", ways.streams_closed(0, 1, 2), {
        **{name: Expected(2) for name in CLOSED}, EXEC.name: Expected(None, "", ".*")}),  # there is nowhere to say it
    *(Surrounding(f"terminal-{columns}", ways.terminal(rows, columns)) for rows, columns in ((0, 0), (24, 1), (65535, 65535))),
    # More than a terminal's size can say.
    Surrounding("columns-100000", both(ways.terminal(24, 80), ways.in_environment(COLUMNS="100000")), elsewhere="run/test_results.py"),
)

TABLE = (*LIMITS, *MISSING, *FORBIDDEN, *CALLERS)
BY_NAME = {one.name: one for one in TABLE}
