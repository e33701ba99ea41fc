// The kernel's symbols: names of addresses, and which functions there are under which name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "sys/refusal.h"

namespace nsb::probe {

class Symbols {
  public:
    /// From /proc/kallsyms. Refused where it shows no addresses: it needs CAP_SYSLOG, or
    /// kernel.kptr_restrict=0.
    static sys::Expected<Symbols> load();

    /// From the text of such a file.
    static Symbols parse(const std::string& text);

    /// The function that an address is in, without the compiler's suffix; empty where there is none.
    [[nodiscard]] std::string name(std::uint64_t address) const;

    /// The address of the function of exactly this name.
    [[nodiscard]] std::optional<std::uint64_t> address(const std::string& name) const;

    /// The name under which the compiler kept a function: its own, or with .isra or .constprop, whose
    /// arguments are changed. Parts of functions (.part, .cold) are not the function.
    [[nodiscard]] std::optional<std::string> kept_as(std::string_view name) const;

  private:
    struct Symbol {
        std::uint64_t address;
        std::string name;
        bool is_of_module;  // or of the programs, [bpf]
    };
    std::vector<Symbol> symbols_;  // by address
    std::uint64_t text_end_ = 0;   // of the kernel itself; 0: unknown
    std::unordered_map<std::string, std::uint64_t> addresses_;
};

}  // namespace nsb::probe
