// The cgroups that container runtimes make: they remove them when all goes well, and only then.
#pragma once

#include <sys/types.h>

#include <cstddef>

namespace nsb::sys {

/// Made before the first runtime starts; the destructor removes what has come since. `watcher`: the process
/// whose number is part of the containers' names.
class RuntimeCgroups {
  public:
    explicit RuntimeCgroups(pid_t watcher);
    RuntimeCgroups(const RuntimeCgroups&) = delete;
    RuntimeCgroups& operator=(const RuntimeCgroups&) = delete;
    ~RuntimeCgroups();

  private:
    static constexpr std::size_t kMost = 64;
    char paths_[kMost][256];
    std::size_t count_ = 0;
    void note(const char* hierarchy, const char* own, const char* name);
};

}  // namespace nsb::sys
