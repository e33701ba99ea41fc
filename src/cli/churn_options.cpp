#include "cli/churn_options.h"

#include <fmt/format.h>

#include "cli/options.h"
#include "core/kinds.h"
#include "core/load.h"

namespace nsb::cli {
namespace {

namespace po = boost::program_options;
using churn::Loop;

template <typename T>
T accept(std::string_view option, std::string_view text, tl::expected<T, std::string> parsed) {
    if (!parsed) throw UsageError(fmt::format("--{}={}: accepted is {}", option, text, parsed.error()));
    return *parsed;
}

std::optional<std::string> value_of(const po::variables_map& values, const char* name) {
    if (values.count(name) == 0) return std::nullopt;
    return values[name].as<std::string>();
}

KindSet parse_sets(const po::variables_map& values) {
    if (values.count("ns") == 0)
        throw UsageError("churn: --ns=SET is missing, such as --ns=net, or --ns=none");
    KindSet all;
    for (const auto& text : values["ns"].as<std::vector<std::string>>()) {
        const auto set = parse_set(text);
        if (!set) throw UsageError(fmt::format("--ns={}: {}", text, set.error()));
        all = all | *set;
    }
    return all;
}

/// "net*8".
run::BackgroundLoad parse_background(const std::string& text) {
    const std::size_t star = text.rfind('*');
    if (star == std::string::npos)
        throw UsageError(fmt::format("--background={}: accepted is SET*N, such as net*8", text));
    const auto set = parse_set(text.substr(0, star));
    if (!set) throw UsageError(fmt::format("--background={}: {}", text, set.error()));
    const auto workers = accept("background", text, parse_count(text.substr(star + 1), run::kBackground));
    return {*set, static_cast<std::uint32_t>(workers)};
}

/// Which loop it is: at most one of --rate and --burst, and what belongs to each.
void parse_loop(const po::variables_map& values, run::ChurnPlan& plan) {
    const auto rate = value_of(values, "rate");
    const auto burst = value_of(values, "burst");
    if (rate && burst)
        throw UsageError("--rate and --burst exclude each other: arrivals at fixed moments, or all at once");
    if (burst && values.count("workers") != 0)
        throw UsageError("--workers and --burst exclude each other: a burst has a worker for each operation");
    for (const char* const of_burst : {"bursts", "pause"}) {
        if (values.count(of_burst) != 0 && !burst)
            throw UsageError(fmt::format("--{}: is of bursts; add --burst=N", of_burst));
    }
    if (const auto text = value_of(values, "workers"))
        plan.workers =
            static_cast<std::uint32_t>(accept("workers", *text, parse_count(*text, run::kWorkers)));
    if (rate) {
        plan.loop = Loop::open;
        plan.rate = accept("rate", *rate, parse_rate(*rate));
    }
    if (!burst) return;
    plan.loop = Loop::burst;
    plan.workers = static_cast<std::uint32_t>(accept("burst", *burst, parse_count(*burst, run::kBurst)));
    if (const auto text = value_of(values, "bursts"))
        plan.bursts = accept("bursts", *text, parse_count(*text, run::kBursts));
    if (const auto text = value_of(values, "pause"))
        plan.pause = accept("pause", *text, parse_duration(*text));
}

/// Shorter ones would measure the reading of the kernel's files.
constexpr std::chrono::milliseconds kLeastInterval{50};

}  // namespace

std::vector<po::options_description> churn_options() {
    const auto value = [](const char* name) { return po::value<std::string>()->value_name(name); };
    po::options_description load("Load");
    load.add_options()  //
        ("ns", po::value<std::vector<std::string>>()->composing()->value_name("SET"),
         "the namespaces to make and destroy: kinds or flags joined by commas, none, or all")(
            "for", value("TIME"), "how long (60s)")("rate", value("N/s"),
                                                    "operations begin at fixed moments, and their times "
                                                    "count from these; without it as fast as it goes")(
            "workers", value("N"), "so many processes share the work (1)")(
            "burst", value("N"), "N processes begin at once, again and again")("bursts", value("N"),
                                                                               "so many bursts at most")(
            "pause", value("TIME"), "from the end of a burst to the begin of the next (1s)")(
            "background", value("SET*N"),
            "meanwhile N other processes make and destroy namespaces of SET, as fast as it goes");
    po::options_description watch("Watching");
    watch.add_options()  //
        ("interval", value("TIME"), "a line of the time line is about so long (250ms)")(
            "drain", value("TIME"), "wait so long, at most, for the kernel to settle after the load (60s)")(
            "probe",
            po::value<std::string>()->implicit_value("auto")->value_name("auto|fentry|kprobe|tracepoint|off"),
            "the batches in which net namespaces are torn down (cleanup_net), by the best that there is or "
            "by "
            "one way (off)");
    po::options_description output("Output");
    output.add_options()  //
        ("out", value("DIR"), "churn.csv, churn.json, of bursts bursts.csv, with --probe batches.csv")(
            "csv", value("FILE|-"), "the time line")("format", value("text|json"),
                                                     "text, or in its place what churn.json has (text)")(
            "quiet", "the summary alone")("no-progress", "no progress line, also on a terminal");
    return {load, watch, output};
}

run::ChurnPlan parse_churn(const po::variables_map& values) {
    run::ChurnPlan plan;
    plan.set = parse_sets(values);
    parse_loop(values, plan);
    if (const auto text = value_of(values, "for"))
        plan.duration = accept("for", *text, parse_duration(*text));
    if (const auto text = value_of(values, "drain"))
        plan.drain = accept("drain", *text, parse_duration(*text));
    if (const auto text = value_of(values, "interval")) {
        plan.interval_given = accept("interval", *text, parse_duration(*text));
        if (*plan.interval_given < kLeastInterval)
            throw UsageError(
                fmt::format("--interval={}: accepted is {} ms or more", *text, kLeastInterval.count()));
    }
    if (const auto text = value_of(values, "background")) plan.background = parse_background(*text);
    return plan;
}

}  // namespace nsb::cli
