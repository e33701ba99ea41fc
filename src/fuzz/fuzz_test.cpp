// What is kept in the corpus is given to each target, as clang's libFuzzer does, and so are changes of it for
// a moment: no input is a finding.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "core/text.h"
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

std::vector<std::string> corpus_of(const Target& target) {
    std::vector<fs::path> files;
    for (const auto& file : fs::directory_iterator(fs::path(NSB_CORPUS) / target.name))
        files.push_back(file.path());
    std::ranges::sort(files);
    std::vector<std::string> texts(files.size());
    std::ranges::transform(files, texts.begin(), text_of);
    return texts;
}

/// Changes texts at random, the same way by the same seed.
class Changes {
  public:
    explicit Changes(std::uint32_t seed) : random_(seed) {}

    std::size_t below(std::size_t end) {
        return std::uniform_int_distribution<std::size_t>(0, end - 1)(random_);
    }

    /// A few bytes are other ones, are left out, stand there twice, or are those of another text.
    std::string of(std::string text, const std::string& other) {
        for (std::size_t left = 1 + below(4); left > 0; --left) {
            const std::size_t at = below(text.size() + 1);
            const std::size_t size = below(std::min<std::size_t>(text.size() - at, kMost) + 1);
            switch (below(5)) {
                case 0:
                    text.insert(at, 1, static_cast<char>(below(256)));
                    break;
                case 1:
                    text.erase(at, size);
                    break;
                case 2:
                    text.insert(at, text.substr(at, size));
                    break;
                case 3:
                    text.replace(at, size, other, below(other.size() + 1), below(kMost));
                    break;
                default:
                    if (at < text.size()) text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
            }
        }
        return text;
    }

  private:
    static constexpr std::size_t kMost = 16;  // bytes: a field, and what stands around it
    std::mt19937 random_;
};

/// The same for a day, or as --gtest_random_seed has it.
std::uint32_t seed() {
    if (const int given = GTEST_FLAG_GET(random_seed); given != 0) return static_cast<std::uint32_t>(given);
    const auto today = std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
    return static_cast<std::uint32_t>(today.time_since_epoch().count());
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

TEST_P(Corpus, IsReadAlsoWhereItIsChanged) {
    using namespace std::chrono_literals;
    const Target target = GetParam();
    const std::vector<std::string> corpus = corpus_of(target);
    // Said at the beginning: an input may end the program.
    std::cerr << "seed " << seed() << ": " << target.name << "; again by --gtest_random_seed=" << seed()
              << std::endl;
    Changes changes(seed());
    const auto end = std::chrono::steady_clock::now() + 500ms;
    for (std::size_t number = 1; std::chrono::steady_clock::now() < end && !HasFailure(); ++number) {
        const std::string input =
            changes.of(corpus[changes.below(corpus.size())], corpus[changes.below(corpus.size())]);
        EXPECT_NO_THROW(target.read(input)) << "input " << number << ": " << shown(input);
    }
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
