#include "sys/capability_sets.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace nsb::sys {

Result<CapabilitySets> CapabilitySets::read() {
    CapabilitySets sets;
    if (syscall(SYS_capget, &sets.header_, sets.data_) != 0) return tl::unexpected(errno);
    return sets;
}

std::uint64_t CapabilitySets::permitted() const {
    return std::uint64_t{data_[1].permitted} << 32U | data_[0].permitted;
}

std::uint64_t CapabilitySets::effective() const {
    return std::uint64_t{data_[1].effective} << 32U | data_[0].effective;
}

bool CapabilitySets::are_within(std::uint64_t kept) const {
    const std::uint64_t inheritable = std::uint64_t{data_[1].inheritable} << 32U | data_[0].inheritable;
    return ((permitted() | inheritable) & ~kept) == 0;
}

int CapabilitySets::cut(std::uint64_t kept) {
    for (auto& half : data_) {
        const auto bits = static_cast<std::uint32_t>(kept);
        half = {half.effective & bits, half.permitted & bits, half.inheritable & bits};
        kept >>= 32U;
    }
    return syscall(SYS_capset, &header_, data_) == 0 ? 0 : errno;
}

int CapabilitySets::put_in_effect(std::uint64_t effective) {
    for (auto& half : data_) {
        half.effective = half.permitted & static_cast<std::uint32_t>(effective);
        effective >>= 32U;
    }
    return syscall(SYS_capset, &header_, data_) == 0 ? 0 : errno;
}

bool starts_with_bounding_set() {
    return getuid() == 0 || geteuid() == 0;
}

int cut_bounding_set(std::uint64_t kept) {
    for (unsigned long number = 0; number < 64; ++number) {
        const int is_there = prctl(PR_CAPBSET_READ, number);
        // Behind the last one that this kernel has.
        if (is_there < 0 && errno == EINVAL) break;
        if (is_there == 0 || (kept >> number & 1U) != 0) continue;
        if (is_there < 0 || prctl(PR_CAPBSET_DROP, number) != 0) return errno;
    }
    return 0;
}

}  // namespace nsb::sys
