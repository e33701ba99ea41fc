// What the kernel holds at a moment: memory for itself, and namespaces that are not freed yet.
#pragma once

#include <string>
#include <vector>

#include "core/load.h"
#include "env/files.h"

namespace nsb::env {

/// Reads /proc/meminfo, and /proc/slabinfo for the kinds of a set whose objects have a slab cache of their
/// own. The kernel takes all objects on a CPU's own slabs for active, so that namespaces are exact to some
/// tens.
class KernelUseReader {
  public:
    explicit KernelUseReader(KindSet set, Root root = {});

    [[nodiscard]] KernelUse read() const;

    /// The kinds that are counted, by their cache's name; empty where none can be.
    [[nodiscard]] const std::vector<std::string>& caches() const { return caches_; }
    /// Why namespaces are not counted; empty where they are.
    [[nodiscard]] const std::string& unknown() const { return unknown_; }

  private:
    Root root_;
    std::vector<std::string> caches_;
    std::string unknown_;
};

}  // namespace nsb::env
