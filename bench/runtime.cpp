// runtime: the job of `container` by another program: its start, the start of the program inside, its end.
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <initializer_list>

#include "calls.h"
#include "inside.h"
#include "sandbox.h"
#include "sys/stamp.h"

namespace nsb::bench {
namespace {

constexpr std::size_t kStack = 64U << 10U;
constexpr std::size_t kMostWords = 64;

/// The strings of a job's list, as execve(2) wants them.
class Words {
  public:
    explicit Words(char* list, std::size_t size) {
        std::size_t count = 0;
        for (char* word = list; word < list + size && *word != '\0' && count < kMostWords - 1;
             word += std::strlen(word) + 1) {
            words_[count++] = word;
        }
        words_[count] = nullptr;
    }
    [[nodiscard]] char* const* get() const { return words_; }

  private:
    char* words_[kMostWords];
};

/// What a runtime and the program inside it write to one of their streams. Never blocks the reader.
class Stream {
  public:
    static sys::Result<Stream> make() {
        auto pipe = sys::Pipe::make();
        if (!pipe) return tl::unexpected(pipe.error());
        if (fcntl(pipe->read_end.get(), F_SETFL, O_NONBLOCK) != 0) return tl::unexpected(errno);
        return Stream(std::move(*pipe));
    }
    [[nodiscard]] int write_end() const { return pipe_.write_end.get(); }

    /// Everything written until now, of which the last `size` bytes are kept.
    std::size_t take(char* buffer, std::size_t size) const {
        char chunk[512];
        std::size_t length = 0;
        for (;;) {
            const ssize_t got = sys::retried([&] { return read(pipe_.read_end.get(), chunk, sizeof chunk); });
            if (got <= 0) return length;
            for (ssize_t i = 0; i < got; ++i) {
                if (length == size) std::memmove(buffer, buffer + 1, --length);
                buffer[length++] = chunk[i];
            }
        }
    }

  private:
    explicit Stream(sys::Pipe pipe) : pipe_(std::move(pipe)) {}
    sys::Pipe pipe_;
};

/// A program to start, and with which streams.
struct RuntimeStart {
    char* const* command;
    char* const* environment;
    int output;
    int errors;
    int failed = 0;  ///< execve's errno: the child shares its parent's memory until then
};

int become(void* argument) {
    auto& start = *static_cast<RuntimeStart*>(argument);
    // nsbench's samplers ignore them, and what is ignored stays so.
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(start.output, STDOUT_FILENO);
    dup2(start.errors, STDERR_FILENO);
    execve(start.command[0], start.command, start.environment);
    start.failed = errno;
    return 127;
}

struct Ended {
    sys::Moment call{}, reaped{};
    int status = 0;
    std::uint64_t cpu = 0;  ///< ns, also of the descendants that it waited for
    Failure failure;
};

/// Starts a program and waits for its end: anything but exit status 0 is a failure.
Ended run_to_its_end(RuntimeStart& start, const sys::Stack& stack) {
    Ended ended;
    sys::CloneOptions options;
    options.flags = CLONE_VM | CLONE_VFORK;
    ended.call = sys::Moment::before();
    const auto pid = sys::clone_child(options, stack, become, &start);
    if (!pid) {
        ended.failure = {Call::clone, pid.error()};
        return ended;
    }
    rusage usage{};
    const pid_t reaped = sys::retried([&] { return wait4(*pid, &ended.status, 0, &usage); });
    const int error = errno;
    ended.reaped = sys::Moment::after();
    for (const timeval& time : {usage.ru_utime, usage.ru_stime}) {
        ended.cpu += static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
                     static_cast<std::uint64_t>(time.tv_usec) * 1'000U;
    }
    if (reaped < 0) {
        ended.failure = {Call::waitpid, error};
    } else if (start.failed != 0) {
        ended.failure = {Call::runtime, start.failed};
    } else if (!WIFEXITED(ended.status) || WEXITSTATUS(ended.status) != 0) {
        ended.failure = {Call::runtime, ECHILD};
    }
    // This is the first process of its pid namespace: what a runtime does not wait for comes here.
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    return ended;
}

class Launcher {
  public:
    Launcher(Block& block, sys::Stack stack, Stream output, Stream errors, sys::Fd nothing)
        : block_(block),
          job_(block.memory.job),
          command_(job_.command, sizeof job_.command),
          environment_(job_.environment, sizeof job_.environment),
          stack_(std::move(stack)),
          output_(std::move(output)),
          errors_(std::move(errors)),
          nothing_(std::move(nothing)) {}

