"""Where results go: files that appear whole or not at all, and nobody else decides where they lead.

The same rules as nsbench's own outputs have (src/sys/place.h, src/sys/file.h).
"""
import contextlib
import errno
import os
import secrets
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

Made = TypeVar("Made")
PART = ".part-"
MOST_LINKS = 40  # MAXSYMLINKS
LIST = "system.posix_acl_access"


@dataclass
class Place:
    """A name in a folder that is held open: `found` is what has that name, if anything has; or a descriptor of this process.
    Without a name it is the folder itself."""

    folder: int = -1
    name: str = ""
    found: os.stat_result | None = None
    by_kernel: bool = False
    descriptor: int = -1

    @property
    def in_place(self) -> bool:
        """Whether it is written to as it is: a device, a pipe, what is open."""
        return self.by_kernel or (self.found is not None and not stat.S_ISREG(self.found.st_mode))


def _refusal(path: Path, what: str) -> OSError:
    return OSError(errno.EACCES, what, str(path))


def _may_be_several(user: int) -> bool:
    """Whether different users may all look like this one: those without an id in a user namespace do."""
    with contextlib.suppress(OSError):
        return (int(Path("/proc/sys/kernel/overflowuid").read_text()) == user
                and not Path("/proc/self/uid_map").read_text().endswith(" 4294967295\n"))
    return False


def sudo_caller() -> tuple[int, int] | None:
    """User and group of who called sudo: src/sys/caller.h."""
    ids = [os.environ.get(name, "") for name in ("SUDO_UID", "SUDO_GID")]
    if os.geteuid() or not all(text.isascii() and text.isdecimal() and int(text) < 2**32 - 1 for text in ids) or not int(ids[0]):
        return None
    with contextlib.suppress(OSError):  # in a user namespace ids stand for others
        if Path("/proc/self/uid_map").read_text().endswith(" 4294967295\n"):
            return int(ids[0]), int(ids[1])
    return None


def _is_caller(user: int) -> bool:
    """Whether that is sudo's caller."""
    caller = sudo_caller()
    return caller is not None and user == caller[0]


def _give_to_caller(made: int, folder: int) -> None:
    """Gives what was just made in a folder to sudo's caller, where they could have made it themselves."""
    caller, around = sudo_caller(), os.fstat(folder)
    if caller is None:
        return
    is_groups = around.st_mode & stat.S_IWGRP and around.st_gid == caller[1]
    if around.st_uid == caller[0] or around.st_mode & stat.S_IWOTH or is_groups:
        with contextlib.suppress(OSError):
            os.chown(f"/proc/self/fd/{made}", caller[0], -1 if around.st_mode & stat.S_ISGID else caller[1])


def _check(path: Path, name: str, folder: os.stat_result, found: os.stat_result) -> None:
    """OSError for a link or a pipe of somebody else in a folder that others can write to, unless it is the folder's owner's."""
    if not folder.st_mode & (stat.S_IWOTH | stat.S_IWGRP) or found.st_uid == os.geteuid():
        return
    if found.st_uid == folder.st_uid and not _may_be_several(found.st_uid):
        return
    is_link = stat.S_ISLNK(found.st_mode)
    raise _refusal(path, f"{name} is {'a link' if is_link else 'a pipe'} of user {found.st_uid} in a folder that others can "
                         f"write to: it is not {'followed' if is_link else 'written to'}; name a file of your own")


def _walk(path: Path, make: int, stack: contextlib.ExitStack) -> Place:
    """Where the path leads, component by component; folders that are missing are made where there is a mode for them."""
    def opened(name: str, flags: int, at: int | None = None) -> int:
        handle = os.open(name, flags | os.O_CLOEXEC, dir_fd=at)
        stack.callback(os.close, handle)
        return handle

    rest, links = os.fspath(path), 0
    folder = opened("/" if rest.startswith("/") else ".", os.O_PATH | os.O_DIRECTORY)
    while rest := rest.lstrip("/"):
        name, slash, rest = rest.partition("/")
        last = not rest.strip("/")
        try:
            handle = opened(name, os.O_PATH | os.O_NOFOLLOW, folder)
        except FileNotFoundError:
            if make:
                made = False
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, make, dir_fd=folder)
                    made = True
                handle = opened(name, os.O_PATH | os.O_NOFOLLOW, folder)
                # Whoever may write to the folder may have put another one there by now: that one is not given away.
                if made and os.fstat(handle).st_uid == os.geteuid() and not os.listdir(f"/proc/self/fd/{handle}"):
                    _give_to_caller(handle, folder)
            elif last and not slash:
                return Place(folder, name)
            else:
                raise
        found = os.fstat(handle)
        if stat.S_ISLNK(found.st_mode):
            links += 1
            if links > MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            if not os.path.ismount("/proc") or found.st_dev != os.stat("/proc").st_dev:
                _check(path, name, os.fstat(folder), found)
                rest = os.readlink("", dir_fd=handle) + slash + rest
                if rest.startswith("/"):
                    folder = opened("/", os.O_PATH | os.O_DIRECTORY)
                continue
            # The kernel's own: nobody plants these, and what they stand for may have no name.
            if last and os.path.samestat(os.fstat(folder), os.stat("/proc/self/fd")):
                return Place(descriptor=int(name))
            handle = opened(name, os.O_PATH, folder)
            found = os.fstat(handle)
            if not stat.S_ISDIR(found.st_mode) and not slash:
                return Place(folder, name, found, by_kernel=True)
        elif not stat.S_ISDIR(found.st_mode) and not slash:
            if not stat.S_ISREG(found.st_mode):
                _check(path, name, os.fstat(folder), found)
            return Place(folder, name, found)
        if not stat.S_ISDIR(found.st_mode):
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        folder = handle
    return Place(folder)


