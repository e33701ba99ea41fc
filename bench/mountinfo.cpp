// mountinfo: what a manager or a runtime reads to know the mounts of its namespace: /proc/self/mountinfo, or
// listmount(2) and statmount(2), which tell the same.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "block.h"
#include "mark.h"

namespace nsb::bench {
namespace {

// Of <linux/mount.h> and <asm/unistd.h> from Linux 6.8 on.
constexpr long kStatmount = 457;
constexpr long kListmount = 458;
constexpr std::uint64_t kListRoot = ~std::uint64_t{0};  // LSMT_ROOT
/// What mountinfo has: STATMOUNT_{SB_BASIC, MNT_BASIC, PROPAGATE_FROM, MNT_ROOT, MNT_POINT, FS_TYPE}, and
/// from 6.11 and 6.13 on STATMOUNT_{MNT_OPTS, SB_SOURCE}, which earlier kernels leave out.
constexpr std::uint64_t kWanted = 0x3fU | 0x80U | 0x200U;

/// struct mnt_id_req of MNT_ID_REQ_SIZE_VER0.
struct MountRequest {
    std::uint32_t size = sizeof(MountRequest);
    std::uint32_t spare = 0;
    std::uint64_t mount = 0;
    std::uint64_t parameter = 0;  ///< the mount behind which a list goes on, or what is wanted
};
static_assert(sizeof(MountRequest) == 24);

constexpr std::size_t kListed = 512;

/// Mapped for a block: static memory would stay the sampler's, and each later fork's.
struct Buffers {
    std::uint64_t mounts[kListed];
    alignas(64) char text[64U << 10U];
};

class Mapping {
  public:
    Mapping()
        : at_(mmap(nullptr, sizeof(Buffers), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {}
    ~Mapping() {
        if (at_ != MAP_FAILED) munmap(at_, sizeof(Buffers));
    }
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    Mapping(Mapping&&) = delete;
    Mapping& operator=(Mapping&&) = delete;
    [[nodiscard]] Buffers* get() const { return at_ == MAP_FAILED ? nullptr : static_cast<Buffers*>(at_); }

  private:
    void* at_;
};

Failure read_file(Buffers& buffers) {
    const auto file = sys::Fd::own(open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
    if (!file) return {Call::open_mountinfo, file.error()};
    for (;;) {
        const ssize_t got =
            sys::retried([&] { return read(file->get(), buffers.text, sizeof buffers.text); });
        if (got < 0) return {Call::read_mountinfo, errno};
        if (got == 0) return {};
    }
}

Failure stat_each(Buffers& buffers) {
    MountRequest list;
    list.mount = kListRoot;
    for (;;) {
        const long listed = syscall(kListmount, &list, buffers.mounts, kListed, 0);
        if (listed < 0) return {Call::listmount, errno};
        for (long i = 0; i < listed; ++i) {
            MountRequest one;
            one.mount = buffers.mounts[i];
            one.parameter = kWanted;
            // One that has been unmounted since is none of the list any more.
            if (syscall(kStatmount, &one, buffers.text, sizeof buffers.text, 0) != 0 && errno != ENOENT)
                return {Call::statmount, errno};
        }
        if (static_cast<std::size_t>(listed) < kListed) return {};
        list.parameter = buffers.mounts[listed - 1];
    }
}

}  // namespace

void run_mountinfo(Block& block) {
    const Mapping mapping;
    if (mapping.get() == nullptr) return block.fail({Call::mmap, errno});
    const bool by_file =
        block.value(Parameter::mountinfo_via) == static_cast<std::uint64_t>(MountinfoVia::proc);
    while (Record* record = block.next()) {
        NSB_MARK(bits(Phase::read), bits(), 1);
        const std::uint64_t begin = sys::now();
        const Failure failure = (by_file ? read_file : stat_each)(*mapping.get());
        NSB_MARK(bits(), bits(Phase::read), 1);
        const std::uint64_t end = sys::now();
        if (failure.error != 0) return block.fail(failure);
        time_of(*record, Phase::read) = end - begin;
    }
}

}  // namespace nsb::bench
