#include "isolate/exec.h"

#include <fcntl.h>
#include <poll.h>
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

  private:
    sys::Fd file_;
    termios modes_{};
    bool has_modes_ = false;
};

/// Between the signals to this process and the init's words.
class Outside {
  public:
    Outside(Container& init, const sys::Fd& channel) : init_(init), channel_(channel) {}

    /// The command's wait status; the init's own if it was killed.
    int serve() {
        const sigset_t noticed = passed_on();
        const sys::Fd signals(static_cast<int>(sys::must(signalfd(-1, &noticed, SFD_CLOEXEC), "signalfd")));
        std::array<pollfd, 2> sources{{{signals.get(), POLLIN, 0}, {channel_.get(), POLLIN, 0}}};
        std::optional<int> ended;
        while (!ended) {
            if (poll(sources.data(), sources.size(), -1) < 0 && errno != EINTR) sys::must(-1, "poll");
            if (sources[0].revents != 0) pass_on(signals);
            if (sources[1].revents == 0) continue;
            Message message{};
            if (recv(channel_.get(), &message, sizeof message, 0) != sizeof message) break;
            if (message.what == Message::What::ended) ended = message.number;
            if (message.what == Message::What::stopped) stop();
            if (message.what == Message::What::failed) {
                (void)init_.wait();
                throw NotTaken(message.text, message.number);
            }
        }
        const int status = init_.wait();
        return ended.value_or(status);
    }

  private:
    void pass_on(const sys::Fd& signals) const {
        signalfd_siginfo info{};
        if (read(signals.get(), &info, sizeof info) != sizeof info) return;
        const int signal = static_cast<int>(info.ssi_signo);
        // What a terminal sends to its foreground goes to the command as well; a hang-up goes to its
        // session's leader, who this may be. SIGCONT follows every stop.
        const bool is_sent = info.ssi_code <= 0 || signal == SIGHUP;
        if (is_sent && signal != SIGCHLD && signal != SIGCONT) say(Message::What::signal, signal);
    }

    void stop() const {
        kill(getpid(), SIGSTOP);
        say(Message::What::go_on, 0);
    }

    void say(Message::What what, int number) const {
        const Message message{what, number, {}};
        (void)send(channel_.get(), &message, sizeof message, MSG_NOSIGNAL);
    }

    Container& init_;
    const sys::Fd& channel_;
};

}  // namespace

int execute(const Program& program) {
    int ends[2];
    sys::must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair");
    sys::Fd ours(ends[0]);
    sys::Fd theirs(ends[1]);
    const Terminal terminal;
    const Blocked blocked;
    Container init = Container::start(program.recipe, [&] {
        ours.reset();
        return run_init(program, theirs, blocked.before());
    });
    theirs.reset();
    const int status = Outside(init, ours).serve();
    terminal.take_back();
    if (WIFSIGNALED(status)) terminal.restore_modes();
    return exit_code(status);
}

}  // namespace nsb::isolate
