#include "env/checks.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "env/checks_table.h"

namespace nsb::env {
namespace {

constexpr auto kChecks = std::to_array<DoctorCheck>({
#define NSB_CHECK(id, function) {#id, detail::function},
#include "env/checks.def"
#undef NSB_CHECK
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
