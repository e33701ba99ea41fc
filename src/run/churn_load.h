// nsbench's end of a load: its processes, and what they record.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "core/capabilities.h"
#include "run/churn_plan.h"
#include "sys/process.h"

namespace nsb::run {

/// The workers of a load, in a process that ends with this one (bench/churn.h). All are gone with the object.
class ChurnLoad {
  public:
    /// Starts the workers, which wait. Throws sys::SystemError, and std::runtime_error where the sampler is
    /// of another build.
    explicit ChurnLoad(const ChurnPlan& plan);
    ~ChurnLoad();
    ChurnLoad(const ChurnLoad&) = delete;
    ChurnLoad& operator=(const ChurnLoad&) = delete;

    /// Lets the load begin: at the returned moment of the clock, in ns.
    std::uint64_t begin();

    /// No operation begins any more.
    void stop();

    /// Ends the workers wherever they are.
    void kill();

    /// Visits what was recorded since the last call; the group is that of core/churn.h.
    void take(const std::function<void(std::size_t group, const churn::Record&)>& visit);

    /// Whether all workers have ended; what they recorded may still have to be taken.
    [[nodiscard]] bool is_over() { return process_->ends_within(std::chrono::milliseconds(0)); }

    /// Whether it came to its end: the process that the workers belong to was not killed.
    [[nodiscard]] bool has_ended() const;

    /// What they may do; nothing where the process that starts them did not say so.
    [[nodiscard]] const std::optional<protocol::Privilege>& privilege() const { return privilege_; }

    /// The capabilities that they were to keep.
    [[nodiscard]] Capabilities keep() const { return keep_; }

    /// Workers that ended in another way than by themselves.
    [[nodiscard]] std::uint32_t died() const;
    /// Operations of a group that were done without a record, since nsbench had not read the earlier ones.
    [[nodiscard]] std::uint64_t unrecorded(std::size_t group) const;

  private:
    void fill(const ChurnPlan& plan);
    void wait_until_ready();
    void unmap();
    /// The workers of a group are numbered from the first value to before the second.
    [[nodiscard]] std::pair<std::uint32_t, std::uint32_t> workers_of(std::size_t group) const;

    Capabilities keep_;
    std::uint32_t workers_, first_workers_;  // all, and those of the first group
    std::size_t bytes_;
    sys::Fd memory_file_, socket_;
    churn::Control* control_ = nullptr;
    std::array<std::uint64_t, churn::kGroups> unread_{};  // that were written over
    std::optional<sys::Process> process_;
    std::optional<protocol::Privilege> privilege_;
};

}  // namespace nsb::run
