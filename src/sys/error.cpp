#include "sys/error.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

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

}  // namespace nsb::sys
