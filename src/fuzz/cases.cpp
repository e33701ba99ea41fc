#include "core/case.h"

#include <algorithm>

#include "core/text.h"
#include "fuzz/target.h"

namespace nsb::fuzz {
namespace {

bool is_id(std::string_view id) {
    return std::ranges::all_of(split(id, "/:"), [](const std::string& part) { return is_name(part); });
}

}  // namespace

void cases(std::string_view input) {
    const auto read = parse_case(input);
    if (!read) return;
    const std::string id = to_string(*read);
    must_hold(is_id(id), "an id is of letters, digits and / : - . _ alone");
    const auto again = parse_case(id);
    must_hold(again && *again == *read, "an id that is written is read again");
    must_hold(!read->phases().empty() && !read->syscall().empty(), "a case has phases and a call");
    (void)left_by_conditions(*read);
    for (const KindSet set : {KindSet{}, base_set(true)}) {
        const auto base = read->base(set);
        if (base) must_hold(parse_case(to_string(*base)) == *base, "a base is a case, too");
    }
    const Case unprivileged = read->through_userns();
    must_hold(parse_case(to_string(unprivileged)) == unprivileged, "what a user measures is a case, too");
}

}  // namespace nsb::fuzz
