#include "run/answer.h"

#include <memory>

#include "core/failure.h"
#include "fuzz/bytes.h"
#include "fuzz/target.h"
#include "report/csv.h"
#include "run/recorded.h"
#include "run/samples_csv.h"
#include "run/taken_block.h"

namespace nsb::fuzz {
namespace {

/// A sampler that has answered so.
class Answered : public run::Samplers {
  public:
    explicit Answered(run::Records records) : records_(std::move(records)) {}
    Answer take(const Case& /*c*/, std::uint32_t /*samples*/, std::chrono::nanoseconds /*limit*/) override {
        return {{records_}, ""};
    }
    [[nodiscard]] bool in_userns() const override { return false; }

  private:
    run::Records records_;
};

}  // namespace

void answers(std::string_view input) {
    static const auto kMemory = std::make_unique<protocol::SharedMemory>();
    constexpr std::size_t kRecords = 8;
    Bytes bytes(input);
    const auto count = bytes.take<std::uint32_t>();
    for (std::size_t i = 0; i < kRecords; ++i) kMemory->records[i] = bytes.take<protocol::Record>();
    const auto records = run::records_of(*kMemory, count);
    if (!records) return;
    must_hold(records->size() == count, "all records are there");
    if (count > kRecords) return;  // those behind are zeros

    run::RunInfo info;
    info.identity = {"id", "6.1.0", TickClock::wall};
    info.options.selection.cases = {"clone/NEWPID/stack:1M"};
    const std::vector<Case> plan = *run::make_plan(info.options.selection);
    Answered samplers({records->begin(), records->end()});
    const run::TakenBlock block = run::take_block(samplers, plan.front(), 0, count, std::chrono::seconds(1));
    Series series{plan.front(), {}, block.failure};
    for (const auto& taken : block.samples) {
        Sample sample{1, 1, true, {}};
        for (const Phase phase : plan.front().phases())
            sample.times[static_cast<std::size_t>(phase)] = taken.times[static_cast<std::size_t>(phase)];
        sample.ended = taken.ended;
        series.samples.push_back(sample);
    }
    if (series.failure) (void)explain(*series.failure, plan.front().set);
    const Series* const one = &series;
    const std::string text = run::samples_csv(info.identity, {&one, 1});
    must_hold(run::parse_samples(run::whole(text), "samples.csv", info, plan).has_value(),
              "what a sampler answers is written so that it can be read");
}

}  // namespace nsb::fuzz
