// The draining between blocks: what they have left to the kernel's workers is waited for.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/series.h"
#include "env/teardown.h"
#include "run/cases.h"
#include "run/taken_block.h"

namespace nsb::run {

class Draining {
  public:
    /// Without a watch a pause takes the place of the wait.
    explicit Draining(std::unique_ptr<env::Teardown> watch) : watch_(std::move(watch)) {}

    /// Forgets what has been seen of others: a batch of blocks begins.
    void begin();

    /// The batch has this block: what it has left, and how many of that are of its conditions.
    void add(const TakenBlock& block);

    /// Waits until what was added is torn down, or for `limit` (longer for what conditions have left), and
    /// begins a new batch. Nothing where nothing was to be waited for, or it cannot be watched.
    std::optional<env::Drained> wait(std::chrono::nanoseconds limit);

  private:
    std::unique_ptr<env::Teardown> watch_;
    env::PendingTeardown pending_{};
    std::uint64_t of_conditions_ = 0;
    bool is_uncounted_ = false;
};

/// The way to watch teardown: with what is said of a run that has none.
struct TeardownAccess {
    std::unique_ptr<env::Teardown> watch;
    std::optional<Unseen> unseen;
    std::vector<std::string> warnings;
};

using OpenedTeardown = sys::Expected<env::TeardownWatch>;

/// Asked for where a case leaves something to the kernel's workers. `opened`: what came of an earlier
/// TeardownWatch::open().
TeardownAccess access_teardown(const Cases& cases, std::optional<OpenedTeardown> opened);

/// What the teardown of all kinds of the set costs for each namespace; 0 where one was not seen to end.
double drain_of(KindSet set, const env::Drained& drained);

}  // namespace nsb::run
