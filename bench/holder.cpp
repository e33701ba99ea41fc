#include "holder.h"

#include <fcntl.h>
#include <charconv>
#include <cstring>

namespace nsb::bench {
int wait_for_release(void* pipe) {
    const auto& ends = *static_cast<const sys::Pipe*>(pipe);
    close(ends.write_end.get());
    char none = 0;
    (void)sys::retried([&] { return read(ends.read_end.get(), &none, 1); });
    return 0;
}

tl::expected<Holder, Failure> Holder::start(KindSet set, const sys::Stack& stack) {
    auto pipe = sys::Pipe::make();
    if (!pipe) return tl::unexpected(Failure{Call::child, pipe.error()});
    sys::CloneOptions options;
    options.flags = set.flags();
    options.use_clone3 = set.contains(Kind::time);
    const auto pid = sys::clone_child(options, stack, wait_for_release, &*pipe);
    if (!pid) return tl::unexpected(Failure{options.use_clone3 ? Call::clone3 : Call::clone, pid.error()});
    return Holder(*pid, std::move(pipe->write_end));
}

Failure Holder::release() {
    if (pid_ < 0) return {};
    release_.reset();
    const auto status = sys::reap(std::exchange(pid_, -1));
    if (!status) return {Call::waitpid, status.error()};
    return {};
}

sys::Result<sys::Fd> Holder::open_proc(const char* name, int flags) const {
    char path[64] = "/proc/";
    char* end = std::to_chars(path + 6, path + 24, pid_).ptr;
    *end++ = '/';
    std::strcpy(end, name);  // NOLINT: names are this file's callers' literals, far shorter than what is left
    return sys::Fd::own(open(path, flags | O_CLOEXEC));
}

}  // namespace nsb::bench
