"""`nsbench doctor --prepare`: a machine that is set for a command, and put back however it ends. The machine's files are made
up, and lie over its own in a mount namespace: nothing of the host is changed."""
import os
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from nsbench_harness import as_user, assert_one_line, binary, processes, run, wait_for

CPU = max(os.sched_getaffinity(0))  # that nsbench measures on
SIBLING, OTHER = 60000, 60001  # no machine's, so that no thread is pinned there
FILES = {
    "sys/kernel/rcu_normal": "1", "sys/kernel/rcu_expedited": "1",
    "sys/kernel/mm/transparent_hugepage/enabled": "[always] madvise never",
    "sys/devices/system/cpu/online": f"{CPU},{SIBLING}-{OTHER}",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_governor": "powersave",
    "sys/devices/system/cpu/cpufreq/boost": "1",
    f"sys/devices/system/cpu/cpu{CPU}/topology/thread_siblings_list": f"{CPU},{SIBLING}",
    f"sys/devices/system/cpu/cpu{SIBLING}/online": "1",
    "proc/irq/7/smp_affinity_list": f"{CPU},{OTHER}", "proc/irq/8/smp_affinity_list": str(CPU),
    "proc/irq/9/smp_affinity_list": str(OTHER),
}
# A file that stands in for the kernel's begins with the line that was written to it, and has no brackets then; so THP is
# left out where it counts.
SET = {
    "sys/kernel/rcu_normal": "0", "sys/kernel/rcu_expedited": "0",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_governor": "performance", "sys/devices/system/cpu/cpufreq/boost": "0",
    f"sys/devices/system/cpu/cpu{SIBLING}/online": "0",
    "proc/irq/7/smp_affinity_list": str(OTHER), "proc/irq/8/smp_affinity_list": str(OTHER),
}


def rcu_worker() -> int | None:
    """The kernel's thread for expedited grace periods."""
    return next((pid for pid, (_, comm) in processes().items() if comm.startswith("rcu_exp_gp_kthr")), None)


class Machine:
    """A made-up one below a folder. It has no worker of RCU's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in FILES.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text + "\n")
        (folder / "sys/fs/cgroup").mkdir(parents=True)
        (folder / "empty").mkdir()
        places = {place: place for place in ("sys/kernel", "sys/devices/system/cpu", "sys/fs/cgroup", "proc/irq")}
        if worker := rcu_worker():
            places[f"proc/{worker}"] = "empty"
        self.mounts = "; ".join(f"mount --bind {shlex.quote(str(folder / of))} /{place} || exit 99" for place, of in places.items())

    def state(self) -> dict[str, str]:
        return {name: (self.folder / name).read_text().splitlines()[0] for name in FILES}

    def prepared(self) -> dict[str, str]:
        return {**FILES, **SET}

    def command(self, *args: object, before: str = ":", namespaces: tuple[str, ...] = ()) -> list[str]:
        inside = f"{self.mounts}; {before}; exec \"$@\""
        return ["unshare", "--mount", *namespaces, "sh", "-c", inside, "sh", binary(), "doctor", "--prepare", *map(str, args)]

    def run(self, *args: object, before: str = ":", namespaces: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*args, before=before, namespaces=namespaces), stdin=subprocess.DEVNULL, capture_output=True,
                              encoding="utf-8", timeout=60, check=False)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    if os.geteuid() != 0:
        pytest.skip("needs root: it sets the machine")
    if not shutil.which("unshare"):
        pytest.skip("no unshare: util-linux is not installed")
    made = Machine(tmp_path / "machine")
    probe = subprocess.run(["unshare", "--mount", "sh", "-c", made.mounts], capture_output=True, encoding="utf-8", check=False)
    if probe.returncode:
        pytest.skip(f"no machine can be made up here: {probe.stderr.strip()}")
    return made


class Running:
    """One whose command sleeps."""

    def __init__(self, machine: Machine, *args: object) -> None:
        self.machine = machine
        self.started = machine.folder / "started"
        script = f"touch {shlex.quote(str(self.started))}; exec sleep 1000"
        self.process = subprocess.Popen(machine.command("--leave=thp", *args, "--", "sh", "-c", script), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", start_new_session=True)
        self.pid = self.process.pid
        wait_for(self.started.exists, 20, "the command")
        assert machine.state() == machine.prepared()

    def child(self, name: str) -> int | None:
        return next((pid for pid, (parent, comm) in processes().items() if parent == self.pid and comm == name), None)

    def watcher(self, but: int = 0) -> int:
        def another() -> int | None:
            pid = self.child("nsbench-watcher")
            return pid if pid != but else None
        return wait_for(another, 20, "a watcher")

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Signals nsbench, and waits until nobody has its standard error: what it and its watcher have said."""
        os.kill(self.pid, number)
        _, said = self.process.communicate(timeout=30)
        return self.process.returncode, said


