"""How hostile surroundings are made, in a stage of their own (faults.stage): one function for each way."""
import ctypes
import errno
import os
import re
import resource
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from faults.stage import Stage, mount
from lab import initramfs

Make = Callable[[Stage], None]
_LIBC = ctypes.CDLL(None, use_errno=True)
ALONE = 61234  # a user who has no processes
NOBODY = 65534
STATIC = "nsbench-static"  # where scripts/static has made it
_NEWNS, _DETACH = 0x00020000, 2  # CLONE_NEWNS, MNT_DETACH


def both(*ways: Make) -> Make:
    """One after the other."""
    def make(stage: Stage) -> None:
        for way in ways:
            way(stage)
    return make


def limit(which: int, value: int) -> Make:
    """A resource limit of nsbench and of its children."""
    return lambda stage: stage.become.append(lambda: resource.setrlimit(which, (value, value)))


def user(number: int = NOBODY) -> Make:
    """An ordinary user, without capabilities. OSError where such a one cannot make user namespaces."""
    words = ["setpriv", f"--reuid={number}", f"--regid={number}", "--clear-groups", "--inh-caps=-all"]

    def make(stage: Stage) -> None:
        if subprocess.run([*words, "unshare", "-U", "true"], check=False, stderr=subprocess.DEVNULL).returncode:
            raise OSError(0, "an ordinary user cannot make user namespaces here")
        stage.prefix += words
        stage.fill(number)
    return make


def started_by(*words: str) -> Make:
    """These words before nsbench's. OSError where the program is missing."""
    def make(stage: Stage) -> None:
        if not shutil.which(words[0]):
            raise OSError(0, f"{words[0]} is not installed")
        stage.prefix += words
    return make


def in_environment(**values: str) -> Make:
    """Variables."""
    return lambda stage: stage.environment.update(values)


def without(*capabilities: str, lenient: bool = False) -> Make:
    """Capabilities that nsbench cannot have. OSError where this process lacks one itself, unless it is `lenient`."""
    words = [f"--{where}={','.join(f'-{name}' for name in capabilities)}" for where in ("bounding-set", "inh-caps")]

    def make(stage: Stage) -> None:
        held = int(re.findall(r"^CapBnd:\s*(\w+)", Path("/proc/self/status").read_text(), re.M)[0], 16)
        names = all_capabilities()
        missing = [name for name in capabilities if not held & 1 << names.index(name)]
        if missing and not lenient:
            raise OSError(0, f"this process itself has no {', '.join(missing)}")
        stage.prefix += ["setpriv", *words]
    return make


def all_capabilities() -> list[str]:
    """Of this kernel and setpriv, in the order of their numbers."""
    shown = subprocess.run(["setpriv", "--list-caps"], stdout=subprocess.PIPE, encoding="utf-8", check=True).stdout.split()
    return shown[:int(Path("/proc/sys/kernel/cap_last_cap").read_text()) + 1]


def hidden(where: str, options: str = "mode=755,ro") -> Make:
    """An empty tmpfs in a folder's place."""
    return lambda _: mount("tmpfs", where, options)


def unmounted(where: str) -> Make:
    """Nothing in a mount's place, whatever is on it. OSError where something stays."""
    def make(_: Stage) -> None:
        done = subprocess.run(["umount", "-l", where], capture_output=True, encoding="utf-8", check=False)
        if done.returncode:
            raise OSError(0, done.stderr.strip())
    return make


def mounted(kind: str, where: str, options: str = "") -> Make:
    """Another one of that type over it."""
    return lambda _: mount(kind, where, options)


def mounted_below(where: str, kind: str, options: str) -> Make:
    """In a folder that is made for it."""
    def make(_: Stage) -> None:
        Path(where).mkdir()
        mount(kind, where, options)
    return make


def foreign_proc(_: Stage) -> None:
    """A pid namespace's that shows none of nsbench's processes."""
    done = subprocess.run(["unshare", "--pid", "--fork", "mount", "-t", "proc", "proc", "/proc"], capture_output=True,
                          encoding="utf-8", check=False)
    if done.returncode:
        raise OSError(0, done.stderr.strip())


def read_only(stage: Stage) -> None:
    """/, /var and all else but what is a mount of its own."""
    places = {"/", os.path.realpath(stage.folder)}
    mount("", stage.folder, "bind", str(stage.folder))
    for place in places:
        mount("", place, "remount,bind,ro")


def writable_out(stage: Stage) -> None:
    """A tmpfs where results go."""
    mount("tmpfs", stage.work, "mode=777")
    stage.fill()


def small_disk(kib: int) -> Make:
    """A tmpfs of that size where results go."""
    return lambda stage: mount("tmpfs", stage.work, f"mode=777,size={kib}k")


def unwritable_temporary(stage: Stage) -> None:
    """TMPDIR is a folder that cannot be written to, also by root."""
    mount("tmpfs", stage.folder / "tmp", "ro,mode=555")


