// What the kernel counts while a round is measured, to be told later what disturbed it.
#pragma once

#include "core/disturbance.h"

namespace nsb::run {

/// The markers as the rounds see them. Both ends are outside of all blocks.
class Markers {
  public:
    Markers() = default;
    virtual ~Markers() = default;

    virtual void begin() = 0;
    /// What has been counted since begin(); not yet what disturbed it.
    virtual RoundMarks end(std::uint32_t round) = 0;

  protected:
    Markers(const Markers&) = default;
    Markers(Markers&&) = default;
    Markers& operator=(const Markers&) = default;
    Markers& operator=(Markers&&) = default;
};

}  // namespace nsb::run
