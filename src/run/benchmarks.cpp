#include "run/benchmarks.h"

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <sstream>
#include <utility>

#include "core/utf8.h"
#include "run/block_shape.h"
#include "run/interrupt.h"
#include "run/limits.h"
#include "run/registered.h"
#include "run/run_options.h"
#include "run/schedule.h"
#include "run/taken_block.h"
#include "sys/error.h"
#include "sys/privilege.h"

namespace nsb::run {
namespace {

using namespace std::chrono_literals;

/// What a signal has to wait for, unless not even the lead-in fits into that.
constexpr auto kLongestBlock = 1s;
constexpr auto kLongestDrain = 1s;

/// Reports benchmarks by case ids alone: Google Benchmark adds /manual_time to the name of each.
class ByCaseId final : public benchmark::BenchmarkReporter {
  public:
    /// `columns`: counters that each run has, not a number where its case has no such phase.
    ByCaseId(benchmark::BenchmarkReporter& inner, std::vector<Phase> columns)
        : inner_(inner), columns_(std::move(columns)) {}

    bool ReportContext(const Context& context) override { return inner_.ReportContext(context); }
    void ReportRuns(const std::vector<Run>& runs) override {
        std::vector<Run> named = runs;
        for (Run& run : named) {
            run.run_name.time_type.clear();
            for (const Phase phase : columns_)
                run.counters.try_emplace(std::string(info(phase).name), std::nan(""));
        }
        inner_.ReportRuns(named);
    }
    void Finalize() override { inner_.Finalize(); }

  private:
    benchmark::BenchmarkReporter& inner_;
    std::vector<Phase> columns_;
};

/// One case's samples, block by block, as iterations ask for them.
class Source {
  public:
    Source(Samplers& samplers, Draining& draining, const Case& c, std::uint32_t lead_in)
        : samplers_(samplers), draining_(draining), case_(c), lead_in_(lead_in) {}

    /// The first phase's time of the next sample, in ticks; nothing once the case has failed or a signal
    /// came. `left`: how many samples will still be asked for, with this one.
    std::optional<double> next(benchmark::IterationCount left) {
        while (next_ == times_.size()) {
            if (interrupted_by() != 0 || !take(left)) return std::nullopt;
        }
        return times_[next_++];
    }

    [[nodiscard]] const std::optional<protocol::Failure>& failure() const { return failure_; }
    [[nodiscard]] const std::string& said() const { return said_; }

    /// A phase's mean over the samples taken, in ticks; nothing where it was not seen.
    [[nodiscard]] std::optional<double> mean(Phase phase) const {
        const auto [sum, count] = sums_[static_cast<std::size_t>(phase)];
        return count == 0 ? std::nullopt : std::optional(sum / count);
    }

  private:
    struct Sum {
        double sum = 0, count = 0;
    };

    void add(Phase phase, double ticks) {
        Sum& sum = sums_[static_cast<std::size_t>(phase)];
        sum.sum += ticks;
        ++sum.count;
    }

    bool take(benchmark::IterationCount left) {
        const auto samples = static_cast<std::uint32_t>(
            std::min<std::uint64_t>(static_cast<std::uint64_t>(left), largest_block()));
        draining_.begin();
        TakenBlock block = take_block(samplers_, case_, lead_in_, samples, limit_);
        draining_.add(block);
        const std::optional<env::Drained> drained = draining_.wait(kLongestDrain);
        if (block.failure) {
            failure_ = block.failure;
            said_ = std::move(block.said);
            return false;
        }
        const auto phases = case_.phases();
        for (const Phase phase : phases) {
            if (phase == Phase::drain) continue;
            for (const double ticks : block.counted(phase)) add(phase, ticks);
        }
        if (drained && info(case_.operation).phases.contains(Phase::drain)) {
            if (const double ticks = drain_of(case_.set, *drained); ticks > 0) add(Phase::drain, ticks);
        }
        times_ = block.counted(phases.front());
        next_ = 0;
        if (times_.empty()) limit_ *= 2;
        return true;
    }

    /// With the lead-in it leaves no more behind than the rounds do: a held block leaves one of each kind.
    [[nodiscard]] std::uint64_t largest_block() const {
        if (teardown_class(case_) == TeardownClass::none || case_.has(Trait::held)) return kBlock.high;
        const std::uint64_t each = kMaxBacklog / case_.at_once();
        return each > lead_in_ ? each - lead_in_ : 1;
    }

