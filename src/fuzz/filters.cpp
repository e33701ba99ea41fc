#include "fuzz/target.h"
#include "run/plan.h"

namespace nsb::fuzz {
namespace {

run::Selection quick() {
    run::Selection selection;
    selection.extent = run::Extent::quick;
    return selection;
}

}  // namespace

void filters(std::string_view input) {
    static const std::size_t kAll = run::make_plan(quick())->size();
    run::Selection selection = quick();
    selection.filter = std::string(input);
    const auto found = run::make_plan(selection);
    if (!found) return;
    selection.filter_leaves_out = true;
    const auto others = run::make_plan(selection);
    must_hold(found->size() + (others ? others->size() : 0) == kAll,
              "a filter finds a case or leaves it out");
}

}  // namespace nsb::fuzz
