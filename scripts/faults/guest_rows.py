"""Hostile surroundings that only a guest can make: its own clock, its own CPUs, its own security modules. One table."""
import csv
import io
import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from faults.jobs import OUT
from faults.stage import Work, rows_of
from faults.surroundings import DOCTOR, EXEC, LIST, SUMMARY, TWO, VERIFY, Expected, refuses

CPUS = 2  # nsbench measures on the last one
# Fewer than elsewhere: a guest without KVM is ten times slower.
MEASURE = Work("measure", ("--op=clone,unshare,setns,proc_remount,container", "--ns=none", "--ns=mnt,pid", "--ns=uts", *TWO), rows_of)
WORKS = (LIST, MEASURE, VERIFY, EXEC, SUMMARY, DOCTOR)
Files = Mapping[str, str]  # by their names in a run's folder


@dataclass(frozen=True)
class Boot:
    """What several rows can share: words for the kernel, and files for the guest, which are made on the host. `make` is OSError
    where that cannot be done."""

    name: str
    append: str = ""
    make: Callable[[Path], dict[str, Path]] = lambda _: {}


@dataclass(frozen=True)
class Guested:
    """A surrounding that is made in a guest: by `make`, shell text, with the function `as`, which starts nsbench in it. With `event` the
    runs are met in their middle: that is done once the first round is on disk. `wrong` says what else is wrong with a run's files."""

    name: str
    boot: Boot
    make: str = ""
    event: str = ""
    works: tuple[Work, ...] = WORKS
    expected: Mapping[str, Expected] = field(default_factory=dict)
    wrong: Callable[[Files], list[str]] = lambda _: []


# What is done in the middle of a run, whose rounds are short

BUDGET = 8
MET = ("--op=clone,unshare", "--ns=none", "--ns=uts", "--stack=1M", "--block=2", "--lead-in=1", "--precision=0.001%", "--alone",
       f"--budget={BUDGET}s", "--quiet", f"--out={OUT}")
RUN = Work("measure", MET, rows_of)
PROBED = Work("measure", (*MEASURE.words, "--probe"), rows_of)
DAY, YEAR = 86_400, 365 * 86_400


def rounds_of(files: Files) -> list[dict[str, str]]:
    """The rows of rounds.csv."""
    return list(csv.DictReader(io.StringIO(files.get("rounds.csv", ""))))


def _time(files: Files) -> list[str]:
    """What a run's own time has to be: no less than its budget, and no more than the guest's, without that in which it was suspended."""
    own = json.loads(files["run.json"])["measuring"]["seconds"]
    took = float(files["took"]) - sum(float(row["suspended"]) for row in rounds_of(files))
    return [] if BUDGET <= own <= took else [f"it measured for {own} s, of a budget of {BUDGET} s, and took {took:.2f} s"]


def clock_set(files: Files) -> list[str]:
    """The wall clock went a year forth and a day back, between rounds of the usual length."""
    rounds = rounds_of(files)
    steps = [float(after["begin"]) - float(before["begin"]) for before, after in zip(rounds, rounds[1:])]
    found = [] if max(steps, default=0) > YEAR - DAY and min(steps, default=0) < -DAY / 2 else ["the clock was not set within the run"]
    lasted = sum(float(row["seconds"]) for row in rounds)
    return found + _time(files) + ([] if lasted <= float(files["took"]) else [f"its rounds took {lasted:.1f} s"])


def suspended(files: Files) -> list[str]:
    """A round says so; no time is as long as that was."""
    named = [row for row in rounds_of(files) if row["disturbed"] == "suspended"]
    slept = max((float(row["suspended"]) for row in named), default=0)
    if slept < 1:
        return ["no round is said to have been suspended"]
    samples = csv.DictReader(io.StringIO(files["samples.csv"]))
    longest = max(float(row[phase] or 0) for row in samples for phase in ("create", "total") if phase in row) / 1e9
    return ([] if longest < slept else [f"a sample took {longest} s, and it was suspended for {slept} s"]) + _time(files)


