#include "isolate/init.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <optional>
#include <sstream>

#include "core/failure.h"
#include "isolate/inside.h"
#include "sys/child.h"
#include "sys/file.h"

namespace nsb::isolate {
namespace {

void send(const sys::Fd& channel, Message::What what, int number, std::string_view text = "") {
    Message message{what, number, {}};
    text.copy(message.text, sizeof message.text - 1);
    (void)::send(channel.get(), &message, sizeof message, MSG_NOSIGNAL);
}

void take_steps(const Program& program) {
    if (program.recipe.set.contains(Kind::mnt)) make_own_mounts();
    if (program.hostname) {
        sys::must(sethostname(program.hostname->data(), program.hostname->size()), "sethostname",
                  *program.hostname);
    }
    if (program.net_lo) raise_lo();
    if (program.proc) mount_proc();
}

[[noreturn]] void become(const std::vector<std::string>& command, const sigset_t& mask) {
    std::vector<char*> words;
    words.reserve(command.size() + 1);
    for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    std::signal(SIGPIPE, SIG_DFL);  // main ignores it
    sigprocmask(SIG_SETMASK, &mask, nullptr);
    execvp(words[0], words.data());
    const int error = errno;
    sys::try_write(STDERR_FILENO, fmt::format("nsbench: execvp({}): {} ({})\n", command[0],
                                              std::strerror(error), errno_name(error)));
    _exit(error == ENOENT ? 127 : 126);
}

/// Without a pid namespace an init that is killed takes nobody with it: it must outlive nsbench, and end the
/// others. As their subreaper it becomes the parent of all that are left, however deep they were.
void end_all() {
    for (pid_t ended = 0; ended >= 0 || errno == EINTR;) {
        std::istringstream children(sys::read_file("/proc/thread-self/children").value_or(""));
        for (pid_t child = 0; children >> child;) kill(child, SIGKILL);
        ended = waitpid(-1, nullptr, 0);
    }
}

/// The command, its terminal, and who wants to know of them.
class Init {
  public:
    Init(pid_t command, const sys::Fd& channel, const sys::Fd& terminal)
        : command_(command), channel_(channel), terminal_(terminal) {}

    /// Until the command has ended: its wait status. Or until nsbench has: nothing.
    std::optional<int> serve(const sys::Fd& signals) {
        std::array<pollfd, 2> sources{{{signals.get(), POLLIN, 0}, {channel_.get(), POLLIN, 0}}};
        while (!status_) {
            if (poll(sources.data(), sources.size(), -1) < 0 && errno != EINTR) break;
            if (sources[0].revents != 0) take_signal(signals);
            if (sources[1].revents != 0 && !take_message()) break;
        }
        return status_;
    }

  private:
    void take_signal(const sys::Fd& signals) {
        signalfd_siginfo info{};
        if (read(signals.get(), &info, sizeof info) != sizeof info) return;
        if (info.ssi_signo == SIGCHLD) return reap_all();
        // What the terminal sends, it sends to the command as well.
        if (info.ssi_code <= 0) kill(command_, static_cast<int>(info.ssi_signo));
    }

    /// False once nsbench is gone.
    bool take_message() {
        Message message{};
        if (recv(channel_.get(), &message, sizeof message, 0) != sizeof message) return false;
        if (message.what == Message::What::signal) kill(command_, message.number);
        if (message.what == Message::What::go_on) go_on();
        return true;
    }

    /// A shell inside has a process group of its own, and the terminal is its again if it is ours. In a pid
    /// namespace this process's group reads as 0: its leader is outside.
    void go_on() const {
        const pid_t group = getpgid(command_);
        if (group <= 0 || group == getpgrp()) {
            kill(command_, SIGCONT);
            return;
        }
        if (terminal_ && tcgetpgrp(terminal_.get()) == getpgrp()) give_terminal(terminal_, group);
        kill(-group, SIGCONT);
    }

    void reap_all() {
        int status = 0;
        for (;;) {
            const pid_t pid = waitpid(-1, &status, WNOHANG | WUNTRACED);
            if (pid < 0 && errno == EINTR) continue;
            if (pid <= 0) return;
            if (WIFSTOPPED(status)) {
                if (pid == command_) send(channel_, Message::What::stopped, WSTOPSIG(status));
            } else if (pid == command_) {
                status_ = status;
                send(channel_, Message::What::ended, status);
            }
        }
    }

    pid_t command_;
    const sys::Fd& channel_;
    const sys::Fd& terminal_;
    std::optional<int> status_;
};

}  // namespace

sigset_t passed_on() {
    sigset_t set;
    sigfillset(&set);
    for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPIPE})
        sigdelset(&set, own);
    return set;
}

int run_init(const Program& program, const sys::Fd& channel, const sigset_t& mask) {
    try {
        take_steps(program);
    } catch (const sys::SystemError& error) {
        send(channel, Message::What::failed, error.error(), error.what());
        return 1;
    }
    const sigset_t noticed = passed_on();
    const sys::Fd signals(signalfd(-1, &noticed, SFD_CLOEXEC));
    const sys::Fd terminal(open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
    const bool must_end_all = !program.recipe.set.contains(Kind::pid);
    if (must_end_all) prctl(PR_SET_CHILD_SUBREAPER, 1);
    const auto command = sys::plain_fork();
    if (!command) {
        send(channel, Message::What::failed, command.error(), "fork");
        return 1;
    }
    if (*command == 0) {
        become(program.command, mask);
    }
    const std::optional<int> status = Init(*command, channel, terminal).serve(signals);
    if (!status && must_end_all) end_all();
    return exit_code(status.value_or(SIGKILL));
}

void give_terminal(const sys::Fd& terminal, pid_t group) {
    // Who is not in the foreground is stopped by SIGTTOU for this, unless that is blocked, which it is.
    (void)tcsetpgrp(terminal.get(), group);
}

}  // namespace nsb::isolate
