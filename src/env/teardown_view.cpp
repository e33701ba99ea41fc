#include "env/teardown_view.h"

#include <fmt/format.h>

namespace nsb::env {
namespace {

PendingTeardown one_of_each(KindSet kinds) {
    PendingTeardown one{};
    for (const KindInfo& kind : kKinds)
        one[static_cast<std::size_t>(kind.kind)] = kinds.contains(kind.kind) ? 1 : 0;
    return one;
}

}  // namespace

TeardownView::TeardownView(KindSet kinds) {
    auto watch = TeardownWatch::open();
    if (!watch) {
        unseen_ = watch.error().text();
        return;
    }
    if (!kinds.empty() && !watch->watches(one_of_each(kinds))) {
        unseen_ = fmt::format("none that can be watched tears down {}", to_string(kinds));
        return;
    }
    watch_.emplace(std::move(*watch));
    watch_->begin();
}

std::optional<bool> TeardownView::is_done(const PendingTeardown& made) {
    if (!watch_) return std::nullopt;
    // With nothing to be waited for it is complete unless events were lost.
    if (!watch_->wait({}, std::chrono::nanoseconds(0)).complete) {
        unseen_ = "the kernel has dropped events of its workers";
        watch_.reset();
        return std::nullopt;
    }
    return watch_->wait(made, std::chrono::nanoseconds(0)).complete;
}

}  // namespace nsb::env