    Samplers& samplers_;
    Draining& draining_;
    Case case_;
    std::uint32_t lead_in_;
    std::chrono::nanoseconds limit_ = kLongestBlock;
    std::vector<double> times_;
    std::size_t next_ = 0;
    std::array<Sum, kPhases> sums_{};
    std::optional<protocol::Failure> failure_;
    std::string said_;
};

/// One run of a benchmark: as many samples as Google Benchmark has iterations for. Returns how it went.
Row run_iterations(benchmark::State& state, const Case& c, Source source, const RowContext& context) {
    const auto phases = c.phases();
    Row row;
    row.measured = c;
    row.phase = phases.front();
    benchmark::IterationCount left = state.max_iterations;
    for ([[maybe_unused]] auto _ : state) {
        // The CPU time of this process is no figure of the case's.
        state.PauseTiming();
        const std::optional<double> ticks = source.next(left--);
        state.ResumeTiming();
        if (ticks) {
            state.SetIterationTime(*ticks * kSecondsPerTick);
            continue;
        }
        if (source.failure())
            row = make_rows({c, {}, source.failure(), source.said()}, nullptr, context).front();
        state.SkipWithError(source.failure() ? error_message(row).c_str() : "interrupted");
        break;
    }
    for (const Phase phase : phases) {
        if (const auto mean = source.mean(phase)) {
            state.counters[std::string(info(phase).name)] = *mean * kSecondsPerTick;
        }
    }
    return row;
}

std::vector<Phase> phases_of(std::span<const Case> cases) {
    std::set<Phase> all;
    for (const Case& c : cases) {
        for (const Phase phase : c.phases()) all.insert(phase);
    }
    return {all.begin(), all.end()};
}

}  // namespace

void look_at_cpus() {
    // Without /proc it would say so, and nothing can be measured either, which is said with what to do.
    if (access("/proc/cpuinfo", R_OK) != 0) return;
    constexpr std::size_t kAtOnce = 2;
    if (!sys::can_open(kAtOnce)) throw sys::SystemError("open", "/sys/devices/system/cpu", EMFILE);
    (void)benchmark::CPUInfo::Get();
}

void initialize_benchmarks(const std::vector<std::string>& options) {
    // It keeps pointers into its arguments.
    static std::vector<std::string> words;
    words = words_against_variables();
    words.insert(words.begin(), "nsbench");
    words.insert(words.end(), options.begin(), options.end());
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    int count = static_cast<int>(arguments.size());
    benchmark::Initialize(&count, arguments.data());
    for (const char* const left : std::span(arguments).subspan(1, static_cast<std::size_t>(count) - 1)) {
        // A default is of an option that another version has.
        if (std::ranges::find(options, left) != options.end()) throw UnknownBenchmarkOption(left);
    }
}

BenchmarksRun run_benchmarks(Samplers& samplers, Draining& draining, std::span<const Case> cases,
                             const BenchmarkOptions& options) {
    std::map<Case, Row> rows;
    for (const Case& c : cases) {
        register_case(c, [&, c](benchmark::State& state) {
            Row row = run_iterations(state, c, {samplers, draining, c, shape_of(c, options.run).lead_in},
                                     options.context);
            // A later repetition does not make up for one that failed.
            if (const auto before = rows.find(c); before == rows.end() || before->second.error.empty())
                rows.insert_or_assign(c, std::move(row));
        });
    }
    describe_context(options.identity, options.version);
    ByCaseId display(*benchmark::CreateDefaultDisplayReporter(),
                     options.all_have_all_phases ? phases_of(cases) : std::vector<Phase>{});
    std::ostringstream text;
    std::unique_ptr<benchmark::BenchmarkReporter> writer;
    if (options.file == FileFormat::json) writer = std::make_unique<benchmark::JSONReporter>();
    if (options.file == FileFormat::console)
        writer = std::make_unique<benchmark::ConsoleReporter>(benchmark::ConsoleReporter::OO_None);
    if (writer) {
        writer->SetOutputStream(&text);
        writer->SetErrorStream(&text);
        ByCaseId file(*writer, {});
        benchmark::RunSpecifiedBenchmarks(&display, &file);
    } else {
        benchmark::RunSpecifiedBenchmarks(&display);
    }
    benchmark::ClearRegisteredBenchmarks();
    BenchmarksRun run;
    for (auto& [c, row] : rows) run.rows.push_back(std::move(row));
    // What it says of the machine has the hostname, which is any bytes.
    run.file = as_utf8(text.str());
    return run;
}

}  // namespace nsb::run
