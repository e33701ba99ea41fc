#include "privilege.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <tl/expected.hpp>

#include "sys/fd.h"

namespace nsb::bench {
namespace {

using protocol::Call;
using protocol::Failure;
using Capabilities = std::uint64_t;

/// Nothing where no word says so, or it is no number.
std::optional<Capabilities> allowed(const char* const* arguments) {
    constexpr std::size_t kLength = sizeof protocol::kKeep - 1;
    for (; *arguments != nullptr; ++arguments) {
        if (std::strncmp(*arguments, protocol::kKeep, kLength) != 0) continue;
        const char* const number = *arguments + kLength;
        const char* const last = number + std::strlen(number);
        Capabilities kept = 0;
        const auto [end, error] = std::from_chars(number, last, kept, 16);
        if (error == std::errc{} && end == last) return kept;
    }
    return std::nullopt;
}

/// The sets of this process.
class Sets {
  public:
    static tl::expected<Sets, Failure> read() {
        Sets sets;
        if (syscall(SYS_capget, &sets.header_, sets.data_) != 0)
            return tl::unexpected(Failure{Call::capget, errno});
        return sets;
    }

    [[nodiscard]] Capabilities permitted() const {
        return Capabilities{data_[1].permitted} << 32U | data_[0].permitted;
    }
    /// The ambient ones are cut with the inheritable ones.
    [[nodiscard]] Failure cut(Capabilities kept) {
        for (auto& half : data_) {
            const auto bits = static_cast<std::uint32_t>(kept);
            half = {half.effective & bits, half.permitted & bits, half.inheritable & bits};
            kept >>= 32U;
        }
        return syscall(SYS_capset, &header_, data_) == 0 ? Failure{} : Failure{Call::capset, errno};
    }

  private:
    __user_cap_header_struct header_{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data_[_LINUX_CAPABILITY_U32S_3]{};
};

Failure cut_bounding_set(Capabilities kept) {
    for (unsigned long number = 0; number < 64; ++number) {
        const int is_there = prctl(PR_CAPBSET_READ, number);
        // Behind the last one that this kernel has.
        if (is_there < 0 && errno == EINVAL) break;
        if (is_there == 0 || (kept >> number & 1U) != 0) continue;
        if (is_there < 0 || prctl(PR_CAPBSET_DROP, number) != 0) return {Call::drop_bound, errno};
    }
    return {};
}

/// Whether a program has what the bounding set has, just because this process starts it.
bool is_root() {
    return getuid() == 0 || geteuid() == 0;
}

}  // namespace

protocol::Privilege give_up(const char* const* arguments) {
    // The folder that nsbench was started in may be closed to it, as another user's is to root without
    // CAP_DAC_READ_SEARCH: it could not come back there (own_namespaces.cpp).
    (void)sys::checked(chdir("/"));
    auto sets = Sets::read();
    if (!sets) return {0, sets.error()};
    const std::optional<Capabilities> kept = allowed(arguments);
    if (!kept || (sets->permitted() & ~*kept) == 0) return {sets->permitted(), {}};
    // First what takes a capability.
    const Failure bounded = is_root() ? cut_bounding_set(*kept) : Failure{};
    const Capabilities before = sets->permitted();
    const Failure cut = sets->cut(*kept);
    return cut.error != 0 ? protocol::Privilege{before, cut}
                          : protocol::Privilege{sets->permitted(), bounded};
}

}  // namespace nsb::bench
