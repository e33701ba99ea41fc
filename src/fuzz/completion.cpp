#include "cli/complete.h"
#include "core/text.h"
#include "fuzz/target.h"

namespace nsb::fuzz {

void completion(std::string_view input) {
    const std::vector<std::string> words = split(input, "\n");
    for (const std::string& line : split(cli::candidates(words), "\n")) {
        if (line.empty() || line.starts_with(':')) continue;
        must_hold(line.starts_with(words.back()), "a candidate begins as the word does");
    }
    (void)cli::completed_by_script(words);
}

}  // namespace nsb::fuzz
