// What nsbench and its sampler say to each other before all else: the version of their protocol. It is made
// from the tables and the sizes of what is sent, so that nobody has to raise it, and two builds of the same
// tables go together.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/churn.h"
#include "core/protocol.h"

namespace nsb::protocol {

/// 64 bits of FNV-1a.
class Hash {
  public:
    constexpr void add(std::string_view text) {
        for (const char c : text) add_byte(static_cast<unsigned char>(c));
        add(text.size());  // "ab", "c" is not "a", "bc"
    }
    constexpr void add(std::uint64_t number) {
        for (int byte = 0; byte < 8; ++byte) add_byte((number >> (8 * byte)) & 0xFF);
    }
    [[nodiscard]] constexpr std::uint64_t value() const { return value_; }

  private:
    constexpr void add_byte(std::uint64_t byte) { value_ = (value_ ^ byte) * 0x100000001B3ULL; }

    std::uint64_t value_ = 0xCBF29CE484222325ULL;
};

/// What a number in a message stands for, and how large the messages are.
constexpr std::uint64_t version() {
    Hash hash;
    for (const KindInfo& kind : kKinds) hash.add(kind.flag);
    for (const PhaseInfo& phase : kPhaseTable) {
        hash.add(phase.name);
        hash.add(phase.needs.bits());
    }
    for (const ParameterInfo& parameter : kParameterTable) {
        hash.add(parameter.key);
        for (const std::string_view choice : parameter.choices()) hash.add(choice);
    }
    for (const OperationInfo& operation : kOperations) {
        hash.add(operation.name);
        hash.add(operation.phases.bits);
        hash.add(operation.parameters.bits);
    }
    for (const char* const call : kCallNames) hash.add(std::string_view(call));
    for (const CountedInfo& counted : kCounted) hash.add(std::string_view(counted.name));
    for (const std::size_t size :
         {sizeof(Record), sizeof(RuntimeJob), sizeof(SharedMemory), sizeof(Barrier), sizeof(Request),
          sizeof(Reply), sizeof(Privilege), sizeof(churn::Control), sizeof(churn::Record)})
        hash.add(size);
    return hash.value();
}

struct Greeting {
    char word[24];  ///< by which the version is also found in a program's file
    std::uint64_t version;
    bool operator==(const Greeting&) const = default;
};

inline constexpr Greeting kGreeting{"nsbench protocol", version()};

/// What the sampler says.
struct Answer {
    Greeting greeting;
    Privilege privilege;
};

// A build from before there was a greeting takes it for no request, and ends.
static_assert(sizeof(Greeting) != sizeof(Request) && sizeof(Greeting) != sizeof(Reply));

}  // namespace nsb::protocol
