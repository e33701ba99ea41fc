#include "privilege.h"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <iterator>
#include <tl/expected.hpp>

#include "sys/capability_sets.h"

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

Failure failure_of(Call call, int error) {
    return error == 0 ? Failure{} : Failure{call, error};
}

}  // namespace

protocol::Privilege give_up(const char* const* arguments) {
    protocol::Privilege done{};
    auto sets = sys::CapabilitySets::read();
    if (sets) {
        done.permitted = sets->permitted();
    } else {
        done.own = {Call::capget, sets.error()};
    }
    const auto kept = allowed(arguments);
    if (!kept) {
        if (sets) done.own = kept.error();
        return done;
    }
    if (*kept == kAll || (sets && sets->are_within(*kept))) return done;
    // First what takes a capability.
    if (sys::starts_with_bounding_set())
        done.bounding = failure_of(Call::drop_bound, sys::cut_bounding_set(*kept));
    if (!sets) return done;
    done.own = failure_of(Call::capset, sets->cut(*kept));
    if (done.own.error == 0) done.permitted = sets->permitted();
    return done;
}

KeepWord::KeepWord() {
    const auto sets = sys::CapabilitySets::read();
    if (!sets) return;
    std::memcpy(text_, protocol::kKeep, sizeof protocol::kKeep);
    char* const begin = text_ + sizeof protocol::kKeep - 1;
    *std::to_chars(begin, std::end(text_) - 1, sets->permitted(), 16).ptr = '\0';
}

}  // namespace nsb::bench
