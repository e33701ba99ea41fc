// Which cases a run measures.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "core/case.h"
#include "run/curve.h"

namespace nsb::run {

/// How much is measured, and of what first.
enum class Extent : std::uint8_t {
    usual,  ///< the default plan: first the cases that a digest is made of, then all
    quick,  ///< those cases alone
    full    ///< the default plan, all alike from the beginning
};
/// As run.json has them; in their order.
inline constexpr std::array<std::string_view, 3> kExtentNames{"default", "quick", "full"};

/// What narrows the default plan, as it was typed. Empty members narrow nothing.
struct Selection {
    Extent extent = Extent::usual;
    std::vector<std::string> cases;     ///< ids; where there are any, they are the plan
    std::optional<std::string> filter;  ///< a regular expression, searched in the id and in id/
    bool filter_leaves_out = false;     ///< what it is found in, instead of all else
    std::vector<Operation> operations;
    std::vector<KindSet> sets;
    /// Values that replace the plan's, by the parameter's key: "stack" → {"16K", "1M"}.
    std::map<std::string, std::vector<std::string>> values;
    std::optional<Curve> curve;  ///< the levels of one parameter, all others at their defaults
};

/// The default plan, narrowed. The error says which part is wrong, or that nothing matches.
tl::expected<std::vector<Case>, std::string> make_plan(const Selection& selection);

/// Every parameter's key, once.
std::vector<std::string_view> parameter_keys();

}  // namespace nsb::run
