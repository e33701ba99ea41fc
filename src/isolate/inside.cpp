#include "isolate/inside.h"

#include <sys/wait.h>

#include "sys/error.h"
#include "sys/loopback.h"
#include "sys/mount.h"

namespace nsb::isolate {

void make_own_mounts() {
    sys::must(sys::make_mounts_private(), "mount", "MS_PRIVATE, /");
}

void mount_proc() {
    sys::must(sys::mount_proc("/proc"), "mount", "proc on /proc");
}

void raise_lo() {
    const auto raised = sys::raise_loopback();
    if (!raised) throw sys::SystemError(name(raised.error().call), "lo", raised.error().error);
}

int exit_code(int wait_status) {
    if (WIFSIGNALED(wait_status)) return 128 + WTERMSIG(wait_status);
    return WEXITSTATUS(wait_status);
}

}  // namespace nsb::isolate
