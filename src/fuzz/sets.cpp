#include "core/kinds.h"
#include "fuzz/target.h"

namespace nsb::fuzz {

void sets(std::string_view input) {
    const auto set = parse_set(input);
    if (set) must_hold(parse_set(to_string(*set)) == *set, "a set that is written is read again");
}

}  // namespace nsb::fuzz
