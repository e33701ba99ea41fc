// What a caller can do something about: a call that failed, as a value.
#pragma once

#include <string>
#include <tl/expected.hpp>

namespace nsb::sys {

/// A call in words, what it was given, its errno, and what helps. Whatever of these there is nothing to say
/// about is empty, or 0.
struct Refusal {
    std::string call;
    std::string arguments{};
    int error = 0;
    std::string remedy{};

    /// "open(/x/y): ENOENT; make it first"
    [[nodiscard]] std::string text() const;
};

/// A value, or why there is none.
template <typename T>
using Expected = tl::expected<T, Refusal>;

}  // namespace nsb::sys
