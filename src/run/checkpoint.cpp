#include "run/checkpoint.h"

#include <exception>

namespace nsb::run {
namespace {

/// So many times as long as a saving took, there is none.
constexpr int kRests = 9;

}  // namespace

bool Checkpoint::reach() {
    const Clock::time_point begin = now_();
    if (!save_ || begin - saved_ < kRests * took_) return false;
    try {
        save_();
    } catch (const std::exception&) {
        // Whatever it is, the run goes on.
    }
    saved_ = now_();
    took_ = saved_ - begin;
    return true;
}

}  // namespace nsb::run
