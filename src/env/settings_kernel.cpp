// Settings that one file holds, or one for each frequency domain.
#include <fmt/format.h>

#include "env/settings_table.h"

namespace nsb::env::detail {
namespace {

/// One file that should be in this state.
Planned should_be(const Target& target, std::string path, std::string_view wanted, Form form = Form::line) {
    Change change{std::move(path), form, "", {std::string(wanted)}};
    auto now = state_of(target.root, change);
    if (!now) return tl::unexpected(sys::Refusal{"open", change.path, now.error()});
    if (*now == wanted) return {};
    change.before = std::move(*now);
    return std::vector{std::move(change)};
}

}  // namespace

Planned governor_changes(const Target& target) {
    constexpr std::string_view kFolder = "/sys/devices/system/cpu/cpufreq";
    std::vector<Change> all;
    bool found = false;
    for (const std::string& name : names_in(target.root, kFolder)) {
        if (!name.starts_with("policy")) continue;
        found = true;
        auto one = should_be(target, fmt::format("{}/{}/scaling_governor", kFolder, name), "performance");
        if (!one) return one;
        all.insert(all.end(), one->begin(), one->end());
    }
    if (found) return all;
    return tl::unexpected(
        sys::Refusal{"open", fmt::format("{}/policy*", kFolder), ENOENT,
                     "the kernel controls no CPU's frequency; in a virtual machine the host does"});
}

Planned turbo_changes(const Target& target) {
    auto intel = should_be(target, "/sys/devices/system/cpu/intel_pstate/no_turbo", "1");
    if (intel || intel.error().error != ENOENT) return intel;
    auto other = should_be(target, "/sys/devices/system/cpu/cpufreq/boost", "0");
    if (!other) other.error().remedy = "the kernel has no switch for it";
    return other;
}

Planned thp_changes(const Target& target) {
    auto change = should_be(target, "/sys/kernel/mm/transparent_hugepage/enabled", "madvise", Form::marked);
    // As the doctor has it: never is as constant.
    if (change && !change->empty() && change->front().before != "always") change->clear();
    return change;
}

Planned rcu_normal_changes(const Target& target) {
    return should_be(target, "/sys/kernel/rcu_normal", "0");
}

Planned rcu_expedited_changes(const Target& target) {
    return should_be(target, "/sys/kernel/rcu_expedited", "0");
}

}  // namespace nsb::env::detail
