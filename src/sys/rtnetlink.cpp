#include "sys/rtnetlink.h"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <cstring>

namespace nsb::sys {

/// Attributes are padded to 4 bytes; the largest message here, of a veth pair, has about 130.
class Rtnetlink::Message {
  public:
    template <typename Body>
    Message(std::uint16_t type, std::uint16_t flags, const Body& body) {
        nlmsghdr header{};
        header.nlmsg_type = type;
        header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
        append(&header, sizeof header);
        append(&body, sizeof body);
    }

    template <typename Value>
    void add(std::uint16_t type, const Value& value) {
        add(type, &value, sizeof value);
    }
    void add_text(std::uint16_t type, const char* text) { add(type, text, std::strlen(text) + 1); }

    /// What is added until end() is inside of this attribute.
    [[nodiscard]] std::size_t begin(std::uint16_t type) {
        const std::size_t at = size_;
        const rtattr attribute{sizeof(rtattr), type};
        append(&attribute, sizeof attribute);
        return at;
    }
    void end(std::size_t at) {
        const auto length = static_cast<std::uint16_t>(size_ - at);
        std::memcpy(bytes_ + at, &length, sizeof length);
    }
    /// A body inside of an attribute.
    template <typename Body>
    void add_body(const Body& body) {
        append(&body, sizeof body);
    }

    [[nodiscard]] const void* data() const { return bytes_; }
    [[nodiscard]] std::size_t size() const { return size_; }

  private:
    void add(std::uint16_t type, const void* data, std::size_t size) {
        const rtattr attribute{static_cast<std::uint16_t>(sizeof(rtattr) + size), type};
        append(&attribute, sizeof attribute);
        append(data, size);
    }
    void append(const void* data, std::size_t size) {
        if (size_ + size > sizeof bytes_) __builtin_trap();
        std::memcpy(bytes_ + size_, data, size);
        size_ += NLMSG_ALIGN(size);
        const auto length = static_cast<std::uint32_t>(size_);  // nlmsg_len, which the header begins with
        std::memcpy(bytes_, &length, sizeof length);
    }

