#include "sys/tracepoint.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "sys/file.h"
#include "sys/mount.h"

namespace nsb::sys {
namespace {

constexpr std::size_t kPageSize = 4096;
constexpr std::size_t kDataPages = 16;  // a power of two, as perf_event_open(2) asks

tl::unexpected<Refusal> refused(std::string call, int error, std::string arguments = "") {
    return tl::unexpected(Refusal{std::move(call), std::move(arguments), error});
}

Expected<TraceFormat> read_format(const Fd& tracefs, const TracepointSpec& spec) {
    const std::string path = fmt::format("/proc/self/fd/{}/events/{}/format", tracefs.get(), spec.name);
    const Result<std::string> text = read_file(path);
    if (!text) return refused("tracefs: " + spec.name, text.error());
    const auto format = parse_trace_format(*text, spec.field);
    if (!format) return refused(fmt::format("tracefs: {} has no {}", spec.name, spec.field), ENOENT);
    return *format;
}

std::vector<int> online_cpus() {
    std::vector<int> cpus;
    const long count = sysconf(_SC_NPROCESSORS_CONF);
    for (int cpu = 0; cpu < count; ++cpu) cpus.push_back(cpu);
    return cpus;
}

Result<Fd> open_event(std::uint32_t id, int cpu) {
    perf_event_attr attributes{};
    attributes.type = PERF_TYPE_TRACEPOINT;
    attributes.size = sizeof attributes;
    attributes.config = id;
    attributes.sample_period = 1;
    attributes.sample_type = PERF_SAMPLE_TIME | PERF_SAMPLE_RAW;
    attributes.use_clockid = 1;
    attributes.clockid = CLOCK_MONOTONIC;
    return Fd::own(syscall(SYS_perf_event_open, &attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC));
}

}  // namespace

struct TracepointReader::State {
    /// One CPU's ring buffer, filled by the kernel: head is the kernel's, tail is ours.
    class Ring {
      public:
        static Result<Ring> map(const Fd& event) {
            void* const mapping = mmap(nullptr, (1 + kDataPages) * kPageSize, PROT_READ | PROT_WRITE,
                                       MAP_SHARED, event.get(), 0);
            if (mapping == MAP_FAILED) return tl::unexpected(errno);
            return Ring(static_cast<perf_event_mmap_page*>(mapping));
        }
        Ring(Ring&& other) noexcept : page_(std::exchange(other.page_, nullptr)) {}
        Ring& operator=(Ring&&) = delete;
        ~Ring() {
            if (page_ != nullptr) munmap(page_, (1 + kDataPages) * kPageSize);
        }

        /// Whether the next record may not have found room. Read before take(), which makes room.
        [[nodiscard]] bool is_full() const {
            constexpr std::uint64_t kLargestRecord = 128;  // of one pointer-sized field and a few beside it
            const std::uint64_t head = __atomic_load_n(&page_->data_head, __ATOMIC_ACQUIRE);
            return head - page_->data_tail + kLargestRecord > kDataPages * kPageSize;
        }

        /// As each_record() of all that are there, which makes room. False where it could not read them.
        template <typename Visit>
        [[nodiscard]] bool take(Visit visit) {
            const char* const data = reinterpret_cast<const char*>(page_) + kPageSize;
            const std::uint64_t head = __atomic_load_n(&page_->data_head, __ATOMIC_ACQUIRE);
            const bool is_read = each_record({data, kDataPages * kPageSize}, page_->data_tail, head, visit);
            __atomic_store_n(&page_->data_tail, head, __ATOMIC_RELEASE);
            return is_read;
        }

      private:
        explicit Ring(perf_event_mmap_page* page) : page_(page) {}
        perf_event_mmap_page* page_;
    };

    std::vector<TraceFormat> formats;
    std::vector<Fd> events;
    std::vector<Ring> rings;
    std::uint64_t lost = 0;
};

TracepointReader::TracepointReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
TracepointReader::TracepointReader(TracepointReader&&) noexcept = default;
TracepointReader& TracepointReader::operator=(TracepointReader&&) noexcept = default;
TracepointReader::~TracepointReader() = default;

Expected<TracepointReader> TracepointReader::open(const std::vector<TracepointSpec>& specs) {
    const auto tracefs = mount_detached("tracefs");
    if (!tracefs) return refused(std::string(name(tracefs.error().call)), tracefs.error().error, "tracefs");
    auto state = std::make_unique<State>();
    for (const TracepointSpec& spec : specs) {
        const auto format = read_format(*tracefs, spec);
        if (!format) return tl::unexpected(format.error());
        state->formats.push_back(*format);
    }
    for (const int cpu : online_cpus()) {
        int ring_owner = -1;
        for (std::size_t i = 0; i < specs.size(); ++i) {
            auto event = open_event(state->formats[i].id, cpu);
            if (!event && event.error() == ENODEV) break;  // configured, but not online
            if (!event) return refused("perf_event_open", event.error());
            if (ioctl(event->get(), PERF_EVENT_IOC_SET_FILTER, specs[i].filter.c_str()) != 0) {
                return refused("ioctl", errno, "PERF_EVENT_IOC_SET_FILTER");
            }
            if (ring_owner < 0) {
                auto ring = State::Ring::map(*event);
                if (!ring) return refused("mmap", ring.error(), "perf_event");
                state->rings.push_back(std::move(*ring));
                ring_owner = event->get();
            } else if (ioctl(event->get(), PERF_EVENT_IOC_SET_OUTPUT, ring_owner) != 0) {
                return refused("ioctl", errno, "PERF_EVENT_IOC_SET_OUTPUT");
            }
            state->events.push_back(std::move(*event));
        }
    }
    return TracepointReader(std::move(state));
}

std::vector<TraceEvent> TracepointReader::take() {
    std::vector<TraceEvent> taken;
    for (State::Ring& ring : state_->rings) {
        // PERF_RECORD_LOST comes with the next record of the same CPU alone, and none may come
        // (__perf_output_begin(), kernel/events/ring_buffer.c).
        if (ring.is_full()) ++state_->lost;
        const bool is_read = ring.take([&](const perf_event_header& header, std::span<const char> body) {
            if (header.type == PERF_RECORD_LOST) state_->lost += lost_of(body);
            if (header.type != PERF_RECORD_SAMPLE) return;
            if (const auto event = event_of(body, state_->formats)) taken.push_back(*event);
        });
        if (!is_read) ++state_->lost;
    }
    std::stable_sort(taken.begin(), taken.end(),
                     [](const TraceEvent& a, const TraceEvent& b) { return a.time < b.time; });
    return taken;
}

std::uint64_t TracepointReader::lost() const {
    return state_->lost;
}

}  // namespace nsb::sys
