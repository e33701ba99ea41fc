#include "env/checks.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "env/checks_table.h"

namespace nsb::env {
namespace {

constexpr auto kChecks = std::to_array<DoctorCheck>({
    {"capabilities", detail::capabilities},
    {"user_namespaces", detail::user_namespaces},
    {"seccomp", detail::seccomp},
    {"namespace_limits", detail::namespace_limits},
    {"process_limit", detail::process_limit},
    {"pid_max", detail::pid_max},
    {"open_files", detail::open_files},
    {"proc", detail::proc},
    {"proc_overmounts", detail::proc_overmounts},
    {"mount_propagation", detail::mount_propagation},
    {"mounts", detail::mount_count},
    {"teardown_backlog", detail::teardown_backlog},
    {"rcu", detail::rcu},
    {"lockdown", detail::lockdown},
    {"probe", detail::probe},
    {"mitigations", detail::cpu_mitigations},
    {"thp", detail::transparent_huge_pages},
    {"clocksource", detail::clocksource},
    {"virtualisation", detail::virtualisation_layer},
    {"steal_time", detail::steal_time},
    {"load", detail::load},
    {"governor", detail::frequency_governor},
    {"turbo", detail::turbo_boost},
    {"smt", detail::smt_siblings},
});

}  // namespace

std::string_view to_string(Severity severity) {
    static constexpr std::array<std::string_view, 4> kNames{"ok", "note", "warning", "problem"};
    return kNames[static_cast<std::size_t>(severity)];
}

std::span<const DoctorCheck> checks() {
    return kChecks;
}

std::vector<Finding> examine(const Root& root) {
    std::vector<Finding> findings;
    findings.reserve(kChecks.size());
    for (const DoctorCheck& check : kChecks) {
        findings.push_back(check.run(root));
        findings.back().id = check.id;
    }
    return findings;
}

namespace detail {

Finding fine(std::string observed) {
    return {"", Severity::ok, std::move(observed), "", ""};
}

Finding unseen(std::string effect, std::string_view reason) {
    return {"", Severity::note, std::string(kUnknown), std::move(effect), no_remedy(reason)};
}

std::string no_remedy(std::string_view reason) {
    return fmt::format("nothing to do here: {}", reason);
}

}  // namespace detail
}  // namespace nsb::env
