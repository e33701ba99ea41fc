// What nsbench does with less than its caller's rights: all that works on results alone, and files and text
// between measurements. What could not be lowered is said, once, on standard error.
#pragma once

#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

namespace nsb::cli {

/// For work on results alone: gives up, for good, all capabilities but those over files. It stays root where
/// it was.
void give_up_rights();

/// Does the work as sys::with_rights_over_files does.
void lowered(const std::function<void()>& work);

/// The same; what the work returns.
template <typename Work>
std::invoke_result_t<Work> with_rights_over_files(Work work) {
    if constexpr (std::is_void_v<std::invoke_result_t<Work>>) {
        lowered(work);
    } else {
        std::optional<std::invoke_result_t<Work>> result;
        lowered([&] { result.emplace(work()); });
        return std::move(*result);
    }
}

}  // namespace nsb::cli
