// rss: the caller has so much memory more, private and touched, in pages of 4 KiB.
#include <fcntl.h>
#include <sys/mman.h>

#include "conditions.h"

namespace nsb::bench {
namespace {

/// Where memory runs out, the kernel is to end the deputy and nothing else.
void come_first_when_memory_runs_out() {
    const auto file = sys::Fd::own(open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
    if (file) (void)sys::retried([&] { return write(file->get(), "1000", 4); });
}

}  // namespace

Failure set_up_rss(Setting& here) {
    come_first_when_memory_runs_out();
    // Of whoever is ended for it, the sampler knows no more than that.
    here.memory.child_failure = here.failed(ENOMEM);
    // NOLINTNEXTLINE(performance-no-int-to-ptr): a place that is asked for
    void* const mapping = mmap(reinterpret_cast<void*>(kRssAt), here.value, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (mapping == MAP_FAILED) return here.failed();
    // Whatever the machine's setting: a curve over sizes is to be of one kind of pages. A kernel without huge
    // pages refuses it.
    (void)madvise(mapping, here.value, MADV_NOHUGEPAGE);
    auto* const pages = static_cast<volatile char*>(mapping);
    for (std::uint64_t at = 0; at < here.value; at += kPage) pages[at] = 1;
    return {};
}

}  // namespace nsb::bench
