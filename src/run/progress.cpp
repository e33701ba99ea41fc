#include "run/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "sys/file.h"

namespace nsb::run {

std::string describe(const Progress& progress) {
    std::string text = progress.round == 0 ? "warm-up" : fmt::format("round {}", progress.round);
    text += fmt::format(": {} of {} blocks", progress.blocks_done, progress.blocks_in_round);
    if (progress.round > 0)
        text += fmt::format(", {} of {} cases precise", progress.cases_precise, progress.cases);
    if (progress.left_s) {
        const long left = std::lround(std::max(0.0, *progress.left_s));
        text += fmt::format(", {}:{:02} left", left / 60, left % 60);
    } else {
        text += fmt::format(", {:.0f} s so far", progress.elapsed_s);
    }
    return text;
}

void ProgressLine::show(const Progress& progress) {
    const auto now = std::chrono::steady_clock::now();
    if (now - shown_ < std::chrono::milliseconds(100)) return;
    shown_ = now;
    visible_ = true;
    winsize size{};
    const std::size_t width =
        ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
    sys::try_write(STDERR_FILENO, fmt::format("\r\033[K{}", describe(progress).substr(0, width - 1)));
}

void ProgressLine::clear() {
    if (!visible_) return;
    visible_ = false;
    sys::try_write(STDERR_FILENO, "\r\033[K");
}

}  // namespace nsb::run