    [[nodiscard]] Failure write_config() const {
        if (job_.config[0] == '\0') return {};
        const auto file = sys::Fd::own(open("config.json", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
        if (!file) return {Call::open_program, file.error()};
        const std::size_t length = strnlen(job_.config, sizeof job_.config);
        const auto wrote = sys::retried([&] { return write(file->get(), job_.config, length); });
        if (wrote < 0) return {Call::write_program, errno};
        if (static_cast<std::size_t>(wrote) != length) return {Call::write_program, ENOSPC};
        return {};
    }

    /// Starts a container whose program says which namespaces it is in: exactly those asked for must differ.
    [[nodiscard]] Failure check_namespaces() {
        const auto exchange = [] {
            return syscall(SYS_renameat2, AT_FDCWD, "rootfs/program", AT_FDCWD, "rootfs/reporter",
                           RENAME_EXCHANGE);
        };
        if (exchange() != 0) return {Call::sandbox, errno};
        RuntimeStart start{command_.get(), environment_.get(), output_.write_end(), errors_.write_end()};
        const Ended ended = run_to_its_end(start, stack_);
        if (exchange() != 0) return {Call::sandbox, errno};
        std::uint64_t inodes[kKinds.size()];
        const std::size_t length = output_.take(reinterpret_cast<char*>(inodes), sizeof inodes);
        if (ended.failure.error != 0 || length != sizeof inodes) return said(ended);
        for (const KindInfo& kind : kKinds) {
            char path[32] = "/proc/self/ns/";
            std::memcpy(path + 14, kind.name.data(), kind.name.size());
            struct stat own {};
            if (stat(path, &own) != 0) {
                if (errno == ENOENT) continue;  // this kernel has no such kind
                return {Call::open_ns, errno};
            }
            const bool differs = own.st_ino != inodes[static_cast<std::size_t>(kind.kind)];
            if (differs == block_.request.set.contains(kind.kind)) continue;
            std::strcpy(job_.said, differs ? "it makes a namespace that was not asked for: "  // NOLINT
                                           : "it does not make a namespace that was asked for: ");
            std::strncat(job_.said, kind.flag.data(), kind.flag.size());
            return {Call::runtime, EOPNOTSUPP};
        }
        return {};
    }

    /// A start that is not timed, for what it does; where that is not permitted, nothing.
    void count() {
        const auto counter = CallCounter::open();
        if (!counter) return;
        RuntimeStart start{command_.get(), environment_.get(), output_.write_end(), errors_.write_end()};
        const Ended ended = run_to_its_end(start, stack_);
        char ignored[1];
        (void)output_.take(ignored, sizeof ignored);
        (void)errors_.take(ignored, sizeof ignored);
        const auto counts = counter->read();
        job_.is_counted = ended.failure.error == 0 && counts;
        if (job_.is_counted) job_.counts = *counts;
    }

    [[nodiscard]] Failure sample(Record& record) {
        char version[] = "--version";
        char* words[] = {command_.get()[0], version, nullptr};
        RuntimeStart idle{words, environment_.get(), nothing_.get(), nothing_.get()};
        const Ended loaded = run_to_its_end(idle, stack_);
        if (loaded.failure.error != 0) return loaded.failure;

        RuntimeStart start{command_.get(), environment_.get(), output_.write_end(), errors_.write_end()};
        const Ended ended = run_to_its_end(start, stack_);
        std::uint64_t tsc = 0;
        const std::size_t length = output_.take(reinterpret_cast<char*>(&tsc), sizeof tsc);
        if (ended.failure.error != 0 || length != sizeof tsc) return said(ended);
        char ignored[1];
        (void)errors_.take(ignored, sizeof ignored);
        const auto runs = sys::time_between(ended.call, ended.reaped, tsc);
        if (!runs) return {Call::child, ERANGE};
        time_of(record, Phase::start) = *runs - ended.call.ns;
        time_of(record, Phase::load) = loaded.reaped.ns - loaded.call.ns;
        time_of(record, Phase::exit) = ended.reaped.ns - *runs;
        time_of(record, Phase::total) = ended.reaped.ns - ended.call.ns;
        time_of(record, Phase::cpu) = ended.cpu;
        return {};
    }

  private:
    /// What failed, and beside it the last line that was written to standard error, or how it ended.
    Failure said(const Ended& ended) {
        char text[sizeof job_.said];
        std::size_t length = errors_.take(text, sizeof text - 1);
        while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r')) --length;
        text[length] = '\0';
        if (length == 0 && WIFSIGNALED(ended.status)) {
            std::snprintf(text, sizeof text, "it was ended by signal %d", WTERMSIG(ended.status));
        } else if (length == 0 && WEXITSTATUS(ended.status) != 0) {
            std::snprintf(text, sizeof text, "it ended with exit status %d", WEXITSTATUS(ended.status));
        } else if (length == 0) {
            std::strcpy(text,
                        "it ended well, but the program inside did not say that it ran");  // NOLINT: fits
        }
        const char* const line = std::strrchr(text, '\n');
        std::strcpy(job_.said, line != nullptr ? line + 1 : text);  // NOLINT: of the same size
        return ended.failure.error != 0 ? ended.failure : Failure{Call::runtime, ECHILD};
    }

    Block& block_;
    protocol::RuntimeJob& job_;
    Words command_, environment_;
    sys::Stack stack_;
    Stream output_, errors_;
    sys::Fd nothing_;
};

/// The cases whose containers were seen to be in the namespaces asked for.
bool is_checked[kRuntimes][KindSet::kCount];

}  // namespace

void run_runtime(Block& block) {
    block.memory.job.said[0] = '\0';
    if (const Failure failure = sandbox_failure(); failure.error != 0) return block.fail(failure);
    auto stack = sys::Stack::map(kStack, false);
    if (!stack) return block.fail({Call::mmap, stack.error()});
    auto output = Stream::make();
    auto errors = Stream::make();
    auto nothing = sys::Fd::own(open("/dev/null", O_WRONLY | O_CLOEXEC));
    if (!output) return block.fail({Call::sandbox, output.error()});
    if (!errors) return block.fail({Call::sandbox, errors.error()});
    if (!nothing) return block.fail({Call::sandbox, nothing.error()});
    Launcher launcher(block, std::move(*stack), std::move(*output), std::move(*errors), std::move(*nothing));
    if (const Failure failure = launcher.write_config(); failure.error != 0) return block.fail(failure);

    bool& checked = is_checked[block.value(Parameter::by)][block.request.set.bits()];
    if (!checked) {
        if (const Failure failure = launcher.check_namespaces(); failure.error != 0)
            return block.fail(failure);
        checked = true;
        launcher.count();
    }
    while (Record* record = block.next()) {
        if (const Failure failure = launcher.sample(*record); failure.error != 0) return block.fail(failure);
    }
}

}  // namespace nsb::bench
