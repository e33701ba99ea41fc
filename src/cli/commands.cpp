#include "cli/commands.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <random>

#include "cli/outcome.h"
#include "run/benchmarks.h"
#include "run/cases.h"
#include "run/interrupt.h"
#include "sys/file.h"
#include "sys/privilege.h"

namespace nsb::cli {
namespace {

std::string new_run_id() {
    return fmt::format("{:%Y%m%dT%H%M%SZ}-{:08x}", fmt::gmtime(std::time(nullptr)), std::random_device()());
}

/// Whether a run would measure through a user namespace: the samplers try, and find that they lack this.
bool goes_through_userns() {
    return (needed("unshare", Kind::uts) & ~sys::held_capabilities().value_or(0)) != 0;
}

}  // namespace

void print(std::string_view text) {
    sys::write_all(STDOUT_FILENO, text, sys::kStandardOutput);
}

void print_if_read(std::string_view text) {
    try {
        print(text);
    } catch (const sys::SystemError& error) {
        if (run::interrupted_by() != SIGHUP || !is_unread(error)) throw;
    }
}

bool use_colour() {
    return isatty(STDOUT_FILENO) == 1 && !is_colour_refused();
}

bool is_colour_refused() {
    const char* const text = std::getenv("NO_COLOR");
    return text != nullptr && *text != '\0';
}

run::RunStart describe_start(const Options& options) {
    run::look_at_cpus();
    run::RunStart start;
    start.version = NSB_VERSION;
    start.arguments = options.arguments;
    start.options = options.run;
    start.environment = env::describe();
    start.findings = env::examine();
    start.identity = {new_run_id(), env::find(start.environment, "kernel"), options.run.clock, options.state};
    start.started = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
    if (options.repeat > 1) start.repeat = run::Repeat{0, options.repeat, options.apart, false};
    return start;
}

int list_cases(const Options& options) {
    const auto plan = make_plan(options.run.selection);
    if (!plan) throw UsageError(plan.error());
    const run::Cases cases =
        run::Cases::of(*plan, !options.as_root && goes_through_userns(), !options.with_bases);
    std::string text;
    for (const Case& c : cases.all) text += to_string(c) + '\n';
    print(text);
    return kMeasured;
}

}  // namespace nsb::cli
