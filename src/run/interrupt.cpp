#include "run/interrupt.h"

#include <csignal>
#include <initializer_list>

namespace nsb::run {
namespace {

volatile std::sig_atomic_t signal_seen = 0;

void note(int signal) {
    signal_seen = signal;
}

}  // namespace

void catch_signals() {
    struct sigaction action {};
    action.sa_handler = note;
    action.sa_flags = static_cast<int>(SA_RESETHAND);  // the second time it is deadly
    struct sigaction inherited {};
    sigaction(SIGHUP, nullptr, &inherited);
    // nohup ignores SIGHUP for good; SIGINT is ignored by any shell for its background jobs, and is caught
    // all the same.
    if (inherited.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, nullptr);
    for (const int signal : {SIGINT, SIGTERM}) sigaction(signal, &action, nullptr);
}

int interrupted_by() {
    return signal_seen;
}

}  // namespace nsb::run
