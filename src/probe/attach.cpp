#include "probe/attach.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <charconv>
#include <cstddef>

#include "bpf/events.h"
#include "sys/file.h"

namespace nsb::probe {
namespace {

/// A number in a file of sysfs; "config:0" counts as 0.
sys::Result<std::uint32_t> number_in(const char* path) {
    const auto text = sys::read_file(path);
    if (!text) return tl::unexpected(text.error());
    const std::size_t colon = text->find(':');
    const std::size_t from = colon == std::string::npos ? 0 : colon + 1;
    std::uint32_t number = 0;
    if (std::from_chars(text->data() + from, text->data() + text->size(), number).ec != std::errc{}) {
        return tl::unexpected(EINVAL);
    }
    return number;
}

/// Attaches a loaded program to a function's entry or exit, as a kprobe of the perf subsystem.
sys::Result<sys::Fd> open_kprobe(int program, const std::string& symbol, bool is_entry) {
    const auto type = number_in("/sys/bus/event_source/devices/kprobe/type");
    if (!type) return tl::unexpected(type.error());
    const auto bit = number_in("/sys/bus/event_source/devices/kprobe/format/retprobe");
    if (!bit) return tl::unexpected(bit.error());
    perf_event_attr attributes{};
    attributes.size = sizeof attributes;
    attributes.type = *type;
    attributes.config = is_entry ? 0 : 1ULL << *bit;
    attributes.kprobe_func = reinterpret_cast<std::uintptr_t>(symbol.c_str());
    auto event = sys::Fd::own(syscall(SYS_perf_event_open, &attributes, -1, 0, -1, PERF_FLAG_FD_CLOEXEC));
    if (!event) return event;
    // Of a link, which is there from 5.15, the kernel tells what it missed.
    auto link = sys::Fd::own(bpf_link_create(program, event->get(), BPF_PERF_EVENT, nullptr));
    if (!link && ioctl(event->get(), PERF_EVENT_IOC_SET_BPF, program) != 0) return tl::unexpected(errno);
    if (ioctl(event->get(), PERF_EVENT_IOC_ENABLE, 0) != 0) return tl::unexpected(errno);
    return link ? std::move(link) : std::move(event);
}

tl::unexpected<sys::Refusal> refused(std::string_view why, int error = 0) {
    return tl::unexpected(sys::Refusal{.call = std::string(why), .error = error});
}

/// bpf_link_info as of 6.7, where the kernel began to tell what links of kprobes miss.
struct OfKprobeMulti {
    std::uint64_t addrs;
    std::uint32_t count, flags;
    std::uint64_t missed;
};
struct OfKprobe {
    std::uint32_t type, padding;
    std::uint64_t func_name;
    std::uint32_t name_len, offset;
    std::uint64_t addr, missed;
};
struct LinkInfo {
    std::uint32_t type, id, prog_id, padding;
    union {
        OfKprobeMulti kprobe_multi;
        OfKprobe kprobe;
    };
};

}  // namespace

sys::Result<sys::Fd> load_copy(std::span<const bpf_insn> code, std::uint32_t argument, const char* name,
                               bpf_prog_type type, bpf_attach_type attach, std::uint32_t btf_id) {
    std::vector<bpf_insn> own(code.begin(), code.end());
    for (bpf_insn& instruction : own) {
        const bool is_argument =
            instruction.code == (BPF_ALU64 | BPF_MOV | BPF_K) && instruction.imm == NSB_ARGUMENT;
        if (is_argument) instruction.imm = static_cast<std::int32_t>(argument);
    }
    LIBBPF_OPTS(bpf_prog_load_opts, options);
    options.expected_attach_type = attach;
    options.attach_btf_id = btf_id;
    return sys::Fd::own(bpf_prog_load(type, name, "Dual MIT/GPL", own.data(), own.size(), &options));
}

std::uint32_t Attacher::Wanted::argument(bool is_entry) const {
    const TracedFunction& function = kTraced[number];
    auto value = static_cast<std::uint32_t>(number);
    if (function.path == Path::async) value |= NSB_ASYNC;
    if (function.path == Path::create) value |= NSB_CREATE;
    if (is_entry && function.role == Role::forks) value |= NSB_FORKS;
    if (is_entry && is_work(function.role)) value |= NSB_WORK;
    // A clone that the compiler made has other arguments.
    if (is_entry && symbol == function.name) {
        if (function.role == Role::made) value |= NSB_MADE;
        if (function.role == Role::gone) value |= NSB_GONE;
    }
    return value;
}

sys::Expected<std::uint32_t> Attacher::fentry_target(const std::string& symbol, std::size_t number) const {
    if (symbol != kTraced[number].name) return refused(fmt::format("the compiler made it {}", symbol));
    if (kernel_ == nullptr) return refused("no BTF of the kernel");
    const int id = btf__find_by_name_kind(kernel_, symbol.c_str(), BTF_KIND_FUNC);
    if (id < 0) return refused("not in the kernel's BTF");
    // Before trampolines were images of their own, one could be freed under a function that slept.
    if (btf__find_by_name_kind(kernel_, "bpf_tramp_image", BTF_KIND_STRUCT) < 0) {
        return refused("fexit of functions that sleep is unsafe here (no bpf_tramp_image)");
    }
    return static_cast<std::uint32_t>(id);
}

sys::Expected<Ends> Attacher::attach(const Wanted& function, Backend backend) const {
    const bool is_fentry = backend == Backend::fentry;
    std::uint32_t target = 0;
    if (is_fentry) {
        const auto found = fentry_target(function.symbol, function.number);
        if (!found) return tl::unexpected(found.error());
        target = *found;
    }
    Ends ends;
    for (const bool is_entry : {true, false}) {
        const std::uint32_t argument = function.argument(is_entry);
        const auto enter_object = is_fentry ? programs_.enter_object_fentry : programs_.enter_object_kprobe;
        const auto enter = (argument & (NSB_MADE | NSB_GONE)) != 0 ? enter_object : programs_.enter;
        bpf_attach_type type{};
        if (is_fentry) type = is_entry ? BPF_TRACE_FENTRY : BPF_TRACE_FEXIT;
        auto program =
            load_copy(is_entry ? enter : programs_.leave, argument, is_entry ? "nsb_enter" : "nsb_leave",
                      is_fentry ? BPF_PROG_TYPE_TRACING : BPF_PROG_TYPE_KPROBE, type, target);
        if (!program) return refused("loading", program.error());
        auto link = is_fentry ? sys::Fd::own(bpf_raw_tracepoint_open(nullptr, program->get()))
                              : open_kprobe(program->get(), function.symbol, is_entry);
        if (!link) return refused("attaching", link.error());
        ends[is_entry ? 0 : 1] = {std::move(*program), std::move(*link)};
    }
    return ends;
}

Attacher::Refusals Attacher::by_single(std::span<const Wanted> wanted, Backend backend,
                                       AllServed& all) const {
    Refusals refusals(wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        auto ends = attach(wanted[i], backend);
        if (ends) {
            all.each[wanted[i].number].ends = std::move(*ends);
        } else {
            refusals[i] = std::move(ends.error());
        }
    }
    return refusals;
}

sys::Result<sys::Fd> Attacher::link_all(std::span<const Wanted> functions, bool is_entry) const {
    std::vector<const char*> symbols;
    std::vector<__u64> arguments;
    for (const Wanted& function : functions) {
        symbols.push_back(function.symbol.c_str());
        arguments.push_back(function.argument(is_entry));
    }
    LIBBPF_OPTS(bpf_link_create_opts, options);
    options.kprobe_multi.syms = symbols.data();
    options.kprobe_multi.cookies = arguments.data();
    options.kprobe_multi.cnt = static_cast<std::uint32_t>(symbols.size());
    options.kprobe_multi.flags = is_entry ? 0 : BPF_F_KPROBE_MULTI_RETURN;
    return sys::Fd::own(
        bpf_link_create(programs_.shared[is_entry ? 0 : 1], 0, BPF_TRACE_KPROBE_MULTI, &options));
}

Attacher::Refusals Attacher::by_kprobe_multi(std::span<const Wanted> wanted, AllServed& all) const {
    if (std::ranges::any_of(programs_.shared, [](int program) { return program < 0; }))
        return Refusals(wanted.size(), sys::Refusal{.call = "no bpf_get_attach_cookie in this kernel"});
    Refusals refusals(wanted.size());
    std::vector<Wanted> accepted(wanted.begin(), wanted.end());
    auto entry = link_all(accepted, true);
    if (!entry) {
        // One function that is refused spoils it for all.
        accepted.clear();
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            if (const auto single = link_all(wanted.subspan(i, 1), true); !single) {
                refusals[i] = refused("attaching", single.error()).value();
            } else {
                accepted.push_back(wanted[i]);
            }
        }
        if (accepted.empty()) return refusals;
        entry = link_all(accepted, true);
    }
    auto exit = entry ? link_all(accepted, false) : sys::Result<sys::Fd>();
    if (!entry || !exit) {
        const auto why = refused("attaching all", entry ? exit.error() : entry.error());
        for (auto& refusal : refusals) refusal = refusal.value_or(why.value());
        return refusals;
    }
    all.shared[0].link = std::move(*entry);
    all.shared[1].link = std::move(*exit);
    return refusals;
}