    alignas(nlmsghdr) char bytes_[320] = {};
    std::size_t size_ = 0;
};

namespace {

ifinfomsg interface(unsigned index, bool up) {
    ifinfomsg body{};
    body.ifi_index = static_cast<int>(index);
    body.ifi_flags = body.ifi_change = up ? unsigned{IFF_UP} : 0U;
    return body;
}

// What ask() sends is answered by an acknowledgement. What look() sends is answered as it is: an
// acknowledgement more would be read as the answer of the next request.
constexpr std::uint16_t kSet = NLM_F_ACK;
constexpr std::uint16_t kNew = kSet | NLM_F_CREATE | NLM_F_EXCL;

/// What the kernel says of the interface of that name, by an ioctl(2) of netdevice(7).
Result<ifreq> asked(const char* name, unsigned long what) {
    const auto socket = Fd::own(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket) return tl::unexpected(socket.error());
    ifreq request{};
    std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    if (ioctl(socket->get(), what, &request) != 0) return tl::unexpected(errno);
    return request;
}

}  // namespace

Result<Rtnetlink> Rtnetlink::open() {
    auto socket = Fd::own(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (!socket) return tl::unexpected(socket.error());
    return Rtnetlink(std::move(*socket));
}

Result<int> Rtnetlink::send(const Message& message) const {
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    const ssize_t sent = retried([&] {
        return sendto(socket_.get(), message.data(), message.size(), 0,
                      reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel);
    });
    if (sent < 0) return tl::unexpected(errno);
    return 0;
}

Result<int> Rtnetlink::ask(const Message& message) const {
    if (const auto sent = send(message); !sent) return sent;
    struct Answer {
        nlmsghdr header;
        nlmsgerr error;  // behind it the request, cut off
    } answer{};
    const ssize_t got = retried([&] { return recv(socket_.get(), &answer, sizeof answer, 0); });
    if (got < 0) return tl::unexpected(errno);
    if (static_cast<std::size_t>(got) < sizeof answer || answer.header.nlmsg_type != NLMSG_ERROR)
        return tl::unexpected(EPROTO);
    if (answer.error.error != 0) return tl::unexpected(-answer.error.error);
    return 0;
}

Result<int> Rtnetlink::add_bridge(const char* name) const {
    Message message(RTM_NEWLINK, kNew, interface(0, true));
    message.add_text(IFLA_IFNAME, name);
    const std::size_t info = message.begin(IFLA_LINKINFO);
    message.add_text(IFLA_INFO_KIND, "bridge");
    message.end(info);
    return ask(message);
}

Result<int> Rtnetlink::add_veth(const VethEnds& ends) const {
    Message message(RTM_NEWLINK, kNew, interface(0, true));
    message.add_text(IFLA_IFNAME, ends.outer);
    if (ends.bridge != 0) message.add(IFLA_MASTER, ends.bridge);
    const std::size_t info = message.begin(IFLA_LINKINFO);
    message.add_text(IFLA_INFO_KIND, "veth");
    const std::size_t data = message.begin(IFLA_INFO_DATA);
    const std::size_t peer = message.begin(VETH_INFO_PEER);
    message.add_body(interface(0, false));
    message.add_text(IFLA_IFNAME, ends.inner);
    if (ends.inner_of != 0) message.add(IFLA_NET_NS_PID, ends.inner_of);
    for (const std::size_t open : {peer, data, info}) message.end(open);
    return ask(message);
}

Result<int> Rtnetlink::move(const char* name, pid_t to) const {
    Message message(RTM_SETLINK, kSet, interface(0, false));
    message.add_text(IFLA_IFNAME, name);
    message.add(IFLA_NET_NS_PID, to);
    return ask(message);
}

Result<int> Rtnetlink::add_address(unsigned index, std::uint32_t address) const {
    ifaddrmsg body{};
    body.ifa_family = AF_INET;
    body.ifa_prefixlen = 24;
    body.ifa_index = index;
    Message message(RTM_NEWADDR, kNew, body);
    const std::uint32_t in_order = htonl(address);
    message.add(IFA_LOCAL, in_order);
    message.add(IFA_ADDRESS, in_order);
    return ask(message);
}

Result<int> Rtnetlink::set_up(unsigned index) const {
    return ask(Message(RTM_SETLINK, kSet, interface(index, true)));
}

Result<Rtnetlink::Link> Rtnetlink::look(unsigned index) const {
    if (const auto sent = send(Message(RTM_GETLINK, 0, interface(index, false))); !sent)
        return tl::unexpected(sent.error());
    // Longer answers are cut off: both attributes are among the first (rtnl_fill_ifinfo()), and a larger
    // buffer would be another page of stack in each later fork.
    alignas(nlmsghdr) char bytes[1024];
    const ssize_t got = retried([&] { return recv(socket_.get(), bytes, sizeof bytes, 0); });
    if (got < 0) return tl::unexpected(errno);
    const auto size = static_cast<std::size_t>(got);
    nlmsghdr header{};
    if (size < sizeof header) return tl::unexpected(EPROTO);
    std::memcpy(&header, bytes, sizeof header);
    if (header.nlmsg_type == NLMSG_ERROR) {
        nlmsgerr error{};
        if (size < sizeof header + sizeof error) return tl::unexpected(EPROTO);
        std::memcpy(&error, bytes + sizeof header, sizeof error);
        return tl::unexpected(-error.error);
    }
    if (header.nlmsg_type != RTM_NEWLINK) return tl::unexpected(EPROTO);
    Link link{false, 0};
    for (std::size_t at = sizeof header + NLMSG_ALIGN(sizeof(ifinfomsg)); at + sizeof(rtattr) <= size;) {
        rtattr attribute{};
        std::memcpy(&attribute, bytes + at, sizeof attribute);
        const std::size_t value = at + sizeof attribute;
        if (attribute.rta_len < sizeof attribute || at + attribute.rta_len > size) break;
        const std::size_t length = attribute.rta_len - sizeof attribute;
        if (attribute.rta_type == IFLA_CARRIER && length >= 1) link.has_carrier = bytes[value] != 0;
        if (attribute.rta_type == IFLA_MASTER && length >= sizeof link.bridge)
            std::memcpy(&link.bridge, bytes + value, sizeof link.bridge);
        at += RTA_ALIGN(attribute.rta_len);
    }
    return link;
}

Result<unsigned> index_of(const char* name) {
    const auto request = asked(name, SIOCGIFINDEX);
    if (!request) return tl::unexpected(request.error());
    return static_cast<unsigned>(request->ifr_ifindex);
}

Result<bool> is_up_with(const char* name, std::uint32_t address) {
    const auto flags = asked(name, SIOCGIFFLAGS);
    if (!flags) return tl::unexpected(flags.error());
    const auto own = asked(name, SIOCGIFADDR);
    if (!own) return tl::unexpected(own.error());
    sockaddr_in found{};
    std::memcpy(&found, &own->ifr_addr, sizeof found);
    return (flags->ifr_flags & IFF_UP) != 0 && ntohl(found.sin_addr.s_addr) == address;
}

}  // namespace nsb::sys
