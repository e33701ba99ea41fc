#include "run/sampler.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "core/failure.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/patience.h"
#include "sys/proc.h"

namespace nsb::run {

using protocol::Call;
using protocol::Memory;
using protocol::Record;

namespace {

constexpr auto kClearingUp = std::chrono::seconds(5);

}  // namespace

Sampler::Sampler(std::filesystem::path program, std::optional<int> cpu, Role role)
    : program_(std::move(program)), cpu_(cpu), role_(role) {
    start();
}

Sampler::~Sampler() {
    stop();
    unmap();
}

void Sampler::stop() {
    // A stage clears up behind its runtimes once nobody listens any more; the others have nothing to do then.
    socket_.reset();
    if (role_ == Role::runtimes && process_) (void)process_->ends_within(kClearingUp);
    process_.reset();
    cgroups_.reset();
}

std::string Sampler::said() const {
    const char* const text = memory_->errand.said;
    std::string said(text, strnlen(text, sizeof memory_->errand.said));
    std::ranges::replace_if(
        said, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7F; }, ' ');
    return said;
}

void Sampler::unmap() {
    if (memory_ != nullptr && memory_file_) munmap(memory_, sizeof(Memory));
    memory_ = nullptr;
}

void Sampler::start() {
    stop();
    // Memory of its own for each: a child that outlives a sampler goes on writing to that sampler's.
    unmap();
    memory_file_ = sys::Fd(static_cast<int>(
        sys::must(memfd_create("nsbench-samples", MFD_CLOEXEC), "memfd_create", "nsbench-samples")));
    sys::must(ftruncate(memory_file_.get(), sizeof(Memory)), "ftruncate", "nsbench-samples");
    void* const mapping =
        mmap(nullptr, sizeof(Memory), PROT_READ | PROT_WRITE, MAP_SHARED, memory_file_.get(), 0);
    if (mapping == MAP_FAILED) throw sys::SystemError("mmap", "nsbench-samples", errno);
    memory_ = static_cast<Memory*>(mapping);

    int ends[2];
    sys::must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair");
    socket_ = sys::Fd(ends[0]);
    const sys::Fd sampler_end(ends[1]);
    const auto arguments =
        role_ == Role::runtimes ? std::vector<std::string>{"stage"} : std::vector<std::string>{};
    process_.emplace(program_, std::vector<int>{sampler_end.get(), memory_file_.get()}, arguments);
    if (role_ == Role::runtimes) cgroups_ = std::make_unique<sys::RuntimeCgroups>(process_->pid());
    if (cpu_) {
        const auto pinned = sys::restrict_to(process_->pid(), {*cpu_});
        if (!pinned)
            throw sys::SystemError("sched_setaffinity", fmt::format("CPU {}", *cpu_), pinned.error());
    }
}

void Sampler::send(const protocol::Request& request) {
    protocol::Request numbered = request;
    numbered.sequence = ++sequence_;
    // One that is gone already is noticed by receive(). One that is there has not got it, and can have it
    // again.
    const int socket = socket_.get();
    const auto sent = sys::patiently([&] { return ::send(socket, &numbered, sizeof numbered, MSG_NOSIGNAL); },
                                     [&](int /*error*/) { return !sys::is_hung_up(socket); });
    unsent_ = sent || sys::is_hung_up(socket) ? 0 : sent.error();
}

std::vector<Record> Sampler::replaced(int error) {
    start();
    return {Record{{Call::sampler, error}, {}}};
}

std::vector<Record> Sampler::receive(std::chrono::nanoseconds limit) {
    // It was not asked, so it has nothing to answer, and is ready for the next request.
    if (unsent_ != 0) return {Record{{Call::sampler, std::exchange(unsent_, 0)}, {}}};
    pollfd wait{socket_.get(), POLLIN, 0};
    // After a signal, too, the block is finished first.
    const int ready = sys::must(
        sys::poll_within({&wait, 1}, std::chrono::ceil<std::chrono::milliseconds>(limit)), "poll", "sampler");
    if (ready == 0) return replaced(ETIMEDOUT);
    protocol::Reply reply{};
    const auto got = sys::patiently([&] { return recv(socket_.get(), &reply, sizeof reply, 0); },
                                    [](int error) { return error != ECONNRESET; });
    if (got != sizeof reply || reply.sequence != sequence_ || reply.samples > protocol::kMaxSamples) {
        return replaced(ECHILD);
    }
    return {memory_->records, memory_->records + reply.samples};
}

Sampler::Footprint Sampler::footprint() const {
    const auto number = sys::number_in_proc(process_->pid());
    if (!number) return {};
    const std::string proc = fmt::format("/proc/{}", *number);
    const std::string maps = sys::read_file(proc + "/maps").value_or("");
    // Exact, unlike statm, whose counters are summed up late ("Rss:    752 kB").
    const std::string rollup = sys::read_file(proc + "/smaps_rollup").value_or("");
    const std::size_t rss = rollup.find("Rss:");
    const std::uint64_t kib =
        rss == std::string::npos ? 0 : std::strtoull(rollup.c_str() + rss + 4, nullptr, 10);
    return {kib << 10U, static_cast<std::size_t>(std::count(maps.begin(), maps.end(), '\n'))};
}

std::filesystem::path find_sampler() {
    constexpr const char* kOwn = "/proc/self/exe";
    std::error_code error;
    const std::filesystem::path here = std::filesystem::read_symlink(kOwn, error).parent_path();
    if (error) throw sys::SystemError("readlink", kOwn, error.value());
    for (const auto& candidate : {here / "nsbench-sampler", here / "../libexec/nsbench/nsbench-sampler"}) {
        if (std::filesystem::exists(candidate)) return candidate.lexically_normal();
    }
    throw std::runtime_error(
        fmt::format("nsbench-sampler is neither in {} nor in {}; build or install it whole", here.native(),
                    (here / "../libexec/nsbench").lexically_normal().native()));
}

}  // namespace nsb::run
