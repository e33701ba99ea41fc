#include "cli/option_table.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/program_options.hpp>
#include <map>
#include <sstream>

#include "cli/churn_options.h"
#include "core/condition.h"
#include "core/operation.h"
#include "core/text.h"
#include "env/settings.h"
#include "run/block_shape.h"
#include "run/curve.h"

namespace nsb::cli {
namespace {

namespace po = boost::program_options;

constexpr std::string_view kExitCodes =
    "Exit codes: 0 measured; 1 a case failed, the budget reached none, or a check said no; 2 usage;\n"
    "3 not permitted or not supported here, with what to do; 128+N ended by signal N, what was measured\n"
    "is kept.\n";

constexpr std::string_view kBenchmarkOptions =
    "Options that begin with --benchmark_ are Google Benchmark's:\n"
    "  --benchmark_filter=REGEX --benchmark_list_tests --benchmark_min_time=SECONDS\n"
    "  --benchmark_repetitions=N --benchmark_report_aggregates_only --benchmark_enable_random_interleaving\n"
    "  --benchmark_format=console|json|csv --benchmark_out=FILE --benchmark_out_format=json|console\n"
    "  --benchmark_color=auto|yes|no --benchmark_counters_tabular --benchmark_context=KEY=VALUE\n"
    "An iteration is a sample, its time that of the case's first phase; each phase is a counter, in "
    "seconds.\n\n";

constexpr std::string_view kExecCodes =
    "Exit codes: the command's; 128+N if signal N ended it; 127 if there is no such command, 126 if it\n"
    "cannot be run. Before it runs: 1 failed; 2 usage; 3 not permitted or not supported here.\n";

constexpr std::string_view kDoctorCodes =
    "Exit codes: 0 nothing stands in the way of measuring; 1 a problem, or its own measurement failed;\n"
    "2 usage; 3 not permitted or not supported here, with what to do. With --prepare the command's, or 1\n"
    "where that is 0 and not all could be put back; 128+N if signal N ended it; 127 if there is no such\n"
    "command, 126 if it cannot be run.\n";

constexpr const char* kDisturbedHelp =
    "whether rounds that something disturbed enter the figures; what did is told by the kernel's counters "
    "(keep)";

/// An option that may be repeated.
auto* strings() {
    return po::value<std::vector<std::string>>()->composing();
}

/// The option of its own that a parameter has.
void add_option_of(const ParameterInfo& parameter, po::options_description& options) {
    static constexpr std::array<const char*, 3> kValues{"SIZE,...", "N,...", "HOW,..."};  // by type
    const std::string range =
        parameter.type == ParameterType::size
            ? fmt::format(", {} to {}", format_size(parameter.low), format_size(parameter.high))
            : "";
    options.add_options()(std::string(parameter.key).c_str(),
                          strings()->value_name(kValues[static_cast<std::size_t>(parameter.type)]),
                          fmt::format("{}{}", parameter.help, range).c_str());
}

po::options_description selection_options() {
    std::vector<std::string_view> names;
    for (const OperationInfo& operation : kOperations) names.push_back(operation.name);
    const std::string operations = fmt::format("of these operations: {}", fmt::join(names, ", "));
    std::vector<std::string> values;
    for (const ParameterInfo& parameter : kParameterTable) {
        if (parameter.type == ParameterType::choice)
            values.push_back(fmt::format("{}:{}", parameter.key, fmt::join(parameter.choices(), "|")));
    }
    std::vector<std::string> conditions;
    for (const ConditionInfo& condition : kConditions) {
        const ParameterInfo& parameter = info(condition.parameter);
        conditions.push_back(
            fmt::format("{}:{}", parameter.key, parameter.type == ParameterType::size ? "SIZE" : "N"));
    }
    const std::string parameters = fmt::format(
        "with these values of any parameter of an id: {}; and of what surrounds each block: {}; repeatable",
        fmt::join(values, ", "), fmt::join(conditions, ", "));
    const std::string quick = fmt::format(
        "each kind alone and none, by each operation of the plan with its parameters' defaults, in {}",
        run::budget_of(run::Extent::quick));
    const std::string curve = fmt::format(
        "over {} to {} values of one parameter on a logarithmic scale, to see how costs grow with it (its "
        "values: about {} for each tenfold, {} to {}); of {}; without --ns of none and each kind alone; run "
        "prints the growth laws",
        run::kLeastSteps, run::kMostSteps, run::kStepsADecade, run::kLeastSteps, run::kUsualMostSteps,
        fmt::join(run::curve_keys(), ", "));
    po::options_description options("Which cases");
    options.add_options()  //
        ("case", strings()->value_name("ID"), "just this one, also beyond the plan; repeatable")(
            "filter", po::value<std::string>()->value_name("REGEX"),
            "those whose id, or id with a slash behind it, matches: NEWPID, '/NEWPID/'")(
            "op", strings()->value_name("OP,..."), operations.c_str())(
            "ns", strings()->value_name("SET"),
            "of exactly this set: kinds or flags joined by commas, none, or all; repeatable");
    for (const ParameterInfo& parameter : kParameterTable) {
        if (!parameter.help.empty()) add_option_of(parameter, options);
    }
    options.add_options()("with", strings()->value_name("KEY:VALUE,..."), parameters.c_str())(
        "curve", po::value<std::string>()->value_name("KEY:LOW..HIGH[:STEPS]"), curve.c_str());
    options.add_options()("quick", quick.c_str())(
        "full",
        "all cases alike from the beginning, and for longer; otherwise those of the digest come first, for "
        "64 rounds or a third of the budget at most");
    return options;
}

/// "none 8, light 8", of all classes of blocks.
std::string by_class(std::uint32_t run::BlockShape::*part) {
    std::string text;
    for (const run::BlockClassInfo& one : run::kBlockClasses)
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", one.name, one.shape.*part);
    return text;
}

po::options_description surrounding_options() {
    const std::string lead_in =
        fmt::format("so many samples before those of each block, which do not count ({})",
                    by_class(&run::BlockShape::lead_in));
    po::options_description options("Where");
    options.add_options()  //
        ("lead-in", po::value<std::string>()->value_name("N"), lead_in.c_str())(
            "cpu", po::value<std::string>()->value_name("N|any"),
            "the CPU to measure on (the last one), or no pin")(
            "clock", po::value<std::string>()->value_name("wall|instructions"),
            "wall, or instructions in a lab guest whose clock counts them");
    return options;
}

po::options_description measuring_options() {
    const std::string block =
        fmt::format("so many counted samples in each block ({}, by what its case leaves to the kernel)",
                    by_class(&run::BlockShape::samples));
    const std::string budget = fmt::format(
        "time for all of it, or for each repeat ({}; {} with --quick, {} with --full); without end given "
        "--samples",
        run::budget_of(run::Extent::usual), run::budget_of(run::Extent::quick),
        run::budget_of(run::Extent::full));
    po::options_description options("How");
    options.add_options()  //
        ("budget", po::value<std::string>()->value_name("TIME"), budget.c_str())(
            "precision", po::value<std::string>()->value_name("PERCENT"),
            "a case is done when its intervals are within this (2%)")(
            "samples", po::value<std::string>()->value_name("N"),
            "so many samples of each case, instead of a precision")(
            "block", po::value<std::string>()->value_name("N"), block.c_str())(
            "repeat", po::value<std::string>()->value_name("N"),
            "the whole of it N times, in samplers of their own: figures with the scatter between them, which "
            "is how they come out again; 5 are advised, and 2 say little")(
            "apart", po::value<std::string>()->value_name("TIME"), "so long between two repeats (0)")(
            "disturbed", po::value<std::string>()->value_name("keep|drop"), kDisturbedHelp)(
            "alone", "without the none cases that deltas are taken against")(
            "seed", po::value<std::string>()->value_name("N"),
            "of the random order (default: a random one, recorded)")(
            "state", po::value<std::string>()->value_name("NAME"),
            "the name of the state that the kernel is in, to be recorded")(
            "probe",
            po::value<std::string>()->implicit_value("auto")->value_name("auto|fentry|kprobe|tracepoint|off"),
            "where in the kernel time and memory go, by the best that there is or by one way (off)");
    return options;
}

/// What is shown of a run's figures.
void add_showing(po::options_description& options) {
    options.add_options()  //
        ("sort", po::value<std::string>()->value_name("plan|case|median|delta|precision"),
         "the table by its plan, its ids, or the largest first (plan)")(
            "all", "every row, also of a table that is longer than the terminal")(
            "quiet", "the digest alone: what each kind adds")(
            "format", po::value<std::string>()->value_name("text|markdown|json"),
            "text, or in its place the digest as markdown or json (text)");
}

po::options_description output_options() {
    po::options_description options("Output");
    const auto add = [&](std::string_view name, const char* value, std::string_view help) {
        options.add_options()(std::string(name).c_str(), po::value<std::string>()->value_name(value),
                              std::string(help).c_str());
    };
    for (const run::Output& output : run::outputs()) {
        if (!output.option.empty())
            add(output.option, output.may_be_stdout ? "FILE|-" : "FILE", output.meaning);
    }
    add("out", "DIR", fmt::format("everything: {}", run::files_of_a_folder()));
    add("resume", "DIR", "go on with the run in DIR");
    add_showing(options);
    options.add_options()  //
        ("no-progress", "no progress line, also on a terminal")("help", "this text (-h)")(
            "version", "version, tag and commit (-V)");
    return options;
}

po::options_description telling_options() {
    po::options_description options("Messages");
    options.add_options()(
        "verbose",
        "on standard error: blocks, seed, sampler, the machine's properties and the doctor's notes");
    return options;
}

po::options_description verify_options() {
    po::options_description options("Which checks");
    options.add_options()  //
        ("ns", strings()->value_name("SET"),
         "of these kinds (all): kinds or flags joined by commas, none, or all")(
            "format", po::value<std::string>()->value_name("table|csv|json"), "(table)")(
            "without", strings()->value_name("SET"),
            "make none of these kinds, so that their checks fail; in a container that takes the host's "
            "place");
    return options;
}

po::options_description exec_options() {
    po::options_description options("Inside");
    options.add_options()  //
        ("ns", strings()->value_name("SET"), "the namespaces: kinds or flags joined by commas, none, or all")(
            "proc", "mount /proc anew: it shows the processes inside alone (needs pid and mnt)")(
            "hostname", po::value<std::string>()->value_name("NAME"), "set the hostname (needs uts)")(
            "map-root", "be root inside; without it you keep your ids (needs user)")(
            "net-lo", "set the loopback interface up (needs net)");
    return options;
}

po::options_description prepare_options() {
    std::vector<std::string_view> names;
    for (const env::Setting& setting : env::settings()) names.push_back(setting.id);
    const std::string leave = fmt::format("settings that stay as they are, of {}", fmt::join(names, ", "));
    po::options_description options("To measure more quietly, as root");
    options.add_options()  //
        ("prepare",
         "set what would be advised, run the command behind --, and put it all back, also where one of the "
         "two "
         "processes that see to it is killed")("leave", strings()->value_name("SETTING,..."), leave.c_str())(
            "cpu", po::value<std::string>()->value_name("N"),
            "the measuring CPU, which others are kept away from (the last one)");
    return options;
}

po::options_description list_options() {
    po::options_description options("Output");
    options.add_options()  //
        ("bases", "behind them the none cases, not among them, that deltas are taken against")(
            "as-root", "as root measures them, whoever asks: other users' sets include NEWUSER");
    return options;
}

po::options_description dictionary_options() {
    po::options_description options("Output");
    options.add_options()("format", po::value<std::string>()->value_name("markdown|json"),
                          "markdown: the columns; json: also phases, kinds, operations, parameters, "
                          "traced functions and outputs (markdown)");
    return options;
}

po::options_description help_options() {
    po::options_description options("Output");
    options.add_options()("format", po::value<std::string>()->value_name("text|json"),
                          "json: the commands and all their options, for programs (text)");
    return options;
}

po::options_description summary_options() {
    po::options_description options("Output");
    add_showing(options);
    options.add_options()("disturbed", po::value<std::string>()->value_name("keep|drop"), kDisturbedHelp);
    return options;
}

po::options_description alias_options() {
    po::options_description options("Instead");
    options.add_options()("preset", po::value<std::string>()->value_name("PRESET"),
                          "what was reported in public, and the same here; without other options, as "
                          "nsbench preset PRESET");
    return options;
}

}  // namespace

std::vector<po::options_description> parts_of(Command command) {
    std::vector<po::options_description> all;
    if (command == Command::churn) all = churn_options();
    if (command == Command::verify) all.push_back(verify_options());
    if (command == Command::exec) all.push_back(exec_options());
    if (command == Command::doctor) all.push_back(prepare_options());
    if (command == Command::run || command == Command::list || command == Command::benchmark)
        all.push_back(selection_options());
    if (command == Command::list) all.push_back(list_options());
    if (command == Command::run || command == Command::guest) all.push_back(measuring_options());
    if (command == Command::run || command == Command::guest || command == Command::benchmark)
        all.push_back(surrounding_options());
    if (command == Command::run) {
        all.push_back(alias_options());
        all.push_back(output_options());
        all.push_back(telling_options());
    }
    if (command == Command::summary) all.push_back(summary_options());
    if (command == Command::dictionary) all.push_back(dictionary_options());
    if (command == Command::help) all.push_back(help_options());
    if (command != Command::run) {
        po::options_description rest("Other");
        rest.add_options()("help", "this text (-h)")("version", "version, tag and commit (-V)");
        all.push_back(std::move(rest));
    }
    return all;
}

const po::options_description& options_of(Command command) {
    static std::map<Command, po::options_description> all;
    if (const auto known = all.find(command); known != all.end()) return known->second;
    po::options_description made;
    for (const auto& part : parts_of(command)) made.add(part);
    return all.emplace(command, std::move(made)).first->second;
}

std::string notes_of(Command command) {
    const std::string_view codes = command == Command::exec     ? kExecCodes
                                   : command == Command::doctor ? kDoctorCodes
                                                                : kExitCodes;
    return fmt::format("{}{}", command == Command::benchmark ? kBenchmarkOptions : "", codes);
}

std::string help_text(const CommandText& command) {
    std::ostringstream text;
    text << "Usage: " << command.usage << '\n' << command.what << "\n";
    if (command.command == Command::run) text << "\nCommands (nsbench help COMMAND):\n" << command_lines();
    text << options_of(command.command) << '\n' << notes_of(command.command);
    return text.str();
}

}  // namespace nsb::cli
