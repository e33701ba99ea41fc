#include "cli/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/program_options.hpp>
#include <climits>
#include <random>
#include <span>

#include "cli/churn_options.h"
#include "cli/completion.h"
#include "cli/option_table.h"
#include "cli/option_texts.h"
#include "cli/selection_options.h"
#include "cli/version.h"
#include "cli/words.h"
#include "core/text.h"
#include "env/settings.h"
#include "run/limits.h"
#include "sys/process.h"

namespace nsb::cli {
namespace {

namespace po = boost::program_options;

template <typename T>
T accept(std::string_view option, std::string_view text, tl::expected<T, std::string> parsed) {
    if (!parsed) throw UsageError(fmt::format("--{}={}: accepted is {}", option, text, parsed.error()));
    return *parsed;
}

/// One of the formats; the first where none is given.
std::string parse_format(const po::variables_map& values, std::span<const std::string_view> formats) {
    if (values.count("format") == 0) return std::string(formats.front());
    std::string format = values["format"].as<std::string>();
    if (std::ranges::find(formats, format) != formats.end()) return format;
    throw none_of("format", format, formats);
}

void parse_namespaces(const po::variables_map& values, Options& options) {
    NamespaceOptions& given = options.namespaces;
    const auto set_of = [&](const char* name) {
        KindSet all;
        for (const auto& text : values[name].as<std::vector<std::string>>()) {
            const auto set = parse_set(text);
            if (!set) throw UsageError(fmt::format("--{}={}: {}", name, text, set.error()));
            all = all | *set;
        }
        return all;
    };
    if (values.count("ns") != 0) given.set = set_of("ns");
    if (options.command == Command::verify) {
        if (values.count("without") != 0) given.left_out = set_of("without");
        static constexpr std::array<std::string_view, 3> kFormats{"table", "csv", "json"};
        given.format = parse_format(values, kFormats);
        return;
    }
    if (values.count("ns") == 0) throw UsageError("exec: --ns=SET is missing, such as --ns=pid,mnt");
    given.proc = values.count("proc") != 0;
    given.net_lo = values.count("net-lo") != 0;
    given.map_root = values.count("map-root") != 0;
    if (values.count("hostname") != 0) given.hostname = values["hostname"].as<std::string>();
    if (given.hostname && given.hostname->size() > HOST_NAME_MAX) {
        throw UsageError(
            fmt::format("--hostname={}: accepted are at most {} bytes", *given.hostname, HOST_NAME_MAX));
    }
    const auto needs = [&](bool is_given, const char* option, KindSet kinds) {
        if (!is_given || given.set.contains(kinds)) return;
        throw UsageError(fmt::format("{}: needs {} in --ns", option, to_string(kinds - given.set)));
    };
    needs(given.proc, "--proc", Kind::pid | Kind::mnt);
    needs(given.net_lo, "--net-lo", Kind::net);
    needs(given.map_root, "--map-root", Kind::user);
    needs(given.hostname.has_value(), "--hostname", Kind::uts);
}

tl::expected<std::string, std::string> parse_state(const std::string& text) {
    if (is_name(text)) return text;
    return tl::unexpected<std::string>("a name of letters, digits and . _ -");
}

std::optional<int> parse_cpu(const std::string& text) {
    if (text == "any") return std::nullopt;
    const std::vector<int> allowed = sys::allowed_cpus();
    const auto cpu = parse_count(text, run::kCpu);
    if (!cpu || std::find(allowed.begin(), allowed.end(), static_cast<int>(*cpu)) == allowed.end()) {
        throw UsageError(
            fmt::format("--cpu={}: accepted is any, or one of the CPUs {}", text, fmt::join(allowed, ", ")));
    }
    return static_cast<int>(*cpu);
}

std::optional<std::string> value_of(const po::variables_map& values, const char* name) {
    if (values.count(name) == 0) return std::nullopt;
    return values[name].as<std::string>();
}

void parse_repeat(const po::variables_map& values, Options& options) {
    if (const auto text = value_of(values, "repeat")) {
        options.repeat =
            static_cast<std::uint32_t>(accept("repeat", *text, parse_count(*text, run::kRepeats)));
    }
    const auto apart = value_of(values, "apart");
    if (!apart) return;
    options.apart = accept("apart", *apart, parse_duration(*apart));
    if (options.repeat == 1) throw UsageError("--apart: is between repeats; add --repeat=N");
}

void parse_probe(const po::variables_map& values, Options& options) {
    const auto text = value_of(values, "probe");
    if (!text) return;
    static constexpr std::array<std::string_view, 5> kProbes{"auto", "fentry", "kprobe", "tracepoint", "off"};
    if (std::ranges::find(kProbes, *text) == kProbes.end()) throw none_of("probe", *text, kProbes);
    options.probe = *text;
}

void parse_measuring(const po::variables_map& values, Options& options) {
    const auto given = [&](const char* name) { return value_of(values, name); };
    options.run.budget = run::budget_of(options.run.selection.extent);
    if (const auto text = given("samples")) {
        options.run.samples =
            static_cast<std::uint32_t>(accept("samples", *text, parse_count(*text, run::kSamples)));
        options.run.budget.reset();
    }
    if (const auto text = given("budget")) {
        options.run.budget = accept("budget", *text, parse_duration(*text));
        options.budget_given = true;
    }
    if (const auto text = given("block")) {
        options.run.block =
            static_cast<std::uint32_t>(accept("block", *text, parse_count(*text, run::kBlock)));
    }
    if (const auto text = given("lead-in")) {
        options.run.lead_in =
            static_cast<std::uint32_t>(accept("lead-in", *text, parse_count(*text, run::kLeadIn)));
    }
    parse_repeat(values, options);
    options.run.alone = values.count("alone") != 0;
    if (const auto text = given("state")) options.state = accept("state", *text, parse_state(*text));
    if (const auto text = given("precision")) {
        options.run.precision = accept("precision", *text, parse_percentage(*text));
        options.precision_given = true;
    }
    options.run.seed = std::random_device()();
    if (const auto text = given("seed"))
        options.run.seed = accept("seed", *text, parse_count(*text, run::kSeed));
    options.run.cpu = sys::allowed_cpus().back();
    if (const auto text = given("cpu")) options.run.cpu = parse_cpu(*text);
    if (const auto text = given("clock")) {
        static constexpr std::array kClocks{info(TickClock::wall).name, info(TickClock::instructions).name};
        const auto clock = parse_tick_clock(*text);
        if (!clock) throw none_of("clock", *text, kClocks);
        options.run.clock = *clock;
    }
    parse_probe(values, options);
}

void parse_disturbed(const po::variables_map& values, Options& options) {
    const auto text = value_of(values, "disturbed");
    if (!text) return;
    const auto at = std::ranges::find(kDisturbedNames, *text);
    if (at == kDisturbedNames.end()) throw none_of("disturbed", *text, kDisturbedNames);
    options.disturbed = static_cast<Disturbed>(at - kDisturbedNames.begin());
    options.run.disturbed = *options.disturbed;
}

void parse_prepare(const po::variables_map& values, Options& options) {
    PrepareOptions& given = options.prepare;
    given.is_asked_for = values.count("prepare") != 0;
    given.left = listed(values, "leave");
    std::vector<std::string_view> names;
    for (const env::Setting& setting : env::settings()) names.push_back(setting.id);
    for (const std::string& name : given.left) {
        if (std::ranges::find(names, name) == names.end()) throw none_of("leave", name, names);
    }
    const bool is_of_prepare = !given.left.empty() || !given.command.empty() || values.count("cpu") != 0;
    if (!given.is_asked_for && is_of_prepare)
        throw UsageError("doctor: --leave, --cpu and a command are of --prepare");
    if (!given.is_asked_for) return;
    if (given.command.empty())
        throw UsageError(
            "--prepare: the command is missing, such as nsbench doctor --prepare -- nsbench --ns=pid");
    if (!options.run.cpu) throw UsageError("--prepare: is for one CPU; --cpu=any has none");
}

/// Where results go, and what is shown of them.
void parse_output(const po::variables_map& values, Options& options) {
    const auto given = [&](const char* name) { return value_of(values, name); };
    if (const auto text = given("sort")) {
        const auto at = std::ranges::find(report::kSortNames, *text);
        if (at == report::kSortNames.end()) throw none_of("sort", *text, report::kSortNames);
        options.sort = static_cast<report::Sort>(at - report::kSortNames.begin());
    }
    for (const run::Output& output : run::outputs()) {
        if (output.option.empty()) continue;
        const auto path = given(std::string(output.option).c_str());
        if (path) options.files.push_back(accept(output.option, *path, run::destination(output, *path)));
    }
    options.out = given("out");
    options.resume = given("resume");
    options.all = values.count("all") != 0;
    options.verbose = values.count("verbose") != 0;
    options.quiet = values.count("quiet") != 0;
    options.no_progress = values.count("no-progress") != 0;
    if (options.out && options.resume)
        throw UsageError("--out and --resume exclude each other: a resumed run stays in its folder");
    if (const auto checked = run::check_standard_output(options.files); !checked)
        throw UsageError(checked.error());
    static constexpr std::array<std::string_view, 3> kFormats{"text", "markdown", "json"};  // in their order
    const std::string format = parse_format(values, kFormats);
    options.format = static_cast<Format>(std::ranges::find(kFormats, format) - kFormats.begin());
    if (options.format != Format::text && run::take_standard_output(options.files))
        throw UsageError(fmt::format("--format={}: standard output is for an output that goes to -", format));
    const run::Output* const probed = run::find(options.files, run::OfProbe::figures);
    if (probed != nullptr && options.probe == "off") {
        throw UsageError(fmt::format("--{}: the {} come from the probe; add --probe", probed->option,
                                     run::to_string(probed->of_probe)));
    }
}

void take_churn(const po::variables_map& values, Options& options) {
    options.churn.plan = parse_churn(values);
    parse_probe(values, options);
    if (options.probe != "off" && !options.churn.plan.made().contains(Kind::net))
        throw UsageError(
            "--probe: it notes the batches in which net namespaces are torn down; add net to --ns");
    options.churn.out = value_of(values, "out");
    if (const auto csv = value_of(values, "csv")) options.churn.csv = run::output_path(*csv);
    options.quiet = values.count("quiet") != 0;
    options.no_progress = values.count("no-progress") != 0;
    static constexpr std::array<std::string_view, 2> kFormats{"text", "json"};
    options.churn.as_json = parse_format(values, kFormats) == "json";
    options.format = options.churn.as_json ? Format::json : Format::text;
    if (options.churn.as_json && options.churn.csv == "-")
        throw UsageError("--format=json: standard output is for an output that goes to -");
}

Options text_alone(Command command, std::string text) {
    Options options;
    options.command = command;
    options.text = std::move(text);
    return options;
}

/// nsbench help [COMMAND...]: of a script's command it says itself, also of those below it.
Options parse_help(std::vector<std::string> words, Options options) {
    std::vector<std::string> about;
    for (std::string word = take_word(words, Command::help); !word.empty();
         word = take_word(words, Command::help))
        about.push_back(std::move(word));
    const po::variables_map values = parse_words(std::move(words), Command::help);
    static constexpr std::array<std::string_view, 2> kFormats{"text", "json"};
    if (parse_format(values, kFormats) == "json") {
        if (!about.empty()) throw UsageError("help: --format=json is about all commands");
        return text_alone(Command::help, commands_json(NSB_VERSION));
    }
    if (about.empty()) return text_alone(Command::help, overview());
    const CommandText* const command = find_command(about.front());
    if (command == nullptr) throw no_command(about.front());
    if (command->command != Command::script) return text_alone(Command::help, help_text(*command));
    options.command = Command::script;
    about.erase(about.begin());
    about.emplace_back("--help");
    options.script = {std::string(command->name), std::move(about)};
    return options;
}

std::string completion_for(const std::string& shell) {
    std::vector<std::string_view> shells;
    for (const Completion& one : completions()) {
        if (one.shell == shell) return std::string(one.text);
        shells.push_back(one.shell);
    }
    throw UsageError(fmt::format("completion: '{}': the shell is one of {}{}", shell, fmt::join(shells, ", "),
                                 nearest_hint(shell, shells)));
}

/// run --preset=NAME is nsbench preset NAME, a script.
Options parse_preset(const po::variables_map& values, Options options) {
    if (values.size() > 1) throw UsageError("--preset: stands alone; nsbench preset has options of its own");
    options.command = Command::script;
    options.script = {"preset", {values["preset"].as<std::string>()}};
    return options;
}

}  // namespace

Options parse(const std::vector<std::string>& arguments) {
    Options options;
    options.arguments = arguments;
    std::vector<std::string> words = arguments;
    const CommandText* const command = take_command(words);
    options.command = command->command;
    if (options.command == Command::help) return parse_help(words, std::move(options));
    if (options.command == Command::script) {
        options.script = {std::string(command->name), std::move(words)};
        return options;
    }
    if (options.command == Command::complete) {
        options.completed = take_behind_dashes(words);
        return options;
    }
    const std::string shell =
        options.command == Command::completion ? take_word(words, options.command) : std::string();
    if (options.command == Command::exec) options.namespaces.command = take_behind_dashes(words);
    if (options.command == Command::doctor) options.prepare.command = take_behind_dashes(words);
    if (options.command == Command::benchmark) take_benchmark_options(words, options);
    if (options.command == Command::summary) options.folder = take_word(words, options.command);
    const po::variables_map values = parse_words(std::move(words), options.command);
    if (values.count("help") != 0) return text_alone(Command::help, help_text(*command));
    if (values.count("version") != 0)
        return text_alone(Command::version, fmt::format("nsbench {}\n", full_version()));
    if (values.count("preset") != 0) return parse_preset(values, std::move(options));
    if (options.command == Command::completion) return text_alone(Command::completion, completion_for(shell));
    if (options.command == Command::summary && options.folder.empty())
        throw UsageError("summary: the folder of a run is missing; one that --out has written");
    if (options.command == Command::churn) {
        take_churn(values, options);
        return options;
    }
    if (options.command == Command::run || options.command == Command::list ||
        options.command == Command::benchmark) {
        options.run.selection = parse_selection(values, std::move(options.run.selection));
        options.with_bases = options.command == Command::list && values.count("bases") != 0;
        options.as_root = options.command == Command::list && values.count("as-root") != 0;
        options.narrowed = !options.run.selection.values.empty();
        for (const char* name :
             {"case", "filter", "op", "ns", "with", "curve", "quick", "full", "samples", "seed", "block",
              "lead-in", "alone", "state", "clock", "cpu", "repeat", "apart"}) {
            options.narrowed = options.narrowed || values.count(name) != 0;
        }
    }
    if (options.command == Command::verify || options.command == Command::exec)
        parse_namespaces(values, options);
    if (options.command == Command::dictionary) {
        static constexpr std::array<std::string_view, 2> kFormats{"markdown", "json"};
        options.as_json = parse_format(values, kFormats) == "json";
    }
    if (options.command != Command::list && options.command != Command::verify &&
        options.command != Command::exec && options.command != Command::dictionary) {
        parse_measuring(values, options);
        parse_disturbed(values, options);
        parse_output(values, options);
    }
    if (options.command == Command::doctor) parse_prepare(values, options);
    return options;
}

}  // namespace nsb::cli
