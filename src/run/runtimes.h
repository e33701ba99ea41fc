// The container runtimes that are installed here, and how each is told to do the job of the operation
// container.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "core/case.h"
#include "core/protocol.h"
#include "core/series.h"

namespace nsb::run {

struct Runtime {
    By by;
    std::string program;                       ///< its file's name
    std::string package;                       ///< Debian's, which has it
    std::string path{};                        ///< empty where it is not installed
    std::string version{};                     ///< the first line of what it says of itself
    std::vector<std::string> command{};        ///< the last that was asked of it
    std::optional<protocol::Counts> counts{};  ///< of a start by it; absent where that could not be counted
};

class Runtimes {
  public:
    /// Looks for all of them in the PATH and in the administrator's directories, and asks their versions.
    static Runtimes find();

    /// What a case of the operation runtime needs, or why this runtime cannot do it. `cgroup`: where an OCI
    /// runtime puts its container; empty as an ordinary user, who may not say.
    tl::expected<protocol::RuntimeJob, Unseen> job(const Case& c, const std::string& cgroup);

    void set_counts(const Case& c, const protocol::Counts& counts) {
        all_[c.value(Parameter::by)].counts = counts;
    }

    [[nodiscard]] const std::vector<Runtime>& all() const { return all_; }
    [[nodiscard]] const Runtime& of(const Case& c) const { return all_[c.value(Parameter::by)]; }

  private:
    explicit Runtimes(std::vector<Runtime> all) : all_(std::move(all)) {}
    std::vector<Runtime> all_;
};

/// Lines for the counts, below the table of times; empty where there are none.
std::string counts_table(const std::vector<Runtime>& runtimes);

/// A runtime's command line and what else it needs, apart from whether it is here.
struct RuntimeCommand {
    std::vector<std::string> arguments;    ///< after the program's path
    std::vector<std::string> environment;  ///< beside the PATH
    std::string config;                    ///< the bundle's config.json, for runc and crun
};

/// Starts /program in ./rootfs with the namespaces of `set`, its own proc, and a hostname and loopback link
/// where the runtime has options for them. The error names the kind that it has no option for.
tl::expected<RuntimeCommand, std::string> make_command(By by, KindSet set, const std::string& cgroup);

}  // namespace nsb::run
