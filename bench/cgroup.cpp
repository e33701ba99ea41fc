// cgroup: a child in a new cgroup of its own, moved there after its start, or made there (CLONE_INTO_CGROUP).
#include <fcntl.h>
#include <sys/stat.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "block.h"
#include "mark.h"
#include "sys/cgroup.h"

namespace nsb::bench {
namespace {

constexpr std::size_t kStack = 64U << 10U;

/// The cgroup of a block's samples, made anew for each. A process beside the sampler removes it if the
/// sampler is killed: it waits at the end of a pipe whose other end only the sampler and its children have.
class OwnCgroup {
  public:
    static tl::expected<OwnCgroup, Failure> prepare(const sys::Stack& stack) {
        auto root = sys::open_cgroup2();
        if (!root) return tl::unexpected(root.error());
        auto pipe = sys::Pipe::make();
        if (!pipe) return tl::unexpected(Failure{Call::child, pipe.error()});
        OwnCgroup own(std::move(*root), std::move(*pipe));
        const auto watcher = sys::clone_child({}, stack, watch, &own);
        if (!watcher) return tl::unexpected(Failure{Call::clone, watcher.error()});
        own.watcher_ = *watcher;
        return own;
    }

    OwnCgroup(OwnCgroup&& other) noexcept
        : root_(std::move(other.root_)),
          pipe_(std::move(other.pipe_)),
          watcher_(std::exchange(other.watcher_, -1)) {
        std::memcpy(name_, other.name_, sizeof name_);
    }
    OwnCgroup& operator=(OwnCgroup&&) = delete;
    ~OwnCgroup() {
        if (watcher_ < 0) return;
        pipe_.write_end.reset();
        (void)sys::reap(watcher_);
    }

    /// The new cgroup's folder.
    [[nodiscard]] tl::expected<sys::Fd, Failure> make() const {
        if (mkdirat(root_.get(), name_, 0755) != 0) return tl::unexpected(Failure{Call::make_cgroup, errno});
        auto folder = sys::Fd::own(openat(root_.get(), name_, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!folder) return tl::unexpected(Failure{Call::open_cgroup, folder.error()});
        return std::move(*folder);
    }
    [[nodiscard]] Failure remove() const {
        const auto removed = sys::CgroupRemoval().remove(name_, root_.get());
        return removed ? Failure{} : Failure{Call::remove_cgroup, removed.error()};
    }

  private:
    OwnCgroup(sys::Fd root, sys::Pipe pipe) : root_(std::move(root)), pipe_(std::move(pipe)) {
        // The moment as well: another pid namespace may have a sampler of this number.
        std::snprintf(name_, sizeof name_, "nsbench-%d-%llx", getpid(),
                      static_cast<unsigned long long>(sys::now()));
    }

    static int watch(void* argument) {
        auto& own = *static_cast<OwnCgroup*>(argument);
        close(own.pipe_.write_end.get());
        close(protocol::kSocket);  // by whose end nsbench sees that of the sampler
        char none = 0;
        (void)sys::retried([&] { return read(own.pipe_.read_end.get(), &none, 1); });
        // Usually there is none any more.
        (void)own.remove();
        return 0;
    }

    sys::Fd root_;
    sys::Pipe pipe_;
    pid_t watcher_ = -1;
    char name_[48];
};

int wait_for_release(void* argument) {
    const auto& pipe = *static_cast<const sys::Pipe*>(argument);
    close(pipe.write_end.get());
    char none = 0;
    (void)sys::retried([&] { return read(pipe.read_end.get(), &none, 1); });
    return 0;
}

Failure migrate(const sys::Fd& cgroup, pid_t child) {
    char number[16];
    const int length = std::snprintf(number, sizeof number, "%d", child);
    const auto file = sys::Fd::own(openat(cgroup.get(), "cgroup.procs", O_WRONLY | O_CLOEXEC));
    if (!file) return {Call::open_cgroup, file.error()};
    const auto wrote =
        sys::retried([&] { return write(file->get(), number, static_cast<std::size_t>(length)); });
    return wrote < 0 ? Failure{Call::migrate, errno} : Failure{};
}

/// The cgroup has this child, and nobody else.
Failure check(const sys::Fd& cgroup, pid_t child) {
    const auto file = sys::Fd::own(openat(cgroup.get(), "cgroup.procs", O_RDONLY | O_CLOEXEC));
    if (!file) return {Call::open_cgroup, file.error()};
    char text[32] = "";
    const ssize_t got = sys::retried([&] { return read(file->get(), text, sizeof text - 1); });
    if (got < 0) return {Call::migrate, errno};
    return std::atoi(text) == child ? Failure{} : Failure{Call::migrate, ESRCH};
}

Failure sample(const Block& block, const OwnCgroup& own, const sys::Stack& stack, Record& record) {
    const bool migrates =
        block.value(Parameter::cgroup_via) == static_cast<std::uint64_t>(CgroupVia::migrate);
    const auto cgroup = own.make();
    if (!cgroup) return cgroup.error();
    auto pipe = sys::Pipe::make();
    if (!pipe) return {Call::child, pipe.error()};
    sys::CloneOptions options;
    options.use_clone3 = !migrates;
    if (!migrates) options.cgroup = cgroup->get();

    NSB_MARK(bits(Phase::create, Phase::total), bits(), 1);
    const std::uint64_t call = sys::now();
    const auto pid = sys::clone_child(options, stack, wait_for_release, &*pipe);
    NSB_MARK(bits(), bits(Phase::create), 1);
    const std::uint64_t returned = sys::now();
    if (!pid) return {options.use_clone3 ? Call::clone3 : Call::clone, pid.error()};
    Failure moved;
    if (migrates) {
        NSB_MARK(bits(Phase::migrate), bits(), 1);
        const std::uint64_t begin = sys::now();
        moved = migrate(*cgroup, *pid);
        NSB_MARK(bits(), bits(Phase::migrate), 1);
        time_of(record, Phase::migrate) = sys::now() - begin;
    }
    std::uint64_t aside = 0;
    if (block.filled() == 1 && moved.error == 0) {
        const std::uint64_t begin = sys::now();
        moved = check(*cgroup, *pid);
        aside = sys::now() - begin;
    }
    NSB_MARK(bits(Phase::exit), bits(), 1);
    const std::uint64_t released = sys::now();
    pipe->write_end.reset();
    const Failure failure = reap_child(*pid);
    NSB_MARK(bits(), bits(Phase::exit, Phase::total), 1);
    const std::uint64_t reaped = sys::now();
    if (moved.error != 0) return moved;
    if (failure.error != 0) return failure;
    time_of(record, Phase::create) = returned - call;
    time_of(record, Phase::exit) = reaped - released;
    time_of(record, Phase::total) = reaped - call - aside;
    return {};
}

}  // namespace

void run_cgroup(Block& block) {
    const auto stack = sys::Stack::map(kStack, false);
    if (!stack) return block.fail({Call::mmap, stack.error()});
    const auto own = OwnCgroup::prepare(*stack);
    if (!own) return block.fail(own.error());
    while (Record* record = block.next()) {
        const Failure failure = sample(block, *own, *stack, *record);
        const Failure removed = own->remove();
        if (failure.error != 0) return block.fail(failure);
        if (removed.error != 0) return block.fail(removed);
    }
}

}  // namespace nsb::bench