def test_it_is_set_for_the_command_and_put_back(machine):
    show = "; ".join(f"head -n 1 /{name}" for name in FILES)
    done = machine.run("--leave=thp", "--", "sh", "-c", f"{show}; exit 7")
    assert done.returncode == 7, done.stderr
    assert dict(zip(FILES, done.stdout.splitlines(), strict=True)) == machine.prepared()
    assert machine.state() == FILES
    said = [" ".join(line.split()) for line in done.stderr.splitlines()]
    for line in ("set governor powersave → performance", "set rcu_expedited 1 → 0", "set smt 1 → 0", "put back irq_affinity 2"):
        assert line in said, done.stderr
    assert any(line.startswith("set irq_affinity 2 of them: ") for line in said), done.stderr
    assert any(line.startswith("not set cpuset no cpusets") for line in said), done.stderr


def test_nsbench_need_not_be_on_the_path(machine):
    done = machine.run("--", "nsbench", "--version", before="PATH=/nothing")
    assert done.returncode == 0 and done.stdout.startswith("nsbench "), done.stderr
    other = machine.run("--", "nsbenchh", before="PATH=/nothing")
    assert other.returncode == 127 and "nsbenchh" in other.stderr


def test_what_cannot_be_set_is_named(machine):
    governor = "/sys/devices/system/cpu/cpufreq/policy0/scaling_governor"
    done = machine.run("--", "cat", governor, before=f"mount --bind {governor} {governor}; mount -o remount,bind,ro {governor}")
    assert (done.returncode, done.stdout) == (0, "powersave\n"), done.stderr
    assert "EROFS" in done.stderr
    assert "changes every time with it" in done.stderr  # why it would have been set
    assert machine.state()["sys/kernel/rcu_normal"] == "1"


def test_a_state_that_is_not_taken_is_put_back_at_once(machine):
    """The made-up file of THP has no brackets any more when it was written to, as where the kernel does not take it."""
    done = machine.run("--", "head", "-n", "1", "/sys/kernel/mm/transparent_hugepage/enabled")
    assert done.stdout == "always\n", done.stderr
    assert "it reads" in done.stderr


