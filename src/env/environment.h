// What identifies the machine that a run was made on: recorded with every run.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "env/files.h"

namespace nsb::env {

/// One property of the machine. A value that cannot be read here is kUnknown.
struct Fact {
    std::string key;  ///< stable between releases: the join key between recorded runs
    std::string value;
};

/// Every property, always all of them and in the same order.
std::vector<Fact> describe(const Root& root = {});

/// The value of a key; kUnknown where it is not among the facts.
std::string find(const std::vector<Fact>& facts, std::string_view key);

}  // namespace nsb::env
