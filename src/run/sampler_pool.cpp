#include "run/sampler_pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "core/failure.h"
#include "core/statistics.h"
#include "env/machine.h"
#include "run/needs.h"
#include "run/suspension.h"
#include "sys/privilege.h"

namespace nsb::run {
namespace {

using namespace std::chrono_literals;

/// How long a sampler may be silent beyond its block's own limit.
constexpr auto kPatience = 10s;
/// What a timer's tick takes, with room to spare.
constexpr auto kTick = 300us;

double median_of(const Records& records, Phase phase) {
    std::vector<double> values;
    for (const protocol::Record& record : records) {
        // The first turn of a loop has none before it, and a failure has no time.
        const std::uint64_t time = record.times[static_cast<std::size_t>(phase)];
        if (record.failure.error == 0 && time != 0) values.push_back(static_cast<double>(time));
    }
    return values.empty() ? 0 : median(std::move(values));
}

/// Sleeps for `least` and on to a multiple of it on the clock, and a little beyond, where the timer's tick is
/// over: what follows begins at the same moment between two ticks each time.
void wait_idle(std::chrono::nanoseconds least) {
    using std::chrono::steady_clock;
    const auto periods = steady_clock::now().time_since_epoch() / least + 2;
    std::this_thread::sleep_until(steady_clock::time_point(periods * least + kTick));
}

}  // namespace

SamplerPool::SamplerPool(std::optional<std::vector<Case>> plan, std::optional<int> cpu,
                         std::chrono::nanoseconds idle)
    : program_(find_sampler()),
      plan_(std::move(plan)),
      allowed_(sys::allowed_cpus()),
      cpu_(cpu),
      idle_(idle),
      root_is_initramfs_(env::root_is_initramfs().value_or(false)),
      // Without CAP_SYS_ADMIN it comes to a user namespace, most likely: else they are started twice.
      keep_(needed_in((sys::held_capabilities().value_or(0) & always_needed()) == 0)) {
    grow(plan_ ? most_at_once(*plan_) : 1);
    if (cpu && allowed_.size() > 1) {
        std::vector<int> others;
        std::ranges::copy_if(allowed_, std::back_inserter(others), [&](int other) { return other != *cpu; });
        if (const auto done = sys::restrict_to(0, others); !done) not_kept_off_ = done.error();
    }
    find_privilege();
    keep_what_is_needed();
}

void SamplerPool::grow(std::size_t size) {
    const auto first = cpu_ ? std::ranges::find(allowed_, *cpu_) - allowed_.begin() : 0;
    while (samplers_.size() < size) {
        std::optional<int> own;
        if (cpu_) {
            own = allowed_[(static_cast<std::size_t>(first) + samplers_.size()) % allowed_.size()];
            cpus_.push_back(*own);
        }
        samplers_.emplace_back(program_, own, Sampler::Purpose::operations, keep_);
    }
}

Capabilities SamplerPool::needed_in(bool in_userns) const {
    if (!plan_) return kAllCapabilities;
    return needed_by(*plan_, {in_userns, root_is_initramfs_}) | needed_to_start(program_, *plan_);
}

void SamplerPool::keep_what_is_needed() {
    const Capabilities needed = needed_in(in_userns_);
    if ((needed & ~keep_) == 0) return;
    const std::size_t size = samplers_.size();
    keep_ = needed;
    samplers_.clear();
    cpus_.clear();
    grow(size);
}

void SamplerPool::complete(protocol::Request& request, std::chrono::nanoseconds limit) const {
    request.time_limit_ns = static_cast<std::uint64_t>(limit.count());
    request.in_userns = in_userns_;
    request.root_is_initramfs = root_is_initramfs_;
}

std::vector<Records> SamplerPool::carry_out(protocol::Request request, std::span<Sampler> samplers,
                                            std::chrono::nanoseconds limit) const {
    complete(request, limit);
    request.at_once = static_cast<std::uint8_t>(samplers.size());
    const sys::Fd barrier = samplers.size() > 1 ? make_barrier() : sys::Fd();
    for (Sampler& sampler : samplers) sampler.send(request, barrier);
    const std::chrono::nanoseconds patience =
        kPatience +
        std::chrono::nanoseconds(has_condition(request.values) ? set_up_limit(request.values) : 0);
    std::vector<Records> records;
    for (Sampler& sampler : samplers) records.push_back(sampler.receive(limit + patience));
    return records;
}

Samplers::Answer SamplerPool::take(const Case& c, std::uint32_t samples, std::chrono::nanoseconds limit) {
    const Lag before = Lag::now();
    Answer answer = take_unwatched(c, samples, limit);
    answer.was_suspended = suspended_between(before, Lag::now()) > 0;
    return answer;
}

Samplers::Answer SamplerPool::take_unwatched(const Case& c, std::uint32_t samples,
                                             std::chrono::nanoseconds limit) {
    protocol::Request request{};
    request.samples = samples;
    request.operation = c.operation;
    request.set = c.set;
    request.values = c.values;
    if (idle_ > std::chrono::nanoseconds::zero()) wait_idle(idle_);
    if (c.has(Trait::sandboxed)) return take_runtime(request, c, limit);
    if (c.shares_mm()) return take_threads(request, c, limit);
    return {carry_out(request, std::span(samplers_).first(c.at_once()), limit), ""};
}

Samplers::Answer SamplerPool::take_threads(protocol::Request request, const Case& c,
                                           std::chrono::nanoseconds limit) {
    if (!threads_) {
        const std::optional<int> cpu = cpus_.empty() ? std::nullopt : std::optional(cpus_.front());
        threads_.emplace(program_, cpu, Sampler::Purpose::threads, keep_);
    }
    complete(request, limit);
    request.at_once = static_cast<std::uint8_t>(c.at_once());
    threads_->set_workers(c.at_once(), cpus_);
    threads_->send(request);
    return {threads_->receive_all(limit + kPatience), ""};
}

Samplers::Answer SamplerPool::take_runtime(const protocol::Request& request, const Case& c,
                                           std::chrono::nanoseconds limit) {
    if (!runtimes_) runtimes_ = Runtimes::find();
    if (!launcher_) {
        const std::optional<int> cpu = cpus_.empty() ? std::nullopt : std::optional(cpus_.front());
        launcher_.emplace(program_, cpu, Sampler::Purpose::runtimes);
    }
    const auto job = runtimes_->job(c, in_userns_ ? "" : fmt::format("nsbench-{}", launcher_->pid()));
    if (!job) {
        return {{{protocol::Record{{protocol::Call::runtime, job.error().error}, {}}}}, job.error().reason};
    }
    launcher_->set_job(*job);
    Answer answer{carry_out(request, {&*launcher_, 1}, limit), ""};
    if (const auto counts = launcher_->counts()) runtimes_->set_counts(c, *counts);
    const protocol::Failure failure = answer.records.front().back().failure;
    if (failure.error != 0 && failure.call == protocol::Call::runtime) {
        const std::string said = launcher_->said();
        answer.said = fmt::format("{}: {}", runtimes_->of(c).program, said.empty() ? explain(failure) : said);
    }
    if (failure.error == ETIMEDOUT && failure.call == protocol::Call::sampler) {
        answer.said = fmt::format("{} did not end within {} s: it was killed, with all that it had started",
                                  runtimes_->of(c).program, (limit + kPatience) / 1s);
    }
    return answer;
}

SamplerPool::Overhead SamplerPool::measure_overhead() {
    protocol::Request request{};
    request.samples = kCalibrations;
    request.calibrate = true;
    const Records turns = carry_out(request, std::span(samplers_).first(1), 1s).front();
    return {median_of(turns, Phase::create), median_of(turns, Phase::total), median_of(turns, Phase::switch_),
            samplers_.front().footprint()};
}

std::vector<pid_t> SamplerPool::pids() const {
    std::vector<pid_t> pids;
    for (const Sampler& sampler : samplers_) pids.push_back(sampler.pid());
    return pids;
}

std::vector<SamplerPool::Use> SamplerPool::uses() const {
    std::vector<Use> uses;
    const auto add = [&](Sampler::Purpose purpose, std::size_t number, const Sampler& sampler) {
        const auto cpu = number < cpus_.size() ? std::optional(cpus_[number]) : std::nullopt;
        uses.push_back({purpose, number, sampler.pid(), cpu, sampler.used(), sampler.moved()});
    };
    for (std::size_t i = 0; i < samplers_.size(); ++i) add(Sampler::Purpose::operations, i, samplers_[i]);
    if (threads_) {
        const std::span<const protocol::Usage> others = threads_->used_by_others();
        for (std::size_t worker = 0; worker <= others.size(); ++worker) {
            add(Sampler::Purpose::threads, worker, *threads_);
            if (worker == 0) continue;
            uses.back().used = others[worker - 1];
            uses.back().moved.reset();  // only the first is looked at
        }
    }
    if (launcher_) add(Sampler::Purpose::runtimes, 0, *launcher_);
    return uses;
}

void SamplerPool::find_privilege() {
    const auto attempt = [&](KindSet set) {
        return take(Case::of(Operation::unshare, set), 1, 1s).records.front().front().failure.error;
    };
    if (attempt(Kind::uts) != EPERM) return;
    const int error = attempt(Kind::uts | Kind::user);
    in_userns_ = error == 0;
    if (in_userns_) return;
    const std::string_view remedy =
        error == ENOSPC
            ? "user.max_user_namespaces is 0 or used up: raise it (sysctl -w user.max_user_namespaces=15000)"
            : "user namespaces are refused: allow them (sysctl -w kernel.unprivileged_userns_clone=1 on "
              "Debian, sysctl "
              "-w kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu, a seccomp profile that lets "
              "unshare through "
              "in a container)";
    const std::string under = env::security_module_of();
    throw NotPermitted(fmt::format(
        "unshare(CLONE_NEWUTS): EPERM, and unshare(CLONE_NEWUSER|CLONE_NEWUTS): {}. {}{}, or: {}",
        errno_name(error), geteuid() == 0 ? "Give this root CAP_SYS_ADMIN" : "Run as root",
        under.empty() ? "" : fmt::format(", or start it outside of the {}, which may forbid both", under),
        remedy));
}

std::size_t most_at_once(const std::vector<Case>& plan) {
    std::size_t most = 1;
    for (const Case& c : plan) most = std::max<std::size_t>(most, c.at_once());
    return most;
}

}  // namespace nsb::run
