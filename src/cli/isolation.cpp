// The commands verify and exec: namespaces to look at and to use.
#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/outcome.h"
#include "core/text.h"
#include "isolate/verdicts.h"
#include "run/sampler.h"
#include "sys/file.h"
#include "sys/privilege.h"

namespace nsb::cli {
namespace {

/// Says why no namespace can be made here, and which setting to change.
[[noreturn]] void refuse(const isolate::NotMade& error, KindSet set) {
    if (error.error() == EPERM && !set.contains(Kind::user)) {
        const Capabilities lacking = needed(error.what(), set) & ~sys::held_capabilities().value_or(0);
        throw run::NotPermitted(lacking == 0
                                    ? fmt::format("{}: {}", error.what(), why_not_permitted(0, {}))
                                    : fmt::format("{}: needs {}, or user in --ns", error.what(),
                                                  geteuid() == 0 ? names_of(lacking) : std::string("root")));
    }
    for (const env::Finding& finding : env::examine()) {
        if (finding.id != "user_namespaces" || finding.remedy.empty() || finding.observed == env::kUnknown)
            continue;
        throw run::NotPermitted(fmt::format("{}: {} → {}", error.what(), finding.observed, finding.remedy));
    }
    throw run::NotPermitted(fmt::format("{}; nsbench doctor says what stands in the way", error.what()));
}

std::string shown(const NamespaceOptions& options, const std::vector<isolate::Checked>& results) {
    if (options.format == "csv") return isolate::verdict_csv(results);
    if (options.format == "json") return isolate::verdict_json(results);
    return isolate::verdict_table(results, use_colour());
}

std::string users_shell() {
    const char* const shell = std::getenv("SHELL");
    if (shell != nullptr && *shell != '\0') return shell;
    // Not by getpwuid(3), which loads into this process what the C library is configured to find users with.
    const std::string own = std::to_string(geteuid());
    for (const std::string& line : split(sys::read_file("/etc/passwd").value_or(""), "\n")) {
        const std::vector<std::string> fields = split(line, ":");  // passwd(5)
        if (fields.size() == 7 && fields[2] == own && !fields[6].empty()) return fields[6];
    }
    return "/bin/sh";
}

/// What stands behind a step that was not permitted.
std::string hint(const isolate::NotTaken& error, KindSet set) {
    // mount_too_revealing() in fs/namespace.c; a security module refuses with EACCES.
    if (std::string_view(error.what()).starts_with("mount(proc") && error.error() == EPERM) {
        return "a path of /proc is mounted over, and a user namespace may not show what is below (nsbench "
               "doctor)";
    }
    return why_not_permitted(needed(error.what(), set), sys::held_capabilities());
}

/// One that was not permitted is nobody's fault but this machine's.
[[noreturn]] void refuse(const isolate::NotTaken& error, KindSet set) {
    throw run::NotPermitted(fmt::format("{}: {}", error.what(), hint(error, set)));
}

/// What `action` returns; what cannot be had here is said with what helps.
template <typename Action>
int with_remedies(KindSet set, Action action) {
    try {
        return action();
    } catch (const isolate::NotMade& error) {
        if (!limit_behind(error.error()).empty()) throw;
        refuse(error, set);
    } catch (const isolate::NotTaken& error) {
        if (error.error() != EPERM && error.error() != EACCES) throw;
        refuse(error, set);
    } catch (const isolate::NotShown& error) {
        throw run::NotPermitted(error.what());
    }
}

}  // namespace

int run_verify(const Options& options) {
    const NamespaceOptions& chosen = options.namespaces;
    const auto verify = [&] {
        const auto results = isolate::verify({chosen.set, chosen.left_out});
        print(shown(chosen, results));
        // A check that broke says as little as one that was never made.
        const bool is_well = std::ranges::all_of(results, [](const isolate::Checked& result) {
            const isolate::Outcome outcome = result.verdict.outcome;
            return outcome == isolate::Outcome::passed || outcome == isolate::Outcome::skipped;
        });
        const bool is_nothing_seen = std::ranges::all_of(results, [](const isolate::Checked& result) {
            return result.verdict.outcome == isolate::Outcome::skipped;
        });
        if (is_nothing_seen) return kNotPermitted;
        return is_well ? kMeasured : kFailed;
    };
    if (chosen.left_out.empty()) return with_remedies(chosen.set, verify);
    // Nothing thrown leaves the process that is inside: it ends there as it would end outside.
    const auto verify_inside = [&] {
        try {
            return with_remedies(chosen.set, verify);
        } catch (const std::exception& error) {
            return end_by(error);
        }
    };
    return with_remedies(chosen.set, [&] { return isolate::in_sandbox(verify_inside); });
}

int run_exec(const Options& options, const isolate::Dispositions& inherited) {
    const NamespaceOptions& chosen = options.namespaces;
    isolate::CommandInside program;
    program.recipe.set = chosen.set;
    program.recipe.ids = chosen.map_root ? isolate::Ids::root : isolate::Ids::own;
    program.recipe.dies_with_parent = chosen.set.contains(Kind::pid);
    program.proc = chosen.proc;
    program.net_lo = chosen.net_lo;
    program.hostname = chosen.hostname;
    program.command = chosen.command.empty() ? std::vector{users_shell()} : chosen.command;
    program.inherited = inherited;
    return with_remedies(chosen.set, [&] { return isolate::execute(program); });
}

}  // namespace nsb::cli
