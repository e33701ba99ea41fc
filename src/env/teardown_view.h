// Whether the kernel's workers have torn down what a load has left to them, looked at without a wait.
#pragma once

#include <optional>
#include <string>

#include "env/teardown.h"

namespace nsb::env {

/// Sees nothing where the workers cannot be watched, or once the kernel has dropped events.
class TeardownView {
  public:
    /// From here on what is made counts.
    TeardownView();

    /// Of the namespaces that were made until now; nothing where it is not seen. Called often, it keeps the
    /// kernel's buffers of events from filling up.
    [[nodiscard]] std::optional<bool> is_done(const PendingTeardown& made);

    /// Why nothing is seen; empty where it is.
    [[nodiscard]] const std::string& unseen() const { return unseen_; }

  private:
    std::optional<TeardownWatch> watch_;
    std::string unseen_;
};

}  // namespace nsb::env
