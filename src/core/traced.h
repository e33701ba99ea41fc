// The traced kernel functions: the table of bpf/functions.def, as nsbench sees it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
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

/// What a traced function is known by, beyond its time (bpf/functions.def says what each means).
enum class Role : std::uint8_t {
    none,
    made,
    gone,
    forks,
    kmalloc,
    slab,
    batch_work,
    work,
    new_work,
    ends_too
};
constexpr bool is_work(Role role) {
    return role == Role::batch_work || role == Role::work || role == Role::new_work;
}
constexpr bool is_allocation(Role role) {
    return role == Role::kmalloc || role == Role::slab;
}

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
    Role role;
};

namespace detail {
namespace traced_names {
inline constexpr std::optional<Kind> shared{}, cgroup{Kind::cgroup}, ipc{Kind::ipc}, net{Kind::net},
    mnt{Kind::mnt}, pid{Kind::pid}, time{Kind::time}, user{Kind::user}, uts{Kind::uts};
}
constexpr auto traced_table() {
    return std::to_array<TracedFunction>({
#define NSB_FUNCTION(name, kind, path, role) {#name, traced_names::kind, Path::path, Role::role},
#include "bpf/functions.def"
#undef NSB_FUNCTION
    });
}
}  // namespace detail

/// Indexed by the numbers that the programs use.
inline constexpr auto kTraced = detail::traced_table();

/// How many traced functions there are like that.
template <typename Condition>
constexpr std::size_t count_traced(Condition condition) {
    return static_cast<std::size_t>(std::ranges::count_if(kTraced, condition));
}

static_assert(count_traced([](const TracedFunction& f) { return f.role == Role::forks; }) == 1,
              "one function begins executions");
static_assert(std::ranges::all_of(kKinds,
                                  [](const KindInfo& kind) {
                                      return count_traced([&](const TracedFunction& f) {
                                                 return f.kind == kind.kind && is_allocation(f.role);
                                             }) == 1;
                                  }),
              "a namespace of each kind is allocated in one traced function");
static_assert(std::ranges::all_of(kTraced,
                                  [](const TracedFunction& f) {
                                      return f.path != Path::async ||
                                             count_traced([&](const TracedFunction& other) {
                                                 return other.kind == f.kind && is_work(other.role);
                                             }) == 1;
                                  }),
              "a kind that workers tear down has one traced function that its worker begins with");
static_assert(std::ranges::all_of(kTraced,
                                  [](const TracedFunction& f) {
                                      return !is_work(f.role) || (f.kind && f.path == Path::async);
                                  }),
              "a worker tears down namespaces of one kind, later");

/// The kind's name, or "shared".
constexpr std::string_view kind_name(const std::optional<Kind>& kind) {
    return kind ? info(*kind).name : "shared";
}

}  // namespace nsb
