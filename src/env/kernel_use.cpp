#include "env/kernel_use.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/failure.h"
#include "core/text.h"
#include "sys/file.h"

namespace nsb::env {
namespace {

constexpr const char* kSlabs = "/proc/slabinfo";

struct Cache {
    Kind kind;
    std::string_view name;
};
/// Of the kinds that have one; objects of the others are among those of many sizes (kmalloc).
constexpr auto kCaches = std::to_array<Cache>({{Kind::net, "net_namespace"},
                                               {Kind::pid, "pid_namespace"},
                                               {Kind::user, "user_namespace"},
                                               {Kind::uts, "uts_namespace"}});

/// active_objs of a cache; nothing where it is not listed, as one that was merged with another.
std::optional<std::uint64_t> active_in(std::string_view slabs, std::string_view cache) {
    const std::string begin = fmt::format("\n{} ", cache);
    const std::size_t at = slabs.find(begin);
    if (at == std::string_view::npos) return std::nullopt;
    const std::vector<std::string> fields = words(slabs.substr(at + 1, slabs.find('\n', at + 1) - at - 1));
    if (fields.size() < 2) return std::nullopt;
    const auto count = parse_count(fields[1], 0, ~std::uint64_t{0});
    return count ? std::optional(*count) : std::nullopt;
}

/// "123 kB" of /proc/meminfo in bytes.
std::optional<std::uint64_t> bytes_of(std::string_view meminfo, std::string_view key) {
    const auto text = field(meminfo, key);
    if (!text) return std::nullopt;
    const std::vector<std::string> parts = words(*text);
    if (parts.empty()) return std::nullopt;
    const auto kib = parse_count(parts.front(), 0, ~std::uint64_t{0} >> 10U);
    return kib ? std::optional(*kib << 10U) : std::nullopt;
}

}  // namespace

KernelUseReader::KernelUseReader(KindSet set, Root root) : root_(std::move(root)) {
    std::vector<std::string_view> wanted;
    for (const Cache& cache : kCaches) {
        if (set.contains(cache.kind)) wanted.push_back(cache.name);
    }
    if (wanted.empty()) {
        unknown_ = set.empty() ? "no namespaces are made"
                               : fmt::format("{} has no slab cache of its own", to_string(set));
        return;
    }
    const auto slabs = sys::read_file(root_.prefix + kSlabs);
    if (!slabs) {
        unknown_ = fmt::format("open({}): {}{}", kSlabs, errno_name(slabs.error()),
                               slabs.error() == EACCES ? "; root sees it" : "");
        return;
    }
    for (const std::string_view name : wanted) {
        if (active_in(*slabs, name)) caches_.emplace_back(name);
    }
    if (caches_.empty()) unknown_ = fmt::format("{} lists no {}", kSlabs, fmt::join(wanted, ", "));
}

KernelUse KernelUseReader::read() const {
    KernelUse use;
    if (const auto meminfo = read_text(root_, "/proc/meminfo")) {
        use.slab = bytes_of(*meminfo, "Slab");
        use.percpu = bytes_of(*meminfo, "Percpu");
        use.kernel_stack = bytes_of(*meminfo, "KernelStack");
    }
    if (caches_.empty()) return use;
    const auto slabs = read_text(root_, kSlabs);
    if (!slabs) return use;
    std::uint64_t sum = 0;
    for (const std::string& cache : caches_) {
        const auto active = active_in(*slabs, cache);
        if (!active) return use;
        sum += *active;
    }
    use.namespaces = sum;
    return use;
}

}  // namespace nsb::env
