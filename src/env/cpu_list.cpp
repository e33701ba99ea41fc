#include "env/cpu_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "core/text.h"

namespace nsb::env {
namespace {

constexpr std::uint64_t kMostCpus = 65536;  // far beyond CONFIG_NR_CPUS of any kernel

}  // namespace

std::optional<CpuSet> parse_cpus(std::string_view text) {
    CpuSet cpus;
    if (text.empty()) return cpus;
    for (const std::string& part : split(text, ",")) {
        const std::size_t dash = part.find('-');
        const auto first = parse_count(part.substr(0, dash), 0, kMostCpus);
        const auto last =
            dash == std::string::npos ? first : parse_count(part.substr(dash + 1), 0, kMostCpus);
        if (!first || !last) return std::nullopt;
        for (std::uint64_t cpu = *first; cpu <= *last; ++cpu) cpus.insert(static_cast<int>(cpu));
    }
    return cpus;
}

std::string to_text(const CpuSet& cpus) {
    std::string text;
    for (auto first = cpus.begin(); first != cpus.end();) {
        auto last = first;
        while (std::next(last) != cpus.end() && *std::next(last) == *last + 1) ++last;
        text += fmt::format("{}{}", text.empty() ? "" : ",", *first);
        if (last != first) text += fmt::format("-{}", *last);
        first = std::next(last);
    }
    return text;
}

CpuSet without(const CpuSet& all, const CpuSet& others) {
    CpuSet rest;
    std::set_difference(all.begin(), all.end(), others.begin(), others.end(),
                        std::inserter(rest, rest.end()));
    return rest;
}

}  // namespace nsb::env
