#include "isolate/init.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <iterator>
#include <optional>
#include <sstream>
#include <thread>

#include "core/failure.h"
#include "isolate/inside.h"
#include "sys/child.h"
#include "sys/file.h"
#include "sys/proc.h"

namespace nsb::isolate {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)

void send(const sys::Fd& channel, Message::What what, int number, std::string_view text = "") {
    Message message{what, number, {}};
    text.copy(message.text, sizeof message.text - 1);
    (void)sys::retried([&] { return ::send(channel.get(), &message, sizeof message, MSG_NOSIGNAL); });
}

void take_steps(const CommandInside& program) {
    if (program.recipe.set.contains(Kind::mnt)) make_own_mounts();
    if (program.hostname) {
        sys::must(sethostname(program.hostname->data(), program.hostname->size()), "sethostname",
                  *program.hostname);
    }
    if (program.net_lo) raise_lo();
    if (program.proc) mount_proc();
}

[[noreturn]] void become(const CommandInside& program, const sigset_t& mask) {
    const std::vector<std::string>& command = program.command;
    std::vector<char*> words;
    words.reserve(command.size() + 1);
    for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    std::signal(SIGPIPE, program.inherited.pipe);
    std::signal(SIGCHLD, program.inherited.child);
    std::signal(SIGXFSZ, program.inherited.file_size);
    sigprocmask(SIG_SETMASK, &mask, nullptr);
    execvp(words[0], words.data());
    const int error = errno;
    sys::try_write(STDERR_FILENO, fmt::format("nsbench: execvp({}): {} ({})\n", command[0],
                                              std::strerror(error), errno_name(error)));
    _exit(error == ENOENT ? 127 : 126);
}

/// The command, its terminal, and who wants to know of them.
class Init {
  public:
    Init(pid_t command, const sys::Fd& channel, const sys::Fd& terminal)
        : command_(command), channel_(channel), terminal_(terminal) {}

    /// Until the command has ended: its wait status. Or until nsbench has: nothing.
    std::optional<int> serve(const sys::Fd& signals) {
        std::array<pollfd, 2> sources{{{signals.get(), POLLIN, 0}, {channel_.get(), POLLIN, 0}}};
        for (;;) {
            const int patience = seen_.empty() ? -1 : static_cast<int>(kPatience / 1ms);
            if (sys::retried([&] { return poll(sources.data(), sources.size(), patience); }) < 0)
                lose("poll", errno);
            take_signals(signals);
            if (status_ || is_lost_) break;  // its number may be another's by now
            if (sources[1].revents != 0 && !take_message()) break;
            pass_on_own();
        }
        return status_;
    }

  private:
    using Clock = std::chrono::steady_clock;
    /// How long nsbench may take to tell of a signal that both have got.
    static constexpr std::chrono::milliseconds kPatience{200};

    struct Seen {
        int signal;
        Clock::time_point since;
    };

    void take_signals(const sys::Fd& signals) {
        signalfd_siginfo info{};
        const auto next = [&] { return read(signals.get(), &info, sizeof info); };
        while (sys::retried(next) == sizeof info) {
            if (info.ssi_signo == SIGCHLD) {
                reap_all();
            } else if (is_sent(info)) {
                seen_.push_back({static_cast<int>(info.ssi_signo), Clock::now()});
            }
        }
    }

    /// False once nsbench is gone. What was sent to nsbench's process group has come here before: the kernel
    /// begins with the group's latest member (attach_pid, __kill_pgrp_info). It is the command's group as
    /// well, unless that has made its own.
    bool take_message() {
        Message message{};
        const auto got = sys::retried([&] { return recv(channel_.get(), &message, sizeof message, 0); });
        if (got != sizeof message) return false;
        if (message.what != Message::What::signal) return true;
        const auto seen = std::ranges::find(seen_, message.number, &Seen::signal);
        const bool is_to_group = seen != seen_.end();
        if (is_to_group) seen_.erase(seen);
        if (!is_to_group || has_own_group()) pass_on(message.number);
        return true;
    }

    /// What nsbench has not told of was for this process alone.
    void pass_on_own() {
        while (!seen_.empty() && Clock::now() - seen_.front().since >= kPatience) {
            pass_on(seen_.front().signal);
            seen_.erase(seen_.begin());
        }
    }

    void pass_on(int signal) const { signal == SIGCONT ? go_on() : (void)kill(command_, signal); }

    /// In a pid namespace this process's group reads as 0: its leader is outside.
    [[nodiscard]] bool has_own_group() const {
        const pid_t group = getpgid(command_);
        return group > 0 && group != getpgrp();
    }

