#include "run/rounds.h"

#include <utility>

#include "run/registered.h"

namespace nsb::run {
namespace {

/// Google Benchmark reports each block as soon as it is done; ours come from the samples, at the end.
class SilentReporter : public benchmark::BenchmarkReporter {
  public:
    bool ReportContext(const Context& /*context*/) override { return true; }
    void ReportRuns(const std::vector<Run>& /*runs*/) override {}
};

/// What variables say would repeat blocks, leave them out, or end the program.
void ignore_environment() {
    static bool done = false;
    if (std::exchange(done, true)) return;
    // It keeps pointers into its arguments.
    static std::vector<std::string> words = words_against_variables();
    words.insert(words.begin(), "nsbench");
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    int count = static_cast<int>(arguments.size());
    benchmark::Initialize(&count, arguments.data());
}

void run_block(benchmark::State& state, const PlannedBlock& block, const MeasureBlock& measure) {
    const auto times = measure(block);
    if (!times) return state.SkipWithError(times.error().c_str());
    // A block cut short by its time limit has fewer samples than were registered as iterations.
    if (times->size() != block.samples) return state.SkipWithError("the block ended early");
    std::size_t i = 0;
    for ([[maybe_unused]] auto _ : state) state.SetIterationTime((*times)[i++] * kSecondsPerTick);
}

}  // namespace

void run_round(std::span<const Group> groups, std::span<const Case> cases, const MeasureBlock& measure,
               const std::function<void(const Group&)>& end_group) {
    for (const Group& group : groups) {
        for (const PlannedBlock& block : group) {
            const bool is_last = &block == &group.back();
            register_case(cases[block.series], [&, is_last](benchmark::State& state) {
                run_block(state, block, measure);
                if (is_last) end_group(group);
            })->Iterations(block.samples);
        }
    }
    ignore_environment();
    SilentReporter reporter;
    benchmark::RunSpecifiedBenchmarks(&reporter, "all");
    benchmark::ClearRegisteredBenchmarks();
}

}  // namespace nsb::run
