#include "report/probe_text.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sstream>

#include "report/cells.h"
#include "report/tree_text.h"

namespace nsb::report {
namespace {

const RunIdentity kRun{"20260101T000000Z-0", "6.1.0", TickClock::wall};

std::size_t function(std::string_view name) {
    for (std::size_t i = 0; i < kTraced.size(); ++i) {
        if (kTraced[i].name == name) return i;
    }
    ADD_FAILURE() << "no traced function " << name;
    return 0;
}

/// A chain of callees, the deepest of which does all, as it is where every call is timed; `calls` is none
/// where stacks are sampled.
ProbedCase chain(std::optional<double> calls) {
    ProbedCase probed;
    probed.measured = Case::of(Operation::clone, Kind::net);
    probed.samples = 840;
    probed.memory_samples = 30;
    probed.unprobed = 381000;
    probed.probed = 385000;
    probed.first_phase = 400000;
    std::optional<std::size_t> caller;
    for (const char* name : {"kernel_clone", "copy_process", "copy_namespaces", "create_new_namespaces",
                             "copy_net_ns", "setup_net", "ops_init"}) {
        probed.calls.push_back({caller, function(name), Stage::call, calls, 400000, 0, 0, 100});
        caller = probed.calls.size() - 1;
    }
    probed.calls.back().self = 400000;
    probed.calls.push_back({{}, function("cleanup_net"), Stage::async, calls, 2340000, 977000, 1920000, 9});
    return probed;
}

std::size_t widest(const std::string& text) {
    std::istringstream lines(text);
    std::size_t width = 0;
    for (std::string line; std::getline(lines, line);) width = std::max(width, display_width(line));
    return width;
}

TEST(TreeText, GoldenWide) {
    EXPECT_EQ(tree_text(kRun, chain(1.0), 0),
              R"(function                        calls/op    total    self  waiting  of create
create
  kernel_clone                      1.00   400 µs       -        -     100.0%
    copy_process                    1.00   400 µs       -        -     100.0%
      copy_namespaces               1.00   400 µs       -        -     100.0%
        create_new_namespaces       1.00   400 µs       -        -     100.0%
          copy_net_ns               1.00   400 µs       -        -     100.0%
            setup_net               1.00   400 µs       -        -     100.0%
              ops_init              1.00   400 µs  400 µs        -     100.0%
async (amortised over a batch)
  cleanup_net                       1.00  2.34 ms  977 µs  1.92 ms
)");
}

TEST(TreeText, LeavesOutColumnsThatSayNothing) {
    const std::string text = tree_text(kRun, chain({}), 0);
    EXPECT_EQ(text.find("calls/op"), std::string::npos) << text;
    EXPECT_EQ(text.find('?'), std::string::npos) << text;
    EXPECT_NE(text.find("waiting"), std::string::npos) << text;
    EXPECT_NE(text.find("100.0% ±0.0"), std::string::npos) << text;
    ProbedCase mixed = chain({});
    mixed.calls.back().calls = 0.05;  // some backend counts them
    EXPECT_NE(tree_text(kRun, mixed, 0).find("calls/op"), std::string::npos);
}

TEST(TreeText, GivesUpColumnsForNames) {
    EXPECT_EQ(tree_text(kRun, chain(1.0), 56), R"(function                          total  of create
create
  kernel_clone                   400 µs     100.0%
    copy_process                 400 µs     100.0%
      copy_namespaces            400 µs     100.0%
        create_new_namespaces    400 µs     100.0%
          copy_net_ns            400 µs     100.0%
            setup_net            400 µs     100.0%
              ops_init           400 µs     100.0%
async (amortised over a batch)
  cleanup_net                   2.34 ms
)");
}

TEST(ProbeTree, FitsTheWidth) {
    ProbedCase probed = chain(1.0);
    probed.adds = {{function("ops_init"), 1e6}, {function("copy_net_ns"), 5e3}, {function("setup_net"), 4e3}};
    probed.waits = {{"synchronize_rcu_expedited in unregister_netdevice_many_notify", function("cleanup_net"),
                     0.1, 71000}};
    probed.memory = {{Kind::net, "kmalloc", "a", 2e5, 238, 1e5},
                     {Kind::net, "percpu", "b", 3300, 21, 0},
                     {Kind::net, "slab", "c", 55e3, 200, 4e4}};
    probed.objects = {{Kind::net, 40, 40, 20}};
    for (const std::size_t width : {40U, 60U}) EXPECT_LE(widest(tree_text(kRun, probed, width)), width);
    for (const std::size_t width : {80U, 100U, 120U}) {
        const std::string text = probe_tree(kRun, probed, width);
        EXPECT_LE(widest(text), width) << text;
        for (const char* said : {"ops_init 1.00 ms", "kmalloc 195 KiB in 238.0 calls", "20 of lead-ins"})
            EXPECT_NE(text.find(said), std::string::npos) << text;
    }
}

TEST(ProbeTree, SaysOfMemoryWhatTheCaseTakes) {
    ProbedCase probed = chain(1.0);
    probed.memory = {{Kind::net, "kmalloc", "a", -3, -0.04, 0},
                     {Kind::net, "slab", "b", 68, 1, 0},
                     {Kind::pid, "kmalloc", "c", 2.5, 0.01, 0},
                     {Kind::time, "slab", "d", -305, -1.2, 0}};
    const std::string text = probe_tree(kRun, probed);
    EXPECT_NE(text.find("memory net      slab 68.0 B in 1.0 calls\n"), std::string::npos) << text;
    EXPECT_NE(text.find("memory time     slab −305 B in 1.2 calls fewer\n"), std::string::npos) << text;
    EXPECT_EQ(text.find("memory pid"), std::string::npos) << text;
    EXPECT_EQ(text.find("0.0 calls"), std::string::npos) << text;
}

TEST(ProbeTree, ComparesMemoryOnlyWithWhatWasTakenOff) {
    ProbedCase probed = chain(1.0);
    probed.memory = {{Kind::net, "slab", "b", 68, 1, 0}};
    EXPECT_NE(probe_tree(kRun, probed).find("memory in all but percpu 68.0 B, 0 B of it"), std::string::npos)
        << probe_tree(kRun, probed);
    probed.memory_base = Case::of(Operation::clone, Kind::user);
    EXPECT_NE(probe_tree(kRun, probed).find("68.0 B more than NEWUSER,"), std::string::npos)
        << probe_tree(kRun, probed);
}

TEST(ProbeSummary, SaysHowFunctionsWereServedAlsoBehindACaseThatWasNotProbed) {
    ProbeReport report;
    report.cases = {ProbedCase{}, ProbedCase{}};
    report.cases[0].error = "not followed";
    report.cases[1].functions = {{function("ops_init"), Backend::none, "inlined", {}, {}}};
    EXPECT_NE(probe_summary(kRun, report).find("probe: 1 functions: inlined (ops_init)\n"), std::string::npos)
        << probe_summary(kRun, report);
}

TEST(Unprobed, AreNamedByWhy) {
    std::vector<ProbedCase> cases(10, chain(1.0));
    cases[0].error = "clone: ENOSPC";
    EXPECT_EQ(unprobed_lines(cases), "Probe: clone/NEWNET/stack:1M: clone: ENOSPC\n");
    for (std::size_t i = 1; i < 3; ++i) cases[i].error = "not followed";
    const std::string id = "clone/NEWNET/stack:1M";
    EXPECT_EQ(unprobed_lines(std::span(cases).subspan(1)),
              fmt::format("probe: 2 cases: not followed ({0}, {0})\n", id));
    for (std::size_t i = 1; i < 9; ++i) cases[i].error = "not followed";
    EXPECT_EQ(unprobed_lines(std::span(cases).subspan(1)),
              fmt::format("probe: 8 cases: not followed ({0}, {0}, {0}, {0}, {0}, {0}, ...)\n", id));
}

TEST(Cells, ElideAndFlow) {
    EXPECT_EQ(elide("copy_process", 12), "copy_process");
    EXPECT_EQ(elide("copy_process", 5), "copy…");
    EXPECT_EQ(elide("µµµ", 2), "µ…");
    EXPECT_EQ(flow("head ", {"one,", "two,", "three"}, " ", 14), "head one, two,\n     three\n");
    EXPECT_EQ(flow("head ", {"one,", "two,", "three"}, " ", 0), "head one, two, three\n");
    EXPECT_EQ(flow("head ", {"longer than all", "b"}, " ", 8), "head longer than all\n     b\n");
    EXPECT_EQ(flow("head ", {}, " ", 8), "head \n");
}

}  // namespace
}  // namespace nsb::report
