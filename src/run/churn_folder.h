// The folder of a load: what --out writes.
#pragma once

#include <filesystem>

#include "run/churn.h"
#include "sys/fd.h"

namespace nsb::run {

class ChurnFolder {
  public:
    /// Made if need be. Throws StoreError where it holds a load or a run already, or is in use; SystemError
    /// where it cannot be written to, or belongs to somebody else.
    explicit ChurnFolder(std::filesystem::path path);

    /// Each file appears whole or not at all; what cannot be written keeps no other from being written.
    /// Throws what the first failure threw.
    void save(const ChurnReport& report) const;

  private:
    void replace(std::string_view name, std::string_view text) const;

    std::filesystem::path path_;
    sys::Fd folder_;  // with flock(2)
};

}  // namespace nsb::run
