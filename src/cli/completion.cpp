#include "cli/completion.h"

#include "nsb_completion.h"  // CMakeLists.txt makes it

namespace nsb::cli {
namespace {

constexpr Completion kCompletions[]{{"bash", kTextForBash}, {"zsh", kTextForZsh}, {"fish", kTextForFish}};

}  // namespace

std::span<const Completion> completions() {
    return kCompletions;
}

}  // namespace nsb::cli
