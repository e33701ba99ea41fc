// veth: a net namespace that is connected: one end of a veth pair inside, with an address and up, the other
// one outside. The outside is a net namespace of the block's own.
#include <charconv>
#include <cstring>

#include "block.h"
#include "mark.h"
#include "own_namespaces.h"
#include "sys/rtnetlink.h"

namespace nsb::bench {
namespace {

constexpr std::size_t kStack = 64U << 10U;
constexpr char kBridge[] = "bridge";
constexpr std::uint32_t kAddress = 0x0a000002;  // 10.0.0.2

/// The former ends of this block are outside until the kernel's worker has torn their namespaces down, so
/// each pair has its number in its names.
class Name {
  public:
    Name(const char* end, std::uint32_t number) {
        const std::size_t length = std::strlen(end);
        std::memcpy(text_, end, length);
        *std::to_chars(text_ + length, text_ + sizeof text_ - 1, number).ptr = '\0';
    }
    [[nodiscard]] const char* get() const { return text_; }

  private:
    char text_[16];
};

/// A child in its new net namespace, which waits for the inner end.
struct Inside {
    Block& block;
    const sys::Pipe& arrived;
    const Name& inner;
    bool is_first;  ///< of the block: it looks whether the end is what it should be
};

Failure connect(const Inside& inside) {
    SharedMemory& memory = inside.block.memory;
    const auto index = sys::index_of(inside.inner.get());
    if (!index) return {Call::link_index, index.error()};
    const auto socket = sys::Rtnetlink::open();
    if (!socket) return {Call::socket, socket.error()};
    NSB_MARK(bits(Phase::address), bits(), 1);
    const std::uint64_t begin = sys::now();
    const auto added = socket->add_address(*index, kAddress);
    NSB_MARK(bits(Phase::up), bits(Phase::address), 1);
    const std::uint64_t addressed = sys::now();
    const auto raised = socket->set_up(*index);
    NSB_MARK(bits(Phase::exit), bits(Phase::up), 1);
    const std::uint64_t end = sys::now();
    if (!added) return {Call::address_add, added.error()};
    if (!raised) return {Call::link_up, raised.error()};
    child_phase(memory, Phase::address) = addressed - begin;
    child_phase(memory, Phase::up) = end - addressed;
    memory.child_end = end;
    if (!inside.is_first) return {};
    const auto connected = sys::is_up_with(inside.inner.get(), kAddress);
    if (!connected || !*connected) return {Call::link_up, connected ? ENETDOWN : connected.error()};
    memory.child_end = sys::now();
    memory.child_begin = memory.child_end - end;  // no part of the sample
    return {};
}

int wait_and_connect(void* argument) {
    const auto& inside = *static_cast<const Inside*>(argument);
    touch(inside.block.memory);
    close(inside.arrived.write_end.get());
    char arrived = 0;
    // Without it the sampler failed, or is gone.
    if (sys::retried([&] { return read(inside.arrived.read_end.get(), &arrived, 1); }) == 1)
        inside.block.memory.child_failure = connect(inside);
    return 0;
}

class Outside {
  public:
    Outside(Block& block, sys::Rtnetlink socket, sys::Stack stack, unsigned bridge)
        : block_(block), socket_(std::move(socket)), stack_(std::move(stack)), bridge_(bridge) {
        options_.flags = block.request.set.flags();
    }

    Failure sample(Record& record) {
        const std::uint32_t number = block_.filled();
        const Name outer("out", number);
        const Name inner("in", number);
        auto arrived = sys::Pipe::make();
        if (!arrived) return {Call::child, arrived.error()};
        Inside inside{block_, *arrived, inner, number == 1};

        NSB_MARK(bits(Phase::create, Phase::total), bits(), 1);
        const std::uint64_t call = sys::now();
        const auto pid = sys::clone_child(options_, stack_, wait_and_connect, &inside);
        NSB_MARK(bits(), bits(Phase::create), 1);
        const std::uint64_t returned = sys::now();
        if (!pid) return {Call::clone, pid.error()};
        const Failure given = give_end(*pid, outer, inner, record);
        if (given.error == 0 && sys::retried([&] { return write(arrived->write_end.get(), "", 1); }) != 1)
            return {Call::child, errno};
        arrived->write_end.reset();
        const Failure failure = reap_child(*pid, &block_.memory);
        NSB_MARK(bits(), bits(Phase::exit, Phase::total), 1);
        const std::uint64_t reaped = sys::now();
        if (given.error != 0) return given;
        if (failure.error != 0) return failure;

        const SharedMemory& memory = block_.memory;
        time_of(record, Phase::create) = returned - call;
        for (const Phase phase : {Phase::address, Phase::up})
            time_of(record, phase) = memory.child_phases[static_cast<std::size_t>(phase)];
        time_of(record, Phase::exit) = reaped - memory.child_end;
        time_of(record, Phase::total) = reaped - call - memory.child_begin;
        return {};
    }

  private:
    /// Makes a pair whose inner end is in the child's net namespace.
    Failure give_end(pid_t child, const Name& outer, const Name& inner, Record& record) const {
        const bool moves = block_.value(Parameter::made) == static_cast<std::uint64_t>(Made::moved);
        const sys::VethEnds ends{outer.get(), inner.get(), moves ? 0 : child, bridge_};
        NSB_MARK(bits(Phase::link), bits(), 1);
        const std::uint64_t begin = sys::now();
        const auto added = socket_.add_veth(ends);
        NSB_MARK(bits(), bits(Phase::link), 1);
        const std::uint64_t linked = sys::now();
        if (!added) return {Call::link_add, added.error()};
        time_of(record, Phase::link) = linked - begin;
        if (!moves) return {};
        NSB_MARK(bits(Phase::move), bits(), 1);
        const std::uint64_t leaves = sys::now();
        const auto moved = socket_.move(inner.get(), child);
        NSB_MARK(bits(), bits(Phase::move), 1);
        const std::uint64_t end = sys::now();
        if (!moved) return {Call::link_move, moved.error()};
        time_of(record, Phase::move) = end - leaves;
        return {};
    }

    Block& block_;
    sys::Rtnetlink socket_;
    sys::Stack stack_;
    unsigned bridge_;
    sys::CloneOptions options_;
};

void take_samples(Block& block) {
    auto socket = sys::Rtnetlink::open();
    if (!socket) return block.fail({Call::socket, socket.error()});
    auto stack = sys::Stack::map(kStack, false);
    if (!stack) return block.fail({Call::mmap, stack.error()});
    unsigned bridge = 0;
    if (block.value(Parameter::bridged) != 0) {
        if (const auto added = socket->add_bridge(kBridge); !added)
            return block.fail({Call::link_add, added.error()});
        const auto index = sys::index_of(kBridge);
        if (!index) return block.fail({Call::link_index, index.error()});
        bridge = *index;
    }
    Outside outside(block, std::move(*socket), std::move(*stack), bridge);
    while (Record* record = block.next()) {
        if (const Failure failure = outside.sample(*record); failure.error != 0) return block.fail(failure);
    }
}

}  // namespace

void run_veth(Block& block) {
    in_own_namespaces(block, Kind::net, take_samples);
}

}  // namespace nsb::bench
