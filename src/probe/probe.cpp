#include "probe/probe.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <unordered_map>

#include "core/failure.h"
#include "probe.skel.h"
#include "probe/attach.h"
#include "probe/layout.h"
#include "probe/symbols.h"

namespace nsb::probe {
namespace {

struct CloseSkeleton {
    void operator()(nsb_probe* skeleton) const { nsb_probe::destroy(skeleton); }
};
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

/// Empties a hash map.
template <typename Key>
void clear_hash(int fd) {
    Key key;
    while (bpf_map_get_next_key(fd, nullptr, &key) == 0) bpf_map_delete_elem(fd, &key);
}

std::span<const bpf_insn> code_of(const bpf_program* program) {
    return {bpf_program__insns(program), bpf_program__insn_cnt(program)};
}

tl::unexpected<std::string> refuse(std::string_view what, int error, std::string_view remedy = "") {
    return tl::unexpected(
        fmt::format("{}: {}{}{}", what, errno_name(error), remedy.empty() ? "" : "; ", remedy));
}

constexpr std::string_view kCapabilities = "run as root, or give CAP_BPF, CAP_PERFMON and CAP_SYSLOG";

/// Workers are known by these functions where functions cannot be attached to.
bool is_work_function(const TracedFunction& f) {
    return f.name == "cleanup_net" || f.name == "free_ipc" || f.name == "free_user_ns" ||
           f.name == "destroy_pid_namespace_work";
}

}  // namespace

void add(std::vector<CallEntry>& to, std::span<const CallEntry> calls) {
    for (const CallEntry& entry : calls) {
        const auto at = std::ranges::find(to, entry.node, &CallEntry::node);
        if (at == to.end()) {
            to.push_back(entry);
            continue;
        }
        nsb_calls& sums = at->sums;
        sums.calls += entry.sums.calls;
        sums.total += entry.sums.total;
        sums.self += entry.sums.self;
        sums.wait += entry.sums.wait;
        sums.max = std::max(sums.max, entry.sums.max);
        sums.inside += entry.sums.inside;
    }
}

Snapshot& Snapshot::operator+=(const Snapshot& other) {
    add(calls, other.calls);
    add(async, other.async);
    profile.insert(profile.end(), other.profile.begin(), other.profile.end());
    for (std::size_t i = 0; i < kTraced.size(); ++i) {
        buckets[i].resize(std::max(buckets[i].size(), other.buckets[i].size()));
        for (std::size_t b = 0; b < other.buckets[i].size(); ++b) buckets[i][b] += other.buckets[i][b];
        objects[i].made += other.objects[i].made;
        objects[i].gone += other.objects[i].gone;
        objects[i].foreign += other.objects[i].foreign;
    }
    for (std::size_t i = 0; i < lost.size(); ++i) lost[i] += other.lost[i];
    return *this;
}

struct Probe::State {
    Choice choice = Choice::automatic;
    KindSet kinds;
    Symbols symbols;
    std::unique_ptr<btf, FreeBtf> kernel;
    std::unique_ptr<nsb_probe, CloseSkeleton> skeleton;
    SharedArray<nsb_calls> calls;
    std::vector<CallEntry> nodes{{NSB_ROOT, NSB_ROOT, 0, {}}};  // by number
    SharedArray<__u64> buckets, lost, namespaces;
    SharedArray<nsb_objects> objects;
    std::vector<Served> served;
    std::vector<Service> services;
    std::vector<std::unique_ptr<bpf_link, int (*)(bpf_link*)>> links;
    std::vector<sys::Fd> ticks;
    std::unordered_map<std::uint64_t, std::vector<std::string>> stacks;

