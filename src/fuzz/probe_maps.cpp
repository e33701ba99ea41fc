#include "probe/maps.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <memory>
#include <span>
#include <vector>

#include "core/probed.h"
#include "fuzz/bytes.h"
#include "fuzz/target.h"
#include "probe/attribution.h"

namespace nsb::fuzz {
namespace {

constexpr std::size_t kMostNodes = 40, kMostValues = 60, kMostEntries = 12;

/// The maps; what was put into them is taken out again with the object.
class Filled {
  public:
    explicit Filled(Bytes& bytes) {
        const std::size_t count = bytes.take<std::uint8_t>() % kMostValues;
        for (std::size_t i = 0; i < count; ++i) put(bytes);
    }
    ~Filled() {
        for (__u64* const value : put_) *value = 0;
    }
    Filled(const Filled&) = delete;
    Filled& operator=(const Filled&) = delete;

    // NOLINTNEXTLINE(readability-convert-member-functions-to-static): who has the object has them filled
    [[nodiscard]] probe::Maps maps() const { return {all().calls, all().buckets, all().lost, all().objects}; }

  private:
    struct All {
        std::vector<nsb_calls> calls{std::size_t{NSB_ROWS} * NSB_NODES};
        std::vector<__u64> buckets = std::vector<__u64>(std::size_t{NSB_MAX_FUNCTIONS} * NSB_BUCKETS);
        std::vector<__u64> lost = std::vector<__u64>(NSB_LOST_REASONS);
        std::vector<nsb_objects> objects{NSB_MAX_FUNCTIONS};
    };
    static All& all() {
        static All of_all;
        return of_all;
    }

    template <typename T>
    void put_into(std::vector<T>& map, Bytes& bytes) {
        T& element = map[bytes.take<std::uint32_t>() % map.size()];
        bytes.fill(&element, sizeof element);
        const std::span values(reinterpret_cast<__u64*>(&element), reinterpret_cast<__u64*>(&element + 1));
        for (__u64& value : values) put_.push_back(&value);
    }
    void put(Bytes& bytes) {
        switch (bytes.take<std::uint8_t>() % 4) {
            case 0:
                return put_into(all().calls, bytes);
            case 1:
                return put_into(all().buckets, bytes);
            case 2:
                return put_into(all().lost, bytes);
            default:
                return put_into(all().objects, bytes);
        }
    }

    std::vector<__u64*> put_;
};

const probe::Symbols& symbols() {
    static const probe::Symbols kSymbols = [] {
        std::string text;
        std::uint64_t address = 0xffffffff81000000;
        for (const TracedFunction& function : kTraced)
            text += fmt::format("{:x} T {}\n", address += 0x100, function.name);
        for (const char* const name : {"mutex_lock", "schedule", "kmalloc", "bpf_prog_x", "synchronize_rcu"})
            text += fmt::format("{:x} t {}\n", address += 0x100, name);
        return probe::Symbols::parse(text);
    }();
    return kSymbols;
}

bool is_time(double value) {
    return std::isfinite(value) && value >= 0;
}

}  // namespace

void probe_maps(std::string_view input) {
    Bytes bytes(input);
    probe::NodeNames names;
    for (std::size_t i = 0, count = bytes.take<std::uint8_t>() % kMostNodes; i < count; ++i)
        names.add(bytes.take<std::uint32_t>());
    probe::Observations seen;
    seen.samples = bytes.take<std::uint8_t>() + 1U;
    seen.torn_down = seen.samples;
    {
        const Filled filled(bytes);
        seen.snapshot = snapshot_of(filled.maps(), names.nodes());
    }
    std::array<std::vector<std::string>, 4> stacks;
    for (auto& stack : stacks) {
        nsb_stack raw{};
        raw.frames = bytes.take<std::uint8_t>();
        for (std::size_t i = 0; i < raw.frames % 8; ++i)
            raw.address[i] = 0xffffffff81000000 + bytes.take<std::uint16_t>();
        stack = functions_on(raw, symbols());
    }
    for (std::size_t i = 0, count = bytes.take<std::uint8_t>() % kMostEntries; i < count; ++i) {
        const auto& stack = stacks[bytes.take<std::uint8_t>() % stacks.size()];
        const auto key = bytes.take<nsb_profile_key>();
        if (const auto entry = probe::entry_of(key, bytes.take<nsb_profile>(), stack))
            seen.snapshot.profile.push_back(*entry);
    }
    probe::Snapshot twice = seen.snapshot;
    twice += seen.snapshot;

    const std::vector<probe::Probe::Service> services(kTraced.size());
    for (const bool traces_calls : {true, false}) {
        ProbedCase probed;
        probed.measured = Case::of(Operation::clone, KindSet::all());
        attribute_functions(probed, seen, {services, traces_calls, {100, 50}});
        for (const CallNode& node : probed.calls) {
            must_hold(node.function < kTraced.size(), "a node is of a traced function");
            must_hold(is_time(node.total) && is_time(node.self), "times are none below 0");
        }
        (void)added(probed, probed);
    }
    (void)fold(seen);
    (void)attribute_memory(seen, &seen);
    (void)objects_by_allocation(seen);
}

}  // namespace nsb::fuzz
