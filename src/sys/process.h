// Another program as a child process, and where processes run.
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sys/fd.h"

namespace nsb::sys {

/// poll(2), which a signal does not end: how many of the sources are ready, 0 once the time is over.
Result<int> poll_within(std::span<pollfd> sources, std::chrono::milliseconds limit);

/// A child that runs another program. The destructor kills and reaps it.
class Process {
  public:
    /// Starts `program` with these arguments and without an environment, in a process group of its own (a
    /// terminal's Ctrl-C is for its parent alone), with `descriptors` as 3, 4, … and its standard streams on
    /// /dev/null, but for `output`. Throws SystemError.
    Process(const std::filesystem::path& program, const std::vector<int>& descriptors,
            const std::vector<std::string>& arguments = {}, std::optional<int> output = {});
    Process(Process&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
    Process& operator=(Process&&) = delete;
    ~Process() { (void)kill_and_reap(); }

    [[nodiscard]] pid_t pid() const { return pid_; }

    /// Waits so long for its end and reaps it; false if it goes on.
    bool ends_within(std::chrono::milliseconds limit);

    /// How it ended by itself within so long: its exit code. Nothing where it goes on, or a signal ended it.
    [[nodiscard]] std::optional<int> exit_code_within(std::chrono::milliseconds limit) const;

    /// Ends it; its wait status, or nothing if that was known before.
    std::optional<int> kill_and_reap();

  private:
    pid_t pid_ = -1;
};

/// What a program writes to standard output (its first MiB), without an environment or input and within a few
/// seconds; an errno where it cannot be started or does not end in time.
Result<std::string> output_of(const std::filesystem::path& program,
                              const std::vector<std::string>& arguments);

/// fork(2) into new namespaces: 0 in the child, which goes on with a copy of this process's memory. `flags`
/// are CLONE_NEW*; the exit signal is SIGCHLD. Errors: those of clone3(2); where a filter hides that call,
/// clone(2) is used for what it can do.
Result<pid_t> fork_into(std::uint64_t flags);

/// The program that this process runs. Throws SystemError where /proc does not show it.
std::filesystem::path own_program();

/// The CPUs that this process may run on, ascending.
std::vector<int> allowed_cpus();

/// Whether a process may run on this CPU alone; true where the kernel does not say.
bool is_held_to(pid_t pid, int cpu);

/// Restricts a process (0: this one) to `cpus`. Errors: those of sched_setaffinity(2).
Result<int> restrict_to(pid_t pid, const std::vector<int>& cpus);

}  // namespace nsb::sys
