#include "cli/rights.h"

#include <fmt/format.h>
#include <unistd.h>

#include <string_view>
#include <utility>

#include "sys/file.h"
#include "sys/privilege.h"

namespace nsb::cli {
namespace {

/// A child that was forked has what its parent has said.
void say_once(const sys::Expected<void>& done, std::string_view what) {
    static bool is_said = false;
    if (done || std::exchange(is_said, true)) return;
    sys::try_write(STDERR_FILENO, fmt::format("nsbench: {}: {}\n", what, done.error().text()));
}

}  // namespace

void give_up_rights() {
    say_once(sys::give_up_all_but_files(), "not all capabilities that it does not need are given up");
}

void lowered(const std::function<void()>& work) {
    say_once(sys::with_rights_over_files(work),
             "files were read and written with all capabilities in effect");
}

}  // namespace nsb::cli
