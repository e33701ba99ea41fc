#include "cli/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <set>

#include "cli/option_table.h"
#include "core/text.h"

namespace nsb::cli {
namespace {

namespace po = boost::program_options;

using Words = std::vector<std::string>;

/// The options whose value may be the next word: "--filter".
std::set<std::string, std::less<>> taking_the_next_word(const po::options_description& options) {
    std::set<std::string, std::less<>> names;
    for (const auto& option : options.options()) {
        if (option->semantic()->min_tokens() > 0) names.insert(fmt::format("--{}", option->long_name()));
    }
    return names;
}

/// Of all commands: what stands before the command may be any command's.
const std::set<std::string, std::less<>>& taking_the_next_word() {
    static const auto kNames = [] {
        std::set<std::string, std::less<>> names;
        for (const CommandText& one : commands()) names.merge(taking_the_next_word(options_of(one.command)));
        return names;
    }();
    return kNames;
}

/// The first word that is neither an option nor the value of one; the end where there is none before a --.
Words::iterator first_bare(Words& words, const std::set<std::string, std::less<>>& takes_next) {
    for (auto word = words.begin(); word != words.end(); ++word) {
        if (*word == "--") return words.end();
        if (!word->starts_with('-') || word->size() == 1) return word;
        if (takes_next.contains(*word) && ++word == words.end()) return words.end();
    }
    return words.end();
}

/// "--quiet" is near to "quiet", and "--ns" to "nss=uts".
std::string nearest_option(std::string_view word, const po::options_description& options) {
    Words names;
    for (const auto& option : options.options()) names.push_back(fmt::format("--{}", option->long_name()));
    const std::vector<std::string_view> views(names.begin(), names.end());
    const std::string_view bare = word.substr(std::min(word.find_first_not_of('-'), word.size()));
    return nearest_hint(fmt::format("--{}", bare.substr(0, bare.find('='))), views);
}

/// ", which is one of nsbench run": the command may be another one than was meant.
std::string taken_by(std::string_view name) {
    for (const CommandText& one : commands()) {
        const po::options_description& options = options_of(one.command);
        for (const auto& option : options.options()) {
            if (name == fmt::format("--{}", option->long_name()))
                return fmt::format(", which is one of nsbench {}", one.name);
        }
    }
    return "";
}

UsageError no_option(std::string_view word, Command command, const po::options_description& options) {
    const bool runs_another = command == Command::exec || command == Command::doctor;
    return {fmt::format("'{}': a word that is no option; {}{}", word,
                        runs_another ? "the command stands behind --" : "options are written --name=value",
                        nearest_option(word, options)),
            ""};
}

}  // namespace

const CommandText* take_command(Words& words) {
    const auto word = first_bare(words, taking_the_next_word());
    if (word == words.end()) return &text_of(Command::run);
    const CommandText* const command = find_command(*word);
    if (command == nullptr) throw no_command(*word);
    words.erase(word);
    return command;
}

std::string take_word(Words& words, Command command) {
    const auto word = first_bare(words, taking_the_next_word(options_of(command)));
    if (word == words.end()) return "";
    std::string taken = *word;
    words.erase(word);
    return taken;
}

void take_benchmark_options(std::vector<std::string>& words, Options& options) {
    constexpr std::string_view kFilter = "--benchmark_filter=";
    constexpr std::string_view kList = "--benchmark_list_tests";
    const auto theirs = std::stable_partition(
        words.begin(), words.end(), [](const std::string& w) { return !w.starts_with("--benchmark_"); });
    for (auto word = theirs; word != words.end(); ++word) {
        if (word->starts_with(kList)) {
            static constexpr auto kNo =
                std::to_array<std::string_view>({"=false", "=no", "=off", "=0", "=f", "=n"});
            options.only_listed = std::ranges::find(kNo, word->substr(kList.size())) == kNo.end();
        } else if (!word->starts_with(kFilter)) {
            options.benchmark.push_back(*word);
        } else if (const std::string filter = word->substr(kFilter.size()); filter.starts_with('-')) {
            options.run.selection.filter = filter.substr(1);
            options.run.selection.filter_leaves_out = true;
        } else if (filter != "all") {
            options.run.selection.filter = filter;
        }
    }
    words.erase(theirs, words.end());
}

Words take_behind_dashes(Words& words) {
    const auto dashes = std::ranges::find(words, "--");
    Words behind;
    if (dashes != words.end()) behind.assign(dashes + 1, words.end());
    words.erase(dashes, words.end());
    return behind;
}

UsageError none_of(std::string_view option, std::string_view value, std::span<const std::string_view> names) {
    return {
        fmt::format("--{}={}: accepted is {} or {}{}", option, value,
                    fmt::join(names.first(names.size() - 1), ", "), names.back(), nearest_hint(value, names)),
        ""};
}

po::variables_map parse_words(Words words, Command command) {
    const po::options_description& options = options_of(command);
    const auto takes_next = taking_the_next_word(options);
    if (const auto bare = first_bare(words, takes_next); bare != words.end())
        throw no_option(*bare, command, options);
    for (auto word = words.begin(); word != words.end(); ++word) {
        if (*word == "-h") *word = "--help";
        if (*word == "-V") *word = "--version";
        if (takes_next.contains(*word) && ++word == words.end()) break;
    }
    po::variables_map values;
    namespace style = po::command_line_style;
    try {
        const auto parsed =
            po::command_line_parser(words)
                .options(options)
                .positional({})
                .style(style::allow_long | style::long_allow_adjacent | style::long_allow_next)
                .run();
        po::store(parsed, values);
        po::notify(values);
    } catch (const po::unknown_option& error) {
        const std::string name = error.get_option_name().substr(0, error.get_option_name().find('='));
        const std::string of_another = taken_by(name);
        throw UsageError(
            fmt::format("unknown option '{}'{} (nsbench {}--help lists them)", name,
                        of_another.empty() ? nearest_option(name, options) : of_another,
                        command == Command::run ? "" : fmt::format("{} ", text_of(command).name)));
    } catch (const po::too_many_positional_options_error&) {
        const auto word = std::ranges::find_if(
            words, [](const std::string& one) { return !one.starts_with("--") || one == "--"; });
        throw no_option(word == words.end() ? "--" : *word, command, options);
    } catch (const po::error& error) {
        throw UsageError(error.what());
    }
    return values;
}

}  // namespace nsb::cli