AllServed Attacher::serve(std::span<const std::size_t> numbers) const {
    AllServed all;
    all.each.resize(kTraced.size());
    std::vector<Wanted> wanted;
    for (const std::size_t number : numbers) {
        if (auto symbol = symbols_.kept_as(kTraced[number].name)) {
            wanted.push_back({number, std::move(*symbol)});
        } else {
            all.each[number].reason = "no such function in this kernel, or inlined";
        }
    }
    struct Rung {
        std::string_view name;
        Backend backend;
        bool is_shared;
    };
    // Plain kprobes have one ftrace_ops in common; those of a link the kernel looks through at each call.
    // With both links a traced call took 1.65 thousand instructions on 6.12 and 1.94 on 7.x, against 1.30
    // and 1.23. What is left to links are functions that perf's kprobes refuse, and kernels that lack those.
    static constexpr std::array<Rung, 3> kLadder{{{"fentry", Backend::fentry, false},
                                                  {"kprobe", Backend::kprobe, false},
                                                  {"kprobe.multi", Backend::kprobe, true}}};
    for (const Rung& rung : kLadder) {
        if (wanted.empty() || (only_ != Backend::none && rung.backend != only_)) continue;
        Refusals refusals =
            rung.is_shared ? by_kprobe_multi(wanted, all) : by_single(wanted, rung.backend, all);
        std::vector<Wanted> left;
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            Wanted& function = wanted[i];
            Served& served = all.each[function.number];
            if (!refusals[i]) {
                served.backend = rung.backend;
                if (!served.reason.empty())
                    served.reason = fmt::format("by {}: {}", rung.name, served.reason);
                continue;
            }
            served.reason +=
                fmt::format("{}{}: {}", served.reason.empty() ? "" : "; ", rung.name, refusals[i]->text());
            left.push_back(std::move(function));
        }
        wanted = std::move(left);
    }
    return all;
}

