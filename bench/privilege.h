// What a sampler may do: no more than its cases need.
#pragma once

#include "core/protocol.h"

namespace nsb::bench {

/// Gives up, for good, all capabilities but those that a word of the arguments allows (protocol::kKeep): out
/// of the permitted, effective, inheritable and ambient sets, and, where it is root, out of the bounding set,
/// which a program that root starts has. What cannot be given up is kept, and the failures say why.
protocol::Privilege give_up(const char* const* arguments);

/// The word by which a program that is started from here keeps what this process has, and no more. Where the
/// bounding set could not be cut, exec would give it more.
class KeepWord {
  public:
    KeepWord();
    /// None where capget(2) failed: null.
    [[nodiscard]] char* get() { return text_[0] == '\0' ? nullptr : text_; }

  private:
    char text_[sizeof protocol::kKeep + 16] = "";
};

}  // namespace nsb::bench
