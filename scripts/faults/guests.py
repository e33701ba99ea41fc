"""nsbench in hostile surroundings that only a guest can make (faults.guest_rows).

A guest carries out the rows of one boot in turn, in a shell, since it has no Python: each job, what it left, and what it wrote. The
judge is that of all other surroundings (faults.hostile).
"""
import re
import shlex
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from analysis.script import Unreadable
from faults.guest_rows import CPUS, MEASURE, PROBED, RUN, Boot, Files, Guested
from faults.hostile import Outcome, shortfalls
from faults.jobs import OUT
from faults.stage import GIVEN, HUNG, SAMPLER, Ran, Work
from faults.surroundings import Expected
from lab import guest, images, initramfs
from lab.errors import LabError

KERNEL = "6.12"
LIMIT = 240  # seconds that each run may take: others may have the CPUs
KILLED = 128 + 9
UNKNOWN = -1  # the code of a run of which the guest did not send it
WRITTEN = ("results.csv", "rounds.csv", "samples.csv", "run.json")  # in a run's folder
BASE = "alone"  # the jobs where nothing is hostile

SCRIPT = """# ACPI's power-off hangs after a suspension, and -no-reboot makes a reboot the guest's end.
poweroff() { reboot -f; }
look() {
    cat /proc/self/mountinfo
    hostname
    ls /sys/class/net
    find /sys/fs/cgroup -type d
    ls -a "$1" 2>/dev/null | grep '^\\.part-'
    ps -o comm | grep '^nsbench'
}
# row.job, its folder, what is done in its middle or nothing, and the words
job() {
    name=$1 folder=$2 event=$3
    shift 3
    look "$folder" >/tmp/before
    begun=$(cut -d ' ' -f 1 /proc/uptime)
    as timeout -s KILL $limit nsbench "$@" >/tmp/out/$name.out 2>/tmp/out/$name.err &
    pid=$!
    if [ "$event" ]; then
        until [ -s "$folder/rounds.csv" ] || ! kill -0 $pid 2>/dev/null; do sleep 0.1; done
        $event $name
    fi
    wait $pid
    echo $? >/tmp/out/$name.code
    echo "$begun $(cut -d ' ' -f 1 /proc/uptime)" >/tmp/out/$name.times
    try=0
    while look "$folder" >/tmp/after; ! cmp -s /tmp/before /tmp/after && [ $try != 30 ]; do
        sleep 0.1
        try=$((try + 1))
    done
    diff /tmp/before /tmp/after >/tmp/out/$name.left
    for file in $written; do
        [ -s "$folder/$file" ] && cp "$folder/$file" /tmp/out/$name.$file
    done
}
"""


def folder_of(row: str, work: Work) -> str:
    """Where a job writes to, or finds a run."""
    return f"/tmp/work/{row}/{GIVEN if work.given else work.name}"


def _jobs(row: Guested) -> str:
    event = f"event() {{\n{row.event}\n}}\n" if row.event else ""
    lines = [f"mkdir -p /tmp/work/{row.name}", "as() { \"$@\"; }", row.make]
    if any(work.given for work in row.works):
        lines.append(f"cp -r {folder_of(BASE, MEASURE)} /tmp/work/{row.name}/{GIVEN}")
    for work in row.works:
        folder = folder_of(row.name, work)
        words = [word.replace(OUT, folder) for word in work.words]
        lines.append(f"job {row.name}.{work.name} {folder} '{'event' if row.event else ''}' {shlex.join(words)}")
    return event + "\n".join(lines) + "\n"


def script_of(rows: Sequence[Guested]) -> str:
    """Of one boot. The jobs that rows are held against come first."""
    needed = [work for work in dict.fromkeys(work for row in rows for work in row.works) if not work.given]
    if any(work.given or work is PROBED for row in rows for work in row.works) and MEASURE not in needed:
        needed.append(MEASURE)
    base = Guested(BASE, rows[0].boot, works=tuple(work for work in needed if work not in (RUN, PROBED)))
    alone = [base] if base.works else []
    met = [Guested(f"{BASE}-met", rows[0].boot, works=(RUN,))] if RUN in needed else []
    body = "".join(_jobs(row) for row in (*alone, *met, *rows))
    return f"measure() {{\nlimit={LIMIT} written='{' '.join(WRITTEN)}'\nmkdir -p /tmp/out\nip link set lo up\n{body}return 0\n}}\n{SCRIPT}"


