// --filter: a regular expression (ECMAScript) that is searched for in ids, in a time that has a limit.
#pragma once

#include <regex>
#include <string>
#include <string_view>

namespace nsb::run {

/// What a filter may take of one id, and of all together, in looks at a letter: std::regex tries each way in
/// which an expression such as (a*)*b may fit, of which there may be more than anybody lives to see. Those
/// that people write take some thousands for an id. What is tried between two looks is not counted, as
/// alternatives that are empty: (|){14}x.
inline constexpr std::size_t kMostLooks = 1'000'000;
inline constexpr std::size_t kMostLooksInAll = 500'000'000;

/// std::regex recurses for each letter that it looks at, and for each state of the expression, of which it
/// has 100,000 at most: so that a search gets a stack of its own, and takes no more of that than the first.
/// What is left is for a hundred thousand states between two looks.
inline constexpr std::size_t kMostOfStack = 32U << 20U;
inline constexpr std::size_t kStackForFilter = 128U << 20U;

class Filter {
  public:
    /// Throws std::regex_error where it is no regular expression.
    explicit Filter(const std::string& text) : expression_(text) {}

    /// Whether it is found in the id, or in the id with a slash behind it: so /NEWPID/ is that set alone, and
    /// finds unshare/NEWPID, which has no parameter. Throws std::regex_error where that takes more than
    /// kMostLooks, what is left of kMostLooksInAll, or kMostOfStack.
    [[nodiscard]] bool finds(const std::string& id);

  private:
    [[nodiscard]] bool is_in(const std::string& text);

    std::regex expression_;
    std::size_t looks_left_ = kMostLooksInAll;
};

}  // namespace nsb::run
