#include "cli/command_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "cli/script.h"
#include "core/text.h"

namespace nsb::cli {
namespace {

constexpr CommandText kCommands[]{
    {Command::run, Group::measure, "run", "nsbench [run] [OPTIONS]",
     "measure what namespaces cost (without a command, too)",
     "Measures what each Linux namespace costs: every case of the plan that matches, in a table and what it "
     "comes to."},
    {Command::list, Group::measure, "list", "nsbench list [OPTIONS]", "the cases that would be measured",
     "Prints the ids of the cases that would be measured, one a line."},
    {Command::benchmark, Group::measure, "benchmark", "nsbench benchmark [OPTIONS] [--benchmark_OPTION...]",
     "measure as Google Benchmark does, with its options",
     "Runs the cases as benchmarks of Google Benchmark, with its own options and output."},
    {Command::churn, Group::measure, "churn", "nsbench churn --ns=SET [OPTIONS]",
     "what creating and destroying costs over time",
     "Makes namespaces and destroys them again and again, as fast as it goes or at a rate, and records a "
     "time "
     "line:\nrate, times, what the kernel has not freed, its memory; then it waits until the kernel has "
     "settled."},
    {Command::doctor, Group::measure, "doctor", "nsbench doctor [--prepare [OPTIONS] -- COMMAND...]",
     "what on this machine spoils figures",
     "Says what on this machine spoils figures or is missing, what to do, and how noisy it is (5 s)."},
    {Command::script, Group::measure, "validate", "nsbench validate CHECK [OPTIONS]",
     "how far nsbench's own figures can be trusted", ""},
    {Command::script, Group::measure, "preset", "nsbench preset [PRESET...] [OPTIONS]",
     "what was reported in public, and the same here", ""},
    {Command::summary, Group::look, "summary", "nsbench summary DIR [OPTIONS]",
     "the table of a recorded run again",
     "Makes results.csv of a recorded run from its samples again, and prints the table.", Rights::over_files},
    // It installs the libraries of its page where they are missing.
    {Command::script, Group::look, "report", "nsbench report RUN... [OPTIONS]", "one HTML file on runs", ""},
    {Command::script, Group::look, "plot", "nsbench plot RUN... [OPTIONS]", "plots of runs: PNG, SVG or PDF",
     "", Rights::over_files},
    {Command::script, Group::look, "model", "nsbench model RUN... [OPTIONS]",
     "what each kind costs, fitted over all sets", "", Rights::over_files},
    {Command::script, Group::look, "curves", "nsbench curves RUN... [OPTIONS]",
     "how costs grow with a parameter: laws and slopes", "", Rights::over_files},
    {Command::script, Group::look, "scaling", "nsbench scaling RUN... [OPTIONS]",
     "throughput and latency of samplers at once", "", Rights::over_files},
    {Command::script, Group::look, "export", "nsbench export RUN --format=FORMAT [OPTIONS]",
     "a run in the formats of other tools", "", Rights::over_files},
    {Command::dictionary, Group::look, "dictionary", "nsbench dictionary [--format=markdown|json]",
     "what the columns of the files mean",
     "Prints the dictionary of the result files' columns; as JSON also that of the names in them."},
    {Command::script, Group::compare, "compare", "nsbench compare BASE NEW [OPTIONS]", "do two runs differ?",
     "", Rights::over_files},
    {Command::script, Group::compare, "ab", "nsbench ab [OPTIONS] 'COMMAND A' 'COMMAND B'",
     "which of two commands is slower? in turn, here", ""},
    {Command::script, Group::compare, "history", "nsbench history add RUN... | show [OPTIONS]",
     "since when are a machine's runs otherwise?", "", Rights::over_files},
    {Command::script, Group::kernels, "lab", "nsbench lab COMMAND [OPTIONS]",
     "boot other kernels in QEMU and measure in them", ""},
    {Command::guest, Group::kernels, "guest", "nsbench guest [OPTIONS]", "the lab's part in its guests",
     "In a lab guest: gets ready, stops the machine to be saved, and measures what a copy of it is asked "
     "for."},
    {Command::exec, Group::isolation, "exec", "nsbench exec --ns=SET [OPTIONS] [-- COMMAND...]",
     "a command, or a shell, in new namespaces",
     "Runs a command, or your shell, inside new namespaces, and exits with its exit code."},
    {Command::verify, Group::isolation, "verify", "nsbench verify [--ns=SET] [--format=table|csv|json]",
     "does each kind of namespace isolate?",
     "Makes each kind of namespace and checks from inside and outside what it isolates."},
    {Command::help, Group::help, "help", "nsbench help [COMMAND] [--format=text|json]",
     "this list, or the help of a command",
     "Lists the commands, or prints the help of one, as nsbench COMMAND --help does."},
    {Command::completion, Group::help, "completion", "nsbench completion bash|zsh|fish",
     "what completes commands and options in a shell",
     "Prints the text that makes a shell complete what is typed behind nsbench; in bash: eval \"$(nsbench "
     "completion bash)\""},
    {Command::complete, Group::hidden, "complete", "nsbench complete -- WORDS...", "what may follow",
     "Prints what may be in the place of the last word, for the shells."},
};

}  // namespace

std::string_view title_of(Group group) {
    switch (group) {
        case Group::measure:
            return "Measure";
        case Group::look:
            return "Look at what was measured";
        case Group::compare:
            return "Compare";
        case Group::kernels:
            return "Other kernels";
        case Group::isolation:
            return "Isolation";
        case Group::help:
            return "Help";
        case Group::hidden:
            break;
    }
    return "";
}

std::span<const CommandText> commands() {
    static const std::vector<CommandText> kHere = [] {
        std::vector<CommandText> here;
        std::ranges::copy_if(kCommands, std::back_inserter(here), [](const CommandText& one) {
            return one.command != Command::script || script_file(one.name).has_value();
        });
        return here;
    }();
    return kHere;
}

const CommandText* find_command(std::string_view name) {
    const auto* const at = std::ranges::find(kCommands, name, &CommandText::name);
    return at == std::end(kCommands) ? nullptr : at;
}

const CommandText& text_of(Command command) {
    return *std::ranges::find(kCommands, command, &CommandText::command);
}

Rights rights_for(const Options& options) {
    const auto is_asked_for = [&](const CommandText& one) {
        return one.command == options.command &&
               (one.command != Command::script || one.name == options.script.name);
    };
    const auto* const at = std::ranges::find_if(kCommands, is_asked_for);
    return at == std::end(kCommands) ? Rights::all : at->rights;
}

std::string command_lines() {
    std::string text;
    std::optional<Group> group;
    for (const CommandText& one : commands()) {
        if (one.group == Group::hidden) continue;
        if (group != one.group) text += fmt::format("  {}:\n", title_of(one.group));
        group = one.group;
        text += fmt::format("    {:<12}{}\n", one.name, one.brief);
    }
    return text;
}

std::string overview() {
    return fmt::format(
        "Usage: nsbench [COMMAND] [OPTIONS]\n"
        "What does each Linux namespace cost? Without a command that is measured.\n\n{}\n"
        "nsbench help COMMAND (or COMMAND --help) describes one; nsbench --help the options of measuring.\n",
        command_lines());
}

UsageError no_command(std::string_view word) {
    std::vector<std::string_view> names;
    for (const CommandText& one : commands()) names.push_back(one.name);
    return {fmt::format("'{}' is no command{}", word, nearest_hint(word, names)), command_lines()};
}

}  // namespace nsb::cli
