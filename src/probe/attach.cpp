#include "probe/attach.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <charconv>
#include <cstddef>

#include "bpf/events.h"
#include "core/failure.h"
#include "sys/file.h"

namespace nsb::probe {
namespace {

/// What a function's programs are told: its number, and the part it plays.
std::int32_t argument(std::size_t number, bool is_entry) {
    const TracedFunction& function = kTraced[number];
    auto value = static_cast<std::int32_t>(number);
    if (function.path == Path::async) value |= NSB_ASYNC;
    if (function.path == Path::create) value |= NSB_CREATE;
    if (is_entry && function.object == ObjectRole::forks) value |= NSB_FORKS;
    if (is_entry && function.object == ObjectRole::made) value |= NSB_MADE;
    if (is_entry && function.object == ObjectRole::gone) value |= NSB_GONE;
    return value;
}

/// Whether a namespace is to be read from the first argument.
bool tells_objects(const TracedFunction& function) {
    return function.object == ObjectRole::made || function.object == ObjectRole::gone;
}

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
    if (ioctl(event->get(), PERF_EVENT_IOC_SET_BPF, program) != 0) return tl::unexpected(errno);
    if (ioctl(event->get(), PERF_EVENT_IOC_ENABLE, 0) != 0) return tl::unexpected(errno);
    return event;
}

tl::unexpected<std::string> refused(std::string_view call, int error) {
    return tl::unexpected(fmt::format("{}: {}", call, errno_name(error)));
}

}  // namespace

sys::Result<sys::Fd> Attacher::load(std::span<const bpf_insn> code, std::size_t number, bool is_entry,
                                    bpf_prog_type type, bpf_attach_type attach, std::uint32_t btf_id) const {
    std::vector<bpf_insn> own(code.begin(), code.end());
    for (bpf_insn& instruction : own) {
        const bool is_argument =
            instruction.code == (BPF_ALU64 | BPF_MOV | BPF_K) && instruction.imm == NSB_ARGUMENT;
        if (is_argument) instruction.imm = argument(number, is_entry);
    }
    LIBBPF_OPTS(bpf_prog_load_opts, options);
    options.expected_attach_type = attach;
    options.attach_btf_id = btf_id;
    return sys::Fd::own(bpf_prog_load(type, is_entry ? "nsb_enter" : "nsb_leave", "Dual MIT/GPL", own.data(),
                                      own.size(), &options));
}

tl::expected<void, std::string> Attacher::by_fentry(std::size_t number, const std::string& symbol,
                                                    Served& served) {
    if (symbol != kTraced[number].name) return tl::unexpected(fmt::format("the compiler made it {}", symbol));
    const int id = btf__find_by_name_kind(kernel_, symbol.c_str(), BTF_KIND_FUNC);
    if (id < 0) return tl::unexpected<std::string>("not in the kernel's BTF");
    // Before trampolines were images of their own, one could be freed under a function that slept.
    if (btf__find_by_name_kind(kernel_, "bpf_tramp_image", BTF_KIND_STRUCT) < 0) {
        return tl::unexpected<std::string>(
            "fexit of functions that sleep is unsafe here (no bpf_tramp_image)");
    }
    for (const bool is_entry : {true, false}) {
        const bool is_object = is_entry && tells_objects(kTraced[number]);
        const auto code = !is_entry   ? templates_.leave
                          : is_object ? templates_.enter_object_fentry
                                      : templates_.enter;
        auto program = load(code, number, is_entry, BPF_PROG_TYPE_TRACING,
                            is_entry ? BPF_TRACE_FENTRY : BPF_TRACE_FEXIT, static_cast<std::uint32_t>(id));
        if (!program) return refused("loading", program.error());
        auto link = sys::Fd::own(bpf_raw_tracepoint_open(nullptr, program->get()));
        if (!link) return refused("attaching", link.error());
        served.programs[is_entry ? 0 : 1] = std::move(*program);
        served.links[is_entry ? 0 : 1] = std::move(*link);
    }
    served.backend = Backend::fentry;
    return {};
}

