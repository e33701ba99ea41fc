// --filter: a regular expression that is searched for in ids.
#pragma once

#include <boost/regex.hpp>
#include <stdexcept>
#include <string>

namespace nsb::run {

/// By Boost.Regex, in Perl's syntax: it counts the ways that it tries, keeps them in memory with a limit, and
/// so neither searches for ever nor runs out of stack, whatever the expression.
class Filter {
  public:
    /// In which an expression might fit an id: more than Boost.Regex tries.
    struct TooManyWays {};

    /// Throws boost::regex_error where it is no regular expression.
    explicit Filter(const std::string& text) : expression_(text) {}

    /// Whether it is found in the id, or in the id with a slash behind it: so /NEWPID/ is that set alone, and
    /// finds unshare/NEWPID, which has no parameter. Throws TooManyWays.
    [[nodiscard]] bool finds(const std::string& id) const {
        try {
            return boost::regex_search(id, expression_) || boost::regex_search(id + '/', expression_);
        } catch (const std::runtime_error&) {
            throw TooManyWays{};
        }
    }

  private:
    boost::regex expression_;
};

}  // namespace nsb::run
