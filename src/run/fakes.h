// What the tests of the rounds have in the place of processes and of the kernel's workers.
#pragma once

#include <algorithm>
#include <functional>
#include <vector>

#include "env/teardown.h"
#include "run/markers.h"
#include "run/samplers.h"

namespace nsb::run {

/// A time that tells its phase and the sample that it is of: 1002 is that of phase 1 in sample 2.
inline std::uint64_t fake_time(std::size_t phase, std::size_t sample) {
    return 1000 * phase + sample;
}

/// A sampler's answer of `samples` records, of which those from `failed` on are missing and the last has that
/// failure.
inline Records fake_records(std::uint32_t samples, protocol::Failure failure = {},
                            std::uint32_t failed = protocol::kMaxSamples) {
    Records records;
    for (std::uint32_t i = 0; i < samples && i <= failed; ++i) {
        protocol::Record& record = records.emplace_back();
        if (i == failed) {
            record.failure = failure;
            break;
        }
        for (std::size_t phase = 0; phase < kPhases; ++phase) record.times[phase] = fake_time(phase, i);
        record.ended = std::uint64_t{5000} * (i + 1);
    }
    return records;
}

class FakeSamplers : public Samplers {
  public:
    struct Asked {
        Case c;
        std::uint32_t samples;
        std::chrono::nanoseconds limit;
    };
    std::vector<Asked> asked;
    bool is_in_userns = false;
    /// What they answer: whole blocks unless a test says otherwise.
    std::function<Answer(const Case& c, std::uint32_t samples)> answer = [](const Case& c,
                                                                            std::uint32_t samples) {
        return Answer{std::vector<Records>(c.at_once(), fake_records(samples)), ""};
    };

    Answer take(const Case& c, std::uint32_t samples, std::chrono::nanoseconds limit) override {
        asked.push_back({c, samples, limit});
        return answer(c, samples);
    }
    [[nodiscard]] bool in_userns() const override { return is_in_userns; }
};

/// What a fake watch was asked, and what it says.
struct TeardownLog {
    int begun = 0;
    std::vector<env::PendingTeardown> waited;
    std::vector<std::chrono::nanoseconds> limits;
    env::Drained result{true, {}};
    std::function<env::Drained(std::size_t batch)> of_each{};  ///< in its place, where batches differ
};

/// Watches all kinds that nsbench waits for.
class FakeTeardown : public env::Teardown {
  public:
    explicit FakeTeardown(TeardownLog& log) : log_(log) {}
    void begin() override { ++log_.begun; }
    [[nodiscard]] bool watches(const env::PendingTeardown& pending) const override {
        return std::ranges::any_of(pending, [](std::uint32_t n) { return n > 0; });
    }
    env::Drained wait(const env::PendingTeardown& pending, std::chrono::nanoseconds limit) override {
        log_.waited.push_back(pending);
        log_.limits.push_back(limit);
        return log_.of_each ? log_.of_each(log_.waited.size() - 1) : log_.result;
    }

  private:
    TeardownLog& log_;
};

/// Marks each round by its number: begun and ended in pairs.
class FakeMarkers : public Markers {
  public:
    struct Log {
        int begun = 0;
        std::vector<std::uint32_t> ended;
        std::vector<std::size_t> asked;  ///< blocks until each of these moments
    };
    FakeMarkers(Log& log, const FakeSamplers& samplers) : log_(log), samplers_(samplers) {}
    void begin() override {
        ++log_.begun;
        log_.asked.push_back(samplers_.asked.size());
    }
    RoundMarks end(std::uint32_t round) override {
        log_.ended.push_back(round);
        log_.asked.push_back(samplers_.asked.size());
        RoundMarks marks;
        marks.round = round;
        marks.others = round;
        return marks;
    }

  private:
    Log& log_;
    const FakeSamplers& samplers_;
};

}  // namespace nsb::run