@contextlib.contextmanager
def _place(path: Path, make: int = 0) -> Iterator[Place]:
    """Where the path leads. An OSError from here on names it."""
    try:
        with contextlib.ExitStack() as stack:
            yield _walk(path, make, stack)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def _file(place: Place) -> None:
    if place.descriptor < 0 and not place.name:
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))


def _new(make: Callable[[str], Made]) -> tuple[str, Made]:
    """A name that nobody has, and what `make` has made under it."""
    while True:
        name = PART + secrets.token_hex(4)
        with contextlib.suppress(FileExistsError):
            return name, make(name)


def _take_access(handle: int, place: Place) -> None:
    """Owner, mode and access control list of what is replaced: the new file is no more open to anybody."""
    found, own = place.found, os.fstat(handle)
    if not found:
        return
    mode = stat.S_IMODE(found.st_mode) & 0o777
    with contextlib.suppress(OSError):  # an ordinary user cannot give a file away: it is theirs then
        os.fchown(handle, found.st_uid, -1)
    try:
        if own.st_gid != found.st_gid:
            os.fchown(handle, -1, found.st_gid)
    except OSError:  # another group was among the others, and the others may have been in that group
        both = mode >> 3 & mode & 7
        mode = mode & 0o700 | both << 3 | both
    try:
        old = os.open(place.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place.folder)
        try:
            acl = os.getxattr(f"/proc/self/fd/{old}", LIST)
        finally:
            os.close(old)
        try:
            os.setxattr(handle, LIST, acl)
        except OSError:
            mode &= 0o700
    except OSError:
        with contextlib.suppress(OSError):
            os.removexattr(handle, LIST)  # what it has from its folder
    with contextlib.suppress(OSError):
        os.fchmod(handle, mode)


def _write(handle: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest):]


@contextlib.contextmanager
def _temporary(place: Place) -> Iterator[tuple[str, int]]:
    """A new file beside that place, which is removed if it is still there afterwards."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    name, handle = _new(lambda new: os.open(new, flags, 0o600 if place.found else 0o666, dir_fd=place.folder))
    try:
        yield name, handle
    finally:
        os.close(handle)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=place.folder)


def _open_in_place(place: Place) -> int:
    handle = os.open(place.name, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY | (0 if place.by_kernel else os.O_NOFOLLOW),
                     dir_fd=place.folder)
    if not place.found or not os.path.samestat(os.fstat(handle), place.found):
        os.close(handle)
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
    return handle


def replace(path: Path, data: bytes) -> None:
    """Puts a file of these bytes in the place of `path`. OSError, with the path, where that cannot be."""
    with _place(path) as place:
        _file(place)
        if place.descriptor >= 0:
            sys.stdout.flush()
            _write(place.descriptor, data)
        elif place.in_place:
            handle = _open_in_place(place)
            try:
                _write(handle, data)
            finally:
                os.close(handle)
        else:
            with _temporary(place) as (name, handle):
                _write(handle, data)
                _take_access(handle, place)
                os.rename(name, place.name, src_dir_fd=place.folder, dst_dir_fd=place.folder)
                if not place.found:  # not before: what is theirs they may rename, in a sticky folder, too
                    _give_to_caller(handle, place.folder)


def check(path: Path) -> None:
    """OSError, with the path, where replace() could not: found out before the work rather than after it."""
    with _place(path) as place:
        _file(place)
        if place.descriptor >= 0:
            os.fstat(place.descriptor)
        elif place.in_place:
            if not os.access(place.name, os.W_OK, dir_fd=place.folder, effective_ids=True):
                raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        else:
            with _temporary(place):
                pass
            if place.found:  # by a rename to a folder's name, which fails for this reason alone where nothing forbids it
                name, _ = _new(lambda new: os.mkdir(new, 0o700, dir_fd=place.folder))
                try:
                    with contextlib.suppress(IsADirectoryError):
                        os.rename(place.name, name, src_dir_fd=place.folder, dst_dir_fd=place.folder)
                finally:
                    os.rmdir(name, dir_fd=place.folder)


def own_folder(path: Path, mode: int = 0o777) -> None:
    """Makes the folder, of that mode, if it is missing. OSError, with the path, where it belongs to somebody else, or is reached by a link
    that somebody else may have put there."""
    with _place(path, make=mode) as place:
        if place.name or place.descriptor >= 0:
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        owner = os.fstat(place.folder).st_uid
        if owner not in (os.geteuid(), 0) and not _is_caller(owner):
            raise _refusal(path, f"this folder belongs to user {owner}, who could change what is written there: name one of your own")


def no_link(path: str, flags: int) -> int:
    """For open(): the file itself, or OSError where a link is there."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


def as_utf8(text: str) -> str:
    """A name of any bytes as it may be shown and written: a byte that is no UTF-8 is U+FFFD and its hexadecimal digits, as in
    nsbench's own files (src/core/utf8.h)."""
    return "".join(f"\ufffd{ord(c) - 0xDC00:02X}" if "\udc80" <= c <= "\udcff" else c for c in text)
