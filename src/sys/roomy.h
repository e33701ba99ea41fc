// Work that needs more stack than the caller may have (ulimit -s): std::regex recurses.
#pragma once

#include <pthread.h>

#include <exception>
#include <optional>

#include "sys/child.h"
#include "sys/error.h"

namespace nsb::sys {

/// What `work` returns, or throws, on a stack of `bytes`. Throws SystemError where there is no memory or no
/// process for it.
template <typename Work>
auto with_stack(std::size_t bytes, Work work) {
    struct OnStack {
        Work& work;
        std::optional<decltype(work())> result = {};
        std::exception_ptr thrown = {};
    } call{work};
    // Mapped here, since pthread_create says EAGAIN where memory is short, too.
    const Stack stack = must(Stack::map(bytes, false), "mmap", "stack");
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, stack.base(), stack.size());
    pthread_t thread{};
    const auto run = [](void* argument) -> void* {
        auto& own = *static_cast<OnStack*>(argument);
        try {
            own.result.emplace(own.work());
        } catch (...) {
            own.thrown = std::current_exception();
        }
        return nullptr;
    };
    const int error = pthread_create(&thread, &attributes, run, &call);
    pthread_attr_destroy(&attributes);
    if (error != 0) throw SystemError("pthread_create", "", error);
    pthread_join(thread, nullptr);
    if (call.thrown) std::rethrow_exception(call.thrown);
    return std::move(*call.result);
}

}  // namespace nsb::sys
