#include "sys/mount.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/syscall.h>

// <sys/mount.h> and <linux/mount.h> of Debian 12 define the same enumerators, so only the latter is included.
extern "C" int mount(const char* source, const char* target, const char* type, unsigned long flags,
                     const void* data);

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

tl::expected<Fd, protocol::Failure> mount_detached(const char* filesystem, const char* key,
                                                   const char* value) {
    const auto failed = [](Call call) { return tl::unexpected(protocol::Failure{call, errno}); };
    Result<Fd> context = Fd::own(syscall(SYS_fsopen, filesystem, FSOPEN_CLOEXEC));
    if (!context) return failed(Call::fsopen);
    if (key != nullptr && syscall(SYS_fsconfig, context->get(), FSCONFIG_SET_STRING, key, value, 0) != 0) {
        return failed(Call::fsconfig);
    }
    if (syscall(SYS_fsconfig, context->get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
        return failed(Call::fsconfig);
    }
    Result<Fd> mount = Fd::own(syscall(SYS_fsmount, context->get(), FSMOUNT_CLOEXEC,
                                       MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
    if (!mount) return failed(Call::fsmount);
    return std::move(*mount);
}

Result<int> attach_mount(const Fd& mount, const char* path) {
    return checked(
        static_cast<int>(syscall(SYS_move_mount, mount.get(), "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH)));
}

}  // namespace nsb::sys
