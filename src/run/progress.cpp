#include "run/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "sys/file.h"

namespace nsb::run {
namespace {

/// "0:27".
std::string clock_time(double seconds) {
    const long whole = std::lround(std::max(0.0, seconds));
    return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

std::string time_left(double seconds) {
    return clock_time(seconds) + " left";
}

double left_of_all(const Progress& progress) {
    const double left = std::max(0.0, *progress.left_s);
    if (!progress.repeat) return left;
    const RepeatPlace& place = *progress.repeat;
    return left + (place.count - place.number) * (progress.elapsed_s + left + place.apart_s);
}

}  // namespace

std::string describe(const Progress& progress) {
    std::string text = progress.repeat
                           ? fmt::format("repeat {} of {}, ", progress.repeat->number, progress.repeat->count)
                           : "";
    text += progress.round == 0 ? "warm-up" : fmt::format("round {}", progress.round);
    text += fmt::format(": {} of {} blocks", progress.blocks_done, progress.blocks_in_round);
    if (progress.round > 0)
        text += fmt::format(", {} of {} cases precise", progress.cases_precise, progress.cases);
    if (progress.left_s) {
        text += fmt::format(", {}", time_left(left_of_all(progress)));
    } else {
        text += fmt::format(", {:.0f} s so far", progress.elapsed_s);
    }
    return text;
}

std::string describe_pause(const RepeatPlace& next, double seconds) {
    return fmt::format("repeat {} of {} begins in {}", next.number, next.count, clock_time(seconds));
}

bool ProgressLine::is_due() {
    const auto now = std::chrono::steady_clock::now();
    if (now - shown_ < std::chrono::milliseconds(100)) return false;
    shown_ = now;
    return true;
}

void ProgressLine::write(const std::string& text) {
    visible_ = true;
    winsize size{};
    const std::size_t width =
        ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
    sys::try_write(STDERR_FILENO, fmt::format("\r\033[K{}", text.substr(0, width - 1)));
}

void ProgressLine::show(const Progress& progress) {
    if (is_due()) write(describe(progress));
}

void ProgressLine::show(const std::string& text) {
    if (is_due()) write(text);
}

void ProgressLine::show_pause(const RepeatPlace& next, double seconds) {
    if (is_due()) write(describe_pause(next, seconds));
}

void ProgressLine::show_probing(double done, double elapsed_s) {
    if (!is_due() || done <= 0) return;
    write(fmt::format("probing: {:.0f}%, {}", 100 * done, time_left(elapsed_s * (1 / done - 1))));
}

void ProgressLine::clear() {
    if (!visible_) return;
    visible_ = false;
    sys::try_write(STDERR_FILENO, "\r\033[K");
}

}  // namespace nsb::run