def offline(files: Files) -> list[str]:
    """Rounds say so while it is gone, and no more once it is back."""
    rounds = rounds_of(files)
    found = [] if any(row["disturbed"] == "off its CPU" for row in rounds) else ["no round is said to have been off its CPU"]
    held = f"{CPUS - 1}"
    if not rounds or rounds[-1]["moved"] != "0" or files["held"].strip() != held:
        found.append(f"it is held to CPU {files['held'].strip()} afterwards, not to {held}: {rounds[-1:]}")
    return found + _time(files)


def in_user_namespaces(files: Files) -> list[str]:
    """Of a run without CAP_SYS_ADMIN: sets have figures inside of user namespaces, and what has none says so by its errno."""
    rows = [row for row in csv.DictReader(io.StringIO(files["results.csv"])) if row["phase"] != "drain"]
    found = [] if any("NEWUSER-NEWUTS" in row["case"] and row["median"] for row in rows) else ["nothing was measured"]
    return found + [f"{row['case']}: {row['errno']} {row['reason']}" for row in rows if not row["median"] and row["errno"] != "EACCES"]


def is_open(files: Files) -> list[str]:
    """Lockdown took effect: the kernel's list of its levels has the one that holds in brackets."""
    return [] if "[confidentiality]" in files["lockdown"] else [f"there is no lockdown: the kernel says {files['lockdown'].strip()!r}"]


# Security modules, by their profiles

APPARMOR = """abi <abi/3.0>,
profile nsb-no-mount flags=(attach_disconnected) {
  /{,**} rwlkmix,
  capability, network, signal, ptrace, unix, dbus, umount, pivot_root,
  deny mount,
}
profile nsb-no-admin flags=(attach_disconnected) {
  /{,**} rwlkmix,
  capability, network, signal, ptrace, unix, dbus, mount, umount, pivot_root,
  deny capability sys_admin,
}
"""
# A policy that knows three classes alone, one of which the kernel insists on, and allows what it does not know: nsb_t may do all but
# mount and what needs CAP_SYS_ADMIN.
_SELINUX = """(handleunknown allow)
(mls false)
(sensitivity s0)
(sensitivityorder (s0))
(class process (transition dyntransition))
(class capability (sys_admin))
(class filesystem (mount remount unmount))
(classorder (unordered process capability filesystem))
{sids}
(user u)
(role r)
(type kernel_t)
(type nsb_t)
(roletype r kernel_t)
(roletype r nsb_t)
(userrole u r)
(userlevel u (s0))
(userrange u ((s0) (s0)))
(allow kernel_t self (capability (sys_admin)))
(allow kernel_t nsb_t (process (transition dyntransition)))
(allow kernel_t kernel_t (filesystem (mount remount unmount)))
"""


# In the order of their numbers (security/selinux/include/initial_sid_to_string.h); those without a name are of no use any more.
SIDS = ("kernel", "security", "unlabeled", "unused1", "file", "unused2", "init", "any_socket", "port", "netif", "netmsg", "node",
        *(f"unused{number}" for number in range(3, 17)), "devnull")
SELINUX = _SELINUX.format(sids="\n".join([*(f"(sid {name})\n(sidcontext {name} (u r kernel_t ((s0) (s0))))" for name in SIDS),
                                          f"(sidorder ({' '.join(SIDS)}))"]))


def compiled(source: str, name: str, *words: str) -> Callable[[Path], dict[str, Path]]:
    """A policy for the guest: these words with {source} and {made} in them make it. OSError where that fails."""
    def make(folder: Path) -> dict[str, Path]:
        if not shutil.which(words[0]):
            raise OSError(0, f"{words[0]} is not installed")
        paths = {"source": folder / f"{name}.source", "made": folder / name}
        paths["source"].write_text(source, encoding="utf-8")
        with paths["made"].open("wb") as output:
            done = subprocess.run([word.format(**paths) for word in words], stdout=output, stderr=subprocess.PIPE, encoding="utf-8",
                                  check=False)
        if done.returncode or not paths["made"].stat().st_size:
            raise OSError(0, f"{words[0]}: {done.stderr.strip()[-200:]}")
        return {f"lab/{name}": paths["made"]}
    return make


PLAIN = Boot("plain", make=compiled(APPARMOR, "apparmor", "apparmor_parser", "-S", "-Q", "-K", "--kernel-features",
                                    "/etc/apparmor.d/abi/3.0", "{source}"))
