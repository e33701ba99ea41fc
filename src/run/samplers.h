// The samplers as the rounds see them: what stands between a decision and a process.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "core/case.h"
#include "core/protocol.h"

namespace nsb::run {

/// The samples that one sampler took of a case in a row.
using Records = std::vector<protocol::Record>;

class Samplers {
  public:
    Samplers() = default;
    virtual ~Samplers() = default;

    struct Answer {
        std::vector<Records> records;  ///< of each sampler that the case takes
        std::string said;              ///< by a runtime that failed, and its name; empty where none did
        bool was_suspended = false;    ///< the machine, meanwhile
    };
    /// A block of `samples` samples from each sampler that the case takes, all at the same time; each ends
    /// early after `limit`, with at least one sample.
    virtual Answer take(const Case& c, std::uint32_t samples, std::chrono::nanoseconds limit) = 0;

    /// Whether namespaces are made through a user namespace, because that is all that is permitted.
    [[nodiscard]] virtual bool in_userns() const = 0;

  protected:
    Samplers(const Samplers&) = default;
    Samplers(Samplers&&) = default;
    Samplers& operator=(const Samplers&) = default;
    Samplers& operator=(Samplers&&) = default;
};

}  // namespace nsb::run
