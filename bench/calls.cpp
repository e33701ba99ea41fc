#include "calls.h"

#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <cstdio>
#include <cstdlib>

#include "sys/mount.h"

namespace nsb::bench {
namespace {

sys::Result<std::uint64_t> number_of(const sys::Fd& tracefs, const char* event) {
    char path[96];
    std::snprintf(path, sizeof path, "events/%s/id", event);
    const auto file = sys::Fd::own(openat(tracefs.get(), path, O_RDONLY | O_CLOEXEC));
    if (!file) return tl::unexpected(file.error());
    char text[16] = "";
    const ssize_t got = sys::retried([&] { return ::read(file->get(), text, sizeof text - 1); });
    if (got <= 0) return tl::unexpected(got < 0 ? errno : ENODATA);
    return std::strtoull(text, nullptr, 10);
}

}  // namespace

sys::Result<CallCounter> CallCounter::open() {
    const auto tracefs = sys::mount_detached("tracefs");
    if (!tracefs) return tl::unexpected(tracefs.error().error);
    CallCounter counter;
    for (std::size_t i = 0; i < protocol::kCounted.size(); ++i) {
        const protocol::CountedInfo& counted = protocol::kCounted[i];
        const auto number = number_of(*tracefs, counted.event);
        if (!number) return tl::unexpected(number.error());
        perf_event_attr attributes{};
        attributes.type = PERF_TYPE_TRACEPOINT;
        attributes.size = sizeof attributes;
        attributes.config = *number;
        // Only what is inherited counts: this process executes nothing.
        attributes.inherit = 1;
        attributes.disabled = 1;
        attributes.enable_on_exec = 1;
        auto event = sys::Fd::own(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
        if (!event) return tl::unexpected(event.error());
        if (counted.filter != nullptr &&
            ioctl(event->get(), PERF_EVENT_IOC_SET_FILTER, counted.filter) != 0) {
            return tl::unexpected(errno);
        }
        counter.events_[i] = std::move(*event);
    }
    return counter;
}

sys::Result<protocol::Counts> CallCounter::read() const {
    protocol::Counts counts{};
    for (std::size_t i = 0; i < counts.size(); ++i) {
        const ssize_t got =
            sys::retried([&] { return ::read(events_[i].get(), &counts[i], sizeof counts[i]); });
        if (got != sizeof counts[i]) return tl::unexpected(got < 0 ? errno : ENODATA);
    }
    return counts;
}

}  // namespace nsb::bench
