#include "isolate/verdicts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/utf8.h"

namespace nsb::isolate {
namespace {

struct VerdictColumn {
    const char* name;
    std::string (*get)(const Checked&);
};

/// The columns of CSV and JSON.
constexpr std::array<VerdictColumn, 8> kColumns{{
    {"verdict", [](const Checked& r) { return std::string(to_string(r.verdict.outcome)); }},
    {"kind", [](const Checked& r) { return std::string(r.check->kind); }},
    {"check", [](const Checked& r) { return std::string(r.check->id); }},
    {"namespaces", [](const Checked& r) { return nsb::to_string(r.made); }},
    {"what", [](const Checked& r) { return std::string(r.check->what); }},
    {"inside", [](const Checked& r) { return r.verdict.inside; }},
    {"outside", [](const Checked& r) { return r.verdict.outside; }},
    {"reason", [](const Checked& r) { return r.verdict.reason; }},
}};

const char* paint(Outcome outcome) {
    switch (outcome) {
        case Outcome::passed:
            return "\033[32m";
        case Outcome::failed:
            return "\033[31m";
        case Outcome::skipped:
            return "\033[33m";
        case Outcome::error:
            return "\033[35m";
    }
    return "";
}

}  // namespace

std::string_view to_string(Outcome outcome) {
    switch (outcome) {
        case Outcome::passed:
            return "passed";
        case Outcome::failed:
            return "failed";
        case Outcome::skipped:
            return "skipped";
        case Outcome::error:
            return "error";
    }
    return "";
}

std::string verdict_table(const std::vector<Checked>& results, bool colour) {
    std::size_t id_width = 0;
    for (const Checked& r : results) id_width = std::max(id_width, r.check->id.size());
    std::string text;
    std::array<int, 4> counts{};
    for (const Checked& r : results) {
        const Verdict& v = r.verdict;
        ++counts[static_cast<std::size_t>(v.outcome)];
        text +=
            fmt::format("{}{:<8}{}{:<7} {:<{}}  {}\n", colour ? paint(v.outcome) : "", to_string(v.outcome),
                        colour ? "\033[0m" : "", r.check->kind, r.check->id, id_width, r.check->what);
        const std::string indent(8 + 8 + id_width + 2, ' ');
        if (!v.reason.empty()) text += fmt::format("{}{}\n", indent, v.reason);
        if (!v.inside.empty()) text += fmt::format("{}inside:  {}\n", indent, v.inside);
        if (!v.outside.empty()) text += fmt::format("{}outside: {}\n", indent, v.outside);
    }
    text += fmt::format("\n{} passed, {} failed, {} skipped", counts[0], counts[1], counts[2]);
    // So rare that it is no column of its own.
    return text +
           (counts[3] == 0 ? "\n" : fmt::format(", {} error{}\n", counts[3], counts[3] == 1 ? "" : "s"));
}

std::string verdict_csv(const std::vector<Checked>& results) {
    std::string text;
    for (const VerdictColumn& column : kColumns)
        text += fmt::format("{}{}", text.empty() ? "" : ",", column.name);
    text += '\n';
    for (const Checked& result : results) {
        std::string line;
        for (const VerdictColumn& column : kColumns) {
            if (&column != kColumns.data()) line += ',';
            line += csv_field(column.get(result));
        }
        text += line + '\n';
    }
    return text;
}

std::string verdict_json(const std::vector<Checked>& results) {
    nlohmann::ordered_json all = nlohmann::ordered_json::array();
    for (const Checked& result : results) {
        nlohmann::ordered_json one;
        for (const VerdictColumn& column : kColumns) one[column.name] = column.get(result);
        all.push_back(std::move(one));
    }
    change_strings(all, as_utf8);
    return all.dump(2) + '\n';
}

}  // namespace nsb::isolate
