// The table of settings, carried out and put back. Whoever has a copy of it can put it back: nothing but the
// machine says how far it has come.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "env/settings.h"

namespace nsb::env {

/// What became of one change.
struct Attempt {
    Change change;
    std::string in_force{};                 ///< the state that it has now, where it was made
    std::optional<sys::Refusal> refused{};  ///< why it was not
};

/// What became of one setting.
struct Prepared {
    const Setting* setting;
    std::vector<Attempt> attempts;           ///< none where all was as it should be
    std::optional<sys::Refusal> unreadable;  ///< why nothing could be tried
};

/// Writes the first of the wanted states that the kernel takes, and reads it back: the state in force. Where
/// none is taken it is as it was before.
sys::Expected<std::string> apply(const Root& root, const Change& change);

/// What putting back has done.
enum class Returned : std::uint8_t { unchanged, put_back, left_alone, failed };
struct Return {
    Returned how;
    std::string now{};  ///< the state that was found
    int error = 0;
};

/// Writes the state of before, if what is there now is of apply()'s making.
Return put_back(const Root& root, const Change& change);

class Preparation {
  public:
    /// Reads what is to be changed. `left`: ids of settings that stay as they are.
    static Preparation plan(Target target, const std::vector<std::string>& left);

    /// Sets it all; what cannot be set is noted.
    void apply();

    /// Puts everything back in the reverse order, however much of it was set: a line for each setting that
    /// was changed, and for whatever could not be put back or was somebody else's by then.
    struct Back {
        std::string text;
        bool is_whole = true;  ///< nothing stays changed by us
    };
    [[nodiscard]] Back put_back() const;

    /// A line for each setting: what it is now, or why not.
    [[nodiscard]] std::string text() const;

    /// The file that the command has to write itself into; nothing where it stays where it is.
    [[nodiscard]] std::optional<std::string> cgroup() const;

  private:
    explicit Preparation(Target target) : target_(std::move(target)) {}
    Target target_;
    std::vector<Prepared> settings_;
};

}  // namespace nsb::env
