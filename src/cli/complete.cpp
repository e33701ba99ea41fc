#include "cli/complete.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <span>

#include "cli/command_table.h"
#include "cli/completion.h"
#include "cli/option_texts.h"
#include "cli/words.h"
#include "core/kinds.h"
#include "core/operation.h"
#include "core/text.h"
#include "env/settings.h"
#include "run/plan.h"
#include "sys/process.h"

namespace nsb::cli {
namespace {

using Words = std::vector<std::string>;

struct Candidate {
    std::string text, meaning;
};
using Candidates = std::vector<Candidate>;

/// The kinds that a list has not yet, with what stands for a whole set at its beginning.
Candidates sets(std::span<const std::string> listed) {
    Candidates found;
    for (const KindInfo& kind : kKinds) {
        const bool is_listed = std::ranges::any_of(listed, [&](const std::string& word) {
            const auto set = parse_set(word);
            return set && set->contains(kind.kind);
        });
        if (is_listed) continue;
        found.push_back({std::string(kind.name), std::string(kind.flag)});
        found.push_back({std::string(kind.flag), std::string(kind.name)});
    }
    if (listed.empty()) {
        found.push_back({"none", "no kind"});
        found.push_back({"all", "all eight kinds"});
    }
    return found;
}

Candidates operations() {
    Candidates found;
    for (const OperationInfo& operation : kOperations) found.push_back({std::string(operation.name), ""});
    return found;
}

/// Those of the plan, or of an operation that is not in it, once that is named.
Candidates cases(std::string_view begun) {
    run::Selection selection;
    if (const auto slash = begun.find('/'); slash != std::string_view::npos) {
        if (const auto operation = parse_operation(std::string(begun.substr(0, slash))))
            selection.operations = {*operation};
    }
    Candidates found;
    const auto plan = run::make_plan(selection);
    for (const Case& one : plan ? *plan : std::vector<Case>()) found.push_back({to_string(one), ""});
    return found;
}

/// "via:" and "via:nsfd".
Candidates parameters(std::string_view begun) {
    Candidates found;
    for (const ParameterInfo& parameter : kParameterTable) {
        if (begun.find(':') == std::string_view::npos)
            found.push_back({fmt::format("{}:", parameter.key), std::string(parameter.meaning)});
        for (const std::string_view choice : parameter.choices())
            found.push_back({fmt::format("{}:{}", parameter.key, choice), ""});
    }
    return found;
}

/// "stack:", and once that is typed its whole range: "stack:16K..1G".
Candidates curves(std::string_view begun) {
    Candidates found;
    for (const ParameterInfo& parameter : kParameterTable) {
        if (parameter.type == ParameterType::choice) continue;
        if (begun.find(':') == std::string_view::npos) {
            found.push_back({fmt::format("{}:", parameter.key), std::string(parameter.meaning)});
            continue;
        }
        const bool is_size = parameter.type == ParameterType::size;
        const auto text = [&](std::uint64_t value) {
            return is_size ? format_size(value) : std::to_string(value);
        };
        found.push_back({fmt::format("{}:{}..{}", parameter.key, text(parameter.low), text(parameter.high)),
                         "all that it takes"});
    }
    return found;
}

Candidates choices_of_parameter(std::string_view key) {
    Candidates found;
    for (const ParameterInfo& parameter : kParameterTable) {
        if (parameter.key != key) continue;
        for (const std::string_view choice : parameter.choices()) found.push_back({std::string(choice), ""});
    }
    return found;
}

Candidates settings() {
    Candidates found;
    for (const env::Setting& setting : env::settings()) found.push_back({std::string(setting.id), ""});
    return found;
}

/// What one element of a value may be; `listed` are those before it.
Candidates values_of(const OptionText& option, std::span<const std::string> listed, std::string_view begun) {
    Candidates found;
    for (const std::string& choice : option.choices) found.push_back({choice, ""});
    if (option.name == "--cpu") {
        for (const int cpu : sys::allowed_cpus()) found.push_back({std::to_string(cpu), ""});
    }
    if (option.value == "SET") return sets(listed);
    if (option.value == "ID") return cases(begun);
    if (option.value == "OP,...") return operations();
    if (option.value == "KEY:VALUE,...") return parameters(begun);
    if (option.value.starts_with("KEY:LOW")) return curves(begun);
    if (option.value == "SETTING,...") return settings();
    if (option.value == "HOW,...") return choices_of_parameter(std::string_view(option.name).substr(2));
    if (option.value.starts_with("FILE")) return {{kFiles, ""}};
    if (option.value == "DIR") return {{kFolders, ""}};
    return found;
}

bool is_list(const OptionText& option) {
    return option.value.ends_with(",...") || option.value == "SET";
}

/// The words that begin so; what stands for the shell's own always does.
std::string lines(const Candidates& found, std::string_view before, std::string_view begun) {
    std::string text;
    for (const Candidate& one : found) {
        if (one.text.starts_with(':')) text += fmt::format("{}\n", one.text);
        if (one.text.starts_with(begun) && !one.text.starts_with(':'))
            text += fmt::format("{}{}\t{}\n", before, one.text, one.meaning);
    }
    return text;
}

/// `before`: "--ns=", or nothing where the value is a word of its own.
std::string value_lines(const OptionText& option, std::string before, const std::string& value) {
    if (!is_list(option)) return lines(values_of(option, {}, value), before, value);
    Words listed = split(value, ",");
    const std::string begun = listed.back();
    listed.pop_back();
    before += value.substr(0, value.size() - begun.size());
    return lines(values_of(option, listed, begun), before, begun);
}

/// With a = behind those that take a value.
std::string option_lines(std::span<const OptionText> options, std::string_view begun) {
    Candidates found;
    for (const OptionText& option : options) {
        const bool is_joined = !option.value.empty() && !option.is_value_optional;
        found.push_back({fmt::format("{}{}", option.name, is_joined ? "=" : ""), option.meaning});
    }
    return lines(found, "", begun);
}

Candidates command_candidates() {
    Candidates found;
    for (const CommandText& one : commands()) {
        if (one.group != Group::hidden) found.push_back({std::string(one.name), std::string(one.brief)});
    }
    return found;
}

/// Put together once.
const std::vector<OptionText>& all_options(Command command) {
    static std::map<Command, std::vector<OptionText>> all;
    if (const auto known = all.find(command); known != all.end()) return known->second;
    std::vector<OptionText> made;
    for (OptionGroup& group : option_groups(command))
        std::ranges::move(group.options, std::back_inserter(made));
    return all.emplace(command, std::move(made)).first->second;
}

/// What a word may be that is no option.
std::string bare_lines(Command command, std::string_view begun) {
    if (command == Command::summary) return fmt::format("{}\n", kFolders);
    if (command == Command::help) return lines(command_candidates(), "", begun);
    Candidates shells;
    for (const Completion& one : completions()) shells.push_back({std::string(one.shell), ""});
    return command == Command::completion ? lines(shells, "", begun) : "";
}

/// The words before the last one, with the command taken out of them; null where that is none.
const CommandText* command_of(Words& words) {
    try {
        return take_command(words);
    } catch (const UsageError&) {
        return nullptr;
    }
}

}  // namespace

std::string candidates(const Words& words) {
    if (words.empty()) return "";
    Words before(words.begin(), words.end() - 1);
    const std::string& last = words.back();
    const std::size_t typed = before.size();
    const CommandText* const command = command_of(before);
    if (command == nullptr || command->command == Command::script) return "";
    const bool has_command = before.size() < typed;
    if (std::ranges::find(before, "--") != before.end()) {
        const bool runs_another = command->command == Command::exec || command->command == Command::doctor;
        return !runs_another ? "" : fmt::format("{}\n", before.back() == "--" ? kPrograms : kFiles);
    }
    const std::vector<OptionText>& options = all_options(command->command);
    const auto named = [&](std::string_view name) {
        return std::ranges::find(options, name, &OptionText::name);
    };
    if (const std::size_t equals = last.find('='); last.starts_with("--") && equals != std::string::npos) {
        const auto option = named(std::string_view(last).substr(0, equals));
        if (option == options.end()) return "";
        return value_lines(*option, last.substr(0, equals + 1), last.substr(equals + 1));
    }
    if (!before.empty() && named(before.back()) != options.end()) {
        const OptionText& option = *named(before.back());
        if (!option.value.empty() && !option.is_value_optional) return value_lines(option, "", last);
    }
    if (last.starts_with('-')) return option_lines(options, last);
    if (has_command) return bare_lines(command->command, last);
    return lines(command_candidates(), "", last);
}

std::optional<Words> completed_by_script(const Words& words) {
    if (words.empty()) return std::nullopt;
    Words before(words.begin(), words.end() - 1);
    const CommandText* const command = command_of(before);
    if (command == nullptr || command->command != Command::script) return std::nullopt;
    before.insert(before.begin(), {"complete", std::string(command->name)});
    before.push_back(words.back());
    return before;
}

}  // namespace nsb::cli
