// The ids of a user namespace: the one writer of setgroups, uid_map and gid_map. Free of the standard
// library's run-time parts, because the sampler uses it.
#pragma once

#include <unistd.h>

#include <cstddef>

#include "core/phase.h"
#include "core/protocol.h"
#include "sys/fd.h"

namespace nsb::sys {

/// The one id that a map has: what it is inside, and what outside.
struct MappedId {
    unsigned inside, outside;
};

/// What is written to setgroups, uid_map and gid_map, in this order: without the deny, gid_map is refused to
/// ordinary users (user_namespaces(7)). Made before the clone: inside, one's own ids read as the overflow id.
class IdMaps {
  public:
    struct Step {
        Phase phase;  ///< of the operation userns_map
        const char* file;
        protocol::Call write;
        const char* text;
        std::size_t length;
    };
    static constexpr std::size_t kSteps = 3;

    /// Id 0 inside is the caller's own outside: the one map that needs no privilege.
    IdMaps() : IdMaps({0, geteuid()}, {0, getegid()}) {}
    IdMaps(MappedId user, MappedId group);
    IdMaps(const IdMaps&) = delete;  // steps_ points into the lines
    IdMaps& operator=(const IdMaps&) = delete;

    [[nodiscard]] const Step* begin() const { return steps_; }
    [[nodiscard]] const Step* end() const { return steps_ + kSteps; }

    /// In a new user namespace: writes its maps through /proc/self.
    [[nodiscard]] protocol::Failure write_own() const;

  private:
    char uid_[32];
    char gid_[32];
    Step steps_[kSteps];
};

/// Writes a step's text to its file, which was opened by the caller, or failed to be.
[[nodiscard]] protocol::Failure write_map(const Result<Fd>& file, const IdMaps::Step& step);

}  // namespace nsb::sys
