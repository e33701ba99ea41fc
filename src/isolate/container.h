// A process in new namespaces, as a container runtime starts one: clone3, id maps, then its own steps.
#pragma once

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>

#include "core/kinds.h"
#include "sys/error.h"
#include "sys/fd.h"

namespace nsb::isolate {

/// What ids read as inside a new user namespace.
enum class Ids : std::uint8_t {
    unmapped,  ///< the overflow id
    own,       ///< the same number inside and outside
    root       ///< 0 inside
};

struct Recipe {
    KindSet set;
    Ids ids = Ids::root;  ///< for sets with a user namespace
    /// Whose id 0 inside is outside; without it the caller's own, the only one that an ordinary user may map.
    std::optional<unsigned> root_is;
    bool dies_with_parent = true;
};

/// The kernel made no process in these namespaces.
class NotMade : public sys::SystemError {
    using sys::SystemError::SystemError;
};

/// A step inside failed; the text says which.
class NotTaken : public std::runtime_error {
  public:
    NotTaken(const std::string& text, int error) : std::runtime_error(text), error_(error) {}
    [[nodiscard]] int error() const { return error_; }

  private:
    int error_;
};

/// A check or a command cannot have the processes of its namespaces in /proc.
class NotShown : public std::runtime_error {
  public:
    explicit NotShown(const std::string& call);
};

/// The first process of the namespaces. The destructor kills it, and with it a pid namespace's other
/// processes.
class Container {
  public:
    using Main = std::function<int()>;

    /// Runs `main` in a copy of this process inside; its return value is the exit status. `main` starts once
    /// the id maps are written and it is certain to die with its parent. Throws NotMade, NotShown, NotTaken
    /// for a step that is refused, or SystemError.
    static Container start(const Recipe& recipe, const Main& main);

    Container(Container&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
    Container& operator=(Container&&) = delete;
    ~Container() { (void)end(); }

    /// As the caller's pid namespace numbers it.
    [[nodiscard]] pid_t pid() const { return pid_; }

    /// Kills it and waits for its end; its wait status, or nothing if that was known before, or it cannot be
    /// killed.
    std::optional<int> end();

    /// Waits for its end; its wait status. Throws SystemError where that cannot be told.
    int wait();

    /// As wait(), with the errno as a value.
    sys::Result<int> reap();

  private:
    explicit Container(pid_t pid) : pid_(pid) {}
    pid_t pid_;
};

/// Writes setgroups, uid_map and gid_map of a process in a new user namespace. Throws NotShown, NotTaken.
void map_ids(pid_t pid, const Recipe& recipe);

/// The number in /proc of a process that is `pid` here. Throws NotShown.
std::string number_in_proc(pid_t pid);

/// The path of /proc/PID/NAME of a process that is `pid` here, or of this one without. Throws NotShown.
std::string path_in_proc(std::optional<pid_t> pid, std::string_view name);

/// The text of that file. Throws NotShown, SystemError.
std::string read_in_proc(std::optional<pid_t> pid, std::string_view name);

/// The link of /proc/PID/ns: "uts:[4026531838]"; empty where the kernel has no such kind. Throws NotShown,
/// SystemError.
std::string namespace_link(std::optional<pid_t> pid, Kind kind);

}  // namespace nsb::isolate
