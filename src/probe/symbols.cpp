#include "probe/symbols.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "sys/file.h"

namespace nsb::probe {
namespace {

/// What the compiler appended when it changed a function: ".isra.0".
std::string_view without_suffix(std::string_view name) {
    return name.substr(0, name.find('.', 1));
}

}  // namespace

tl::expected<Symbols, sys::Refusal> Symbols::load() {
    const auto text = sys::read_file("/proc/kallsyms");
    if (!text) return tl::unexpected(sys::Refusal{"/proc/kallsyms", text.error()});
    Symbols symbols = parse(*text);
    if (symbols.symbols_.empty())
        return tl::unexpected(sys::Refusal{"/proc/kallsyms shows no addresses", EPERM});
    return symbols;
}

Symbols Symbols::parse(const std::string& text) {
    Symbols parsed;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        const std::string_view line(text.data() + begin, end - begin);
        begin = end + 1;
        // address, type, name, and a tab with the module
        const std::size_t type = line.find(' ');
        if (type == std::string_view::npos || type + 3 >= line.size()) continue;
        std::uint64_t address = 0;
        std::from_chars(line.data(), line.data() + type, address, 16);
        // Programs ([bpf]) stand among the functions: without them their addresses would name their
        // neighbours.
        if (address == 0 || std::tolower(static_cast<unsigned char>(line[type + 1])) != 't') continue;
        std::string_view name = line.substr(type + 3);
        const std::size_t module = name.find_first_of("\t ");
        name = name.substr(0, module);
        if (name == "_etext") parsed.text_end_ = address;
        parsed.symbols_.push_back({address, std::string(name), module != std::string_view::npos});
        parsed.addresses_.try_emplace(std::string(name), address);
    }
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
        if (changed && rest.find(".part") == rest.npos && rest.find(".cold") == rest.npos) return symbol.name;
    }
    return std::nullopt;
}

}  // namespace nsb::probe
