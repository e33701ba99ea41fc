#include "exact/symbols.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "sys/kallsyms.h"

namespace nsb::exact {
namespace {

constexpr std::string_view kText = "tTwW";
constexpr std::string_view kCold = ".cold";
/// Bytes of a function at the most: what is further from any symbol is code that was made later, such as
/// BPF's.
constexpr std::uint64_t kMostFunction = 1U << 16U;

}  // namespace

GuestSymbols GuestSymbols::read(std::istream& kallsyms) {
    struct Symbol {
        std::uint64_t address;
        std::string name;
    };
    std::vector<Symbol> found;
    for (std::string line; std::getline(kallsyms, line);) {
        const auto symbol = sys::kernel_symbol(line);
        if (!symbol || symbol->address < kKernel || kText.find(symbol->type) == std::string_view::npos)
            continue;
        found.push_back({symbol->address, std::string(symbol->name)});
    }
    std::ranges::stable_sort(found, {}, &Symbol::address);
    GuestSymbols symbols;
    std::unordered_map<std::string_view, Function> by_name;
    std::vector<std::size_t> cold;  // of starts_: which function they are of is known when all are
    for (const Symbol& symbol : found) {
        if (!symbols.starts_.empty() && symbols.starts_.back().address == symbol.address)
            continue;  // an alias
        if (symbol.name.ends_with(kCold)) cold.push_back(symbols.starts_.size());
        const auto function = static_cast<Function>(symbols.names_.size());
        symbols.starts_.push_back({symbol.address, function});
        symbols.names_.push_back(symbol.name);
        by_name.try_emplace(symbol.name, function);
    }
    for (const std::size_t at : cold) {
        const std::string& name = symbols.names_[symbols.starts_[at].function];
        const auto whole = by_name.find(std::string_view(name).substr(0, name.size() - kCold.size()));
        if (whole != by_name.end()) symbols.starts_[at].function = whole->second;
    }
    return symbols;
}

Function GuestSymbols::at(std::uint64_t address) const {
    if (address < kKernel) return kUser;
    const auto after = std::ranges::upper_bound(starts_, address, {}, &FunctionStart::address);
    if (after == starts_.begin() || address - std::prev(after)->address > kMostFunction) return kNameless;
    return std::prev(after)->function;
}

bool GuestSymbols::is_first(std::uint64_t address) const {
    return std::ranges::binary_search(starts_, address, {}, &FunctionStart::address);
}

std::optional<Function> GuestSymbols::find(std::string_view name) const {
    const auto at = std::ranges::find(names_, name);
    if (at == names_.end()) return std::nullopt;
    return static_cast<Function>(at - names_.begin());
}

}  // namespace nsb::exact
