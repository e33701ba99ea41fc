#include "probe/attribution.h"

#include <gtest/gtest.h>

#include "probe/symbols.h"

namespace nsb::probe {
namespace {

std::uint32_t number_of(std::string_view name) {
    for (std::uint32_t i = 0; i < kTraced.size(); ++i) {
        if (kTraced[i].name == name) return i;
    }
    ADD_FAILURE() << name << " is not traced";
    return 0;
}

std::vector<Probe::Service> services(Backend backend) {
    return std::vector<Probe::Service>(kTraced.size(), {backend, "", 0});
}

CallEntry entry(std::uint32_t node, std::uint32_t caller, std::string_view function, nsb_calls sums) {
    return {node, caller, number_of(function), sums};
}

const FunctionTimes& times_of(const ProbedCase& probed, std::string_view function) {
    return probed.functions.at(number_of(function)).times.value();
}

TEST(Attribution, DividesByExecutionsAndTakesTheProbesCostOff) {
    Observations seen;
    seen.samples = 10;
    // Ten calls of the outer function for 10000 ns in all, each with two calls of the inner one, 1000 ns
    // each.
    seen.snapshot.calls = {entry(1, NSB_ROOT, "kernel_clone", {10, 100000, 80000, 0, 12000, 20, {}}),
                           entry(2, 1, "copy_process", {20, 20000, 20000, 5000, 1500, 0, {}})};
    ProbedCase probed;
    const auto served = services(Backend::fentry);
    attribute_functions(probed, seen, {served, true, {30, 70}});
    const FunctionTimes& outer = times_of(probed, "kernel_clone");
    EXPECT_DOUBLE_EQ(*outer.calls, 1);
    EXPECT_DOUBLE_EQ(outer.total, 10000 - 2 * 100 - 30);  // two calls inside, and its own
    EXPECT_DOUBLE_EQ(outer.self, 8000 - 30 - 2 * 70);
    const FunctionTimes& inner = times_of(probed, "copy_process");
    EXPECT_DOUBLE_EQ(*inner.calls, 2);
    EXPECT_DOUBLE_EQ(inner.total, 2 * (1000 - 30));
    EXPECT_DOUBLE_EQ(inner.waiting, 500);
    EXPECT_DOUBLE_EQ(outer.self + inner.total, outer.total);
    EXPECT_DOUBLE_EQ(probed.events, 3);
}

TEST(Attribution, TakesTimesFromTypicalExecutionsAndCallsFromAll) {
    Observations seen;
    seen.samples = 4;
    seen.snapshot.calls = {entry(1, NSB_ROOT, "kernel_clone", {4, 9400, 9400, 0, 9100, 0, {}})};
    seen.torn_down = 4;
    seen.snapshot.async = {entry(2, NSB_ROOT, "cleanup_net", {1, 800, 800, 0, 800, 0, {}})};
    seen.typical = {entry(1, NSB_ROOT, "kernel_clone", {2, 200, 200, 0, 100, 0, {}})};
    seen.typical_samples = 2;
    ProbedCase probed;
    const auto served = services(Backend::fentry);
    attribute_functions(probed, seen, {served, true, {}});
    EXPECT_EQ(times_of(probed, "kernel_clone").calls, 1);
    EXPECT_DOUBLE_EQ(times_of(probed, "kernel_clone").total, 100);
    EXPECT_EQ(times_of(probed, "kernel_clone").max, 9100.0);
    EXPECT_DOUBLE_EQ(times_of(probed, "cleanup_net").total, 200);
}

TEST(Attribution, ACallerTakesWhatItsCalleesTake) {
    Observations seen;
    seen.samples = 1;
    seen.snapshot.calls = {entry(1, NSB_ROOT, "kernel_clone", {1, 1500, 500, 0, 1500, 1, {}}),
                           entry(2, 1, "copy_process", {1, 1000, 1000, 0, 1000, 0, {}})};
    ProbedCase probed;
    const auto served = services(Backend::fentry);
    // Taken off: 1200 of the caller, 400 of the callee.
    attribute_functions(probed, seen, {served, true, {400, 400}});
    EXPECT_DOUBLE_EQ(times_of(probed, "copy_process").total, 600);
    EXPECT_DOUBLE_EQ(times_of(probed, "kernel_clone").total, 600);
}

TEST(Attribution, TellsPathsApart) {
    Observations seen;
    seen.samples = 1;
    seen.snapshot.calls = {entry(1, NSB_ROOT, "kernel_clone", {1, 5000, 5000, 0, 5000, 0, {}}),
                           entry(2, NSB_ROOT, "ksys_unshare", {1, 900, 800, 0, 900, 1, {}}),
                           entry(3, 2, "switch_task_namespaces", {1, 100, 100, 0, 100, 0, {}}),
                           entry(4, NSB_ROOT, "exit_task_namespaces", {1, 70, 10, 0, 70, 1, {}}),
                           entry(5, 4, "switch_task_namespaces", {1, 60, 60, 0, 60, 0, {}})};
    ProbedCase probed;
    probed.measured.operation = Operation::unshare;
    const auto served = services(Backend::fentry);
    attribute_functions(probed, seen, {served, true, {}});
    EXPECT_DOUBLE_EQ(times_of(probed, "switch_task_namespaces").total, 160);
    EXPECT_DOUBLE_EQ(sum_of_call(probed).ticks, 900);
    EXPECT_DOUBLE_EQ(sum_of_call(probed).calls, 2);
    ASSERT_EQ(probed.calls.size(), 5U);
    EXPECT_EQ(probed.calls[0].stage, Stage::prepare);
    EXPECT_EQ(probed.calls[2].stage, Stage::call);
    EXPECT_EQ(probed.calls[4].stage, Stage::destroy);
    EXPECT_DOUBLE_EQ(probed.calls[3].total, 70);
}

TEST(MiddleFifth, LeavesOutAsManyAtEachEnd) {
    const std::vector<double> values{5, 900, 3, 4, 1, 6, 7, 2, 8, 9};
    EXPECT_EQ(middle_fifth(values), (std::vector<std::size_t>{0, 5}));
    EXPECT_EQ(middle_fifth(std::vector<double>{8, 9}), (std::vector<std::size_t>{0, 1}));
    EXPECT_TRUE(middle_fifth({}).empty());
}

TEST(Calibrate, TakesTheShortestCallForWhatFallsInside) {
    Snapshot loop;
    loop.calls = {entry(1, NSB_ROOT, "ksys_unshare", {10, 9000, 5000, 0, 900, 10, {}}),
                  entry(2, 1, "unshare_nsproxy_namespaces", {10, 2500, 2500, 0, 260, 0, {}})};
    const CallCost cost = calibrate(loop, 20 * 600);
    EXPECT_DOUBLE_EQ(cost.inside, 250);
    EXPECT_DOUBLE_EQ(cost.outside, 350);
    EXPECT_DOUBLE_EQ(calibrate({}, 100).whole(), 0);
}

TEST(FitCallCost, IsTheMedianByWhatEachCaseKnows) {
    const auto fit = [](double loop, std::vector<CostPoint> points) { return fit_call_cost(points, loop); };
    EXPECT_EQ(fit(650, {}), 650);
    EXPECT_EQ(fit(650, {{100, 1, 1000, 0}}), 650);
    EXPECT_EQ(fit(650, {{690, 1, 0, 1}, {691, 1, 0, 1}, {700, 1, 0, 1}, {100, 1, 0, 1}}), 690);
    // One disturbed case beside another: what the loop says.
    EXPECT_EQ(fit(650, {{6800, 10, 1e5, 10}, {1000, 100, 1e6, 100}}), 650);
    EXPECT_EQ(fit(0, {{-50, 1, 0, 10}}), 0);
}

TEST(Attribution, NeverGoesBelowZero) {
    Observations seen;
    seen.samples = 1;
    seen.snapshot.calls = {entry(1, NSB_ROOT, "copy_utsname", {1, 40, 40, 0, 40, 0, {}})};
    ProbedCase probed;
    const auto served = services(Backend::kprobe);
    attribute_functions(probed, seen, {served, true, {500, 500}});
    EXPECT_DOUBLE_EQ(times_of(probed, "copy_utsname").total, 0);
}

TEST(Attribution, EstimatesFromStacksWithAnError) {
    const std::vector<std::string> inner{"memset", "setup_net", "copy_net_ns", "create_new_namespaces",
                                         "kernel_clone"};
    const std::vector<std::string> waiting{"__schedule", "schedule", "rwsem_down_read_slowpath",
                                           "copy_net_ns"};
    Observations seen;
    seen.samples = 100;
    seen.snapshot.profile.push_back({&inner, NSB_SAMPLE, false, false, 400, 400});
    seen.snapshot.profile.push_back({&waiting, NSB_WAIT, false, false, 10, 5'000'000});
    ProbedCase probed;
    const auto served = services(Backend::sampling);
    attribute_functions(probed, seen, {served, false, {}});
    const FunctionTimes& net = times_of(probed, "copy_net_ns");
    EXPECT_FALSE(net.calls);
    EXPECT_DOUBLE_EQ(net.total, 4.0 * kSamplingPeriodNs + 50'000);
    EXPECT_DOUBLE_EQ(net.waiting, 50'000);
    EXPECT_DOUBLE_EQ(net.self, 50'000);
    EXPECT_DOUBLE_EQ(net.error, 1.96 * 20 * kSamplingPeriodNs / 100);  // the root of 400 is 20
    ASSERT_EQ(probed.waits.size(), 1U);
    EXPECT_EQ(probed.waits[0].what, "rwsem_down_read_slowpath in copy_net_ns");
    EXPECT_FALSE(probed.functions[number_of("cleanup_net")].times);
}

TEST(Attribution, MemoryIsLessThatOfNone) {
    const std::vector<std::string> task{"kmem_cache_alloc", "copy_process", "kernel_clone"};
    const std::vector<std::string> net{"__kmalloc", "ops_init", "setup_net", "copy_net_ns", "copy_process"};
    Observations none;
    none.samples = 2;
    none.snapshot.profile.push_back({&task, NSB_SLAB, false, false, 2, 2000});
    Observations seen;
    seen.samples = 4;
    seen.snapshot.profile.push_back({&task, NSB_SLAB, false, false, 4, 4000});
    seen.snapshot.profile.push_back({&net, NSB_KMALLOC, false, false, 8, 1024});
    seen.snapshot.profile.push_back({&net, NSB_KMALLOC, true, false, 4, 512});
    const auto rows = attribute_memory(seen, &none);
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_EQ(rows[0].kind, Kind::net);
    EXPECT_EQ(rows[0].allocator, "kmalloc");
    EXPECT_EQ(rows[0].call_site, "ops_init");
    EXPECT_DOUBLE_EQ(rows[0].bytes, 256);
    EXPECT_DOUBLE_EQ(rows[0].calls, 2);
    EXPECT_DOUBLE_EQ(rows[0].freed, 128);
}

TEST(Attribution, TellsNamespacesByTheirAllocation) {
    const std::vector<std::string> itself{"kmem_cache_alloc", "copy_net_ns", "create_new_namespaces"};
    const std::vector<std::string> inside{"kmem_cache_alloc", "ops_init", "setup_net", "copy_net_ns"};
    Observations seen;
    seen.samples = 3;
    seen.snapshot.profile = {{&itself, NSB_SLAB, false, false, 3, 9000},
                             {&itself, NSB_SLAB, true, false, 2, 6000},
                             {&itself, NSB_KMALLOC, false, false, 6, 600},
                             {&inside, NSB_SLAB, false, false, 30, 900}};
    const auto objects = objects_by_allocation(seen);
    ASSERT_EQ(objects.size(), 1U);
    EXPECT_EQ(objects[0].kind, Kind::net);
    EXPECT_EQ(objects[0].made, 3U);
    EXPECT_EQ(objects[0].gone, 2U);
}

TEST(Attribution, FoldsOutermostFirst) {
    const std::vector<std::string> stack{"bpf_trace_run4", "copy_net_ns", "kernel_clone"};
    Observations seen;
    seen.samples = 2;
    seen.snapshot.profile.push_back({&stack, NSB_WAIT, false, false, 1, 4000});
    EXPECT_EQ(fold(seen), (FoldedStacks{{"kernel_clone;copy_net_ns;[waiting]", 2000}}));
}

TEST(Percentile, LiesInItsBucket) {
    std::vector<std::uint64_t> buckets(NSB_BUCKETS);
    // 1000 is in octave 5 (from 512, steps of 16), step 30.
    buckets[(5U << NSB_SUB_BITS) | 30U] = 1;
    EXPECT_NEAR(percentile(buckets, 0.5), 1000, 16);
    EXPECT_EQ(percentile({}, 0.5), 0);
}

TEST(Symbols, NamesFunctionsAndNothingBehindThem) {
    const Symbols symbols = Symbols::parse(
        "0000000000001000 T first\n"
        "0000000000002000 t copy_tree.isra.0\n"
        "0000000000002800 t copy_tree.isra.0.cold\n"
        "0000000000002900 d data\n"
        "0000000000003000 T _etext\n"
        "0000000000003800 t discarded\n"
        "0000000000009000 t exit_net\t[nf]\n");
    EXPECT_EQ(symbols.name(0xfff), "");
    EXPECT_EQ(symbols.name(0x1fff), "first");
    EXPECT_EQ(symbols.name(0x2010), "copy_tree");
    EXPECT_EQ(symbols.name(0x3900), "");
    EXPECT_EQ(symbols.name(0x9010), "exit_net");
    EXPECT_EQ(symbols.kept_as("copy_tree"), "copy_tree.isra.0");
    EXPECT_EQ(symbols.kept_as("copy_mnt_ns"), std::nullopt);
    EXPECT_EQ(symbols.address("first"), 0x1000U);
}

TEST(Traced, NamesAreThereOnceAndFitTheNumbers) {
    EXPECT_LT(kTraced.size(), static_cast<std::size_t>(NSB_PREEMPTION));
    for (std::size_t i = 0; i < kTraced.size(); ++i) EXPECT_EQ(number_of(kTraced[i].name), i);
}

}  // namespace
}  // namespace nsb::probe
