// What cannot be gone on from: a system call that failed where it must not.
#pragma once

#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sys/fd.h"

namespace nsb::sys {

/// "open(/x/y): No such file or directory (ENOENT)", with the errno kept.
class SystemError : public std::runtime_error {
  public:
    SystemError(std::string_view call, std::string_view arguments, int error);
    /// In words of one's own, where the errno does not say what is wrong.
    SystemError(const std::string& text, int error) : std::runtime_error(text), error_(error) {}
    /// The same error, behind a word of where it was met.
    SystemError(std::string_view where, const SystemError& error);
    [[nodiscard]] int error() const { return error_; }
    /// Without its arguments; empty where the text is of one's own.
    [[nodiscard]] const std::string& call() const { return call_; }
    [[nodiscard]] const std::string& arguments() const { return arguments_; }

  private:
    std::string call_;
    std::string arguments_;
    int error_;
};

/// Whether a limit of this place was in the way, rather than what was asked for.
bool is_of_a_limit(const SystemError& error);

/// `returned`, unless it is negative: then throws with errno.
long must(long returned, std::string_view call, std::string_view arguments = "");

/// The value of `result`, or its errno thrown.
template <typename T>
T must(Result<T> result, std::string_view call, std::string_view arguments = "") {
    if (!result) throw SystemError(call, arguments, result.error());
    return std::move(*result);
}

/// Does all of it, then throws what the first failure threw: a full disk takes one file, not the others.
void attempt_all(const std::vector<std::function<void()>>& actions);

}  // namespace nsb::sys
