#include "sys/proc.h"

#include <sys/syscall.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace nsb::sys {
namespace {

/// The rest of the first line of the file that begins with `key`, which begins with the end of the line
/// before; ENODATA where there is none. Lines before it may be of any length (Groups: in /proc/self/status),
/// but the line itself is to fit into `text`.
template <std::size_t size>
Result<const char*> find_line(const char* path, const char* key, char (&text)[size]) {
    const auto file = Fd::own(open(path, O_RDONLY | O_CLOEXEC));
    if (!file) return tl::unexpected(file.error());
    std::size_t length = 0;
    for (;;) {
        const ssize_t got = retried([&] { return read(file->get(), text + length, size - 1 - length); });
        if (got < 0) return tl::unexpected(errno);
        length += static_cast<std::size_t>(got);
        text[length] = '\0';
        char* const found = std::strstr(text, key);
        const char* const line = found == nullptr ? nullptr : found + std::strlen(key);
        if (line != nullptr && (got == 0 || std::strchr(line, '\n') != nullptr)) return line;
        if (got == 0) return tl::unexpected(ENODATA);
        if (length < size - 1) continue;
        // What may still be part of the line moves to the front.
        const std::size_t kept = found != nullptr ? std::strlen(found) : std::strlen(key);
        if (kept == length) return tl::unexpected(EOVERFLOW);
        std::memmove(text, text + length - kept, kept);
        length = kept;
    }
}

}  // namespace

Result<OwnNumber> own_number(const char* status) {
    char text[4096];
    // From the pid namespace that proc was mounted in to the process's own (proc_pid_status(5)).
    const auto numbers = find_line(status, "\nNSpid:", text);
    if (!numbers) return tl::unexpected(numbers.error());
    char* end = nullptr;
    const long first = std::strtol(*numbers, &end, 10);
    if (first <= 0) return tl::unexpected(ENODATA);
    return OwnNumber{static_cast<pid_t>(first), *end == '\n'};
}

Result<bool> proc_is_ours() {
    const auto own = own_number();
    // A kernel without pid namespaces has no such line.
    if (!own && own.error() == ENODATA) return true;
    if (!own) return tl::unexpected(own.error());
    return own->is_the_same;
}

Result<pid_t> number_in_proc(pid_t pid) {
    const auto pidfd = Fd::own(syscall(SYS_pidfd_open, pid, 0));
    if (!pidfd) {
        if (pidfd.error() == ESRCH) return tl::unexpected(ESRCH);
        // Where a filter hides that call, the number can only be the same.
        const auto ours = proc_is_ours();
        if (ours && *ours) return pid;
        return tl::unexpected(ours ? ESRCH : ours.error());
    }
    char path[48];
    std::snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd->get());
    char text[512];
    // As the pid namespace that proc was mounted in numbers it; 0 where it is not in there
    // (pidfd_show_fdinfo).
    const auto number = find_line(path, "Pid:", text);
    if (!number) return tl::unexpected(number.error() == ENOENT ? ESRCH : number.error());
    const long value = std::strtol(*number, nullptr, 10);
    std::snprintf(path, sizeof path, "/proc/%ld", value);
    // With hidepid=2 it has a number, but no directory.
    if (value <= 0) return tl::unexpected(ESRCH);
    if (access(path, F_OK) != 0) return tl::unexpected(errno == ENOENT ? ESRCH : errno);
    return static_cast<pid_t>(value);
}

Result<Fd> open_in_proc(pid_t pid, const char* name, int flags) {
    const auto number = number_in_proc(pid);
    if (!number) return tl::unexpected(number.error());
    char path[64];
    std::snprintf(path, sizeof path, "/proc/%d/%s", *number, name);
    return Fd::own(open(path, flags | O_CLOEXEC));
}

}  // namespace nsb::sys
