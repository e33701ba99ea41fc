#include "fuzz/target.h"
#include "run/plan.h"
#include "run/recorded.h"
#include "run/store.h"

namespace nsb::fuzz {

void run_json(std::string_view input) {
    const auto read = run::parse_run_json(std::string(input), "run.json");
    if (!read) return;
    (void)read->row_context();
    // What is for programs outside, such as findings, is not read again.
    const std::string written = run::run_json(*read);
    const auto again = run::parse_run_json(written, "run.json");
    must_hold(again.has_value(), "a run.json that is written can be read");
    must_hold(run::run_json(*again) == written, "a run.json that is written is read again");
    must_hold(run::make_plan(read->options.selection) == run::make_plan(again->options.selection),
              "a run that is taken up again has the same plan");
}

}  // namespace nsb::fuzz
