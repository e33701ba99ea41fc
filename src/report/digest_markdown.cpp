// The digest as Markdown, to be pasted into a ticket or a merge request.
#include <fmt/format.h>

#include "report/digest.h"

namespace nsb::report {
namespace {

std::string table_of(const DigestBlock& block, const DigestRun& run) {
    std::string text = fmt::format("### {}: {}\n\n| {} | {} | {} |\n|---|---:|---|\n",
                                   digest::block_name(block), digest::about(block), digest::subject(block),
                                   block.base ? "adds" : "takes", digest::range_name(run));
    for (const DigestEntry& entry : block.entries) {
        const std::string name = digest::entry_name(block, entry);
        if (!entry.figure) {
            text += fmt::format("| {} | | {} |\n", name, digest::status_text(entry));
            continue;
        }
        const std::string range = digest::range_text(*entry.figure, run.identity);
        text += fmt::format("| {} | {} | {} |\n", name,
                            digest::value_text(block, entry.figure->value, run.identity),
                            range.empty() ? "too few rounds" : range);
    }
    if (block.left_out > 0) text += fmt::format("\nand {} more\n", block.left_out);
    return text + '\n';
}

}  // namespace

std::string digest_markdown(const DigestRun& run, const Digest& digest) {
    std::string text =
        fmt::format("## What namespaces cost: kernel {}, {}\n\n", run.identity.kernel, run.machine);
    for (const DigestBlock& block : digest.blocks) text += table_of(block, run);
    const auto item = [&](std::string_view line) {
        // What is indented belongs to the line before it.
        const std::size_t at = line.find_first_not_of(' ');
        text += fmt::format("{}- {}\n", line.substr(0, at), line.substr(at));
    };
    for (const DigestBlock& block : digest.blocks) {
        for (const std::string& line : digest::sum_lines(block, run.identity)) item(line);
    }
    for (const Missing& missing : digest.missing) item(digest::missing_text(missing));
    item(digest::precision_text(run, digest));
    if (const std::string shown = digest::shown_text(digest); !shown.empty()) item(shown);
    for (const std::string& line : digest::base_lines(digest, run.identity)) item(line);
    for (const std::string& warning : run.warnings) item(fmt::format("warning: {}", warning));
    const bool has_repeats = run.repeats > 0;
    text += fmt::format(
        "\nnsbench {}, run {}: {}{} rounds in {:.1f} s, {} {}{}\n", run.version, run.identity.run_id,
        has_repeats ? fmt::format("{} repeat{}, ", run.repeats, run.repeats == 1 ? "" : "s") : "", run.rounds,
        run.seconds, has_repeats ? "seeds from" : "seed", run.seed,
        run.interrupted_by == 0 ? "" : ", stopped by a signal");
    return text;
}

}  // namespace nsb::report
