// Numbers and structures out of the bytes of an input, in its order; zeros behind its end.
#pragma once

#include <algorithm>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace nsb::fuzz {

class Bytes {
  public:
    explicit Bytes(std::string_view input) : rest_(input) {}

    [[nodiscard]] bool empty() const { return rest_.empty(); }

    template <typename T>
    T take() {
        static_assert(std::is_trivially_copyable_v<T>);
        T value{};
        fill(&value, sizeof value);
        return value;
    }
    void fill(void* to, std::size_t size) {
        const std::size_t there = std::min(size, rest_.size());
        if (there > 0) std::memcpy(to, rest_.data(), there);
        rest_.remove_prefix(there);
    }

  private:
    std::string_view rest_;
};

}  // namespace nsb::fuzz
