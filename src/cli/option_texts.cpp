#include "cli/option_texts.h"

#include <algorithm>
#include <array>
#include <boost/program_options.hpp>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "cli/option_table.h"
#include "core/text.h"

namespace nsb::cli {
namespace {

namespace po = boost::program_options;

/// "keep|drop" is a list of what is accepted; of "FILE|-" and "N|any" only the small letters are.
std::vector<std::string> choices_of(const OptionText& option) {
    std::vector<std::string> words;
    if (option.value.find('|') != std::string::npos) words = split(option.value, "|");
    std::erase_if(words, [](const std::string& word) {
        return !std::ranges::all_of(word, [](char c) { return c >= 'a' && c <= 'z'; });
    });
    return words;
}

OptionText text_of(const po::option_description& option) {
    OptionText text{"--" + option.long_name(), "", "", option.description(), false, {}};
    if (text.name == "--help") text.short_name = "-h";
    if (text.name == "--version") text.short_name = "-V";
    if (option.semantic()->max_tokens() > 0) {
        text.is_value_optional = option.semantic()->min_tokens() == 0;
        // Boost shows the value of such a one as "[=HOW(=auto)]".
        const std::string shown = option.semantic()->name();
        text.value = text.is_value_optional ? shown.substr(2, shown.find('(') - 2) : shown;
        text.choices = choices_of(text);
    }
    return text;
}

/// Boost tells it only as the first line of the text: "Which cases:".
std::string title_of(const po::options_description& part) {
    std::ostringstream text;
    text << part;
    return text.str().substr(0, text.str().find(':'));
}

/// Those that stand in the notes as "--benchmark_format=console|json|csv".
OptionGroup google_options(std::string_view notes) {
    OptionGroup group{"Google Benchmark's", {}};
    for (const std::string& word : split(notes, " \n")) {
        if (!word.starts_with("--benchmark_") || word == "--benchmark_") continue;
        const std::size_t end = std::min(word.find('='), word.size());
        OptionText option{word.substr(0, end), "", "", "", false, {}};
        if (end < word.size()) option.value = word.substr(end + 1);
        option.choices = choices_of(option);
        group.options.push_back(std::move(option));
    }
    return group;
}

}  // namespace

std::vector<OptionGroup> option_groups(Command command) {
    std::vector<OptionGroup> groups;
    for (const po::options_description& part : parts_of(command)) {
        OptionGroup group{title_of(part), {}};
        for (const auto& option : part.options()) group.options.push_back(text_of(*option));
        groups.push_back(std::move(group));
    }
    if (command == Command::benchmark) groups.push_back(google_options(notes_of(command)));
    return groups;
}

std::string commands_json(std::string_view version) {
    using Json = nlohmann::ordered_json;
    Json all = Json::array();
    for (const CommandText& one : commands()) {
        const bool is_script = one.command == Command::script;
        Json groups = Json::array();
        for (const OptionGroup& group : is_script ? std::vector<OptionGroup>() : option_groups(one.command)) {
            Json options = Json::array();
            for (const OptionText& option : group.options) {
                options.push_back({{"name", option.name},
                                   {"short", option.short_name},
                                   {"value", option.value},
                                   {"is_value_optional", option.is_value_optional},
                                   {"choices", option.choices},
                                   {"meaning", option.meaning}});
            }
            groups.push_back({{"title", group.title}, {"options", std::move(options)}});
        }
        all.push_back({{"name", one.name},
                       {"group", title_of(one.group)},
                       {"usage", one.usage},
                       {"brief", one.brief},
                       {"what", one.what},
                       {"is_script", is_script},
                       {"groups", std::move(groups)},
                       {"notes", is_script ? "" : notes_of(one.command)}});
    }
    return Json{{"version", version}, {"commands", std::move(all)}}.dump(2) + '\n';
}

}  // namespace nsb::cli