tl::expected<void, std::string> Attacher::by_kprobe_multi(std::size_t number, const std::string& symbol,
                                                          Served& served) {
    for (const bool is_entry : {true, false}) {
        const bool is_object = is_entry && tells_objects(kTraced[number]);
        const auto code = !is_entry   ? templates_.leave
                          : is_object ? templates_.enter_object_kprobe
                                      : templates_.enter;
        auto program = load(code, number, is_entry, BPF_PROG_TYPE_KPROBE, BPF_TRACE_KPROBE_MULTI, 0);
        if (!program) return refused("loading", program.error());
        const char* const name = symbol.c_str();
        LIBBPF_OPTS(bpf_link_create_opts, options);
        options.kprobe_multi.syms = const_cast<const char**>(&name);
        options.kprobe_multi.cnt = 1;
        options.kprobe_multi.flags = is_entry ? 0 : BPF_F_KPROBE_MULTI_RETURN;
        auto link = sys::Fd::own(bpf_link_create(program->get(), 0, BPF_TRACE_KPROBE_MULTI, &options));
        if (!link) return refused("attaching", link.error());
        served.programs[is_entry ? 0 : 1] = std::move(*program);
        served.links[is_entry ? 0 : 1] = std::move(*link);
    }
    served.backend = Backend::kprobe;
    return {};
}

tl::expected<void, std::string> Attacher::by_kprobe(std::size_t number, const std::string& symbol,
                                                    Served& served) {
    for (const bool is_entry : {true, false}) {
        const bool is_object = is_entry && tells_objects(kTraced[number]);
        const auto code = !is_entry   ? templates_.leave
                          : is_object ? templates_.enter_object_kprobe
                                      : templates_.enter;
        auto program = load(code, number, is_entry, BPF_PROG_TYPE_KPROBE, bpf_attach_type{}, 0);
        if (!program) return refused("loading", program.error());
        auto link = open_kprobe(program->get(), symbol, is_entry);
        if (!link) return refused("attaching", link.error());
        served.programs[is_entry ? 0 : 1] = std::move(*program);
        served.links[is_entry ? 0 : 1] = std::move(*link);
    }
    served.backend = Backend::kprobe;
    return {};
}

Served Attacher::serve(std::size_t number) {
    const auto symbol = symbols_.kept_as(kTraced[number].name);
    if (!symbol) {
        Served none;
        none.reason = "no such function in this kernel, or inlined";
        return none;
    }
    struct Rung {
        Backend backend;
        std::string_view name;
        Attempt attempt;
    };
    static constexpr std::array<Rung, 3> kLadder{
        {{Backend::fentry, "fentry", &Attacher::by_fentry},
         {Backend::kprobe, "kprobe.multi", &Attacher::by_kprobe_multi},
         {Backend::kprobe, "kprobe", &Attacher::by_kprobe}}};
    std::string reasons;
    for (const Rung& rung : kLadder) {
        if (only_ != Backend::none && rung.backend != only_) continue;
        Served served;
        const auto done = (this->*rung.attempt)(number, *symbol, served);
        if (done) {
            served.reason = reasons.empty() ? "" : fmt::format("by {}: {}", rung.name, reasons);
            return served;
        }
        reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : "; ", rung.name, done.error());
    }
    Served none;
    none.reason = std::move(reasons);
    return none;
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

std::optional<std::uint64_t> missed(const Served& served) {
    std::uint64_t sum = 0;
    for (const sys::Fd& program : served.programs) {
        if (!program) return std::nullopt;
        bpf_prog_info info{};
        std::uint32_t size = sizeof info;
        if (bpf_obj_get_info_by_fd(program.get(), &info, &size) != 0) return std::nullopt;
        if (size < offsetof(bpf_prog_info, recursion_misses) + sizeof info.recursion_misses)
            return std::nullopt;
        sum += info.recursion_misses;
    }
    return sum;
}

}  // namespace nsb::probe
