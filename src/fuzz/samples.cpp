#include "core/digest.h"
#include "fuzz/target.h"
#include "report/csv.h"
#include "report/digest.h"
#include "report/table.h"
#include "run/recorded.h"
#include "run/samples_csv.h"
#include "run/summary.h"

namespace nsb::fuzz {
namespace {

run::RunInfo made_up() {
    run::RunInfo info;
    info.identity = {"20260101T000000Z-0", "6.1.0", TickClock::wall};
    info.options.selection.operations = {Operation::clone, Operation::setns};
    info.options.selection.sets = {KindSet(), KindSet(Kind::pid), KindSet(Kind::net)};
    info.options.selection.values = {{"stack", {"1M"}}, {"parallel", {"1", "2"}}, {"via", {"nsfd"}}};
    info.rounds = 9;
    return info;
}

/// In pieces, as a long file is read.
run::NextPiece pieces_of(std::string_view text) {
    constexpr std::size_t kPiece = 100;
    return [text]() mutable {
        const std::string_view piece = text.substr(0, kPiece);
        text.remove_prefix(piece.size());
        return piece;
    };
}

std::string written(const run::RunInfo& info, const std::vector<Series>& series) {
    std::vector<const Series*> all;
    for (const Series& one : series) all.push_back(&one);
    return run::samples_csv(info.identity, all);
}

/// All that is shown of them.
void show(run::RunInfo info, std::vector<Series> series) {
    const run::Summary summary = run::sum_up({std::move(info), std::move(series)}, "run");
    const Digest digest = digest_of(summary.rows, summary.bases, summary.info.base_set);
    const report::DigestRun about{summary.info.identity, "", ""};
    (void)report::results_csv(summary.info.identity, summary.rows);
    (void)report::table(summary.info.identity, summary.rows, {100, false, report::Sort::delta});
    (void)report::digest_text(about, digest, {});
    (void)report::digest_markdown(about, digest);
    (void)report::digest_json(about, digest);
    for (const Row& row : summary.rows) {
        if (!row.figures) continue;
        const Figures& figures = *row.figures;
        must_hold(figures.min <= figures.median && figures.median <= figures.max,
                  "a median lies among its samples");
        must_hold(!figures.ci || (figures.ci->low <= figures.median && figures.median <= figures.ci->high),
                  "an interval is around its median");
    }
}

}  // namespace

void samples(std::string_view input) {
    static const run::RunInfo info = made_up();
    static const std::vector<Case> plan = *run::make_plan(info.options.selection);
    auto read = run::parse_samples(pieces_of(input), "samples.csv", info, plan);
    const auto at_once = run::parse_samples(run::whole(input), "samples.csv", info, plan);
    must_hold(read.has_value() == at_once.has_value() && (read || read.error() == at_once.error()),
              "in which pieces a file is read says nothing");
    if (!read) return;
    const std::string text = written(info, read->series);
    const auto again = run::parse_samples(run::whole(text), "samples.csv", info, plan);
    must_hold(again.has_value(), "a samples.csv that is written can be read");
    must_hold(written(info, again->series) == text, "a samples.csv that is written is read again");
    if (!read->series.empty()) show(info, std::move(read->series));
}

}  // namespace nsb::fuzz
