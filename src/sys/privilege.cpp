#include "sys/privilege.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <vector>

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

}  // namespace nsb::sys
