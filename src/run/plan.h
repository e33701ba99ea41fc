// Which cases a run measures.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "core/case.h"

namespace nsb::run {

/// What narrows the default plan, as it was typed. Empty members narrow nothing.
struct Selection {
    std::vector<std::string> cases;     ///< ids; where there are any, they are the plan
    std::optional<std::string> filter;  ///< a regular expression (ECMAScript), searched in the id and in id/
    bool filter_leaves_out = false;     ///< what it is found in, instead of all else
    std::vector<Operation> operations;
    std::vector<KindSet> sets;
    /// Values that replace the plan's, by the parameter's key: "stack" → {"16K", "1M"}.
    std::map<std::string, std::vector<std::string>> values;
};

/// The default plan, narrowed. The error says which part is wrong, or that nothing matches.
tl::expected<std::vector<Case>, std::string> make_plan(const Selection& selection);

/// Every parameter's key, once.
std::vector<std::string_view> parameter_keys();

}  // namespace nsb::run
