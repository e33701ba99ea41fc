#include "run/cases.h"

#include <algorithm>

namespace nsb::run {

Cases Cases::of(const std::vector<Case>& plan, bool in_userns, bool alone, std::optional<KindSet> base_set) {
    const KindSet of_bases = base_set.value_or(nsb::base_set(in_userns));
    Cases cases;
    cases.base_set = of_bases;
    const auto find = [&](const Case& c) -> std::optional<std::size_t> {
        const auto at = std::ranges::find(cases.all, c);
        if (at == cases.all.end()) return std::nullopt;
        return static_cast<std::size_t>(at - cases.all.begin());
    };
    for (const Case& c : plan) {
        const Case real = in_userns ? c.through_userns() : c;
        if (!find(real)) cases.all.push_back(real);
    }
    cases.planned = cases.all.size();
    for (std::size_t i = 0; i < cases.planned && !alone; ++i) {
        const auto base = cases.all[i].base(of_bases);
        if (base && !find(*base)) cases.all.push_back(*base);
    }
    for (const Case& c : cases.all) {
        const auto base = c.base(of_bases);
        cases.base.push_back(base ? find(*base) : std::nullopt);
    }
    return cases;
}

}  // namespace nsb::run