    /// A shell inside has a process group of its own, and the terminal is its again if it is ours.
    void go_on() const {
        const pid_t group = getpgid(command_);
        if (!has_own_group()) {
            kill(command_, SIGCONT);
            return;
        }
        if (terminal_ && tcgetpgrp(terminal_.get()) == getpgrp()) give_terminal(terminal_, group);
        kill(-group, SIGCONT);
    }

    void reap_all() {
        int status = 0;
        for (;;) {
            const pid_t pid =
                sys::retried([&] { return waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED); });
            if (pid < 0) lose("wait4", errno);
            if (pid <= 0) return;
            if (pid != command_) continue;
            if (WIFSTOPPED(status)) {
                send(channel_, Message::What::stopped, WSTOPSIG(status));
            } else if (WIFCONTINUED(status)) {
                send(channel_, Message::What::continued, 0);
            } else {
                status_ = status;
                send(channel_, Message::What::ended, status);
            }
        }
    }

    /// Where nothing can be waited for, the command's end would never be seen.
    void lose(std::string_view call, int error) {
        if (status_ || is_lost_) return;  // it was the last one
        is_lost_ = true;
        send(channel_, Message::What::failed, error, sys::SystemError(call, "the command", error).what());
    }

    pid_t command_;
    const sys::Fd& channel_;
    const sys::Fd& terminal_;
    std::vector<Seen> seen_;  ///< signals that nsbench has not told of, the oldest first
    std::optional<int> status_;
    bool is_lost_ = false;
};

}  // namespace

sigset_t passed_on() {
    sigset_t set;
    sigfillset(&set);
    for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPIPE})
        sigdelset(&set, own);
    return set;
}

bool is_sent(const signalfd_siginfo& info) {
    const bool is_kernels_too = info.ssi_signo == SIGHUP || info.ssi_signo == SIGCONT;
    return info.ssi_code <= 0 || (is_kernels_too && info.ssi_code == SI_KERNEL);
}

Offspring::Offspring()
    : proc_(open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
      list_(openat(proc_.get(), "thread-self/children", O_RDONLY | O_CLOEXEC)),
      proc_is_ours_(sys::proc_is_ours().value_or(false)),
      before_(now()) {}

void Offspring::end(pid_t child) const {
    if (proc_is_ours_) {
        kill(child, SIGKILL);
        return;
    }
    // Its number there is another process's here; its directory stands for the process itself
    // (pidfd_send_signal(2)).
    const std::string number = std::to_string(child);
    const sys::Fd process(openat(proc_.get(), number.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (process) syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
}

std::vector<pid_t> Offspring::now() const {
    std::string text;
    std::array<char, 4096> buffer{};
    for (ssize_t got = 0;; text.append(buffer.data(), static_cast<std::size_t>(got))) {
        got = sys::retried([&] {
            return pread(list_.get(), buffer.data(), buffer.size(), static_cast<off_t>(text.size()));
        });
        if (got <= 0) break;
    }
    std::istringstream words(text);
    return {std::istream_iterator<pid_t>(words), {}};
}

void Offspring::end_all(pid_t known) const {
    for (;;) {
        for (pid_t ended = 0; (ended = waitpid(-1, nullptr, WNOHANG)) > 0;) {
            if (ended == known) known = -1;
        }
        std::vector<pid_t> left = now();
        std::erase_if(left, [&](pid_t child) { return std::ranges::find(before_, child) != before_.end(); });
        if (known > 0) kill(known, SIGKILL);
        if (left.empty() && known <= 0) return;
        for (const pid_t child : left) end(child);
        // A child that ends may leave others, which come here.
        std::this_thread::sleep_for(10ms);
    }
}

int run_init(const CommandInside& program, const sys::Fd& channel, const sigset_t& mask) {
    const bool must_end_all = !program.recipe.set.contains(Kind::pid);
    sys::Fd signals;
    std::optional<Offspring> offspring;
    pid_t command = 0;
    try {
        take_steps(program);
        const sigset_t noticed = passed_on();
        signals = sys::Fd(
            static_cast<int>(sys::must(signalfd(-1, &noticed, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd")));
        offspring.emplace();
        if (must_end_all) prctl(PR_SET_CHILD_SUBREAPER, 1);
        command = sys::must(sys::plain_fork(), "fork");
    } catch (const sys::SystemError& error) {
        send(channel, Message::What::failed, error.error(), error.what());
        return 1;
    }
    if (command == 0) become(program, mask);
    const sys::Fd terminal(open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
    const std::optional<int> status = Init(command, channel, terminal).serve(signals);
    if (!status && must_end_all) offspring->end_all(command);
    return exit_code(status.value_or(SIGKILL));
}

void give_terminal(const sys::Fd& terminal, pid_t group) {
    // Who is not in the foreground is stopped by SIGTTOU for this, unless that is blocked, which it is.
    (void)tcsetpgrp(terminal.get(), group);
}

}  // namespace nsb::isolate
