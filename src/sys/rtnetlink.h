// Requests to the kernel's network by rtnetlink(7), each a message in a buffer of fixed size: the sampler has
// no heap and no library for it.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "sys/fd.h"

namespace nsb::sys {

/// One end of a veth pair, or any other interface, by its name.
struct VethEnds {
    const char* outer;
    const char* inner;
    pid_t inner_of = 0;   ///< the inner end is made in this process's net namespace; 0: in the socket's
    unsigned bridge = 0;  ///< the index of the bridge that the outer end is a port of; 0: of none
};

/// A socket to the net namespace that it was opened in. Each call sends one request and waits for its answer;
/// the errors are the answer's, or those of send(2) and recv(2).
class Rtnetlink {
  public:
    static Result<Rtnetlink> open();

    /// Makes a bridge and sets it up. EOPNOTSUPP: the kernel has none.
    [[nodiscard]] Result<int> add_bridge(const char* name) const;

    /// Makes both ends and sets the outer one up. EOPNOTSUPP: the kernel has no veth.
    [[nodiscard]] Result<int> add_veth(const VethEnds& ends) const;

    /// Moves an interface to a process's net namespace.
    [[nodiscard]] Result<int> move(const char* name, pid_t to) const;

    /// Gives an interface an IPv4 address, with a network of 24 bits.
    [[nodiscard]] Result<int> add_address(unsigned index, std::uint32_t address) const;

    [[nodiscard]] Result<int> set_up(unsigned index) const;

  private:
    explicit Rtnetlink(Fd socket) : socket_(std::move(socket)) {}
    class Message;
    [[nodiscard]] Result<int> ask(const Message& message) const;
    Fd socket_;
};

/// The index of an interface in this process's net namespace.
Result<unsigned> index_of(const char* name);

/// Whether it is up there and has this IPv4 address.
Result<bool> is_up_with(const char* name, std::uint32_t address);

}  // namespace nsb::sys
