#include "run/curve.h"

#include <algorithm>

#include "core/case.h"
#include "fuzz/target.h"

namespace nsb::fuzz {

void curves(std::string_view input) {
    const auto curve = run::parse_curve(input);
    if (!curve) return;
    must_hold(run::parse_curve(to_string(*curve)) == *curve, "a curve that is written is read again");
    const auto levels = run::levels_of(*curve);
    must_hold(levels.size() == curve->steps, "a curve has as many levels as steps");
    must_hold(levels.front() == curve->low && levels.back() == curve->high, "it goes from end to end");
    must_hold(std::ranges::is_sorted(levels, std::less_equal{}), "levels ascend");
    for (const std::uint64_t level : levels) {
        const auto again = parse_value(curve->parameter, format_value(curve->parameter, level));
        must_hold(again == level, "each level is a value of its parameter");
    }
}

}  // namespace nsb::fuzz
