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
      arguments_(arguments),
      error_(error) {}

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
