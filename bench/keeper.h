// A keeper: a process beside a block that has made a condition, and takes it down when it is let go.
#pragma once

#include "block.h"

namespace nsb::bench {

struct Setting;
/// Sets a condition up. In a keeper it reports that by hold(), which returns when the condition is to go, and
/// takes it down. What fails leaves nothing behind.
using SetUp = Failure (*)(Setting& here);

class Keeper {
  public:
    /// Makes the process, and waits until the condition of `here` is set up in it, or has failed. `survives`:
    /// it removes what would be left behind, so that it does not die with its parent.
    static tl::expected<Keeper, Failure> start(Setting& here, SetUp set_up, bool survives = false);

    Keeper(Keeper&& other) noexcept : pid_(std::exchange(other.pid_, -1)), end_(std::move(other.end_)) {}
    Keeper& operator=(Keeper&&) = delete;
    ~Keeper() { (void)let_go(); }

    /// Lets it go and reaps it: false where it did not end by itself, and has taken nothing down.
    bool let_go();

    [[nodiscard]] pid_t pid() const { return pid_; }

    /// The socket's end by which it is let go: what let_go_by() takes.
    [[nodiscard]] const sys::Fd& end() const { return end_; }

  private:
    Keeper(pid_t pid, sys::Fd end) : pid_(pid), end_(std::move(end)) {}
    pid_t pid_;
    sys::Fd end_;
};

/// In a keeper: tells that the condition is there, and waits until it is to go, or nobody needs it any more.
void hold(const Setting& here);

/// Lets the keeper of that end go, from another process than its parent, and returns when it has taken the
/// condition down.
void let_go_by(const sys::Fd& end);

}  // namespace nsb::bench