SE = Boot("selinux", "security=selinux selinux=1", compiled(SELINUX, "selinux", "secilc", "-o", "{made}", "-f", "/dev/null", "{source}"))
SECURITY = "mount -t securityfs securityfs /sys/kernel/security 2>/dev/null"


def locked(row: str) -> str:
    """As lockdown=confidentiality for the kernel, and what that says of it."""
    lockdown = "/sys/kernel/security/lockdown"
    return f"{SECURITY}; echo confidentiality >{lockdown}; cat {lockdown} >/tmp/out/{row}.{MEASURE.name}.lockdown"


def confined(profile: str) -> str:
    """nsbench under a profile of AppArmor's, as aa-exec starts it."""
    return (f"{SECURITY}; cat /lab/apparmor >/sys/kernel/security/apparmor/.replace\n"
            f'as() {{ (echo "exec {profile}" >/proc/self/attr/apparmor/exec && exec "$@"); }}')


FORBIDS = "EACCES.*a security module, a setting or a seccomp filter forbids it"
MOUNTS = "EACCES.*(mount|forbids it)|mount.*EACCES"  # in which order, is a row's or a check's
GUESTS: tuple[Guested, ...] = (
    Guested("clock-set", PLAIN, event=f'now=$(date +%s); date -s "@$((now + {YEAR}))"; sleep 1; date -s "@$((now - {DAY}))"; sleep 1',
            works=(RUN,), wrong=clock_set),
    Guested("cpu-offline", PLAIN, event=f"""cpu=/sys/devices/system/cpu/cpu{CPUS - 1}/online
echo 0 >$cpu; sleep 1; echo 1 >$cpu
try=0
while held=$(sed -n 's/^Cpus_allowed_list:\\s*//p' "/proc/$(pidof nsbench-sampler)/status")
    [ "$held" != {CPUS - 1} ] && [ $try != 20 ]; do
    sleep 0.1
    try=$((try + 1))
done
echo "$held" >/tmp/out/$1.held""", works=(RUN,), wrong=offline),
    Guested("suspend", PLAIN, event="echo +3 >/sys/class/rtc/rtc0/wakealarm; echo mem >/sys/power/state", works=(RUN,), wrong=suspended),
    Guested("apparmor-mount", PLAIN, confined("nsb-no-mount"), expected={
        MEASURE.name: Expected(None, MOUNTS, "(proc_remount|container)/.*"), VERIFY.name: Expected(None, MOUNTS, ".*"),
        **refuses(FORBIDS, EXEC)}),
    Guested("apparmor-sys_admin", PLAIN, confined("nsb-no-admin"), expected={
        LIST.name: Expected(None, "", "(?!.*NEWUSER).*"), **refuses("EPERM.*AppArmor profile nsb-no-admin", MEASURE, DOCTOR),
        **refuses(FORBIDS, VERIFY), **refuses("EPERM.*nsbench doctor", EXEC)}),
    # It refuses what needs CAP_SYS_ADMIN outside of a user namespace, and mounts everywhere.
    Guested("selinux", SE, """mkdir -p /sys/fs/selinux; mount -t selinuxfs selinuxfs /sys/fs/selinux
cat /lab/selinux >/sys/fs/selinux/load; echo 1 >/sys/fs/selinux/enforce
as() { (printf u:r:nsb_t >/proc/self/attr/exec && exec "$@"); }""", expected={
        MEASURE.name: Expected(None, "", "(?!.*NEWUSER).*|(proc_remount|container)/.*"),
        VERIFY.name: Expected(None, MOUNTS, ".*"), **refuses(FORBIDS, EXEC)}, wrong=in_user_namespaces),
    # The last of their guest: it cannot be taken back.
    Guested("lockdown", PLAIN, locked("lockdown"), wrong=is_open),
    Guested("lockdown-probe", PLAIN, locked("lockdown-probe"), works=(PROBED,),
            expected={PROBED.name: Expected(None, "EINVAL; .*lockdown=confidentiality")}, wrong=is_open),
)
BY_NAME = {one.name: one for one in GUESTS}