def test_nsbench_is_killed(machine):
    running = Running(machine)
    command = wait_for(lambda: running.child("sleep"), 20, "the command's program")
    code, said = running.end(signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert "its watcher puts the machine back" in said
    assert machine.state() == FILES
    wait_for(lambda: command not in processes(), 20, "the command's end")


def test_the_watcher_is_killed(machine):
    running = Running(machine)
    first = running.watcher()
    os.kill(first, signal.SIGKILL)
    running.watcher(but=first)
    assert machine.state() == machine.prepared()
    code, said = running.end()
    assert code == 128 + signal.SIGTERM, said
    assert "another one takes its place" in said
    assert machine.state() == FILES


def test_one_after_the_other_is_killed(machine):
    running = Running(machine)
    first = running.watcher()
    os.kill(first, signal.SIGKILL)
    running.watcher(but=first)
    running.end(signal.SIGKILL)
    assert machine.state() == FILES


def test_nsbench_is_killed_at_any_moment(machine):
    """Also while it sets, or puts back."""
    for moment in range(20):
        process = subprocess.Popen(machine.command("--leave=thp", "--", "true"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, encoding="utf-8")
        time.sleep(moment / 1000)
        process.kill()
        process.communicate(timeout=30)
        assert machine.state() == FILES, moment


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_watcher_minds_no_signal(machine, number):
    running = Running(machine)
    os.kill(running.watcher(), number)
    running.end(signal.SIGKILL)
    assert machine.state() == FILES


def test_ctrl_c(machine):
    running = Running(machine)
    os.killpg(running.pid, signal.SIGINT)
    _, said = running.process.communicate(timeout=30)
    assert running.process.returncode == 128 + signal.SIGINT, said
    assert machine.state() == FILES


def test_what_somebody_else_has_set_is_left_alone(machine):
    done = machine.run("--leave=thp", "--", "sh", "-c", "echo 2 >/sys/kernel/rcu_normal")
    assert done.returncode == 0
    assert machine.state() == {**FILES, "sys/kernel/rcu_normal": "2"}
    assert "/sys/kernel/rcu_normal: somebody made it 2 meanwhile; it was 1" in done.stderr


@pytest.mark.parametrize(("command", "code", "word"), [
    (["/no/such/program"], 127, "ENOENT"), (["/etc/passwd"], 126, "EACCES"), (["sh", "-c", "kill -9 $$"], 137, ""),
    (["false"], 1, "")])
def test_exit_codes(machine, command, code, word):
    done = machine.run("--leave=thp", "--", *command)
    assert done.returncode == code, done.stderr
    assert word in done.stderr
    assert machine.state() == FILES


def test_one_at_a_time(machine):
    done = machine.run("--leave=thp", "--", binary(), "doctor", "--prepare", "--", "echo", "inside")
    assert done.returncode == 3
    assert "inside" not in done.stdout
    assert "another one is at work" in done.stderr
    assert machine.state() == FILES


def test_the_worker_of_rcu_is_kept_on_the_measuring_cpu():
    """The machine's own: it is back where it may run when the command has ended, or was killed with nsbench."""
    worker = rcu_worker()
    if os.geteuid() != 0 or not worker:
        pytest.skip("needs root, and a kernel that has a thread for expedited grace periods")
    before = os.sched_getaffinity(worker)
    if before == {CPU}:
        pytest.skip("it may run on that CPU alone")
    try:
        os.sched_setaffinity(worker, before)
    except OSError as error:
        pytest.skip(f"it cannot be moved here: {error}")
    others = "governor,turbo,thp,rcu_normal,rcu_expedited,irq_affinity,cpuset,smt"
    command = (binary(), "doctor", "--prepare", f"--leave={others}", "--", "sh", "-c",
               f"grep -w Cpus_allowed_list /proc/{worker}/status; read line")
    for number in (None, signal.SIGKILL):
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              encoding="utf-8") as process:
            assert process.stdout is not None
            assert process.stdout.readline().split() == ["Cpus_allowed_list:", str(CPU)]
            if number:
                process.send_signal(number)
            _, said = process.communicate("\n", timeout=30)
        assert os.sched_getaffinity(worker) == before, said


def test_what_is_left_out_stays(machine):
    done = machine.run("--leave=thp,smt", "--leave", "irq_affinity", "--", "cat", "/proc/irq/8/smp_affinity_list")
    assert done.stdout == f"{CPU}\n", done.stderr
    assert "irq_affinity" not in done.stderr


def test_no_thread_is_told_by_the_numbers_of_another_pid_namespace(machine):
    done = machine.run("--leave=thp", "--", "cat", f"/sys/devices/system/cpu/cpu{SIBLING}/online",
                       namespaces=("--pid", "--fork", "--kill-child"))
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
    assert "not set smt /proc; it is another pid namespace's" in " ".join(done.stderr.split())
    assert machine.state() == FILES


def test_needs_root(tmp_path):
    if os.geteuid() == 0 and not os.access(binary(), os.X_OK):
        pytest.skip("an ordinary user cannot run it")
    done = as_user(tmp_path, binary(), "doctor", "--prepare", "--", "echo", "inside")
    if done.returncode == 127 or "Permission denied" in done.stderr:
        pytest.skip(f"an ordinary user cannot run it: {done.stderr.strip()}")
    assert (done.returncode, done.stdout) == (3, "")
    assert_one_line(done.stderr)
    assert "sudo nsbench doctor --prepare" in done.stderr


@pytest.mark.parametrize(("args", "word"), [
    (("--prepare",), "the command is missing"), (("--", "true"), "--prepare"), (("--leave=thp",), "--prepare"),
    (("--prepare", "--leave=tph", "--", "true"), "thp"), (("--prepare", "--cpu=any", "--", "true"), "one CPU"),
    (("--prepare", "true"), "behind --")])
def test_wrong_use(args, word):
    done = run("doctor", *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert_one_line(done.stderr)
    assert word in done.stderr
