// The probe's programs and maps: loaded, attached to the kernel, and emptied. What is read from them is
// probe.cpp's.
#pragma once

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>

#include <cstring>
#include <memory>
#include <unordered_map>
#include <utility>

#include "bpf/events.h"
#include "probe.skel.h"
#include "probe/attach.h"
#include "probe/maps.h"
#include "probe/probe.h"

namespace nsb::probe {

struct CloseSkeleton {
    void operator()(nsb_probe* skeleton) const { nsb_probe::destroy(skeleton); }
};
using ProbeSkeleton = std::unique_ptr<nsb_probe, CloseSkeleton>;

/// Nothing of it is loaded yet. Empty, with an errno, where it cannot be read.
ProbeSkeleton open_skeleton();

struct FreeBtf {
    void operator()(btf* kernel) const { btf__free(kernel); }
};

/// A map's memory, as the programs see it.
template <typename T>
class SharedArray {
  public:
    SharedArray() = default;
    static sys::Result<SharedArray> map(int fd, std::size_t entries) {
        void* const at = mmap(nullptr, entries * sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (at == MAP_FAILED) return tl::unexpected(errno);
        return SharedArray(static_cast<T*>(at), entries);
    }
    SharedArray(SharedArray&& other) noexcept : entries_(std::exchange(other.entries_, {})) {}
    SharedArray& operator=(SharedArray&& other) noexcept {
        std::swap(entries_, other.entries_);
        return *this;
    }
    ~SharedArray() {
        if (!entries_.empty()) munmap(entries_.data(), entries_.size_bytes());
    }
    [[nodiscard]] std::span<T> entries() const { return entries_; }
    void clear() const { std::memset(static_cast<void*>(entries_.data()), 0, entries_.size_bytes()); }

  private:
    SharedArray(T* at, std::size_t entries) : entries_(at, entries) {}
    std::span<T> entries_;
};

/// Why something of the kernel's was refused, and what may help; without a remedy, what helps against that
/// errno here.
tl::unexpected<sys::Refusal> refuse(std::string call, int error, std::string arguments = "",
                                    std::string_view remedy = "");

/// A loaded template's instructions.
std::span<const bpf_insn> code_of(const bpf_program* program);

/// Before an object is loaded: programs for kprobe.multi are left out where the kernel does not give them
/// what they need.
void leave_out_multi(bpf_program* enter, bpf_program* leave);

/// The one that functions are to be attached by; none where the best is.
Backend backend_of(Choice choice);

struct Probe::State {
    Choice choice = Choice::automatic;
    KindSet kinds;
    Symbols symbols;
    std::unique_ptr<btf, FreeBtf> kernel;
    ProbeSkeleton skeleton;
    SharedArray<nsb_calls> calls;
    NodeNames names;
    SharedArray<__u64> buckets, lost, namespaces;
    SharedArray<nsb_objects> objects;
    AllServed functions;
    std::vector<Service> services;
    std::vector<std::unique_ptr<bpf_link, int (*)(bpf_link*)>> links;
    std::vector<sys::Fd> ticks;
    std::unordered_map<std::uint64_t, std::vector<std::string>> stacks;
    std::uint64_t missed_by_shared_links = 0;  // those that are detached again

    sys::Expected<void> load();
    sys::Expected<void> attach(bpf_program* program, bool may_be_missing = false);
    sys::Expected<void> attach_functions();
    sys::Expected<void> attach_sampling();
    sys::Expected<void> attach_memory();
    [[nodiscard]] bool is_wanted(const TracedFunction& function) const {
        return !function.kind || kinds.contains(*function.kind);
    }
    /// Frees all slots but those of these.
    [[nodiscard]] sys::Expected<void> set_slots(std::span<const pid_t> pids, std::uint32_t lead_in) const;
    [[nodiscard]] sys::Expected<void> clear() const;
    [[nodiscard]] bool traces_forks() const;
    void learn_nodes();
    const std::vector<std::string>& stack(std::uint64_t key);
};

}  // namespace nsb::probe
