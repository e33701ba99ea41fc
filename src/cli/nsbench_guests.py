"""What tests in guests have in common: a script is carried out in a guest of a kernel, and what it left in /tmp/out comes back."""
import pytest

from lab import guest, images, initramfs, packages
from lab.errors import LabError


def sent_by(series: str, script: str, seconds: int) -> dict[str, bytes]:
    """The files that `measure`, which the script defines, left in /tmp/out of a guest of the newest kernel of that series: name →
    bytes. The guest has that many seconds of real time. Skips with the reason where a kernel, QEMU or an image cannot be had."""
    try:
        packages.find([series])
        guest.qemu_version()
        image = images.images([series])[0].path
    except LabError as error:
        pytest.skip(str(error))
    machine = guest.Machine("tcg", "", 512, seconds)
    return guest.carry_out(machine, image, machine.initrd("run", base=initramfs.base(), more=script))