std::vector<sys::Fd> fill_gaps(std::size_t programs) {
    static constexpr std::array<bpf_insn, 2> kReturn{
        {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}}};
    std::vector<sys::Fd> fillers;
    for (std::size_t i = 0; i < programs; ++i) {
        auto filler = sys::Fd::own(bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "nsb_filler", "Dual MIT/GPL",
                                                 kReturn.data(), kReturn.size(), nullptr));
        if (filler) fillers.push_back(std::move(*filler));
    }
    return fillers;
}

std::optional<std::uint64_t> missed_runs(int program) {
    bpf_prog_info info{};
    std::uint32_t size = sizeof info;
    if (bpf_obj_get_info_by_fd(program, &info, &size) != 0) return std::nullopt;
    if (size < offsetof(bpf_prog_info, recursion_misses) + sizeof info.recursion_misses) return std::nullopt;
    return info.recursion_misses;
}

std::uint64_t missed_by_link(const sys::Fd& link) {
    LinkInfo info{};
    std::uint32_t size = sizeof info;
    if (bpf_obj_get_info_by_fd(link.get(), &info, &size) != 0 || size < sizeof info) return 0;
    if (info.type == BPF_LINK_TYPE_KPROBE_MULTI) return info.kprobe_multi.missed;
    return info.type == BPF_LINK_TYPE_PERF_EVENT ? info.kprobe.missed : 0;
}

std::optional<std::uint64_t> missed(const Ends& ends) {
    std::uint64_t sum = 0;
    for (const End& end : ends) {
        const auto runs = end.program ? missed_runs(end.program.get()) : std::nullopt;
        if (!runs) return std::nullopt;
        sum += *runs + missed_by_link(end.link);
    }
    return sum;
}

}  // namespace nsb::probe
