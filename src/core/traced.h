// The traced kernel functions: the table of bpf/functions.def, as nsbench sees it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/kinds.h"

namespace nsb {

/// When a traced function runs: while a namespace is made, while it is given up, or later in a worker.
enum class Path : std::uint8_t { create, destroy, async };
constexpr std::string_view to_string(Path path) {
    return std::array<std::string_view, 3>{"create", "destroy", "async"}[static_cast<std::size_t>(path)];
}

/// What a traced function's first argument says: nothing, that a namespace is made, or that one is gone; or
/// that an execution begins with it.
enum class ObjectRole : std::uint8_t { none, made, gone, forks };

/// How the probe served a function.
enum class Backend : std::uint8_t { fentry, kprobe, tracepoint, sampling, none };
constexpr std::string_view to_string(Backend backend) {
    return std::array<std::string_view, 5>{"fentry", "kprobe", "tracepoint", "sampling",
                                           "none"}[static_cast<std::size_t>(backend)];
}

struct TracedFunction {
    std::string_view name;
    std::optional<Kind> kind;  ///< none: shared by all
    Path path;
    ObjectRole object;
};

namespace detail {
namespace traced_names {
inline constexpr std::optional<Kind> shared{}, cgroup{Kind::cgroup}, ipc{Kind::ipc}, net{Kind::net},
    mnt{Kind::mnt}, pid{Kind::pid}, time{Kind::time}, user{Kind::user}, uts{Kind::uts};
}
constexpr auto traced_table() {
    return std::to_array<TracedFunction>({
#define NSB_FUNCTION(name, kind, path, object) {#name, traced_names::kind, Path::path, ObjectRole::object},
#include "bpf/functions.def"
#undef NSB_FUNCTION
    });
}
}  // namespace detail

/// Indexed by the numbers that the programs use.
inline constexpr auto kTraced = detail::traced_table();

/// The kind's name, or "shared".
constexpr std::string_view kind_name(const std::optional<Kind>& kind) {
    return kind ? info(*kind).name : "shared";
}

}  // namespace nsb
