// The kernel's symbols, as /proc/kallsyms lists them: the one reader of its lines.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nsb::sys {

inline constexpr const char* kKernelSymbols = "/proc/kallsyms";

struct KernelSymbol {
    std::uint64_t address;    ///< 0 where the kernel does not show it (kernel.kptr_restrict)
    char type;                ///< t and T: a function, of one file or of all
    std::string_view name;    ///< with what the compiler appended
    std::string_view module;  ///< behind the name, "[nf_tables]"; empty: of the kernel itself
};

/// "ffffffff81e4fa40 t cleanup_net", with a tab and a module behind it or not; nothing for another line.
inline std::optional<KernelSymbol> kernel_symbol(std::string_view line) {
    KernelSymbol symbol{};
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), symbol.address, 16);
    if (error != std::errc{}) return std::nullopt;
    const std::string_view rest = line.substr(static_cast<std::size_t>(end - line.data()));
    if (rest.size() < 4) return std::nullopt;
    symbol.type = rest[1];
    const std::size_t behind = std::min(rest.find_first_of("\t ", 3), rest.size());
    symbol.name = rest.substr(3, behind - 3);
    symbol.module = rest.substr(std::min(behind + 1, rest.size()));
    return symbol;
}

/// Calls visit(symbol) for each line of such a file: some 200,000.
template <typename Visit>
void each_kernel_symbol(std::string_view text, Visit visit) {
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        if (const auto symbol = kernel_symbol(text.substr(begin, end - begin))) visit(*symbol);
        begin = end + 1;
    }
}

}  // namespace nsb::sys
