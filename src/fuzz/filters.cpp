#include "fuzz/target.h"
#include "run/plan.h"

namespace nsb::fuzz {

void filters(std::string_view input) {
    run::Selection selection;
    selection.extent = run::Extent::quick;
    selection.filter = std::string(input);
    const auto found = run::make_plan(selection);
    if (!found) return;
    selection.filter_leaves_out = true;
    const auto others = run::make_plan(selection);
    selection.filter.reset();
    must_hold(found->size() + (others ? others->size() : 0) == run::make_plan(selection)->size(),
              "a filter finds a case or leaves it out");
}

}  // namespace nsb::fuzz
