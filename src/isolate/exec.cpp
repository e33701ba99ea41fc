#include "isolate/exec.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "isolate/init.h"
#include "isolate/inside.h"

namespace nsb::isolate {
namespace {

/// Blocks the signals that are passed on, for as long as it lives.
class Blocked {
  public:
    Blocked() {
        const sigset_t set = passed_on();
        sigprocmask(SIG_BLOCK, &set, &before_);
    }
    Blocked(const Blocked&) = delete;
    Blocked& operator=(const Blocked&) = delete;
    ~Blocked() { sigprocmask(SIG_SETMASK, &before_, nullptr); }
    [[nodiscard]] const sigset_t& before() const { return before_; }

  private:
    sigset_t before_{};
};

/// The controlling terminal, if there is one. What is inside may take its foreground, and change its modes.
class Terminal {
  public:
    Terminal() : file_(open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)) {
        if (file_) has_modes_ = tcgetattr(file_.get(), &modes_) == 0;
    }

    /// Takes the foreground back from a group that is gone. Who else has it was given it by a shell.
    void take_back() const {
        const pid_t group = file_ ? tcgetpgrp(file_.get()) : -1;
        if (group <= 0 || group == getpgrp() || kill(-group, 0) == 0 || errno != ESRCH) return;
        give_terminal(file_, getpgrp());
    }

    /// As a shell does for a command that could not tidy up.
    void restore_modes() const {
        if (has_modes_ && tcgetpgrp(file_.get()) == getpgrp()) tcsetattr(file_.get(), TCSADRAIN, &modes_);
    }

    [[nodiscard]] bool is_there() const { return static_cast<bool>(file_); }

  private:
    sys::Fd file_;
    termios modes_{};
    bool has_modes_ = false;
};

/// Lets this process stop as by Ctrl-Z. The kernel does not do that in a process group that is orphaned,
/// where no shell would continue it. What arrives at `channel` continues it, or keeps it from stopping.
void stop_until(const sys::Fd& channel) {
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTSTP);
    fcntl(channel.get(), F_SETOWN, getpid());
    fcntl(channel.get(), F_SETSIG, SIGCONT);
    const int flags = fcntl(channel.get(), F_GETFL);
    fcntl(channel.get(), F_SETFL, flags | O_ASYNC);
    // Blocked, it waits; a SIGCONT from here on takes it away again.
    kill(getpid(), SIGTSTP);
    pollfd word{channel.get(), POLLIN, 0};
    if (sys::retried([&] { return poll(&word, 1, 0); }) > 0) {
        const timespec at_once{};
        sigtimedwait(&stop, nullptr, &at_once);
    }
    sigprocmask(SIG_UNBLOCK, &stop, nullptr);
    sigprocmask(SIG_BLOCK, &stop, nullptr);
    fcntl(channel.get(), F_SETFL, flags);
}

/// Between the signals to this process and the init's words.
class Outside {
  public:
    Outside(Container& init, const sys::Fd& channel, const Terminal& terminal)
        : init_(init), channel_(channel), terminal_(terminal) {}

    /// The command's wait status; nothing where the init was killed.
    std::optional<int> serve() {
        const sigset_t noticed = passed_on();
        const sys::Fd signals(
            static_cast<int>(sys::must(signalfd(-1, &noticed, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd")));
        std::array<pollfd, 2> sources{{{signals.get(), POLLIN, 0}, {channel_.get(), POLLIN, 0}}};
        std::optional<int> ended;
        while (!ended) {
            sys::must(sys::retried([&] { return poll(sources.data(), sources.size(), -1); }), "poll");
            pass_on(signals);
            if (sources[1].revents == 0) continue;
            Message message{};
            const auto got = sys::retried([&] { return recv(channel_.get(), &message, sizeof message, 0); });
            if (got != sizeof message) break;
            if (message.what == Message::What::ended) ended = message.number;
            if (message.what == Message::What::stopped && terminal_.is_there()) stop_until(channel_);
            if (message.what == Message::What::failed) {
                (void)init_.reap();
                throw NotTaken(message.text, message.number);
            }
        }
        return ended;
    }

  private:
    void pass_on(const sys::Fd& signals) const {
        signalfd_siginfo info{};
        const auto next = [&] { return read(signals.get(), &info, sizeof info); };
        while (sys::retried(next) == sizeof info) {
            const int signal = static_cast<int>(info.ssi_signo);
            if (signal == SIGCHLD || !is_sent(info)) continue;
            const Message message{Message::What::signal, signal, {}};
            (void)sys::retried(
                [&] { return ::send(channel_.get(), &message, sizeof message, MSG_NOSIGNAL); });
        }
    }

    Container& init_;
    const sys::Fd& channel_;
    const Terminal& terminal_;
};

}  // namespace

int execute(const CommandInside& program) {
    int ends[2];
    sys::must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair");
    sys::Fd ours(ends[0]);
    sys::Fd theirs(ends[1]);
    const Terminal terminal;
    const Blocked blocked;
    const bool must_end_all = !program.recipe.set.contains(Kind::pid);
    const Offspring offspring;
    // For the time when the init is killed.
    if (must_end_all) prctl(PR_SET_CHILD_SUBREAPER, 1);
    Container init = Container::start(program.recipe, [&] {
        ours.reset();
        return run_init(program, theirs, blocked.before());
    });
    theirs.reset();
    const std::optional<int> ended = Outside(init, ours, terminal).serve();
    const int last = init.wait();
    if (!ended && must_end_all) offspring.end_all();
    const int status = ended.value_or(last);
    terminal.take_back();
    if (WIFSIGNALED(status)) terminal.restore_modes();
    return exit_code(status);
}

}  // namespace nsb::isolate
