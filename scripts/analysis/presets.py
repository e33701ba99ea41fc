"""The table of presets: what was reported in public about the cost of namespaces, and what nsbench runs to repeat it.

A preset has points, each a published figure beside ours. A published figure is one value, the two ends of a range, or none where
the source gives no figure for what we measure beside. Times are seconds, rates are per second.
"""
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from analysis import preset_figures as figures
from analysis.preset_figures import Output

NOT_STATED = "not stated"


@dataclass(frozen=True)
class Run:
    """One call of nsbench, and what is around it."""

    words: tuple[str, ...]
    seconds: float  # that it takes on 2 CPUs, about
    mounts: int = 0  # there are so many in its mount namespace
    peers: int = 0  # so many more, which are slaves of one peer group of as many mounts
    netns: int = 0  # so many net namespaces more
    expedited: bool | None = None  # /sys/kernel/rcu_expedited


@dataclass(frozen=True)
class Point:
    """One figure. Points with the same run share it."""

    name: str
    published: tuple[float, ...]
    unit: str  # s, or /s
    how: str  # how our figure is taken
    run: Run | None  # None where ours cannot be had on this kernel: `how` says why
    take: Callable[[Output], float] | None = None


@dataclass(frozen=True)
class Preset:
    name: str
    what: str  # in a few words, for the list
    claim: str
    source: str
    link: str
    kernel: str
    machine: str
    differs: str  # what ours does otherwise, besides the machine
    points: tuple[Point, ...]

    def runs(self) -> list[Run]:
        """What is run, in order."""
        return list(dict.fromkeys(point.run for point in self.points if point.run))

    def seconds(self) -> float:
        return sum(run.seconds for run in self.runs())


CONTAINER = "mnt,uts,ipc,pid,net"
CONTAINER_WITHOUT_NET = "mnt,uts,ipc,pid"


def churned(namespaces: str, seconds: int, *more: str) -> tuple[str, ...]:
    """A load over time. Nothing is asked of what comes after it."""
    return ("churn", f"--ns={namespaces}", f"--for={seconds}s", "--drain=3s", *more)


def burst(namespaces: str, at_once: int, *more: str) -> tuple[str, ...]:
    """Five bursts, however long they take."""
    return ("churn", f"--ns={namespaces}", f"--burst={at_once}", "--bursts=5", "--pause=500ms", "--for=60s", "--drain=3s", *more)


