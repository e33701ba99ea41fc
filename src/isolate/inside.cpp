#include "isolate/inside.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cstring>

#include "sys/error.h"

namespace nsb::isolate {

void make_own_mounts() {
    sys::must(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "mount", "MS_PRIVATE, /");
}

void mount_proc() {
    sys::must(::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr), "mount",
              "proc on /proc");
}

void raise_lo() {
    const sys::Fd socket(
        static_cast<int>(sys::must(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket", "AF_INET")));
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    sys::must(ioctl(socket.get(), SIOCGIFFLAGS, &request), "ioctl", "SIOCGIFFLAGS, lo");
    request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
    sys::must(ioctl(socket.get(), SIOCSIFFLAGS, &request), "ioctl", "SIOCSIFFLAGS, lo up");
}

int exit_code(int wait_status) {
    if (WIFSIGNALED(wait_status)) return 128 + WTERMSIG(wait_status);
    return WEXITSTATUS(wait_status);
}

}  // namespace nsb::isolate
