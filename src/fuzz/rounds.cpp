#include "core/disturbance.h"
#include "fuzz/target.h"
#include "report/csv.h"
#include "run/outputs.h"
#include "run/recorded.h"

namespace nsb::fuzz {
namespace {

std::string text_of(std::vector<RoundMarks> marks) {
    run::RunInfo info;
    info.identity = {"id", "6.1.0", TickClock::wall};
    info.marks = std::move(marks);
    for (const run::Output& output : run::outputs()) {
        if (output.file == run::kRoundsCsv) return output.text({info, {}, {}});
    }
    throw Broken("no rounds.csv among the outputs");
}

}  // namespace

void rounds(std::string_view input) {
    const auto read = run::parse_rounds(std::string(input), "rounds.csv");
    if (!read) return;
    const std::string written = text_of(*read);
    const auto again = run::parse_rounds(written, "rounds.csv");
    must_hold(again.has_value(), "a rounds.csv that is written can be read");
    must_hold(text_of(*again) == written, "a rounds.csv that is written is read again");
    (void)disturbed_rounds(*read);
    (void)count_by_disturber(*read);
}

}  // namespace nsb::fuzz