def links(at_once: int, made: str, netns: int = 0) -> Run:
    """Net namespaces with a veth pair: each block is one burst, since its samplers begin together and take one sample. There are
    100 bursts of 1, 10 of 10, and from 20 at once on five; and one before them that does not count, as far as the budget reaches."""
    bursts = max(5, 100 // at_once)
    words = ("run", "--op=veth", "--ns=net", f"--with=made:{made}", f"--parallel={at_once}", "--block=1", "--lead-in=0",
             f"--samples={bursts}", "--budget=40s")
    # Seen under loads of 12 to 46: 20 s for 1 at once, 8 s for 10, 15 s for 50, 27 s for 100: 0.2 s a burst, and 0.055 s for each of
    # its samplers. What netns adds is reckoned.
    return Run(words, bursts * (0.2 + at_once * 0.055) + netns / 20, netns=netns)


def told(via: str) -> tuple[str, ...]:
    """All mounts of the namespace."""
    return ("run", "--op=mountinfo", f"--with=via:{via}", "--samples=200", "--budget=30s")


SOCK_LOAD = churned(CONTAINER, 10, "--workers=8")
RATE = "operations each second in the last third of the load"
UNTIL_ONE = "from a burst's begin until the child is reaped, the median of all"
UNTIL_ALL = "from a burst's begin until the last child is reaped, its exit included; the median of the bursts"
MANY = (1, 10, 50, 100)


def _mohan() -> Iterator[Point]:
    for at_once, create in zip(MANY, (0.28, 1.27, 6.28, 14.41)):
        yield Point(f"create, {at_once} at once", (create,), "s", UNTIL_ALL, links(at_once, "moved"),
                    figures.until_all(at_once))
    for at_once, clean in zip(MANY, (0.20, 0.71, 3.24, 7.77)):
        yield Point(f"clean up, {at_once}", (clean,), "s", "drain of one, times their number (one of a batch of up to 64, or of the "
                    "burst where it is more)", links(at_once, "moved"), figures.row("drain", times=at_once))


def _dying() -> Iterator[Point]:
    for alive in (0, 2000):
        for dying in (4, 64):
            words = ("run", "--op=clone", "--ns=net", "--stack=1M", f"--parallel={dying}", "--block=1", "--lead-in=0",
                     f"--samples={max(10, 100 // dying)}", "--budget=20s")
            yield Point(f"one of {dying} dying, {alive} more alive", (), "s", "drain: what the kernel's worker needs for each of "
                        "those that end together", Run(words, 25 + alive / 20, netns=alive), figures.row("drain"))


def _expedited() -> Iterator[Point]:
    for setting, published in ((False, (0.06, 0.12)), (True, (0.01,))):
        words: tuple[str, ...] = ("run", "--op=runtime", "--with=by:runc", "--samples=30", "--budget=30s")
        yield Point(f"runc, rcu_expedited={int(setting)}", published, "s", "median of start: from the call to the program's first "
                    "instruction", Run(words, 8, expedited=setting), figures.row("start"))
    for setting in (False, True):
        words = ("run", "--op=clone", "--ns=net", "--stack=1M", "--samples=300", "--budget=30s")
        yield Point(f"net namespace torn down, rcu_expedited={int(setting)}", (), "s", "drain: the kernel's worker, for each of a "
                    "batch of up to 64", Run(words, 4, expedited=setting), figures.row("drain"))


PRESETS = (
    Preset(
        "sock", "containers a second, with and without a net namespace",
        "net namespaces limit how many containers are made and removed in a second",
        "Oakes et al., SOCK, USENIX ATC '18", "https://www.usenix.org/conference/atc18/presentation/oakes",
        "Linux 4.13", NOT_STATED,
        "eight bare clones at a time that end at once, instead of containers",
        (Point("with a net namespace", (200.0,), "/s", RATE, Run(SOCK_LOAD, 14), figures.rate_at_end),
         Point("the same, IPv6 and broadcast code removed: more than", (400.0,), "/s", "needs a kernel without that code", None),
         Point("without a net namespace", (900.0,), "/s", RATE, Run(churned(CONTAINER_WITHOUT_NET, 10, "--workers=8"), 14),
               figures.rate_at_end))),
    Preset(
        "mohan", "1, 10, 50 and 100 net namespaces with a veth pair at once",
        "creating and removing net namespaces with a link takes seconds where many begin at once",
        "Mohan et al., Agile Cold Starts for Scalable Serverless, HotCloud '19",
        "https://www.usenix.org/conference/hotcloud19/presentation/mohan", "Linux 4.4", NOT_STATED,
        "system calls of a bare child instead of a container's programs; each outer end is in a net namespace of its own",
        tuple(_mohan())),
    Preset(
        "particle", "100 and 1600 net namespaces with a veth pair",
        "the network of a job's containers takes most of their start",
        "Thomas et al., Particle, SoCC '20", "https://doi.org/10.1145/3419111.3421275", "Linux 5.0", NOT_STATED,
        "one link and one address for each; 1600 as sixteen times a burst of 100 beside 1500 others, which have no link: more than "
        "sixteen bursts one after the other where the cost grows with the number that is there",
        (Point("100", (10.02,), "s", UNTIL_ALL, links(100, "moved"), figures.until_all(100)),
         Point("1600", (119.79,), "s", f"{UNTIL_ALL}, times 16", links(100, "moved", netns=1500),
               figures.until_all(100, bursts=16)))),
    Preset(
        "lkml-ipc", "1000 × unshare(CLONE_NEWIPC)",
        "freeing IPC namespaces in a work queue keeps an RCU grace period out of each call",
        "Linux e1eb26fa62d0 (5.8), its own test", "https://git.kernel.org/linus/e1eb26fa62d0", "Linux 5.7 and 5.8", NOT_STATED,
        "each call is in a fresh child, whose exit lets the namespace go, as there the next call does; the exit has a process's own part",
        (Point("1000 calls before", (8.05,), "s", "needs Linux 5.7 or older (nsbench lab boots others)", None),
         Point("1000 calls since", (0.03,), "s", "1000 times the mean of total: the call, and the exit of the child",
               Run(("run", "--op=unshare", "--ns=ipc", "--samples=1000", "--budget=30s"), 4), figures.row("total", "mean", times=1000)))),
    Preset(
        "burst-mounts", "256 mount namespaces at once, 264 mounts",
        "copies of the mount namespace queue for one lock, for the longer the more mounts there are",
        "cocoonstack/sandbox#30", "https://github.com/cocoonstack/sandbox/issues/30", NOT_STATED, "384 CPUs",
        "a bare clone instead of the program unshare, which also makes all mounts private",
        (Point("median of 256 at once", (0.742,), "s", UNTIL_ONE,
               Run(burst("mnt", 256), 10, mounts=264), figures.latency("p50")),
         Point("all 256", (0.872,), "s", "from a burst's begin until the last child is reaped, the median of the bursts",
               Run(burst("mnt", 256), 10, mounts=264), figures.burst_column("max", 1e-9)),
         Point("starts a second at most", (140.0,), "/s", "operations over a burst's time, the best burst; theirs are of whole "
               "sandboxes", Run(burst("mnt", 256), 10, mounts=264), figures.best_burst))),
    Preset(
        "e2b", "one mount namespace, and 100 at once",
        "a sandbox takes ten times as long to start where 100 start at once, since each copies all mounts twice",
        "e2b-dev/infra#3012", "https://github.com/e2b-dev/infra/issues/3012", "Linux 6.8", NOT_STATED,
        "one copy of 264 mounts, of which the source gives no number, by a bare clone; there two copies, and Firecracker's start",
        (Point("1 alone", (0.1,), "s", "from the call until the child is reaped, the median",
               Run(churned("mnt", 4), 8, mounts=264),
               figures.latency("p50")),
         Point("100 at once", (1.063,), "s", UNTIL_ONE,
               Run(burst("mnt", 100), 10, mounts=264), figures.latency("p50")))),
    Preset(
        "peers", "mountinfo of 1000 mounts of one peer group",
        "each line of mountinfo walks the peer group that its mount is a slave of, so a reading is quadratic",
        "systemd/systemd#43318", "https://github.com/systemd/systemd/pull/43318", NOT_STATED, NOT_STATED,
        "all mounts are of one small tree; both ways also tell what systemd does not ask for",
        (Point("mountinfo", (0.46,), "s", "median of read, where 1000 mounts are slaves of one peer group",
               Run(told("proc"), 6, peers=1000), figures.row("read")),
         Point("mountinfo, no peers", (), "s", "median of read, where as many mounts have no peers",
               Run(told("proc"), 4, mounts=1000), figures.row("read")),
         Point("statmount", (), "s", "median of read, where 1000 mounts are slaves of one peer group",
               Run(told("statmount"), 6, peers=1000), figures.row("read")))),
    Preset(
        "churn-start", "a start while eight processes make net namespaces",
        "a container starts in twice the time while others make and remove net namespaces",
        "google/gvisor#13950", "https://github.com/google/gvisor/pull/13950", NOT_STATED, NOT_STATED,
        "a bare clone with a container's namespaces instead of runsc; the load is bare clones, too, and leaves the start less of "
        "the CPUs",
        (Point("idle", (0.1186,), "s", "from the call until the child is reaped, the median", Run(churned(CONTAINER, 6), 10),
               figures.latency("p50")),
         Point("beside 8 × unshare -n", (0.2365,), "s", "from the call until the child is reaped, the median",
               Run(churned(CONTAINER, 10, "--background=net*8"), 14), figures.latency("p50")))),
    Preset(
        "veth-moved", "30 veth pairs at once, moved or made in place",
        "moving a link to its net namespace waits for RCU under the lock that all others need",
        "aws/amazon-vpc-cni-k8s#3764", "https://github.com/aws/amazon-vpc-cni-k8s/pull/3764", "an EKS node's, CONFIG_HZ=100",
        NOT_STATED,
        "the inner end is moved in, there the outer end out; no CNI plugin, and the net namespace is made meanwhile",
        (Point("30 at once, moved", (5.0,), "s", UNTIL_ONE, links(30, "moved"), figures.ended_median(30)),
         Point("30 at once, made in place", (0.75,), "s", UNTIL_ONE, links(30, "inside"), figures.ended_median(30)))),
    Preset(
        "dying-alive", "how the teardown of net namespaces grows",
        "teardown takes O(dying × alive × ids) before the commit, and O(alive × ids) since; it gives no times",
        "Linux 7acee67a6bce (February 2026)", "https://git.kernel.org/linus/7acee67a6bce", "the ones before and after",
        NOT_STATED,
        "net namespaces without ids of one another, and the whole teardown instead of that loop",
        tuple(_dying())),
    Preset(
        "expedited", "runc with and without rcu_expedited",
        "a container's creation mostly waits for RCU grace periods, which rcu_expedited shortens",
        "arcboxlabs/arcbox#496", "https://github.com/arcboxlabs/arcbox/pull/496", "a guest kernel", "a virtual machine",
        "runc's whole start instead of runc create; and the teardown of a net namespace alone, which waits for RCU, too",
        tuple(_expedited())),
)
NAMES = tuple(preset.name for preset in PRESETS)


def named(name: str) -> Preset:
    """The preset. KeyError where there is none."""
    return {preset.name: preset for preset in PRESETS}[name]
