// Programs for single functions: copies of the templates, attached by the best means that the kernel allows.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <linux/bpf.h>

#include "core/traced.h"
#include "probe/symbols.h"
#include "sys/fd.h"
#include "sys/refusal.h"

struct btf;

namespace nsb::probe {

/// What functions are given: the loaded templates' instructions, to be copied, and programs that many share.
struct Programs {
    std::span<const bpf_insn> enter, leave, enter_object_kprobe, enter_object_fentry;
    std::array<int, 2> shared;  ///< for entries, for exits; negative where the kernel lacks what they need
};

/// What attaches a function's entry or exit: it goes with this.
struct End {
    sys::Fd program;  ///< its own; none where it shares one
    sys::Fd link;
};
using Ends = std::array<End, 2>;  // entry, exit

struct Served {
    Backend backend = Backend::none;
    std::string reason;  ///< why it is not served, or not by the best backend
    Ends ends;           ///< empty where it shares those of others
};

struct AllServed {
    std::vector<Served> each;  ///< by number
    Ends shared;
};

/// Attaches both ends of functions, by fentry, kprobe or kprobe.multi.
class Attacher {
  public:
    /// `kernel`: the running kernel's BTF, or null where there is none; `only` narrows the ladder to one
    /// backend; none does not.
    Attacher(const Programs& programs, const btf* kernel, const Symbols& symbols, Backend only)
        : programs_(programs), kernel_(kernel), symbols_(symbols), only_(only) {}

    /// Serves these functions, or says of each why it cannot be.
    [[nodiscard]] AllServed serve(std::span<const std::size_t> numbers) const;

  private:
    /// A function that no rung of the ladder has served yet.
    struct Wanted {
        std::size_t number;
        std::string symbol;

        /// What its programs are told: its number, and the part it plays.
        [[nodiscard]] std::uint32_t argument(bool is_entry) const;
    };
    /// By each of the wanted: why it is not served, or nothing.
    using Refusals = std::vector<std::optional<sys::Refusal>>;
    Refusals by_single(std::span<const Wanted> wanted, Backend backend, AllServed& all) const;
    Refusals by_kprobe_multi(std::span<const Wanted> wanted, AllServed& all) const;
    [[nodiscard]] sys::Expected<Ends> attach(const Wanted& function, Backend backend) const;
    [[nodiscard]] sys::Expected<std::uint32_t> fentry_target(const std::string& symbol,
                                                             std::size_t number) const;
    [[nodiscard]] sys::Result<sys::Fd> link_all(std::span<const Wanted> functions, bool is_entry) const;

    Programs programs_;
    const btf* kernel_;
    const Symbols& symbols_;
    Backend only_;
};

/// A copy of a template, loaded with the argument in its place.
sys::Result<sys::Fd> load_copy(std::span<const bpf_insn> code, std::uint32_t argument, const char* name,
                               bpf_prog_type type, bpf_attach_type attach, std::uint32_t btf_id);

/// Calls that the kernel did not trace: the program was already running on that CPU, or too many tasks were
/// inside the function at once (a kretprobe's maxactive). Absent where the kernel does not count the first
/// of the two, or no end is there.
std::optional<std::uint64_t> missed(const Ends& ends);

/// Runs of a program that the kernel left out because one was already running on that CPU; absent where it
/// does not count them.
std::optional<std::uint64_t> missed_runs(int program);

/// What the kernel missed of a link of kprobes; 0 where it does not tell.
std::uint64_t missed_by_link(const sys::Fd& link);

/// Programs that do nothing, to be held while as many others are loaded, and dropped then. Each program takes
/// a few bytes of percpu memory (kernel/bpf/core.c: bpf_prog_alloc), from the small gaps where mounts and net
/// namespaces put their counters. With those gaps gone, clone_mnt was seen to take four times as many
/// instructions: the probe would change what it measures.
std::vector<sys::Fd> fill_gaps(std::size_t programs);

}  // namespace nsb::probe
