#include "cli/rights.h"

#include <fmt/format.h>
#include <unistd.h>

#include <string_view>
#include <utility>

#include "sys/file.h"
#include "sys/privilege.h"

namespace nsb::cli {
namespace {

/// `is_said`: whether it was, also by the process that this one was forked from.
void say_once(bool& is_said, const sys::Expected<void>& done, std::string_view what) {
    if (done || std::exchange(is_said, true)) return;
    sys::try_write(STDERR_FILENO, fmt::format("nsbench: {}: {}\n", what, done.error().text()));
}

}  // namespace

void give_up_rights() {
    static bool is_said = false;
    say_once(is_said, sys::give_up_all_but_files(),
             "not all capabilities that it does not need are given up");
}

void lowered(const std::function<void()>& work) {
    static bool is_said = false;
    say_once(is_said, sys::with_rights_over_files(work),
             "command line and files are handled with all capabilities in effect");
}

}  // namespace nsb::cli
