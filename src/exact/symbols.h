// The kernel's functions by address.
#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nsb::exact {

using Function = std::uint32_t;

/// What has no symbol of its own.
inline constexpr Function kUser = 0, kNameless = 1;

/// The first address that is the kernel's.
inline constexpr std::uint64_t kKernel = 1ULL << 63U;

class GuestSymbols {
  public:
    /// Reads /proc/kallsyms of the guest. Empty where all its addresses are zeros, as kptr_restrict makes
    /// them.
    static GuestSymbols read(std::istream& kallsyms);

    /// The function at an address; kUser below the kernel, kNameless where the kernel has no name for it.
    /// What the compiler moved out of a function (NAME.cold) is that function.
    [[nodiscard]] Function at(std::uint64_t address) const;

    /// Whether it is the first address of its function.
    [[nodiscard]] bool is_first(std::uint64_t address) const;

    /// The function of that name, if there is one.
    [[nodiscard]] std::optional<Function> find(std::string_view name) const;

    [[nodiscard]] const std::string& name(Function function) const { return names_[function]; }
    [[nodiscard]] bool empty() const { return starts_.empty(); }

  private:
    struct FunctionStart {
        std::uint64_t address;
        Function function;
    };
    std::vector<FunctionStart> starts_;  // by address
    std::vector<std::string> names_{"[user]", "[no symbol]"};
};

}  // namespace nsb::exact
