// The ids of a user namespace: id 0 inside is the caller's own outside, the one map that needs no privilege.
#pragma once

#include <cstddef>

#include "block.h"

namespace nsb::bench {

/// What is written to setgroups, uid_map and gid_map, in this order: without the deny, gid_map is refused to
/// ordinary users (user_namespaces(7)). Made before the clone: inside, one's own ids read as the overflow id.
class IdMaps {
  public:
    struct Step {
        Phase phase;  ///< of the operation userns_map
        const char* file;
        Call write;
        const char* text;
        std::size_t length;
    };
    static constexpr std::size_t kSteps = 3;

    IdMaps();
    IdMaps(const IdMaps&) = delete;  // steps_ points into the lines
    IdMaps& operator=(const IdMaps&) = delete;

    [[nodiscard]] const Step* begin() const { return steps_; }
    [[nodiscard]] const Step* end() const { return steps_ + kSteps; }

    /// In a new user namespace: writes its maps through /proc/self.
    [[nodiscard]] Failure write_own() const;

  private:
    char uid_[32];
    char gid_[32];
    Step steps_[kSteps];
};

/// Writes a step's text to its file, which was opened by the caller, or failed to be.
[[nodiscard]] Failure write_map(const sys::Result<sys::Fd>& file, const IdMaps::Step& step);

}  // namespace nsb::bench
