#include "sys/privilege.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "core/failure.h"
#include "sys/fd.h"

namespace nsb::sys {

std::optional<Capabilities> held_capabilities() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
    if (syscall(SYS_capget, &header, data.data()) != 0) return std::nullopt;
    return Capabilities{data[1].effective} << 32U | data[0].effective;
}

bool can_open(std::size_t descriptors) {
    std::vector<Fd> opened;
    while (opened.size() < descriptors) {
        auto one = Fd::own(memfd_create("one-more", MFD_CLOEXEC));
        if (!one) return one.error() != EMFILE && one.error() != ENFILE;
        opened.push_back(std::move(*one));
    }
    return true;
}

std::string_view what_ails_proc() {
    struct statfs found {};
    const bool is_mounted = statfs("/proc", &found) == 0 && found.f_type == PROC_SUPER_MAGIC;
    return is_mounted ? kForeignProc : "/proc is not mounted here: mount -t proc proc /proc";
}

}  // namespace nsb::sys
