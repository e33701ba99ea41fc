"""Modules for guests: those that cases need, with what these depend on, from the Debian packages of the very kernel.

A guest has none otherwise: a loaded module is one more subsystem of each net namespace, and would move other cases' figures. So
they are loaded only where all cases of a run need them, at boot, before the machine is saved.
"""
import lzma
import re
import stat
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from lab import initramfs, orders, packages
from lab.errors import FAILED, IMPOSSIBLE, LabError
from lab.images import Image

NEEDS = {"veth": ("bridge", "veth")}  # by operation
FOLDER = "lab/modules"
# Shell text for /init: in the order of their names, each behind what it depends on.
LOAD = f"""for module in /{FOLDER}/*.ko; do
    insmod "$module" || {{ echo "lab: $module could not be loaded"; poweroff -f; }}
done
"""
DEPENDS = re.compile(rb"\0depends=([\w,-]*)\0")  # of the section .modinfo
PACKAGES = ("linux-modules-{release}", "{package}")  # which has them: from 7.x on the former


def needed(cases: Iterable[str]) -> tuple[str, ...]:
    """The modules for these cases: nothing where not all of them need some."""
    operations = {case.split("/")[0] for case in cases}
    if not operations or not operations <= NEEDS.keys():
        return ()
    return tuple(sorted({name for operation in operations for name in NEEDS[operation]}))


def of_run(image: Image, options: list[str]) -> tuple[str, ...]:
    """The modules that the guest brings. A kernel of one's own brings none, and a plan of which only some cases need some: these
    cases are then skipped, and a line says so."""
    if not any(name in option for option in options for name in NEEDS):  # no default plan has these operations
        return ()
    cases = orders.plan(options).every
    names = needed(cases)
    some = sorted({case.split("/")[0] for case in cases} & NEEDS.keys())
    if some and not names:
        print(f"lab: {', '.join(some)} needs modules, which would change the other cases' figures: without --op={','.join(some)} alone "
              "there are none", file=sys.stderr)
    if names and image.package is None:
        print(f"lab: {image.name}: a kernel of one's own has no package with modules: {', '.join(names)} must be built in", file=sys.stderr)
        return ()
    return names


def unpacked(path: Path) -> bytes:
    """A module as the kernel takes it."""
    if path.suffix == ".xz":
        return lzma.decompress(path.read_bytes())
    if path.suffix == ".ko":
        return path.read_bytes()
    raise LabError(f"{path.name}: a module packed in a way that the lab does not know", FAILED)


def in_order(found: dict[str, Path], wanted: Iterable[str]) -> dict[str, bytes]:
    """These modules and all that they depend on, each behind what it depends on. LabError for one that is missing."""
    taken: dict[str, bytes] = {}

    def take(name: str) -> None:
        if name in taken:
            return
        if name not in found:
            raise LabError(f"the kernel's packages have no module {name}", IMPOSSIBLE)
        data = unpacked(found[name])
        match = DEPENDS.search(data)
        for other in match[1].decode().split(",") if match and match[1] else ():
            take(other.replace("-", "_"))
        taken[name] = data

    for name in wanted:
        take(name)
    return taken


def _download(kernel: packages.Kernel, into: Path) -> Path:
    """Unpacks the package that has the kernel's modules, and returns where."""
    names = [name.format(release=kernel.release, package=kernel.package) for name in PACKAGES]
    options = packages.Apt().options
    package = next((name for name in names if packages.call("apt-cache", *options, "show", f"{name}={kernel.version}").returncode == 0),
                   names[-1])
    packages.run("dpkg-deb", "-x", packages.download(f"{package}={kernel.version}", into), into / "files")
    return into / "files"


def fetch(image: Image, names: tuple[str, ...]) -> list[Path]:
    """The files of these modules in the order of loading, in the cache. LabError where they cannot be had."""
    kernel = image.kernel
    if kernel is None:
        raise LabError(f"{image.name}: a kernel of one's own has no package with modules: build {', '.join(names)} into it", IMPOSSIBLE)
    folder = kernel.image.parent / f"modules-{'+'.join(names)}"
    if not folder.exists():
        with packages.full(), packages.locked(), tempfile.TemporaryDirectory(dir=packages.cache(), prefix="part-") as part:
            found = {path.name.split(".")[0].replace("-", "_"): path for path in _download(kernel, Path(part)).rglob("*.ko*")}
            ready = Path(part) / "ready"
            ready.mkdir()
            for number, (name, data) in enumerate(in_order(found, names).items()):
                (ready / f"{number:02}-{name}.ko").write_bytes(data)
            if not folder.exists():
                ready.rename(folder)
    return sorted(folder.glob("*.ko"))


def archive(image: Image, names: tuple[str, ...]) -> bytes:
    """For the guest's initramfs; empty where there are none."""
    return initramfs.archive({f"{FOLDER}/{path.name}": (stat.S_IFREG | 0o644, path.read_bytes())
                              for path in fetch(image, names)}) if names else b""
