#include "probe/state.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/capabilities.h"
#include "core/failure.h"
#include "probe/layout.h"
#include "sys/privilege.h"

namespace nsb::probe {

namespace {

/// Descriptors that the probe's maps and programs take.
constexpr std::size_t kDescriptors = 64;
/// CAP_SYS_ADMIN stands for the first two of them (bpf_capable(), perfmon_capable() in
/// include/linux/capability.h).
constexpr Capabilities kNeeded = Capabilities{1} << CAP_BPF | Capabilities{1} << CAP_PERFMON;
constexpr Capabilities kForAddresses = Capabilities{1} << CAP_SYSLOG;

/// Whether the kernel lets a program read its memory: in lockdown there is no such helper (EINVAL).
bool may_read_kernel_memory() {
    static constexpr auto kRead = std::to_array<bpf_insn>({
        {BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_10, 0, 0},
        {BPF_ALU64 | BPF_ADD, BPF_REG_1, 0, 0, -8},  // BPF_K is 0, too
        {BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, 8},
        {BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, 0},
        {BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_probe_read_kernel},
        {BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0},
        {BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
    });
    const auto program = sys::Fd::own(bpf_prog_load(BPF_PROG_TYPE_KPROBE, "nsb_reading", "Dual MIT/GPL",
                                                    kRead.data(), kRead.size(), nullptr));
    return program || program.error() != EINVAL;
}

std::string what_helps(int error) {
    // The first call that fails for want of a descriptor is within libbpf, which says what came of that.
    if (!sys::can_open(kDescriptors)) return std::string(limit_behind(EMFILE));
    if (error == EINVAL && !may_read_kernel_memory())
        return "the kernel lets no program read its memory: boot without lockdown=confidentiality";
    if (error != EPERM && error != EACCES) return std::string(limit_behind(error));
    if (geteuid() != 0) return fmt::format("run as root, or give {}", names_of(kNeeded | kForAddresses));
    const auto held = sys::held_capabilities();
    const bool is_admin = held && (*held >> CAP_SYS_ADMIN & 1U) != 0;
    return why_not_permitted((is_admin ? 0 : kNeeded) | kForAddresses, held);
}

}  // namespace

std::span<const bpf_insn> code_of(const bpf_program* program) {
    return {bpf_program__insns(program), bpf_program__insn_cnt(program)};
}

void leave_out_multi(bpf_program* enter, bpf_program* leave) {
    // For kprobes it is there from 5.15.
    const bool has_cookies =
        libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_get_attach_cookie, nullptr) == 1;
    bpf_program__set_autoload(enter, has_cookies);
    bpf_program__set_autoload(leave, has_cookies);
}

Backend backend_of(Choice choice) {
    if (choice == Choice::fentry) return Backend::fentry;
    return choice == Choice::kprobe ? Backend::kprobe : Backend::none;
}

tl::unexpected<sys::Refusal> refuse(std::string call, int error, std::string arguments,
                                    std::string_view remedy) {
    return tl::unexpected(sys::Refusal{std::move(call), std::move(arguments), error,
                                       remedy.empty() ? what_helps(error) : std::string(remedy)});
}

#ifndef __clang_analyzer__  // it takes what libbpf frees where that fails for leaked
ProbeSkeleton open_skeleton() {
    return ProbeSkeleton(nsb_probe::open());
}
#endif

sys::Expected<void> Probe::State::load() {
    skeleton = open_skeleton();
    if (!skeleton) return refuse("opening the probe's object", errno);
    skeleton->rodata->config = find_layout(kernel.get());
    const auto& progs = skeleton->progs;
    bpf_program__set_autoload(progs.on_kmalloc_node, count_arguments(kernel.get(), "kmalloc_node") > 0);
    bpf_program__set_autoload(progs.on_kmem_cache_alloc_node,
                              count_arguments(kernel.get(), "kmem_cache_alloc_node") > 0);
    const bool percpu_is_new = count_arguments(kernel.get(), "percpu_alloc_percpu") > 7;
    leave_out_multi(progs.enter_multi, progs.leave_multi);
    bpf_program__set_autoload(percpu_is_new ? progs.on_percpu_alloc_old : progs.on_percpu_alloc_new, false);
    if (const int error = nsb_probe::load(skeleton.get()); error != 0) {
        return refuse("loading the probe", -error);
    }
    const auto map = [](auto& array, const bpf_map* from) -> sys::Expected<void> {
        auto mapped =
            std::remove_reference_t<decltype(array)>::map(bpf_map__fd(from), bpf_map__max_entries(from));
        if (!mapped) return refuse("mmap of a BPF map", mapped.error());
        array = std::move(*mapped);
        return {};
    };
    return map(calls, skeleton->maps.calls)
        .and_then([&] { return map(buckets, skeleton->maps.buckets); })
        .and_then([&] { return map(lost, skeleton->maps.lost); })
        .and_then([&] { return map(namespaces, skeleton->maps.namespaces); })
        .and_then([&] { return map(objects, skeleton->maps.objects); });
}

sys::Expected<void> Probe::State::attach(bpf_program* program, bool may_be_missing) {
    if (!bpf_program__autoload(program)) return {};
    bpf_link* const link = bpf_program__attach(program);
    if (link == nullptr) {
        if (may_be_missing && errno == ENOENT) return {};
        return refuse(fmt::format("attaching {}", bpf_program__name(program)), errno);
    }
    links.emplace_back(link, bpf_link__destroy);
    return {};
}

sys::Expected<void> Probe::State::attach_functions() {
    if (choice == Choice::tracepoint) {
        for (Service& service : services) {
            service.backend = Backend::none;
            service.reason = "only tracepoints asked for";
        }
    } else {
        const Backend only = backend_of(choice);
        const auto& progs = skeleton->progs;
        const Attacher attacher({code_of(progs.enter),
                                 code_of(progs.leave),
                                 code_of(progs.enter_object_kprobe),
                                 code_of(progs.enter_object_fentry),
                                 {bpf_program__fd(progs.enter_multi), bpf_program__fd(progs.leave_multi)}},
                                kernel.get(), symbols, only);
        std::vector<std::size_t> wanted;
        for (std::size_t i = 0; i < kTraced.size(); ++i) {
            if (is_wanted(kTraced[i])) wanted.push_back(i);
        }
        const std::vector<sys::Fd> gaps = fill_gaps(2 * kTraced.size());
        functions = attacher.serve(wanted);
        for (std::size_t i = 0; i < kTraced.size(); ++i) {
            services[i].backend = functions.each[i].backend;
            services[i].reason = functions.each[i].reason;
        }
        if (std::ranges::any_of(services, [](const Service& s) { return s.backend != Backend::none; }))
            return {};
        if (only != Backend::none) {
            // It says of this one why, since no kernel lacks it.
            const auto at = std::ranges::find(kTraced, Role::forks, &TracedFunction::role) - kTraced.begin();
            return tl::unexpected(sys::Refusal{.call = services[static_cast<std::size_t>(at)].reason});
        }
    }
    // No function can be attached to: what is left are tracepoints, and samples of stacks.
    for (std::size_t i = 0; i < kTraced.size(); ++i) {
        if (!is_wanted(kTraced[i])) {
            services[i].backend = Backend::none;
            services[i].reason.clear();
            continue;
        }
        if (!symbols.kept_as(kTraced[i].name)) {
            services[i].backend = Backend::none;
            services[i].reason = "no such function in this kernel, or inlined";
            continue;
        }
        // Workers are known by what they begin with.
        services[i].backend = is_work(kTraced[i].role) ? Backend::tracepoint : Backend::sampling;
        const auto address = symbols.address(std::string(kTraced[i].name));
        if (!address || services[i].backend != Backend::tracepoint) continue;
        const auto what = static_cast<std::uint32_t>(i) | NSB_ASYNC | NSB_WORK;
        const std::uint64_t key = *address;
        bpf_map_update_elem(bpf_map__fd(skeleton->maps.workers), &key, &what, BPF_ANY);
    }
    return attach(skeleton->progs.on_work).and_then([&] { return attach(skeleton->progs.on_work_end); });
}

sys::Expected<void> Probe::State::attach_sampling() {
    perf_event_attr attributes{};
    attributes.size = sizeof attributes;
    attributes.type = PERF_TYPE_SOFTWARE;
    attributes.config = PERF_COUNT_SW_CPU_CLOCK;
    attributes.sample_period = kSamplingPeriodNs;
    for (int cpu = 0; cpu < libbpf_num_possible_cpus(); ++cpu) {
        auto event =
            sys::Fd::own(syscall(SYS_perf_event_open, &attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC));
        if (!event && event.error() == ENODEV) continue;  // possible, but not online
        if (!event) return refuse("perf_event_open", event.error(), "cpu-clock");
        if (ioctl(event->get(), PERF_EVENT_IOC_SET_BPF, bpf_program__fd(skeleton->progs.on_tick)) != 0 ||
            ioctl(event->get(), PERF_EVENT_IOC_ENABLE, 0) != 0) {
            return refuse("ioctl", errno, "PERF_EVENT_IOC_SET_BPF");
        }
        ticks.push_back(std::move(*event));
    }
    return {};
}

sys::Expected<void> Probe::State::attach_memory() {
    const auto& progs = skeleton->progs;
    for (bpf_program* const program :
         {progs.on_kmalloc, progs.on_kmalloc_node, progs.on_kmem_cache_alloc, progs.on_kmem_cache_alloc_node,
          progs.on_percpu_alloc_old, progs.on_percpu_alloc_new, progs.on_kfree, progs.on_kmem_cache_free,
          progs.on_percpu_free_percpu}) {
        if (auto attached = attach(program, true); !attached) return attached;
    }
    return {};
}

bool Probe::State::traces_forks() const {
    for (std::size_t i = 0; i < kTraced.size(); ++i) {
        const Backend backend = services[i].backend;
        if (kTraced[i].role == Role::forks && (backend == Backend::fentry || backend == Backend::kprobe))
            return true;
    }
    return false;
}

sys::Expected<void> Probe::State::set_slots(std::span<const pid_t> pids, std::uint32_t lead_in) const {
    const std::span<nsb_slot> slots = skeleton->bss->slots;
    std::memset(static_cast<void*>(slots.data()), 0, slots.size_bytes());
    const std::uint32_t skipped = lead_in > 0 ? 1 : 0;
    for (const pid_t pid : pids) {
        const nsb_task task{static_cast<std::uint32_t>(pid), 1, lead_in, NSB_EXECUTIONS + 1, skipped, 0};
        std::uint32_t at = 0;
        while (at < NSB_PLACES && slots[(task.pid + at) & (NSB_SLOTS - 1)].task.pid != 0) ++at;
        if (at == NSB_PLACES)
            return tl::unexpected(sys::Refusal{.call = fmt::format("no slot for the sampler {}", pid)});
        slots[(task.pid + at) & (NSB_SLOTS - 1)].task = task;
    }
    return {};
}

namespace {

/// Empties a hash map. Key by key the kernel would look for the first one each time, from the first bucket
/// on.
template <typename Key>
sys::Expected<void> clear_hash(const bpf_map* map) {
    // No bucket of these maps comes near so many entries.
    constexpr std::uint32_t kAtOnce = 4096;
    std::vector<Key> keys(kAtOnce);
    std::vector<std::byte> values(std::size_t{kAtOnce} * bpf_map__value_size(map));
    std::uint32_t position = 0;
    for (bool first = true;; first = false) {
        std::uint32_t count = kAtOnce;
        if (bpf_map_lookup_and_delete_batch(bpf_map__fd(map), first ? nullptr : &position, &position,
                                            keys.data(), values.data(), &count, nullptr) == 0)
            continue;
        if (errno == ENOENT) return {};  // the last ones
        return refuse(fmt::format("emptying the map {}", bpf_map__name(map)), errno);
    }
}

}  // namespace

sys::Expected<void> Probe::State::clear() const {
    calls.clear();
    buckets.clear();
    lost.clear();
    namespaces.clear();
    objects.clear();
    const auto& maps = skeleton->maps;
    return clear_hash<nsb_profile_key>(maps.profile)
        .and_then([&] { return clear_hash<std::uint64_t>(maps.live); })
        .and_then([&]() -> sys::Expected<void> {
            if (stacks.size() <= bpf_map__max_entries(maps.stacks) / 2) return {};
            return clear_hash<std::uint64_t>(maps.stacks);
        });
}

}  // namespace nsb::probe
