#include "probe/probe.h"

#include <bpf/bpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "probe/maps.h"
#include "probe/state.h"
#include "sys/privilege.h"

namespace nsb::probe {

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

Probe::Probe(std::unique_ptr<State> state) : state_(std::move(state)) {}
Probe::Probe(Probe&&) noexcept = default;
Probe::~Probe() = default;

sys::Expected<Probe> Probe::open(Choice choice, KindSet kinds) {
    libbpf_set_print([](libbpf_print_level, const char*, va_list) { return 0; });
    // The kernel counts tasks from outside every pid namespace: the numbers here would name others.
    std::error_code error;
    constexpr const char* kOwn = "/proc/self/ns/pid";
    const std::filesystem::path own = std::filesystem::read_symlink(kOwn, error);
    if (error) return refuse("readlink", error.value(), kOwn, sys::what_ails_proc());
    if (own != "pid:[4026531836]") {
        return tl::unexpected(sys::Refusal{.call = "nsbench runs inside a pid namespace",
                                           .remedy = "run it outside of containers"});
    }
    auto state = std::make_unique<State>();
    state->choice = choice;
    state->kinds = kinds;
    auto symbols = Symbols::load();
    if (!symbols) {
        return refuse(std::move(symbols.error().call), symbols.error().error);
    }
    state->symbols = std::move(*symbols);
    state->kernel.reset(btf__load_vmlinux_btf());
    if (!state->kernel)
        return refuse("/sys/kernel/btf/vmlinux", errno, "",
                      errno == ENOENT ? "the kernel needs CONFIG_DEBUG_INFO_BTF" : "");
    if (auto loaded = state->load(); !loaded) return tl::unexpected(loaded.error());
    state->services.resize(kTraced.size());
    Probe probe(std::move(state));
    // What can be attached is found out by attaching it.
    if (auto attached = probe.attach(Pass::functions); !attached) return tl::unexpected(attached.error());
    probe.detach();
    return probe;
}

sys::Expected<void> Probe::attach(Pass pass) {
    detach();
    const auto& progs = state_->skeleton->progs;
    auto attached = state_->attach(progs.on_switch).and_then([&] { return state_->attach(progs.on_fork); });
    if (!attached) return attached;
    state_->skeleton->bss->forks_are_traced = 0;
    switch (pass) {
        case Pass::functions:
            attached = state_->attach_functions();
            state_->skeleton->bss->forks_are_traced = state_->traces_forks() ? 1 : 0;
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
    const AllServed& attached = state_->functions;
    for (std::size_t i = 0; i < attached.each.size(); ++i) {
        if (const auto count = missed(attached.each[i].ends)) {
            auto& sum = state_->services[i].missed;
            sum = sum.value_or(0) + *count;
        }
    }
    for (const End& end : attached.shared) state_->missed_by_shared_links += missed_by_link(end.link);
    state_->ticks.clear();
    state_->functions = {};
    state_->links.clear();
}

Probe::Missed Probe::missed_in_all() const {
    const auto& progs = state_->skeleton->progs;
    const auto runs = [](std::initializer_list<const bpf_program*> programs) {
        std::uint64_t sum = 0;
        for (const bpf_program* const program : programs)
            sum += missed_runs(bpf_program__fd(program)).value_or(0);
        return sum;
    };
    std::uint64_t calls = state_->missed_by_shared_links + runs({progs.enter_multi, progs.leave_multi});
    for (const Service& service : state_->services) calls += service.missed.value_or(0);
    return {calls, runs({progs.on_switch}), runs({progs.on_fork}), runs({progs.on_tick}),
            runs({progs.on_kmalloc, progs.on_kmalloc_node, progs.on_kmem_cache_alloc,
                  progs.on_kmem_cache_alloc_node, progs.on_percpu_alloc_old, progs.on_percpu_alloc_new,
                  progs.on_kfree, progs.on_kmem_cache_free, progs.on_percpu_free_percpu})};
}

bool Probe::traces_calls() const {
    return std::ranges::any_of(state_->services, [](const Service& service) {
        return service.backend == Backend::fentry || service.backend == Backend::kprobe;
    });
}

std::vector<Probe::Service> Probe::services() const {
    return state_->services;
}

sys::Expected<void> Probe::begin(std::span<const pid_t> samplers, std::uint32_t lead_in) {
    return state_->clear().and_then([&] { return state_->set_slots(samplers, lead_in); });
}

sys::Expected<void> Probe::follow_no_more() {
    return state_->set_slots({}, 0);
}

const std::vector<std::string>& Probe::State::stack(std::uint64_t key) {
    const auto [at, is_new] = stacks.try_emplace(key);
    nsb_stack raw{};
    if (is_new && bpf_map_lookup_elem(bpf_map__fd(skeleton->maps.stacks), &key, &raw) == 0)
        at->second = functions_on(raw, symbols);
    return at->second;
}

void Probe::State::learn_nodes() {
    std::uint32_t name = 0;
    for (auto number = static_cast<std::uint32_t>(names.nodes().size());
         bpf_map_lookup_elem(bpf_map__fd(skeleton->maps.node_names), &number, &name) == 0; ++number)
        names.add(name);
}

Snapshot Probe::read() {
    state_->learn_nodes();
    Snapshot snapshot = snapshot_of({state_->calls.entries(), state_->buckets.entries(),
                                     state_->lost.entries(), state_->objects.entries()},
                                    state_->names.nodes());
    const int fd = bpf_map__fd(state_->skeleton->maps.profile);
    nsb_profile_key key{};
    for (bool more = bpf_map_get_next_key(fd, nullptr, &key) == 0; more;
         more = bpf_map_get_next_key(fd, &key, &key) == 0) {
        nsb_profile value{};
        if (bpf_map_lookup_elem(fd, &key, &value) != 0) continue;
        if (const auto entry = entry_of(key, value, state_->stack(key.stack)))
            snapshot.profile.push_back(*entry);
    }
    return snapshot;
}

}  // namespace nsb::probe
