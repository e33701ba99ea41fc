#include "cli/option_texts.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "cli/complete.h"

namespace nsb::cli {
namespace {

/// What a command needs besides to be parsed.
std::vector<std::string> line_of(const CommandText& command) {
    if (command.command == Command::summary) return {"summary", "folder"};
    if (command.command == Command::exec) return {"exec", "--ns=uts"};
    if (command.command == Command::churn) return {"churn", "--ns=net"};
    return {std::string(command.name)};
}

TEST(OptionTexts, ChoicesAreAllThatIsAccepted) {
    std::size_t tried = 0;
    for (const CommandText& command : commands()) {
        if (command.command == Command::script) continue;
        for (const OptionGroup& group : option_groups(command.command)) {
            for (const OptionText& option : group.options) {
                if (option.choices.empty() || option.name.starts_with("--benchmark_")) continue;
                std::vector<std::string> words = line_of(command);
                for (const std::string& choice : option.choices) {
                    words.push_back(fmt::format("{}={}", option.name, choice));
                    EXPECT_NO_THROW((void)parse(words)) << words.front() << ' ' << words.back();
                    words.pop_back();
                    ++tried;
                }
                words.push_back(fmt::format("{}=no-such-word", option.name));
                EXPECT_THROW((void)parse(words), UsageError) << words.front() << ' ' << words.back();
            }
        }
    }
    EXPECT_GT(tried, 20U);
}

TEST(OptionTexts, GoogleBenchmarksOptionsAreThoseOfTheNotes) {
    const OptionGroup group = option_groups(Command::benchmark).back();
    ASSERT_EQ(group.options.size(), 12U);
    EXPECT_EQ(group.options.front().name, "--benchmark_filter");
    EXPECT_EQ(group.options.front().value, "REGEX");
    EXPECT_EQ(group.options[6].choices, (std::vector<std::string>{"console", "json", "csv"}));
}

TEST(CommandTable, NamesAreOneEach) {
    for (const CommandText& one : commands()) {
        EXPECT_EQ(find_command(one.name), find_command(std::string(one.name)));
        EXPECT_LE(one.name.size(), 11U) << "the list's column";
        EXPECT_LE(one.brief.size(), 62U) << one.name;
        EXPECT_TRUE(one.usage.starts_with("nsbench ")) << one.name;
        EXPECT_EQ(one.what.empty(), one.command == Command::script) << one.name;
    }
}

TEST(Words, TheCommandIsTheFirstThatIsNoOptionAndNoValue) {
    EXPECT_EQ(parse({"--filter", "list", "--op=clone", "list"}).command, Command::list);
    EXPECT_EQ(parse({"--probe", "run"}).command, Command::run);  // whose value is joined by a =
    const Options options = parse({"--quiet", "compare", "--", "list"});
    EXPECT_EQ(options.command, Command::script);
    EXPECT_EQ(options.script.words, (std::vector<std::string>{"--quiet", "--", "list"}));
}

TEST(Completion, IsOfWholeWords) {
    EXPECT_EQ(candidates({}), "");
    EXPECT_EQ(candidates({"verify", "--format=j"}), "--format=json\t\n");
    EXPECT_EQ(candidates({"--ns=pid,mnt,uts,ipc,cgroup,time,user,n"}),
              "--ns=pid,mnt,uts,ipc,cgroup,time,user,net\tNEWNET\n");
    EXPECT_EQ(candidates({"summary", "--", "x"}), "");
}

}  // namespace
}  // namespace nsb::cli
