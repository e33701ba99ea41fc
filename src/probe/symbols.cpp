#include "probe/symbols.h"

#include <algorithm>
#include <cctype>

#include "sys/file.h"
#include "sys/kallsyms.h"

namespace nsb::probe {
namespace {

/// What the compiler appended when it changed a function: ".isra.0".
std::string_view without_suffix(std::string_view name) {
    return name.substr(0, name.find('.', 1));
}

}  // namespace

sys::Expected<Symbols> Symbols::load() {
    const auto text = sys::read_file("/proc/kallsyms");
    if (!text) return tl::unexpected(sys::Refusal{.call = "/proc/kallsyms", .error = text.error()});
    Symbols symbols = parse(*text);
    if (symbols.symbols_.empty())
        return tl::unexpected(sys::Refusal{.call = "/proc/kallsyms shows no addresses", .error = EPERM});
    return symbols;
}

Symbols Symbols::parse(const std::string& text) {
    Symbols parsed;
    sys::each_kernel_symbol(text, [&](const sys::KernelSymbol& symbol) {
        // Programs ([bpf]) stand among the functions: without them their addresses would name their
        // neighbours.
        if (symbol.address == 0 || std::tolower(static_cast<unsigned char>(symbol.type)) != 't') return;
        if (symbol.name == "_etext") parsed.text_end_ = symbol.address;
        parsed.symbols_.push_back({symbol.address, std::string(symbol.name), !symbol.module.empty()});
        parsed.addresses_.try_emplace(std::string(symbol.name), symbol.address);
    });
    std::ranges::stable_sort(parsed.symbols_, {}, &Symbol::address);
    return parsed;
}

std::string Symbols::name(std::uint64_t address) const {
    const auto after = std::ranges::upper_bound(symbols_, address, {}, &Symbol::address);
    if (after == symbols_.begin()) return "";
    const Symbol& symbol = *std::prev(after);
    // Behind the kernel's own text lie its discarded start-up code, programs and trampolines without a name.
    const bool is_behind_text = text_end_ != 0 && address >= text_end_ && !symbol.is_of_module;
    return is_behind_text ? "" : std::string(without_suffix(symbol.name));
}

std::optional<std::uint64_t> Symbols::address(const std::string& name) const {
    const auto at = addresses_.find(name);
    return at == addresses_.end() ? std::nullopt : std::optional(at->second);
}

std::optional<std::string> Symbols::kept_as(std::string_view name) const {
    std::string kept(name);
    if (addresses_.contains(kept)) return kept;
    for (const Symbol& symbol : symbols_) {
        if (!symbol.name.starts_with(name)) continue;
        const std::string_view rest = std::string_view(symbol.name).substr(name.size());
        const bool changed = rest.starts_with(".isra.") || rest.starts_with(".constprop.");
        if (changed && rest.find(".part") == std::string_view::npos &&
            rest.find(".cold") == std::string_view::npos)
            return symbol.name;
    }
    return std::nullopt;
}

}  // namespace nsb::probe
