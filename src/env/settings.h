// Settings of the machine that `nsbench doctor --prepare` makes for as long as a command runs: what it writes
// where, and how each is read. Nothing is written while this is found out.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "env/files.h"
#include "sys/fd.h"
#include "sys/refusal.h"

namespace nsb::env {

/// How a setting is read and written. What is read is its state, a text; where there is nothing it is empty.
enum class Form : std::uint8_t {
    line,      ///< the file's first line
    marked,    ///< the choice in brackets
    word,      ///< a word among others, which is written as +word and -word
    folder,    ///< a cgroup; taken away, its processes go to `home`
    tenants,   ///< the threads of `home` that have no affinity of their own, but for this program's: in this
               ///< file
    affinity,  ///< the CPUs that the thread /proc/PID/task/TID may run on
};

/// One thing to be written.
struct Change {
    std::string path;
    Form form;
    std::string before;               ///< the state that it is put back to
    std::vector<std::string> wanted;  ///< the first of these that the kernel takes
    std::string home{};               ///< a cgroup's file of processes
    bool is_in_folder = false;    ///< goes with the folder made before it, unless it has a state of before
    bool is_consequence = false;  ///< not written here: what another one's may do to it, and is put back
    /// When the thread started, in clock ticks since boot: another one has its number later.
    std::uint64_t started = 0;
};

/// For whom the machine is prepared.
struct Target {
    Root root;
    int cpu;  ///< the measuring one
};

enum class Extent : std::uint8_t {
    each,  ///< what can be set is set
    whole  ///< all or nothing
};

/// What it would write, which is nothing where all is as it should be; or why it cannot be told.
using Planned = sys::Expected<std::vector<Change>>;

struct Setting {
    std::string_view id;
    Planned (*plan)(const Target& target);
    Extent extent;
    std::string_view why;
};

/// In the order in which they are made.
std::span<const Setting> settings();

/// The cgroup that is made, below the root of the hierarchy.
inline constexpr std::string_view kPreparedCgroup = "nsbench-prepared";

/// The state as it is now. Errors: those of open(2) and read(2); ESRCH where a thread has ended, also if its
/// number is another's by now.
sys::Result<std::string> state_of(const Root& root, const Change& change);

/// Writes it. Errors: those of state_of(), open(2), write(2), mkdir(2), rmdir(2), sched_setaffinity(2).
sys::Result<int> write_state(const Root& root, const Change& change, std::string_view state);

}  // namespace nsb::env
