"""A Slurm of its own on this machine: slurmctld and two slurmd, each node in uts, pid and mount namespaces, for the tests of engines."""
import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

NODES = ("node1", "node2")
START = 60  # seconds
SILENCE = 10  # seconds after which a node that does not answer is down, and its jobs are queued again
PROGRAMS = {"slurmctld": "slurmctld", "slurmd": "slurmd", "sbatch": "slurm-client", "sinfo": "slurm-client"}


def missing() -> str | None:
    """Why there can be no Slurm here."""
    for program, package in PROGRAMS.items():
        if not shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin"):
            return f"{program} is missing: apt-get install {package}"
    return "Slurm's daemons and namespaces for them need root" if os.geteuid() else None


def ports(count: int) -> list[int]:
    """Free ones."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return found


def settings(folder: Path) -> str:
    """slurm.conf: one CPU a node, no authentication but that of this machine."""
    control, first, second = ports(3)
    lines = [
        "ClusterName=nsbench", f"SlurmctldHost={socket.gethostname()}(127.0.0.1)", f"SlurmctldPort={control}", "AuthType=auth/none",
        "CredType=cred/none", "SlurmUser=root", "SlurmdUser=root", f"StateSaveLocation={folder}/state", f"SlurmdSpoolDir={folder}/%n",
        f"SlurmctldPidFile={folder}/ctld.pid", f"SlurmdPidFile={folder}/%n.pid", "ProctrackType=proctrack/linuxproc",
        "TaskPlugin=task/none", "SwitchType=switch/none", "MpiDefault=none", "SelectType=select/cons_tres", "SelectTypeParameters=CR_CPU",
        "SlurmdParameters=config_overrides", f"SlurmdTimeout={SILENCE}", "JobRequeue=1", "ReturnToService=2", "MinJobAge=300",
        "SchedulerParameters=sched_interval=2,batch_sched_delay=0", f"SlurmctldLogFile={folder}/ctld.log", f"SlurmdLogFile={folder}/%n.log",
        *(f"NodeName={name} NodeHostname={name} NodeAddr=127.0.0.1 Port={port} CPUs=1 RealMemory=1"
          for name, port in zip(NODES, (first, second))),
        f"PartitionName=all Nodes={','.join(NODES)} Default=YES MaxTime=INFINITE State=UP"]
    return "\n".join([*lines, ""])


@dataclass
class Slurm:
    """Its folder, and the process of each node, whose end ends all in its pid namespace."""

    folder: Path
    nodes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": f"{os.environ['PATH']}:/usr/sbin"}

    def start(self, *command: str) -> "subprocess.Popen[bytes]":
        with open(self.folder / f"{Path(command[0]).name}.out", "ab") as out:
            return subprocess.Popen(command, env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def states(self) -> list[str]:
        """What sinfo says of each node."""
        done = subprocess.run(["sinfo", "--noheader", "--Node", "--format=%T"], env=self.environment, capture_output=True, text=True)
        return done.stdout.split()

    def kill(self, name: str) -> None:
        """The node dies, with all that runs on it."""
        self.nodes[name].kill()
        self.nodes[name].wait()


@contextlib.contextmanager
def slurm(folder: Path) -> Iterator[Slurm]:
    """One that runs, and has ended afterwards. AssertionError, with the daemons' logs, where its nodes do not come up."""
    for name in ("state", *NODES):
        (folder / name).mkdir(parents=True)
    (folder / "slurm.conf").write_text(settings(folder))
    one = Slurm(folder)
    control = one.start("slurmctld", "-D")
    try:
        for name in NODES:
            # The death of unshare, which waits for the pid namespace's first process, kills that and so all in it.
            one.nodes[name] = one.start("unshare", "--uts", "--pid", "--mount-proc", "--fork", "--kill-child=KILL", "sh", "-c",
                                        f"hostname {name} && exec slurmd -D -N {name}")
        end = time.monotonic() + START
        while one.states() != ["idle", "idle"]:
            if time.monotonic() > end:
                logs = "\n".join(f"{path.name}: {path.read_text(errors='replace')[-2000:]}"
                                 for path in sorted([*folder.glob("*.log"), *folder.glob("*.out")]))
                raise AssertionError(f"the nodes are {one.states()}\n{logs}")
            time.sleep(0.5)
        yield one
    finally:
        for process in (*one.nodes.values(), control):
            process.kill()
            process.wait()