    tl::expected<void, std::string> load();
    tl::expected<void, std::string> attach(bpf_program* program, bool may_be_missing = false);
    tl::expected<void, std::string> attach_functions();
    tl::expected<void, std::string> attach_sampling();
    tl::expected<void, std::string> attach_memory();
    [[nodiscard]] bool is_wanted(const TracedFunction& function) const {
        return !function.kind || kinds.contains(*function.kind);
    }
    void set_slots(std::span<const pid_t> pids, std::uint32_t lead_in);
    [[nodiscard]] bool traces_forks() const;
    void learn_nodes();
    const std::vector<std::string>& stack(std::uint64_t key);
};

Probe::Probe(std::unique_ptr<State> state) : state_(std::move(state)) {}
Probe::Probe(Probe&&) noexcept = default;
Probe::~Probe() = default;

tl::expected<void, std::string> Probe::State::load() {
    skeleton.reset(nsb_probe::open());
    if (!skeleton) return refuse("opening the probe's object", errno);
    skeleton->rodata->config = find_layout(kernel.get());
    const auto& progs = skeleton->progs;
    bpf_program__set_autoload(progs.on_kmalloc_node, count_arguments(kernel.get(), "kmalloc_node") > 0);
    bpf_program__set_autoload(progs.on_kmem_cache_alloc_node,
                              count_arguments(kernel.get(), "kmem_cache_alloc_node") > 0);
    const bool percpu_is_new = count_arguments(kernel.get(), "percpu_alloc_percpu") > 7;
    bpf_program__set_autoload(percpu_is_new ? progs.on_percpu_alloc_old : progs.on_percpu_alloc_new, false);
    if (const int error = nsb_probe::load(skeleton.get()); error != 0) {
        return refuse("loading the probe", -error, kCapabilities);
    }
    const auto map = [](auto& array, const bpf_map* from) -> tl::expected<void, std::string> {
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

tl::expected<Probe, std::string> Probe::open(Choice choice, KindSet kinds) {
    libbpf_set_print([](libbpf_print_level, const char*, va_list) { return 0; });
    // The kernel counts tasks from outside every pid namespace: the numbers here would name others.
    std::error_code error;
    if (std::filesystem::read_symlink("/proc/self/ns/pid", error) != "pid:[4026531836]") {
        return tl::unexpected<std::string>(
            "nsbench runs inside a pid namespace; run it outside of containers");
    }
    auto state = std::make_unique<State>();
    state->choice = choice;
    state->kinds = kinds;
    auto symbols = Symbols::load();
    if (!symbols) {
        return refuse(symbols.error().call, symbols.error().error,
                      kCapabilities);
    }
    state->symbols = std::move(*symbols);
    state->kernel.reset(btf__load_vmlinux_btf());
    if (!state->kernel)
        return refuse("/sys/kernel/btf/vmlinux", errno, "the kernel needs CONFIG_DEBUG_INFO_BTF");
    if (auto loaded = state->load(); !loaded) return tl::unexpected(loaded.error());
    state->services.resize(kTraced.size());
    Probe probe(std::move(state));
    // What can be attached is found out by attaching it.
    if (auto attached = probe.attach(Pass::functions); !attached) return tl::unexpected(attached.error());
    probe.detach();
    return probe;
}

tl::expected<void, std::string> Probe::State::attach(bpf_program* program, bool may_be_missing) {
    if (!bpf_program__autoload(program)) return {};
    bpf_link* const link = bpf_program__attach(program);
    if (link == nullptr) {
        if (may_be_missing && errno == ENOENT) return {};
        return refuse(fmt::format("attaching {}", bpf_program__name(program)), errno, kCapabilities);
    }
    links.emplace_back(link, bpf_link__destroy);
    return {};
}

tl::expected<void, std::string> Probe::State::attach_functions() {
    if (choice == Choice::tracepoint) {
        for (Service& service : services) service = {Backend::none, "only tracepoints asked for", {}};
    } else {
        const Backend only = choice == Choice::fentry   ? Backend::fentry
                             : choice == Choice::kprobe ? Backend::kprobe
                                                        : Backend::none;
        const auto& progs = skeleton->progs;
        Attacher attacher({code_of(progs.enter), code_of(progs.leave), code_of(progs.enter_object_kprobe),
                           code_of(progs.enter_object_fentry)},
                          kernel.get(), symbols, only);
        served.clear();
        const std::vector<sys::Fd> gaps = fill_gaps(2 * kTraced.size());
        for (std::size_t i = 0; i < kTraced.size(); ++i) {
            served.push_back(is_wanted(kTraced[i]) ? attacher.serve(i) : Served{});
            services[i] = {served[i].backend, served[i].reason, {}};
        }
        if (std::ranges::any_of(served, [](const Served& s) { return s.backend != Backend::none; }))
            return {};
        if (only != Backend::none) {
            const auto at =
                std::ranges::find(kTraced, "kernel_clone", &TracedFunction::name) - kTraced.begin();
            return tl::unexpected(services[static_cast<std::size_t>(at)].reason);
        }
    }
    // No function can be attached to: what is left are tracepoints, and samples of stacks.
    for (std::size_t i = 0; i < kTraced.size(); ++i) {
        if (!is_wanted(kTraced[i])) {
            services[i] = {};
            continue;
        }
        if (!symbols.kept_as(kTraced[i].name)) {
            services[i] = {Backend::none, "no such function in this kernel, or inlined", {}};
            continue;
        }
        services[i].backend = is_work_function(kTraced[i]) ? Backend::tracepoint : Backend::sampling;
        const auto address = symbols.address(std::string(kTraced[i].name));
        if (!address || services[i].backend != Backend::tracepoint) continue;
        const auto what = static_cast<std::uint32_t>(i) | NSB_ASYNC;
        const std::uint64_t key = *address;
        bpf_map_update_elem(bpf_map__fd(skeleton->maps.workers), &key, &what, BPF_ANY);
    }
    return attach(skeleton->progs.on_work).and_then([&] { return attach(skeleton->progs.on_work_end); });
}

tl::expected<void, std::string> Probe::State::attach_sampling() {
    perf_event_attr attributes{};
    attributes.size = sizeof attributes;
    attributes.type = PERF_TYPE_SOFTWARE;
    attributes.config = PERF_COUNT_SW_CPU_CLOCK;
    attributes.sample_period = kSamplingPeriodNs;
    for (int cpu = 0; cpu < libbpf_num_possible_cpus(); ++cpu) {
        auto event =
            sys::Fd::own(syscall(SYS_perf_event_open, &attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC));
        if (!event && event.error() == ENODEV) continue;  // possible, but not online
        if (!event) return refuse("perf_event_open(cpu-clock)", event.error(), kCapabilities);
        if (ioctl(event->get(), PERF_EVENT_IOC_SET_BPF, bpf_program__fd(skeleton->progs.on_tick)) != 0 ||
            ioctl(event->get(), PERF_EVENT_IOC_ENABLE, 0) != 0) {
            return refuse("ioctl(PERF_EVENT_IOC_SET_BPF)", errno);
        }
        ticks.push_back(std::move(*event));
    }
    return {};
}

tl::expected<void, std::string> Probe::State::attach_memory() {
    const auto& progs = skeleton->progs;
    for (bpf_program* const program :
         {progs.on_kmalloc, progs.on_kmalloc_node, progs.on_kmem_cache_alloc, progs.on_kmem_cache_alloc_node,
          progs.on_percpu_alloc_old, progs.on_percpu_alloc_new, progs.on_kfree, progs.on_kmem_cache_free,
          progs.on_percpu_free_percpu}) {
        if (auto attached = attach(program, true); !attached) return attached;
    }
    return {};
}

tl::expected<void, std::string> Probe::attach(Pass pass) {
    detach();
    const auto& progs = state_->skeleton->progs;
    auto attached = state_->attach(progs.on_switch).and_then([&] { return state_->attach(progs.on_fork); });
    if (!attached) return attached;
    state_->skeleton->bss->forks_are_traced = 0;
    switch (pass) {
        case Pass::functions:
            attached = state_->attach_functions();
            state_->skeleton->bss->forks_are_traced = state_->traces_forks();
            return attached;
        case Pass::stacks:
            if (!traces_calls()) attached = state_->attach_functions();
            return attached.and_then([&] { return state_->attach_sampling(); });
        case Pass::memory:
            return state_->attach_memory();
    }
    return {};
}

void Probe::detach() {
    for (std::size_t i = 0; i < state_->served.size(); ++i) {
        if (const auto count = missed(state_->served[i])) {
            auto& sum = state_->services[i].missed;
            sum = sum.value_or(0) + *count;
        }
    }
    state_->ticks.clear();
    state_->served.clear();
    state_->links.clear();
}

bool Probe::State::traces_forks() const {
    for (std::size_t i = 0; i < kTraced.size(); ++i) {
        const Backend backend = services[i].backend;
        if (kTraced[i].object == ObjectRole::forks &&
            (backend == Backend::fentry || backend == Backend::kprobe))
            return true;
    }
    return false;
}

bool Probe::traces_calls() const {
    return std::ranges::any_of(state_->services, [](const Service& service) {
        return service.backend == Backend::fentry || service.backend == Backend::kprobe;
    });
}

std::vector<Probe::Service> Probe::services() const {
    return state_->services;
}

void Probe::State::set_slots(std::span<const pid_t> pids, std::uint32_t lead_in) {
    const std::size_t size = bpf_map__value_size(skeleton->maps.slots);
    std::vector<std::uint32_t> keys(NSB_SLOTS);
    std::iota(keys.begin(), keys.end(), 0U);
    std::vector<std::byte> slots(NSB_SLOTS * size);
    for (const pid_t pid : pids) {
        const nsb_task task{static_cast<std::uint32_t>(pid), 1, lead_in, NSB_EXECUTIONS + 1, lead_in > 0, 0};
        std::memcpy(slots.data() + (task.pid & (NSB_SLOTS - 1)) * size, &task, sizeof task);
    }
    std::uint32_t count = NSB_SLOTS;
    bpf_map_update_batch(bpf_map__fd(skeleton->maps.slots), keys.data(), slots.data(), &count, nullptr);
}

void Probe::begin(std::span<const pid_t> samplers, std::uint32_t lead_in) {
    const auto& maps = state_->skeleton->maps;
    clear_hash<nsb_profile_key>(bpf_map__fd(maps.profile));
    clear_hash<std::uint64_t>(bpf_map__fd(maps.live));
    if (state_->stacks.size() > bpf_map__max_entries(maps.stacks) / 2) {
        clear_hash<std::uint64_t>(bpf_map__fd(maps.stacks));
    }
    state_->calls.clear();
    state_->buckets.clear();
    state_->lost.clear();
    state_->namespaces.clear();
    state_->objects.clear();
    state_->set_slots(samplers, lead_in);
}

void Probe::follow_no_more() {
    state_->set_slots({}, 0);
}

const std::vector<std::string>& Probe::State::stack(std::uint64_t key) {
    const auto [at, is_new] = stacks.try_emplace(key);
    nsb_stack raw{};
    if (is_new && bpf_map_lookup_elem(bpf_map__fd(skeleton->maps.stacks), &key, &raw) == 0) {
        for (std::uint64_t i = 0; i < std::min<std::uint64_t>(raw.frames, NSB_FRAMES); ++i) {
            // A return address may be the first of the next function where the call is the last of its own.
            std::string name = symbols.name(raw.address[i] - (i > 0 ? 1 : 0));
            if (!name.empty()) at->second.push_back(std::move(name));
        }
    }
    return at->second;
}

void Probe::State::learn_nodes() {
    std::uint32_t name = 0;
    for (auto number = static_cast<std::uint32_t>(nodes.size());
         bpf_map_lookup_elem(bpf_map__fd(skeleton->maps.node_names), &number, &name) == 0; ++number) {
        CallEntry node{number, nodes[name / NSB_MAX_FUNCTIONS].node, name % NSB_MAX_FUNCTIONS, {}};
        // Where two CPUs numbered the same calls, the first number stands for both.
        const auto same = std::ranges::find_if(nodes.begin() + 1, nodes.end(), [&](const CallEntry& known) {
            return known.caller == node.caller && known.function == node.function;
        });
        if (same != nodes.end()) node.node = same->node;
        nodes.push_back(node);
    }
}

Snapshot Probe::read() {
    Snapshot snapshot;
    state_->learn_nodes();
    for (std::size_t row = 0; row < NSB_ROWS; ++row) {
        const auto sums = state_->calls.entries().subspan(row * NSB_NODES, NSB_NODES);
        std::vector<CallEntry> own;
        for (std::size_t number = 1; number < state_->nodes.size(); ++number) {
            if (sums[number].calls == 0) continue;
            CallEntry entry = state_->nodes[number];
            entry.sums = sums[number];
            own.push_back(entry);
        }
        if (row == 0) {
            add(snapshot.async, own);
            continue;
        }
        add(snapshot.calls, own);
        if (row <= NSB_EXECUTIONS && !own.empty()) snapshot.executions.push_back(std::move(own));
    }
    for (std::size_t i = 0; i < kTraced.size(); ++i) {
        const auto own = state_->buckets.entries().subspan(i * NSB_BUCKETS, NSB_BUCKETS);
        if (std::ranges::any_of(own, [](auto count) { return count > 0; })) {
            snapshot.buckets[i].assign(own.begin(), own.end());
        }
        snapshot.objects[i] = state_->objects.entries()[i];
    }
    std::ranges::copy(state_->lost.entries(), snapshot.lost.begin());
    const int fd = bpf_map__fd(state_->skeleton->maps.profile);
    nsb_profile_key key{};
    for (bool more = bpf_map_get_next_key(fd, nullptr, &key) == 0; more;
         more = bpf_map_get_next_key(fd, &key, &key) == 0) {
        nsb_profile value{};
        if (bpf_map_lookup_elem(fd, &key, &value) != 0) continue;
        snapshot.profile.push_back({&state_->stack(key.stack), static_cast<nsb_what>(key.what & ~NSB_FREED),
                                    (key.what & NSB_FREED) != 0, key.async != 0, value.count, value.sum});
    }
    return snapshot;
}

}  // namespace nsb::probe
