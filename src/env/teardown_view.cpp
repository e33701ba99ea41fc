#include "env/teardown_view.h"

namespace nsb::env {

TeardownView::TeardownView() {
    auto watch = TeardownWatch::open();
    if (!watch) {
        unseen_ = watch.error().text();
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
    return !watch_->watches(made) || watch_->wait(made, std::chrono::nanoseconds(0)).complete;
}

}  // namespace nsb::env
