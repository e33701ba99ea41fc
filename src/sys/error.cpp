#include "sys/error.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <exception>

#include "core/failure.h"

namespace nsb::sys {

SystemError::SystemError(std::string_view call, std::string_view arguments, int error)
    : std::runtime_error(
          fmt::format("{}({}): {} ({})", call, arguments, std::strerror(error), errno_name(error))),
      call_(call),
      arguments_(arguments),
      error_(error) {}

SystemError::SystemError(std::string_view where, const SystemError& error)
    : std::runtime_error(fmt::format("{}: {}", where, error.what())),
      call_(error.call_),
      arguments_(error.arguments_),
      error_(error.error_) {}

bool is_of_a_limit(const SystemError& error) {
    return !limit_behind(error.error()).empty();
}

long must(long returned, std::string_view call, std::string_view arguments) {
    if (returned < 0) throw SystemError(call, arguments, errno);
    return returned;
}

void attempt_all(const std::vector<std::function<void()>>& actions) {
    std::exception_ptr first;
    for (const auto& action : actions) {
        try {
            action();
        } catch (...) {
            if (!first) first = std::current_exception();
        }
    }
    if (first) std::rethrow_exception(first);
}

}  // namespace nsb::sys
