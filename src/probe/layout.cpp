#include "probe/layout.h"

#include <bpf/btf.h>
#include <fmt/format.h>

#include <string_view>

namespace nsb::probe {
namespace {

/// The prototype of a tracepoint's handlers: typedef btf_trace_NAME, a pointer to a function whose first
/// parameter is the handler's own.
const btf_type* prototype(const btf* kernel, std::string_view name) {
    const int id =
        btf__find_by_name_kind(kernel, fmt::format("btf_trace_{}", name).c_str(), BTF_KIND_TYPEDEF);
    if (id < 0) return nullptr;
    const btf_type* type = btf__type_by_id(kernel, btf__type_by_id(kernel, static_cast<__u32>(id))->type);
    if (type == nullptr || !btf_is_ptr(type)) return nullptr;
    type = btf__type_by_id(kernel, type->type);
    return type != nullptr && btf_is_func_proto(type) ? type : nullptr;
}

bool is_pointer(const btf* kernel, std::string_view name, std::uint32_t argument) {
    const btf_type* const type = prototype(kernel, name);
    if (type == nullptr || argument + 1 >= btf_vlen(type)) return false;
    return btf_is_ptr(btf__type_by_id(kernel, btf_params(type)[argument + 1].type));
}

}  // namespace

std::uint32_t count_arguments(const btf* kernel, const char* tracepoint) {
    const btf_type* const type = prototype(kernel, tracepoint);
    return type == nullptr ? 0 : btf_vlen(type) - 1U;
}

nsb_config find_layout(const btf* kernel) {
    // include/trace/events/kmem.h: (call_site, ptr, bytes_req, bytes_alloc, gfp) up to 5.18; then with the
    // cache as third argument, and from 6.1 without the sizes for kmem_cache_alloc.
    const bool slab_has_cache = is_pointer(kernel, "kmem_cache_alloc", 2);
    const bool slab_has_sizes = !slab_has_cache || count_arguments(kernel, "kmem_cache_alloc") > 5;
    nsb_config config{};
    config.kmalloc_size_argument = is_pointer(kernel, "kmalloc", 2) ? 4 : 3;
    config.slab_has_cache = slab_has_sizes ? 0 : 1;
    config.slab_size_argument = slab_has_cache ? 4 : 3;
    return config;
}

}  // namespace nsb::probe
