// net: interfaces, ports, routes.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <sstream>

#include "isolate/checks.h"

namespace nsb::isolate {
namespace {

/// What tunnel modules add to every new net namespace unless net.core.fb_tunnels_only_for_init_net is set
/// (Documentation/admin-guide/sysctl/net.rst).
constexpr std::array<std::string_view, 9> kFallbackTunnels{"tunl0",   "gre0",    "gretap0", "erspan0", "sit0",
                                                           "ip6tnl0", "ip6gre0", "ip_vti0", "ip6_vti0"};

sys::Fd datagram_socket() {
    return sys::Fd(
        static_cast<int>(sys::must(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket", "AF_INET")));
}

/// "lo:down eth0:up", in the kernel's order.
PeerAnswer interfaces_now() {
    const sys::Fd socket = datagram_socket();
    const std::unique_ptr<struct if_nameindex, decltype(&if_freenameindex)> all(if_nameindex(),
                                                                                if_freenameindex);
    if (all == nullptr) return PeerAnswer::failed("if_nameindex");
    std::string text;
    for (const struct if_nameindex* one = all.get(); one->if_index != 0; ++one) {
        ifreq request{};
        std::strncpy(request.ifr_name, one->if_name, IFNAMSIZ - 1);
        if (ioctl(socket.get(), SIOCGIFFLAGS, &request) != 0)
            return PeerAnswer::failed("ioctl(SIOCGIFFLAGS)");
        const bool is_up = (request.ifr_flags & IFF_UP) != 0;
        text += fmt::format("{}{}:{}", text.empty() ? "" : " ", one->if_name, is_up ? "up" : "down");
    }
    return {0, text};
}

PeerAnswer interfaces(const std::string&) {
    PeerAnswer answer = interfaces_now();
    // One of the host's may have gone after it was listed.
    for (int again = 0; again < 3 && answer.error == ENODEV; ++again) answer = interfaces_now();
    return answer;
}

bool is_only_lo(const std::string& text) {
    std::istringstream words(text);
    bool has_lo = false;
    for (std::string word; words >> word;) {
        const std::string name = word.substr(0, word.find(':'));
        const bool is_known = name == "lo" || std::find(kFallbackTunnels.begin(), kFallbackTunnels.end(),
                                                        name) != kFallbackTunnels.end();
        if (!is_known || !word.ends_with(":down")) return false;
        has_lo = has_lo || name == "lo";
    }
    return has_lo;
}

/// Binds a port (0: any that is free) and keeps it; gives its number.
PeerAnswer bind_port(const std::string& port) {
    static std::vector<sys::Fd> kept;
    sys::Fd socket = datagram_socket();
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(port)));
    if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return PeerAnswer::failed("bind");
    }
    socklen_t length = sizeof address;
    if (getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
        return PeerAnswer::failed("getsockname");
    }
    kept.push_back(std::move(socket));
    return {0, std::to_string(ntohs(address.sin_port))};
}

/// Asks for a route by connecting a datagram socket, which sends nothing.
PeerAnswer find_route(const std::string& destination) {
    const sys::Fd socket = datagram_socket();
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(9);
    inet_pton(AF_INET, destination.c_str(), &address.sin_addr);
    if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return PeerAnswer::failed("connect");
    }
    return {0, "connect: done"};
}

}  // namespace

Verdict check_only_lo(CheckContext& context) {
    Peer inside(context.recipe(Kind::net));
    const std::string seen = inside.must(interfaces);
    return judge(is_only_lo(seen), seen, context.outside.must(interfaces));
}

Verdict check_port(CheckContext& context) {
    Peer inside(context.recipe(Kind::net));
    const std::string port = context.outside.must(bind_port, "0");
    const PeerAnswer again_inside = inside.ask(bind_port, port, {EADDRINUSE});
    const PeerAnswer again_outside = context.outside.ask(bind_port, port, {EADDRINUSE});
    const auto describe = [&](const PeerAnswer& answer) {
        return fmt::format("port {}{}", port, answer.error == 0 ? " is free" : ": " + answer.text);
    };
    return judge(again_inside.error == 0 && again_outside.error == EADDRINUSE, describe(again_inside),
                 describe(again_outside));
}

Verdict check_no_route(CheckContext& context) {
    Peer inside(context.recipe(Kind::net));
    const PeerAnswer loopback = inside.ask(find_route, "127.0.0.1", {ENETUNREACH});
    // TEST-NET-1, nobody's address. A route to it may be there and be no way.
    const PeerAnswer elsewhere = inside.ask(find_route, "192.0.2.1", {ENETUNREACH, EHOSTUNREACH});
    const PeerAnswer outside = context.outside.ask(find_route, "127.0.0.1", {ENETUNREACH});
    return judge(loopback.error == ENETUNREACH && elsewhere.error == ENETUNREACH,
                 fmt::format("127.0.0.1 {}; 192.0.2.1 {}", loopback.seen(), elsewhere.seen()),
                 fmt::format("127.0.0.1 {}", outside.seen()));
}

}  // namespace nsb::isolate
