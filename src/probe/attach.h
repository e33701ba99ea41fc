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

struct btf;

namespace nsb::probe {

/// The loaded templates' instructions.
struct Templates {
    std::span<const bpf_insn> enter, leave, enter_object_kprobe, enter_object_fentry;
};

/// How a function is served, with its programs; both descriptors go with it, and so do the programs.
struct Served {
    Backend backend = Backend::none;
    std::string reason;
    std::array<sys::Fd, 2> programs;  ///< entry, exit
    std::array<sys::Fd, 2> links;
};

/// Attaches both ends of functions, each by its own attempts: fentry, kprobe.multi, kprobe.
class Attacher {
  public:
    /// `kernel`: the running kernel's BTF; `only` narrows the ladder to one backend; none does not.
    Attacher(const Templates& templates, const btf* kernel, const Symbols& symbols, Backend only)
        : templates_(templates), kernel_(kernel), symbols_(symbols), only_(only) {}

    /// Serves function `number`, or says why it cannot be.
    Served serve(std::size_t number);

  private:
    /// One rung; the error says why not.
    using Attempt = tl::expected<void, std::string> (Attacher::*)(std::size_t number,
                                                                  const std::string& symbol, Served& served);
    tl::expected<void, std::string> by_fentry(std::size_t number, const std::string& symbol, Served& served);
    tl::expected<void, std::string> by_kprobe_multi(std::size_t number, const std::string& symbol,
                                                    Served& served);
    tl::expected<void, std::string> by_kprobe(std::size_t number, const std::string& symbol, Served& served);
    [[nodiscard]] sys::Result<sys::Fd> load(std::span<const bpf_insn> code, std::size_t number, bool is_entry,
                                            bpf_prog_type type, bpf_attach_type attach,
                                            std::uint32_t btf_id) const;

    Templates templates_;
    const btf* kernel_;
    const Symbols& symbols_;
    Backend only_;
};

/// Calls that the kernel did not trace because the program was already running; absent where it does not
/// count them.
std::optional<std::uint64_t> missed(const Served& served);

/// Programs that do nothing, to be held while as many others are loaded, and dropped then. Each program takes
/// a few bytes of percpu memory (kernel/bpf/core.c: bpf_prog_alloc), from the small gaps where mounts and net
/// namespaces put their counters. With those gaps gone, clone_mnt was seen to take four times as many
/// instructions: the probe would change what it measures.
std::vector<sys::Fd> fill_gaps(std::size_t programs);

}  // namespace nsb::probe
