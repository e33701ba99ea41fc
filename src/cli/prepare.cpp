// The command doctor --prepare: a command on a machine that is set for measuring as long as it runs.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "cli/commands.h"
#include "env/watcher.h"
#include "isolate/init.h"
#include "isolate/inside.h"
#include "run/sampler.h"
#include "sys/error.h"
#include "sys/file.h"

namespace nsb::cli {
namespace {

/// A watcher that is killed is replaced, as often as a hand would do it, and not for ever.
constexpr int kMostWatchers = 100;

void say(const std::string& text) {
    sys::try_write(STDERR_FILENO, text);
}

/// Held as long as one of the two processes lives, so until all is back. A folder of sysfs is nobody's file,
/// and nothing of it stays behind.
sys::Fd lock() {
    constexpr const char* kPath = "/sys/kernel";
    auto folder = sys::Fd::own(open(kPath, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder)
        throw run::NotPermitted(
            sys::Refusal{"open", kPath, folder.error(), "mount -t sysfs sysfs /sys"}.text());
    if (flock(folder->get(), LOCK_EX | LOCK_NB) != 0) {
        throw run::NotPermitted(errno == EWOULDBLOCK
                                    ? "doctor --prepare: another one is at work, or puts back; wait "
                                      "for its end: pgrep -a nsbench"
                                    : sys::Refusal{"flock", kPath, errno}.text());
    }
    return std::move(*folder);
}

/// Signals that are noticed here rather than end nsbench: those that end a command, and a child's end.
class Signals {
  public:
    Signals() {
        sigset_t noticed;
        sigemptyset(&noticed);
        for (const int signal : {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGCHLD}) sigaddset(&noticed, signal);
        sigprocmask(SIG_BLOCK, &noticed, &before_);
        file_ = sys::Fd(static_cast<int>(sys::must(signalfd(-1, &noticed, SFD_CLOEXEC), "signalfd")));
    }
    [[nodiscard]] const sigset_t& before() const { return before_; }
    [[nodiscard]] signalfd_siginfo next() const {
        signalfd_siginfo info{};
        sys::must(sys::retried([&] { return read(file_.get(), &info, sizeof info); }), "read", "signalfd");
        return info;
    }

  private:
    sigset_t before_{};
    sys::Fd file_;
};

/// In the child: never returns. It ends with nsbench, whose settings go then.
[[noreturn]] void become(const std::vector<std::string>& command, const std::optional<std::string>& cgroup,
                         const sigset_t& mask, const isolate::Dispositions& inherited, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(kFailed);
    if (cgroup) {
        const auto file = sys::Fd::own(open(cgroup->c_str(), O_WRONLY | O_CLOEXEC));
        if (!file || write(file->get(), "0", 1) != 1)
            say(fmt::format("nsbench: the command stays outside: {}\n",
                            sys::Refusal{"write", *cgroup, errno}.text()));
    }
    std::signal(SIGPIPE, inherited.pipe);
    std::signal(SIGCHLD, inherited.child);
    std::signal(SIGXFSZ, inherited.file_size);
    sigprocmask(SIG_SETMASK, &mask, nullptr);
    std::vector<char*> words;
    for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    execvp(words.front(), words.data());
    // scripts/nsbench and a build are used where no nsbench is installed.
    if (errno == ENOENT && command.front() == "nsbench") execv("/proc/self/exe", words.data());
    const int error = errno;
    say(fmt::format("nsbench: {}\n", sys::SystemError("exec", command.front(), error).what()));
    _exit(error == ENOENT ? 127 : 126);
}

/// The machine as it is prepared, and the watcher beside it.
class Guarded {
  public:
    explicit Guarded(env::Preparation preparation) : preparation_(std::move(preparation)) {
        if (!watch()) throw sys::SystemError("fork", "the watcher", errno);
        preparation_.apply();
        say(preparation_.text());
    }
    Guarded(const Guarded&) = delete;
    Guarded& operator=(const Guarded&) = delete;
    ~Guarded() {
        if (!is_over_) end();
    }

    /// Whether all could be put back.
    bool end() {
        is_over_ = true;
        const env::Preparation::Back back = preparation_.put_back();
        say(back.text);
        if (watcher_) watcher_->dismiss();
        return back.is_whole;
    }

    [[nodiscard]] const env::Preparation& preparation() const { return preparation_; }

    /// Waits for the command's end; its wait status.
    int wait_for(pid_t command, const Signals& signals) {
        for (;;) {
            const signalfd_siginfo info = signals.next();
            if (info.ssi_signo != SIGCHLD) {
                // What a terminal sends, it sends to the command as well.
                if (isolate::is_sent(info)) kill(command, static_cast<int>(info.ssi_signo));
                continue;
            }
            // One signal may stand for several children.
            for (int status = 0;;) {
                const auto ended = static_cast<pid_t>(sys::must(
                    sys::retried([&] { return waitpid(-1, &status, WNOHANG); }), "wait4", "the command"));
                if (ended == 0) break;
                if (ended == command) return status;
                if (watcher_ && ended == watcher_->pid()) replace();
            }
        }
    }

  private:
    /// Whether there is one now.
    bool watch() {
        watcher_.reset();
        auto watcher = env::Watcher::start(preparation_);
        if (watcher) watcher_.emplace(std::move(*watcher));
        return watcher.has_value();
    }
    void replace() {
        const bool is_replaced = ++watchers_ < kMostWatchers && watch();
        say(is_replaced ? "nsbench: the watcher has gone; another one takes its place\n"
                        : "nsbench: the watcher has gone: nobody puts back if nsbench is killed\n");
        if (!is_replaced) watcher_.reset();
    }

    env::Preparation preparation_;
    std::optional<env::Watcher> watcher_;
    int watchers_ = 1;
    bool is_over_ = false;
};

}  // namespace

int run_prepared(const Options& options, const isolate::Dispositions& inherited) {
    if (geteuid() != 0)
        throw run::NotPermitted(
            "doctor --prepare: changes the machine's settings: needs root → sudo nsbench doctor "
            "--prepare -- COMMAND");
    const sys::Fd held = lock();
    const Signals signals;
    Guarded machine(env::Preparation::plan({{}, *options.run.cpu}, options.prepare.left));
    const pid_t parent = getpid();
    const auto command = sys::must(sys::checked(fork()), "fork");
    if (command == 0)
        become(options.prepare.command, machine.preparation().cgroup(), signals.before(), inherited, parent);
    const int code = isolate::exit_code(machine.wait_for(command, signals));
    const bool is_whole = machine.end();
    return code == kMeasured && !is_whole ? kFailed : code;
}

}  // namespace nsb::cli
