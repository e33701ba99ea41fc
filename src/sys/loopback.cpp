#include "sys/loopback.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <cstring>

namespace nsb::sys {

using protocol::Call;
using protocol::Failure;

tl::expected<void, Failure> raise_loopback() {
    const auto socket = Fd::own(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket) return tl::unexpected(Failure{Call::socket, socket.error()});
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");  // NOLINT: fits
    request.ifr_flags = IFF_UP;
    if (ioctl(socket->get(), SIOCSIFFLAGS, &request) != 0) {
        return tl::unexpected(Failure{Call::lo_up, errno});
    }
    return {};
}

}  // namespace nsb::sys
