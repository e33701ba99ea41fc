#include "env/watcher.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "sys/file.h"

namespace nsb::env {
namespace {

[[noreturn]] void watch(const Preparation& preparation, const sys::Fd& life) {
    setsid();
    prctl(PR_SET_NAME, "nsbench-watcher");
    for (const int signal : {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP, SIGTTOU})
        std::signal(signal, SIG_IGN);
    char word = 0;
    const ssize_t got = sys::retried([&] { return read(life.get(), &word, 1); });
    if (got == 0) {
        const std::string text = preparation.put_back().text;
        sys::try_write(STDERR_FILENO, "nsbench has gone; its watcher puts the machine back\n" + text);
    }
    _exit(0);
}

}  // namespace

sys::Result<Watcher> Watcher::start(const Preparation& preparation) {
    auto pipe = sys::Pipe::make();
    if (!pipe) return tl::unexpected(pipe.error());
    const pid_t pid = fork();
    if (pid < 0) return tl::unexpected(errno);
    if (pid == 0) {
        pipe->write_end.reset();
        watch(preparation, pipe->read_end);
    }
    return Watcher(pid, std::move(pipe->write_end));
}

void Watcher::dismiss() {
    // Untold it would wait for as long as this process does.
    if (sys::retried([&] { return write(life_.get(), "x", 1); }) != 1) kill(pid_, SIGKILL);
    (void)sys::retried([&] { return waitpid(pid_, nullptr, 0); });
}

}  // namespace nsb::env
