#include "privilege.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <iterator>
#include <tl/expected.hpp>

namespace nsb::bench {
namespace {

using protocol::Call;
using protocol::Failure;
using Capabilities = std::uint64_t;

/// Of one that is not told what to give up: a runtime's, or a guest's whose plan is not known yet.
constexpr Capabilities kAll = ~Capabilities{0};

/// What the arguments' word allows.
tl::expected<Capabilities, Failure> allowed(const char* const* arguments) {
    constexpr std::size_t kLength = sizeof protocol::kKeep - 1;
    for (; *arguments != nullptr; ++arguments) {
        if (std::strncmp(*arguments, protocol::kKeep, kLength) != 0) continue;
        const char* const number = *arguments + kLength;
        const char* const last = number + std::strlen(number);
        Capabilities kept = 0;
        const auto [end, error] = std::from_chars(number, last, kept, 16);
        if (error == std::errc{} && end == last) return kept;
        return tl::unexpected(Failure{Call::keep, EINVAL});
    }
    return kAll;
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
    [[nodiscard]] bool is_within(Capabilities kept) const {
        const Capabilities inheritable = Capabilities{data_[1].inheritable} << 32U | data_[0].inheritable;
        return ((permitted() | inheritable) & ~kept) == 0;
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
    protocol::Privilege done{};
    auto sets = Sets::read();
    if (sets) {
        done.permitted = sets->permitted();
    } else {
        done.own = sets.error();
    }
    const auto kept = allowed(arguments);
    if (!kept) {
        if (sets) done.own = kept.error();
        return done;
    }
    if (*kept == kAll || (sets && sets->is_within(*kept))) return done;
    // First what takes a capability.
    if (is_root()) done.bounding = cut_bounding_set(*kept);
    if (!sets) return done;
    done.own = sets->cut(*kept);
    if (done.own.error == 0) done.permitted = sets->permitted();
    return done;
}

KeepWord::KeepWord() {
    const auto sets = Sets::read();
    if (!sets) return;
    std::memcpy(text_, protocol::kKeep, sizeof protocol::kKeep);
    char* const begin = text_ + sizeof protocol::kKeep - 1;
    *std::to_chars(begin, std::end(text_) - 1, sets->permitted(), 16).ptr = '\0';
}

}  // namespace nsb::bench
