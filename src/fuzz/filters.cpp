#include "fuzz/target.h"
#include "run/plan.h"

namespace nsb::fuzz {
namespace {

/// Few ids, with and without choices: making a plan would take longer than searching it.
run::Selection few() {
    run::Selection selection;
    selection.extent = run::Extent::quick;
    selection.operations = {Operation::unshare, Operation::setns};
    return selection;
}

}  // namespace

void filters(std::string_view input) {
    static const std::size_t kAll = run::make_plan(few())->size();
    run::Selection selection = few();
    selection.filter = std::string(input);
    const auto found = run::make_plan(selection);
    if (!found) return;
    selection.filter_leaves_out = true;
    const auto others = run::make_plan(selection);
    must_hold(found->size() + (others ? others->size() : 0) == kAll,
              "a filter finds a case or leaves it out");
}

}  // namespace nsb::fuzz
