#include "run/sampler.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include "core/failure.h"
#include "core/greeting.h"
#include "run/answer.h"
#include "run/greet.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/patience.h"
#include "sys/proc.h"

namespace nsb::run {

using protocol::Call;
using protocol::Record;
using protocol::SharedMemory;

namespace {

constexpr auto kClearingUp = std::chrono::seconds(5);
/// For a new one to answer the greeting, and for one that hung up to end.
constexpr auto kBeginning = std::chrono::seconds(10);

/// Sends a message, and a descriptor with it if there is one. Errors: those of sendmsg(2). One whose other
/// end is gone already counts as sent: receiving shows it.
template <typename Message>
sys::Result<void> send_to(int socket, Message message, const sys::Fd& descriptor = sys::Fd()) {
    iovec data{&message, sizeof message};
    msghdr whole{};
    whole.msg_iov = &data;
    whole.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    if (descriptor) {
        whole.msg_control = control.data();
        whole.msg_controllen = control.size();
        cmsghdr* const header = CMSG_FIRSTHDR(&whole);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        const int fd = descriptor.get();
        std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    // A sampler that is there has not got it, and can have it again.
    const auto sent = sys::patiently([&] { return sendmsg(socket, &whole, MSG_NOSIGNAL); },
                                     [&](int /*error*/) { return !sys::is_hung_up(socket); });
    if (sent || sys::is_hung_up(socket)) return {};
    return tl::unexpected(sent.error());
}

template <typename Message>
sys::Result<ssize_t> receive_from(int socket, Message& message) {
    return sys::patiently([&] { return recv(socket, &message, sizeof message, 0); },
                          [](int error) { return error != ECONNRESET; });
}

}  // namespace

Sampler::Sampler(std::filesystem::path program, std::optional<int> cpu, Purpose purpose, Capabilities keep)
    : program_(std::move(program)), cpu_(cpu), purpose_(purpose), keep_(keep) {
    start();
}

Sampler::~Sampler() {
    stop();
    unmap();
}

void Sampler::stop() {
    // A sandbox clears up behind its runtimes once nobody listens any more; the others have nothing to do
    // then.
    socket_.reset();
    if (purpose_ == Purpose::runtimes && process_) (void)process_->ends_within(kClearingUp);
    process_.reset();
    cgroups_.reset();
}

std::string Sampler::said() const {
    const char* const text = memory_->job.said;
    std::string said(text, strnlen(text, sizeof memory_->job.said));
    std::ranges::replace_if(
        said, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7F; }, ' ');
    return said;
}

void Sampler::unmap() {
    if (memory_ != nullptr && memory_file_) munmap(memory_, memory_size());
    memory_ = nullptr;
}

std::size_t Sampler::memory_size() const {
    return purpose_ == Purpose::threads ? kMaxParallel * protocol::kWindow : sizeof(SharedMemory);
}

SharedMemory& Sampler::window(std::size_t worker) const {
    return *reinterpret_cast<SharedMemory*>(reinterpret_cast<char*>(memory_) + worker * protocol::kWindow);
}

void Sampler::start() {
    // A run is under way: its CPU may have gone meanwhile, which ends no case.
    const bool is_replacement = process_.has_value();
    const bool is_late = is_replacement || purpose_ != Purpose::operations;
    stop();
    // Memory of its own for each: a child that outlives a sampler goes on writing to that sampler's.
    unmap();
    memory_file_ = sys::Fd(static_cast<int>(
        sys::must(memfd_create("nsbench-samples", MFD_CLOEXEC), "memfd_create", "nsbench-samples")));
    sys::must(ftruncate(memory_file_.get(), static_cast<off_t>(memory_size())), "ftruncate",
              "nsbench-samples");
    void* const mapping =
        mmap(nullptr, memory_size(), PROT_READ | PROT_WRITE, MAP_SHARED, memory_file_.get(), 0);
    if (mapping == MAP_FAILED) throw sys::SystemError("mmap", "nsbench-samples", errno);
    memory_ = static_cast<SharedMemory*>(mapping);

    int ends[2];
    sys::must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair");
    socket_ = sys::Fd(ends[0]);
    sys::Fd sampler_end(ends[1]);
    const auto arguments =
        purpose_ == Purpose::runtimes ? std::vector<std::string>{"sandbox"} : std::vector{keeping(keep_)};
    process_.emplace(program_, std::vector<int>{sampler_end.get(), memory_file_.get()}, arguments);
    sampler_end.reset();  // as long as it is open here, a sampler that ended is not noticed
    if (purpose_ == Purpose::runtimes) cgroups_ = std::make_unique<sys::RuntimeCgroups>(process_->pid());
    if (cpu_) {
        const auto pinned = sys::restrict_to(process_->pid(), {*cpu_});
        // EINVAL: none of them is online, or in the cpuset.
        if (!pinned && !(is_late && pinned.error() == EINVAL))
            throw sys::SystemError("sched_setaffinity", fmt::format("CPU {}", *cpu_), pinned.error());
        if (!pinned && is_replacement) ++moved_;
    }
    greet();
}

void Sampler::hold_to_cpu() {
    if (!cpu_ || sys::is_held_to(process_->pid(), *cpu_)) return;
    ++moved_;
    (void)sys::restrict_to(process_->pid(), {*cpu_});
}

void Sampler::greet() {
    privilege_ = run::greet(socket_, *process_, program_);
}

std::string keeping(Capabilities keep) {
    return fmt::format("{}{:x}", protocol::kKeep, keep);
}

std::optional<protocol::Privilege> greet(const sys::Fd& socket, const sys::Process& process,
                                         const std::filesystem::path& program) {
    // One that is killed, or hangs, is for the first request to find, as at any other time.
    if (!send_to(socket.get(), protocol::kGreeting)) return std::nullopt;
    pollfd wait{socket.get(), POLLIN, 0};
    if (sys::must(sys::poll_within({&wait, 1}, kBeginning), "poll", "sampler") == 0) return std::nullopt;
    protocol::Answer answer{};
    const auto got = receive_from(socket.get(), answer);
    if (got == sizeof answer && answer.greeting == protocol::kGreeting) return answer.privilege;
    // One that knows no greeting takes it for the end of all requests.
    if (got.value_or(0) <= 0 && process.exit_code_within(kBeginning) != 0) return std::nullopt;
    throw std::runtime_error(fmt::format("{} and {} are of different builds: build or install both together",
                                         sys::own_program().native(), program.native()));
}

void Sampler::send(const protocol::Request& request, const sys::Fd& barrier) {
    protocol::Request numbered = request;
    numbered.sequence = ++sequence_;
    const auto sent = send_to(socket_.get(), numbered, barrier);
    unsent_ = sent ? 0 : sent.error();
}

std::vector<Record> Sampler::replaced(int error) {
    before_ = used();
    used_ = {};
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
    const auto got = receive_from(socket_.get(), reply);
    if (got != sizeof reply || reply.sequence != sequence_) return replaced(ECHILD);
    hold_to_cpu();
    auto records = records_of(*memory_, reply.samples);
    if (!records) return replaced(EPROTO);
    used_ = reply.used;
    return std::move(*records);
}

void Sampler::set_workers(std::size_t count, std::span<const int> cpus) {
    workers_ = count;
    others_.resize(std::max(others_.size(), count - 1));
    for (std::size_t i = 0; i < count; ++i) window(i).worker = {i < cpus.size() ? cpus[i] : -1, 0, {}};
}

std::vector<std::vector<Record>> Sampler::receive_all(std::chrono::nanoseconds limit) {
    std::vector<std::vector<Record>> all{receive(limit)};
    for (std::size_t i = 1; i < workers_; ++i) {
        const SharedMemory& memory = window(i);
        const std::uint32_t samples = memory.worker.samples;
        if (samples == 0) continue;
        all.push_back(records_of(memory, samples).value_or(std::vector{Record{{Call::sampler, EPROTO}, {}}}));
        others_[i - 1].ran_us += memory.worker.used.ran_us;
        others_[i - 1].preempted += memory.worker.used.preempted;
    }
    return all;
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

sys::Fd make_barrier() {
    constexpr const char* kName = "nsbench-barrier";
    sys::Fd barrier(static_cast<int>(sys::must(memfd_create(kName, MFD_CLOEXEC), "memfd_create", kName)));
    sys::must(ftruncate(barrier.get(), sizeof(protocol::Barrier)), "ftruncate", kName);
    return barrier;
}

std::filesystem::path find_sampler() {
    const std::filesystem::path here = sys::own_program().parent_path();
    for (const auto& candidate : {here / "nsbench-sampler", here / "../libexec/nsbench/nsbench-sampler"}) {
        if (std::filesystem::exists(candidate)) return candidate.lexically_normal();
    }
    throw std::runtime_error(
        fmt::format("nsbench-sampler is neither in {} nor in {}; build or install it whole", here.native(),
                    (here / "../libexec/nsbench").lexically_normal().native()));
}

}  // namespace nsb::run
