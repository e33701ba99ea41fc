// What a load of namespaces comes to: its time line, whether a rate was held, and when the kernel had
// settled.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "core/churn.h"
#include "core/histogram.h"

namespace nsb {

/// What the kernel holds at one moment. Nothing where it does not tell.
struct KernelUse {
    std::optional<std::uint64_t> namespaces;  ///< of the kinds that are counted, all those of the machine
    std::optional<std::uint64_t> slab, percpu, kernel_stack;  ///< bytes

    /// Of those three; nothing unless all are known.
    [[nodiscard]] std::optional<std::uint64_t> memory() const;
};

/// How often each errno was met.
using Errors = std::map<int, std::uint64_t>;
std::uint64_t count_of(const Errors& errors);
/// "ENOSPC 12, EAGAIN 3".
std::string to_string(const Errors& errors);

/// The operations that ended in a stretch of time. A failed one is counted by its errno, and has no time.
struct Tally {
    Histogram latency;  ///< from when it should have begun until the child was reaped
    Histogram service;  ///< from the call on
    Histogram create;   ///< the call alone
    Errors errors;

    void add(const churn::Record& record);
    void add(const Tally& other);
    void clear();
    [[nodiscard]] std::uint64_t done() const { return latency.count(); }
};

/// A line of the time line.
struct LoadRow {
    bool is_drain = false;            ///< after the load: the kernel clears up
    double begin_s = 0, seconds = 0;  ///< since the load began
    std::uint64_t done = 0;
    Errors errors;
    Latencies latency, create;
    std::optional<std::uint64_t> backlog;  ///< open loop: arrivals that are due and not done, at its end
    std::uint64_t background_done = 0;
    Errors background_errors;
    KernelUse use;                           ///< at its end
    std::optional<std::uint64_t> not_freed;  ///< namespaces above those at the begin
    /// Whether the kernel's workers have torn down all that was left to them, at its end; nothing where they
    /// are not seen.
    std::optional<bool> is_torn_down;

    [[nodiscard]] double end_s() const { return begin_s + seconds; }
    [[nodiscard]] double rate() const { return seconds > 0 ? static_cast<double>(done) / seconds : 0; }
};

/// Of one burst; the times are from its begin, to each child's reaping.
struct BurstRow {
    double begin_s = 0;
    Latencies latency;
    Errors errors;
    double rate = 0;  ///< operations over the time until the last one ended
};

/// Arrivals at a fixed rate, one each period from the begin on: how many are due.
std::uint64_t due_arrivals(double period_ns, std::uint64_t since_begin_ns);

/// Whether an open loop held its rate, and why not.
struct Held {
    bool is_held = true;
    std::string_view why;
};
/// A rate is not held if at the end the backlog is more than arrives in a second, or if it grows in the last
/// third: its least value in the last third of that is above its greatest in the first third, by more than
/// one operation for each worker. Of the load's rows.
Held judge(std::span<const LoadRow> load, double rate, std::uint32_t workers);

/// Done each second in the last third of the load; over all of it where that is shorter than a few rows.
double rate_at_end(std::span<const LoadRow> load);

/// The kernel has settled once its workers have torn down what was left to them, and for so long neither its
/// memory nor its namespaces moved by more than a twentieth of what the load had added at most, and 2 MiB or
/// 16 namespaces at least: the first as slabs of other work do, the second as the slabs of each CPU count.
/// Where the workers are not seen, it has not settled as long as more than half of the memory is held: while
/// they tear down a large batch, nothing moves for seconds.
inline constexpr double kSettledFor = 2;
/// The moment from which on that holds, or nothing where it does not by the last row; `before` is what was
/// held when the load began, `all` are the rows of load and drain. Where nothing is told, nothing settles.
std::optional<double> settled_at(const KernelUse& before, std::span<const LoadRow> all);

/// `200/s`, `200`, `0.5/s`, `90/m`: operations each second. The error says what is accepted.
tl::expected<double, std::string> parse_rate(std::string_view text);
/// "200" or "0.5", as in an id.
std::string format_rate(double rate);

}  // namespace nsb
