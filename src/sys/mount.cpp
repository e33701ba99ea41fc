#include "sys/mount.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/syscall.h>

// <sys/mount.h> and <linux/mount.h> of Debian 12 define the same enumerators, so only the latter is included.
extern "C" int mount(const char* source, const char* target, const char* type, unsigned long flags,
                     const void* data);
extern "C" int umount2(const char* target, int flags);
constexpr int kDetach = 2;  // MNT_DETACH

namespace nsb::sys {

Result<int> make_mounts_private() {
    return checked(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr));
}

Result<int> mount_proc(const char* path, const char* options) {
    return checked(::mount("proc", path, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, options));
}

Result<int> mount_tmpfs(const char* path, Devices devices) {
    const unsigned long flags = MS_NOSUID | (devices == Devices::no ? MS_NODEV : 0U);
    return checked(::mount("tmpfs", path, "tmpfs", flags, "mode=755"));
}

using protocol::Call;

namespace {

using protocol::Failure;

// Of <linux/mount.h>, which Debian 12 has of an earlier kernel.
constexpr unsigned kOpenTreeNamespace = 1U << 1U;  // OPEN_TREE_NAMESPACE, Linux 7.0
constexpr unsigned kFsmountNamespace = 1U << 1U;   // FSMOUNT_NAMESPACE, Linux 7.1

constexpr unsigned kOfPrograms = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

/// A file system that is not mounted yet.
tl::expected<Fd, Failure> make_filesystem(const char* filesystem, const char* key, const char* value) {
    const auto failed = [](Call call) { return tl::unexpected(Failure{call, errno}); };
    Result<Fd> context = Fd::own(syscall(SYS_fsopen, filesystem, FSOPEN_CLOEXEC));
    if (!context) return failed(Call::fsopen);
    if (key != nullptr && syscall(SYS_fsconfig, context->get(), FSCONFIG_SET_STRING, key, value, 0) != 0) {
        return failed(Call::fsconfig);
    }
    if (syscall(SYS_fsconfig, context->get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
        return failed(Call::fsconfig);
    }
    return std::move(*context);
}

}  // namespace

tl::expected<Fd, Failure> mount_detached(const char* filesystem, const char* key, const char* value) {
    const auto context = make_filesystem(filesystem, key, value);
    if (!context) return tl::unexpected(context.error());
    Result<Fd> mount =
        Fd::own(syscall(SYS_fsmount, context->get(), FSMOUNT_CLOEXEC, kOfPrograms | MOUNT_ATTR_NOEXEC));
    if (!mount) return tl::unexpected(Failure{Call::fsmount, mount.error()});
    return std::move(*mount);
}

Result<int> attach_mount(const Fd& mount, const char* path) {
    return checked(
        static_cast<int>(syscall(SYS_move_mount, mount.get(), "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH)));
}

Result<Fd> copy_tree(const char* path) {
    return Fd::own(
        syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
}

Result<Fd> copy_tree_to_namespace(const char* path, int folder) {
    const unsigned at = *path == '\0' ? AT_EMPTY_PATH : 0;
    return Fd::own(
        syscall(SYS_open_tree, folder, path, kOpenTreeNamespace | OPEN_TREE_CLOEXEC | AT_RECURSIVE | at));
}

tl::expected<Fd, Failure> make_tmpfs() {
    return make_filesystem("tmpfs", "mode", "755");
}

Result<Fd> mount_new(const Fd& filesystem) {
    return Fd::own(syscall(SYS_fsmount, filesystem.get(), FSMOUNT_CLOEXEC, kOfPrograms));
}

Result<Fd> mount_as_namespace(const Fd& filesystem) {
    return Fd::own(syscall(SYS_fsmount, filesystem.get(), FSMOUNT_CLOEXEC | kFsmountNamespace, kOfPrograms));
}

Failure change_root(const char* path, bool may_move) {
    if (chdir(path) != 0) return {Call::chdir, errno};
    if (syscall(SYS_pivot_root, ".", ".") == 0) {
        if (umount2(".", kDetach) != 0) return {Call::umount, errno};
    } else if (errno == EINVAL && may_move) {
        if (::mount(".", "/", nullptr, MS_MOVE, nullptr) != 0) return {Call::pivot_root, errno};
        if (chroot(".") != 0) return {Call::pivot_root, errno};
    } else {
        return {Call::pivot_root, errno};
    }
    if (chdir("/") != 0) return {Call::chdir, errno};
    return {};
}

Failure cover_root(const Fd& mount) {
    if (const auto attached = attach_mount(mount, "/"); !attached)
        return {Call::move_mount, attached.error()};
    // A path that begins at / does not go up to what is mounted over it.
    if (fchdir(mount.get()) != 0) return {Call::chdir, errno};
    if (chroot(".") != 0) return {Call::chroot, errno};
    return {};
}

}  // namespace nsb::sys
