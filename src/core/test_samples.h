// For tests: samples made up.
#pragma once

#include "core/samples.h"

namespace nsb {

/// With the same time in every phase, also in those that the case does not have.
inline Sample alike(Sample sample, double time) {
    sample.times.fill(time);
    return sample;
}

}  // namespace nsb
