// The columns of the result files: one table each, which drives writing, reading and the dictionary.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "core/disturbance.h"
#include "core/probed.h"
#include "core/series.h"
#include "core/tick.h"

namespace nsb::report {

/// What every row of a run has in common.
struct RunIdentity {
    std::string run_id;
    std::string kernel;  ///< uname -r
    TickClock clock = TickClock::wall;
    std::string
        state{};  ///< the name of the kernel's state that each case began from; empty where it has none

    /// What a time is counted in: ns or instructions.
    [[nodiscard]] std::string_view unit() const { return info(clock).unit; }
};

struct ResultRecord {
    const RunIdentity& run;
    const Row& row;
};

struct SampleRecord {
    const RunIdentity& run;
    const Series& series;
    const Stretch* stretch;  ///< that it is of; null for the one that failed
    std::size_t index;       ///< within the series
    std::size_t number;      ///< within those of its machine
};

struct RoundRecord {
    const RunIdentity& run;
    const RoundMarks& marks;
};

struct FunctionRecord {
    const RunIdentity& run;
    const ProbedCase& probed;
    const FunctionRow& row;
};

struct MemoryRecord {
    const RunIdentity& run;
    const ProbedCase& probed;
    const MemoryRow& row;
};

/// The unit of a time: run.json says which.
inline constexpr std::string_view kTicks = "ns or instructions";

template <typename Record>
struct Column {
    std::string_view name;
    std::string_view unit;  ///< empty for text
    std::string_view meaning;
    std::string (*get)(const Record& record);  ///< empty where there is nothing to say
    /// Of samples.csv: whether all of a case's have the same; null where they need not.
    bool (*is_of_case)(const Case& c) = nullptr;
};

std::span<const Column<ResultRecord>> result_columns();
std::span<const Column<SampleRecord>> sample_columns();
std::span<const Column<RoundRecord>> round_columns();
std::span<const Column<FunctionRecord>> function_columns();
std::span<const Column<MemoryRecord>> memory_columns();

/// As a figure stands in the files: whole where it is, else with three decimals.
std::string format_number(double value);

}  // namespace nsb::report
