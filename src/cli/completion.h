// The shells that complete what is typed behind nsbench.
#pragma once

#include <span>
#include <string_view>

namespace nsb::cli {

struct Completion {
    std::string_view shell;
    std::string_view text;  ///< what the shell is to read: cli/completion has the files
};

std::span<const Completion> completions();

}  // namespace nsb::cli