def _root(stage: Stage, libraries: Iterable[Path], mounts: Iterable[str]) -> Path:
    """A folder to be the root, with nsbench and its sampler, and these."""
    root = stage.folder / "root"
    (root / "bin").mkdir(parents=True, exist_ok=True)
    for path in (stage.folder / "bin").iterdir():
        shutil.copy(path, root / "bin")
    for library in libraries:
        place = root / library.relative_to("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, place)
    for name in mounts:
        (root / name).mkdir()
        if name == "dev":
            mount("", root / name, "rbind", "/dev")
        else:
            mount(name, root / name)
    stage.work, stage.shown = root / "work", "/work"
    stage.fill()
    stage.program = f"/bin/{Path(stage.program).name}"
    stage.environment.pop("TMPDIR")
    return root


def scratch(stage: Stage) -> None:
    """As an image with no C library: the static nsbench, its sampler and a static shell in a root of their own. OSError where it was not
    made."""
    if not (stage.built / STATIC).exists():
        raise OSError(0, "no static nsbench here: scripts/static makes it")
    shell = shutil.which("busybox")
    if not shell or initramfs.libraries(Path(shell)):
        raise OSError(0, "busybox-static is not installed")
    stage.program = STATIC
    (stage.folder / "root").mkdir()
    mount("", stage.folder / "root", "bind", str(stage.folder / "root"))
    root = _root(stage, (), ("proc", "dev"))
    shutil.copy(stage.built / STATIC, root / "bin")
    shutil.copy(shell, root / "bin/sh")

    def become() -> None:
        os.chdir(root)
        if _LIBC.unshare(_NEWNS) or _LIBC.syscall(ADMINS["pivot_root"], b".", b".") or _LIBC.umount2(b".", _DETACH):
            raise OSError(ctypes.get_errno(), "pivot_root")
    stage.become.append(become)


def in_chroot(*mounts: str) -> Make:
    """A root with nsbench, its sampler and their libraries alone, and these: proc, dev."""
    def make(stage: Stage) -> None:
        root = _root(stage, initramfs.libraries(Path(stage.program)), mounts)

        def become() -> None:
            os.chroot(root)
            os.chdir("/")
        stage.become.append(become)
    return make


def streams_closed(*numbers: int) -> Make:
    """Standard input, output or error, which nsbench begins without."""
    def become() -> None:
        for number in numbers:
            os.close(number)
    return lambda stage: stage.become.append(become)


def terminal(rows: int, columns: int) -> Make:
    """Its output goes to one of that size."""
    def make(stage: Stage) -> None:
        stage.terminal = (rows, columns)
        stage.environment["TERM"] = "xterm-256color"
    return make


# seccomp filters: classic BPF, of x86-64's numbers

_LOAD, _EQUAL, _ANY, _ANSWER = 0x20, 0x15, 0x45, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_JMP|JSET|K, BPF_RET|K
_REFUSE, _ALLOW = 0x00050000, 0x7FFF0000
_NEW = 0x7E020000  # CLONE_NEW*, as Docker's profile masks clone(2)'s flags
CLONE, UNSHARE, CLONE3 = 56, 272, 435
# Which Docker's profile (moby/profiles, seccomp/default.json) refuses without CAP_SYS_ADMIN.
ADMINS = {"mount": 165, "umount2": 166, "pivot_root": 155, "sethostname": 170, "setdomainname": 171, "setns": 308, UNSHARE: UNSHARE,
          "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "mount_setattr": 442, "bpf": 321,
          "perf_event_open": 298, "statmount": 457, "listmount": 458}
# What Docker leaves a container of root's (daemon/pkg/oci/caps/defaults.go).
DOCKERS = ("chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap", "net_bind_service", "net_raw",
           "sys_chroot", "mknod", "audit_write", "setfcap")


def _refusing(number: int, error: int) -> list[tuple[int, int, int, int]]:
    return [(_EQUAL, 0, 1, number), (_ANSWER, 0, 0, _REFUSE | error)]


def _filtered(code: list[tuple[int, int, int, int]]) -> Make:
    text = b"".join(struct.pack("HBBI", *one) for one in [(_LOAD, 0, 0, 0), *code, (_ANSWER, 0, 0, _ALLOW)])

    def become() -> None:
        buffer = ctypes.create_string_buffer(text, len(text))
        program = struct.pack("HxxxxxxP", len(text) // 8, ctypes.addressof(buffer))
        if _LIBC.prctl(22, 2, program, 0, 0):  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_SECCOMP)")
    return lambda stage: stage.become.append(become)


def refusing_clone3(error: int) -> Make:
    """As a kernel without it, or a container runtime of some years ago."""
    return _filtered(_refusing(CLONE3, error))


def dockers_filter() -> Make:
    """Docker's default profile, of what makes namespaces: clone3 as if there were none, so that a C library uses clone, whose flags a
    filter sees; no namespaces, no mounts."""
    code = [one for number in ADMINS.values() for one in _refusing(number, errno.EPERM)] + _refusing(CLONE3, errno.ENOSYS)
    code += [(_EQUAL, 0, 3, CLONE), (_LOAD, 0, 0, 16), (_ANY, 0, 1, _NEW), (_ANSWER, 0, 0, _REFUSE | errno.EPERM)]
    return _filtered(code)


def dockers_capabilities() -> Make:
    """Those that Docker does not leave a container of root's, taken away."""
    def make(stage: Stage) -> None:
        kept = ",".join(f"+{name}" for name in DOCKERS)
        stage.prefix += ["setpriv", f"--bounding-set=-all,{kept}", "--inh-caps=-all"]
    return make
