#include "env/thread.h"

#include <charconv>

#include "core/text.h"
#include "sys/file.h"
#include "sys/proc.h"

namespace nsb::env::detail {

std::optional<sys::Refusal> foreign_numbers() {
    const auto is_ours = sys::proc_is_ours();
    if (!is_ours) return sys::Refusal{"open", "/proc/self/status", is_ours.error()};
    if (!*is_ours) return sys::Refusal{"/proc", {}, 0, "it is another pid namespace's"};
    return std::nullopt;
}

sys::Result<std::string> stat_field(const Root& root, const std::string& folder, std::size_t number) {
    constexpr std::size_t kFirst = 3;  // `state`
    const auto text = sys::read_file(root.prefix + folder + "/stat");
    if (!text) return tl::unexpected(text.error());
    // A name may have spaces and parentheses; nothing behind it has.
    const std::size_t name_end = text->rfind(')');
    if (name_end == std::string::npos || number < kFirst) return tl::unexpected(ENODATA);
    const std::vector<std::string> parts = words(std::string_view(*text).substr(name_end + 1));
    if (parts.size() <= number - kFirst) return tl::unexpected(ENODATA);
    return parts[number - kFirst];
}

sys::Result<std::uint64_t> start_of(const Root& root, const std::string& folder) {
    constexpr std::size_t kStartTime = 22;
    const auto text = stat_field(root, folder, kStartTime);
    if (!text) return tl::unexpected(text.error());
    const auto ticks = parse_count(*text, 0, UINT64_MAX);
    if (!ticks) return tl::unexpected(ENODATA);
    return *ticks;
}

bool is_of_kernel(const Root& root, const std::string& folder) {
    constexpr unsigned kOfKernel = 0x00200000;  // PF_KTHREAD in include/linux/sched.h
    constexpr std::size_t kFlags = 9;
    const std::string text = stat_field(root, folder, kFlags).value_or("");
    unsigned flags = 0;
    std::from_chars(text.data(), text.data() + text.size(), flags);
    return (flags & kOfKernel) != 0;
}

std::optional<std::string> affinity_of(const Root& root, const std::string& folder) {
    return field(read_text(root, folder + "/status").value_or(""), "Cpus_allowed_list");
}

}  // namespace nsb::env::detail
