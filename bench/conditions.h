// Conditions: what surrounds a block. Each is set up by a function of its own, in bench/condition_NAME.cpp.
#pragma once

#include <cerrno>
#include <optional>

#include "block.h"
#include "core/condition.h"
#include "keeper.h"
#include "sys/patience.h"

namespace nsb::bench {

/// Where a condition is set up: for one block, in the process that makes it (MadeBy).
struct Setting {
    const protocol::Request& request;
    SharedMemory& memory;
    pid_t sampler;
    /// How the sampler is told of: a read end that nothing else can be read from once the sampler is gone.
    int tie = -1;
    /// In a keeper: its end of the socket that it is let go by.
    int let_go = -1;
    /// In the deputy: it is in a mount namespace of its own, with an empty tmpfs at kFolder.
    bool has_own_mounts = false;
    /// And what keeps another one, until the deputy ends.
    std::optional<Keeper> slaves{};
    /// When the sampler began with it: beside its number in the names of what outlives it, since another pid
    /// namespace may have a sampler of this number.
    std::uint64_t moment = sys::now();

    /// Of the condition that is set up: how many, or how many bytes; and the call that its failures are of.
    std::uint64_t value = 0;
    Call call = Call::none;

    [[nodiscard]] Failure failed(int error = errno) const { return {call, error}; }
};

struct Condition {
    SetUp set_up;
    Call call;
    ConditionInfo info;
};

/// The registry, in the order of conditions.def.
extern const Condition kConditionFunctions[kConditions.size()];

/// `here` with what `condition` asks for; false where the block does not have it.
bool prepare(Setting& here, const Condition& condition);

/// Dies with its parent, and where the sampler is gone already. Not for the keepers that remove something.
void die_with_parent(int tie);

/// Raises the limit of open files, as far as it can, for so many beside the few that each process has.
void make_room_for_files(std::uint64_t count);

/// What `call` returns, which makes a namespace: -1 with its errno. Where a limit of namespaces is met, those
/// of former blocks may still count (pid namespaces of kernels that have no worker for them go by way of RCU,
/// and of a condition that could not be set up whole nobody knows how many there were): it is tried for a
/// second.
template <typename Call>
auto make_namespace(Call call) {
    const auto made = sys::patiently(call, [](int error) { return error == ENOSPC; });
    if (!made) errno = made.error();
    return made.value_or(-1);
}

/// Where the memory of rss is: far from everything else, as the shared memory (block.h), and behind that.
inline constexpr std::uintptr_t kRssAt = 1UL << 41U;

/// A keeper's: so many net namespaces, each kept by a socket in it.
Failure keep_net_namespaces(Setting& here);

/// A keeper's: so many processes that sleep, made with these flags of clone(2).
Failure keep_sleepers(Setting& here, int flags);

/// The deputy's: a mount namespace of its own, private, with an empty tmpfs at kFolder, on which mounts can
/// be made. Without privilege it is in a user namespace of its own.
Failure enter_own_mounts(Setting& here);
inline constexpr const char* kFolder = "/tmp";

/// The cgroups of `here` whose keeper was killed.
void remove_cgroups(const Setting& here);

}  // namespace nsb::bench
