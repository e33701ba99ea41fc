// When a run's folder is written while it is measured.
#pragma once

#include <chrono>
#include <functional>

namespace nsb::run {

/// Saves after rounds, but not where rounds are so short that it would take a tenth of the time.
class Checkpoint {
  public:
    using Clock = std::chrono::steady_clock;

    /// Without `save` there is nothing to be saved. `now` is the time.
    explicit Checkpoint(std::function<void()> save, std::function<Clock::time_point()> now = Clock::now)
        : save_(std::move(save)), now_(std::move(now)) {}

    /// A round is done. Whether this was the time to save. What cannot be written now is no failure: perhaps
    /// there is room again by the end; if not, that is when it is said.
    bool reach();

  private:
    std::function<void()> save_;
    std::function<Clock::time_point()> now_;
    Clock::time_point saved_{};
    Clock::duration took_{};
};

}  // namespace nsb::run
