#include "run/outputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>

#include "report/csv.h"
#include "report/probe_text.h"
#include "run/samples_csv.h"
#include "run/store.h"
#include "sys/error.h"
#include "sys/file.h"

namespace nsb::run {
namespace {

std::string rounds_csv(const RunData& run) {
    std::string text = report::csv_header(report::round_columns());
    for (const RoundMarks& marks : run.info.marks)
        report::append_csv(text, report::round_columns(), report::RoundRecord{run.info.identity, marks});
    return text;
}

/// Of a folder, first what says that this is a run: the others may be rounds behind it, which a resumed run
/// makes good. But samples.csv is written before it (Store), which says how far that is valid.
constexpr auto kOutputs = std::to_array<Output>({
    {.file = "run.json",
     .meaning = "the environment, options, seed, versions and warnings",
     .text = [](const RunData& r) { return run_json(r.info); }},
    {.option = "csv",
     .file = kResultsCsv,
     .may_be_stdout = true,
     .meaning = "the summary as CSV; - is standard output, without table and digest",
     .text = [](const RunData& r) { return report::results_csv(r.info.identity, r.rows); }},
    {.file = kSamplesCsv,
     .of_each_repeat = true,
     .meaning = "every sample",
     .text = [](const RunData& r) { return samples_csv(r.info.identity, r.series); }},
    {.option = "rounds",
     .file = kRoundsCsv,
     .may_be_stdout = true,
     .of_rounds = true,
     .meaning = "what else the machine did in each round",
     .text = rounds_csv},
    {.file = "probe.csv",
     .of_probe = OfProbe::figures,
     .meaning = "what each case calls of the traced functions",
     .text = [](const RunData& r) { return report::probe_csv(r.info.identity, *r.info.probe); }},
    {.file = "memory.csv",
     .of_probe = OfProbe::figures,
     .meaning = "what each case allocates",
     .text = [](const RunData& r) { return report::memory_csv(r.info.identity, *r.info.probe); }},
    {.option = "json",
     .may_be_stdout = true,
     .meaning = "Google Benchmark's JSON",
     .text = [](const RunData& r) { return benchmark_json(r, JsonEntries::all); }},
    {.option = "json-aggregates",
     .may_be_stdout = true,
     .meaning = "the same without the rounds: of each row its median alone",
     .text = [](const RunData& r) { return benchmark_json(r, JsonEntries::aggregates); }},
    {.option = "folded",
     .may_be_stdout = true,
     .of_probe = OfProbe::stacks,
     .meaning = "with --probe: folded stacks for flame-graph tools, weighed in ns or instructions",
     .text = [](const RunData& r) { return report::folded_stacks(*r.info.probe); }},
});

constexpr std::string_view kStandardOutput = "-";

bool goes_to_stdout(const Destination& destination) {
    return destination.path == kStandardOutput;
}

}  // namespace

std::string_view to_string(OfProbe of_probe) {
    return std::array<std::string_view, 3>{"nothing", "figures",
                                           "stacks"}[static_cast<std::size_t>(of_probe)];
}

std::span<const Output> outputs() {
    return kOutputs;
}

std::vector<report::OutputNames> output_names() {
    std::vector<report::OutputNames> names;
    for (const Output& output : kOutputs) names.push_back({output.option, output.file, output.meaning});
    return names;
}

std::string files_of_a_folder(std::span<const Output> table) {
    std::vector<std::string_view> always;
    std::vector<std::string_view> probed;
    for (const Output& output : table) {
        if (!output.file.empty())
            (output.of_probe == OfProbe::nothing ? always : probed).push_back(output.file);
    }
    return fmt::format("{}; with --probe also {}", fmt::join(always, ", "), fmt::join(probed, ", "));
}

std::string output_path(std::string typed) {
    constexpr auto kOthers = std::to_array<std::string_view>({"/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"});
    return std::ranges::find(kOthers, typed) == kOthers.end() ? std::move(typed)
                                                              : std::string(kStandardOutput);
}

tl::expected<Destination, std::string> destination(const Output& output, std::string typed) {
    Destination to{&output, output_path(std::move(typed))};
    if (goes_to_stdout(to) && !output.may_be_stdout)
        return tl::unexpected<std::string>("a file, and not standard output");
    return to;
}

bool take_standard_output(const Destinations& destinations) {
    return std::ranges::any_of(destinations, goes_to_stdout);
}

tl::expected<void, std::string> check_standard_output(const Destinations& destinations,
                                                      std::span<const Output> table) {
    if (std::ranges::count_if(destinations, goes_to_stdout) < 2) return {};
    std::vector<std::string> could;
    for (const Output& output : table) {
        if (!output.option.empty() && output.may_be_stdout)
            could.push_back(fmt::format("--{}=-", output.option));
    }
    return tl::unexpected(fmt::format("{}: standard output is for one of them", fmt::join(could, ", ")));
}

const Output* find(const Destinations& destinations, OfProbe at_least) {
    const auto at = std::ranges::find_if(
        destinations, [&](const Destination& d) { return d.output->of_probe >= at_least; });
    return at == destinations.end() ? nullptr : at->output;
}

tl::expected<void, std::string> check_writable(const Destinations& destinations) {
    for (const auto& [output, path] : destinations) {
        try {
            sys::check_writable(path);
        } catch (const sys::SystemError& error) {
            if (is_of_a_limit(error)) throw;
            return tl::unexpected(
                fmt::format("--{}={}: cannot be written: {}", output->option, path, error.what()));
        }
    }
    return {};
}

void write(const Destinations& destinations, const RunData& run) {
    std::vector<std::function<void()>> all;
    for (const Destination& one : destinations) {
        if (!one.output->can_be_made_of(run.info)) continue;
        all.emplace_back([&] { sys::replace_file(one.path, one.output->text(run)); });
    }
    sys::attempt_all(all);
}

}  // namespace nsb::run
