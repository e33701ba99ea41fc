#include "cli/options.h"

#include "core/text.h"
#include "fuzz/target.h"
#include "run/plan.h"

namespace nsb::fuzz {

void options(std::string_view input) {
    try {
        const cli::Options parsed = cli::parse(split(input, "\n"));
        const bool has_plan = parsed.command == cli::Command::run || parsed.command == cli::Command::list;
        if (has_plan) (void)run::make_plan(parsed.run.selection);
    } catch (const cli::UsageError& error) {
        must_hold(!std::string_view(error.what()).empty(), "what is wrong is said");
    }
}

}  // namespace nsb::fuzz