def _told(sent: Mapping[str, bytes], row: str, work: Work) -> tuple[Ran, Files]:
    def text(what: str) -> str:
        return sent.get(f"{row}.{work.name}.{what}", b"").decode(errors="replace")
    try:
        begun, ended = map(float, text("times").split())
        code = int(text("code"))
    except ValueError:
        raise Unreadable(f"{row}.{work.name}: the guest did not send how it ended") from None
    seconds = ended - begun
    left = tuple(line for line in text("left").splitlines() if re.match(r"[<>+-][^+-]", line))
    files = {name: text(name) for name in (*WRITTEN, "held", "lockdown")} | {"took": f"{seconds}"}
    # What the kernel kills for want of memory has that code, too.
    hung = code == KILLED and seconds >= LIMIT
    return Ran(HUNG if hung else code, text("out"), text("err"), seconds, text("results.csv"), left), files


def _wrong(row: Guested, files: Files) -> list[str]:
    """What the row says of the files, or why it cannot."""
    try:
        return row.wrong(files)
    except (KeyError, ValueError) as error:
        lacking = [name for name in WRITTEN if not files[name]]
        return [f"its files cannot be judged: {', '.join(lacking)} missing or empty" if lacking else
                f"its files cannot be judged: {type(error).__name__}: {error}"]


def judged(sent: Mapping[str, bytes], row: Guested) -> Outcome:
    """Of what a guest sent, the jobs of a row."""
    found = {}
    for work in row.works:
        base = f"{BASE}-met" if work is RUN else BASE
        like = MEASURE if work.given or work is PROBED else work
        try:
            seen = like.told(_told(sent, base, like)[0])
            ran, files = _told(sent, row.name, work)
        except Unreadable as unreadable:
            found[work.name] = UNKNOWN, [str(unreadable)]
            continue
        wrong = shortfalls(work, row.expected.get(work.name, Expected()), ran, seen)
        found[work.name] = ran.code, wrong or (_wrong(row, files) if ran.code == 0 and work.name == MEASURE.name else [])
    return found


def tried(program: Path, rows: Iterable[Guested], works: Sequence[Work]) -> dict[str, str | Outcome]:
    """Each row in a guest of its boot, with those of its jobs that are among the works: its outcome, or why it cannot be made here.
    Unreadable where a guest does not come to its end."""
    outcomes: dict[str, str | Outcome] = {}
    names = {work.name for work in works}
    rows = [replace(row, works=tuple(work for work in row.works if work.name in names)) for row in rows]
    for boot in dict.fromkeys(row.boot for row in rows):
        these = [row for row in rows if row.boot == boot]
        try:
            sent = carried_out(program, boot, script_of(these))
        except LabError as error:
            raise Unreadable(f"surroundings: {', '.join(row.name for row in these)}: {error}") from None
        except OSError as error:
            outcomes |= dict.fromkeys((row.name for row in these), error.strerror or str(error))
            continue
        outcomes |= {row.name: judged(sent, row) for row in these}
    return outcomes


def carried_out(program: Path, boot: Boot, script: str) -> dict[str, bytes]:
    """What a guest of that boot has sent. OSError where none can be had."""
    with tempfile.TemporaryDirectory(prefix="nsbench-hostile-guest-") as name:
        files = boot.make(Path(name)) | {f"bin/{one}": program.with_name(one) for one in (program.name, SAMPLER)}
        try:
            guest.qemu_version()
            image = images.images([KERNEL])[0].path
            base = initramfs.base(files)
        except LabError as error:
            raise OSError(0, str(error)) from None
        machine = guest.Machine(append=boot.append, timeout=900, cpus=CPUS)
        return guest.carry_out(machine, image, machine.initrd("run", base=base, more=script))
