// What is kept in the corpus is given to each target, as clang's libFuzzer does: no input of it is a finding.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <string>
#include <vector>

#include "fuzz/target.h"

namespace nsb::fuzz {
namespace {

namespace fs = std::filesystem;

struct Target {
    const char* name;
    void (*read)(std::string_view input);
};
/// For the test's name.
void PrintTo(const Target& target, std::ostream* out) {
    *out << target.name;
}
constexpr auto kTargets = std::to_array<Target>({
#define NSB_TARGET(name, modules, reads) {#name, name},
#include "fuzz/targets.def"
#undef NSB_TARGET
});

std::string text_of(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

class Corpus : public testing::TestWithParam<Target> {};

TEST_P(Corpus, IsRead) {
    const Target target = GetParam();
    std::size_t count = 0;
    for (const auto& file : fs::directory_iterator(fs::path(NSB_CORPUS) / target.name)) {
        SCOPED_TRACE(file.path());
        EXPECT_NO_THROW(target.read(text_of(file.path())));
        ++count;
    }
    EXPECT_GT(count, 0U) << "a target has something to begin with";
    EXPECT_NO_THROW(target.read(""));
}

INSTANTIATE_TEST_SUITE_P(Each, Corpus, testing::ValuesIn(kTargets),
                         [](const auto& target) { return std::string(target.param.name); });

TEST(Targets, HaveACorpusEach) {
    std::vector<std::string> kept;
    for (const auto& folder : fs::directory_iterator(NSB_CORPUS)) kept.push_back(folder.path().filename());
    std::vector<std::string> named;
    for (const Target& target : kTargets) named.emplace_back(target.name);
    std::ranges::sort(kept);
    std::ranges::sort(named);
    EXPECT_EQ(kept, named);
}

}  // namespace
}  // namespace nsb::fuzz
