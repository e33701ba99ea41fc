// The eight namespace kinds, and sets of them. All but their texts is in this header and free of the standard
// library's run-time parts, because the sampler, which is not linked to kinds.cpp, uses it.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace nsb {

/// One of the kernel's namespace kinds, in alphabetical order of their CLONE_* flags: the order of a case id.
enum class Kind : std::uint8_t { cgroup, ipc, net, mnt, pid, time, user, uts };

struct KindInfo {
    Kind kind;
    std::string_view name;  ///< as in /proc/PID/ns
    std::string_view flag;  ///< CLONE_ left out
    std::uint64_t bit;      ///< include/uapi/linux/sched.h
};

inline constexpr std::array<KindInfo, 8> kKinds{{
    {Kind::cgroup, "cgroup", "NEWCGROUP", 0x02000000},
    {Kind::ipc, "ipc", "NEWIPC", 0x08000000},
    {Kind::net, "net", "NEWNET", 0x40000000},
    {Kind::mnt, "mnt", "NEWNS", 0x00020000},
    {Kind::pid, "pid", "NEWPID", 0x20000000},
    {Kind::time, "time", "NEWTIME", 0x00000080},
    {Kind::user, "user", "NEWUSER", 0x10000000},
    {Kind::uts, "uts", "NEWUTS", 0x04000000},
}};

constexpr const KindInfo& info(Kind kind) {
    return kKinds[static_cast<std::size_t>(kind)];
}

/// A set of kinds: one of 256.
class KindSet {
  public:
    constexpr KindSet() = default;
    constexpr explicit KindSet(std::uint8_t bits) : bits_(bits) {}
    constexpr KindSet(Kind kind)  // NOLINT(google-explicit-constructor): a kind is the set of itself
        : bits_(static_cast<std::uint8_t>(1U << static_cast<unsigned>(kind))) {}

    static constexpr KindSet all() { return KindSet(0xFF); }
    static constexpr int kCount = 256;

    [[nodiscard]] constexpr std::uint8_t bits() const { return bits_; }
    [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
    [[nodiscard]] constexpr int size() const { return std::popcount(bits_); }
    [[nodiscard]] constexpr bool contains(KindSet other) const {
        return (bits_ & other.bits_) == other.bits_;
    }
    [[nodiscard]] constexpr bool intersects(KindSet other) const { return (bits_ & other.bits_) != 0; }
    constexpr KindSet operator|(KindSet other) const {
        return KindSet(static_cast<std::uint8_t>(bits_ | other.bits_));
    }
    constexpr KindSet operator&(KindSet other) const {
        return KindSet(static_cast<std::uint8_t>(bits_ & other.bits_));
    }
    constexpr KindSet operator-(KindSet other) const {
        return KindSet(static_cast<std::uint8_t>(bits_ & ~other.bits_));
    }
    constexpr auto operator<=>(const KindSet&) const = default;  // NOLINT(modernize-use-nullptr)

    /// The CLONE_NEW* flags of clone(2), clone3(2), unshare(2) and setns(2).
    [[nodiscard]] constexpr std::uint64_t flags() const {
        std::uint64_t flags = 0;
        for (const KindInfo& kind : kKinds) {
            if (contains(kind.kind)) flags |= kind.bit;
        }
        return flags;
    }

  private:
    std::uint8_t bits_ = 0;
};

constexpr KindSet operator|(Kind a, Kind b) {
    return KindSet(a) | KindSet(b);
}

/// As in a case id: `NEWNET-NEWPID`, or `none`.
std::string to_string(KindSet set);

/// Kinds by name or flag, joined by commas or hyphens, in any order and case; or `none`, or `all`.
/// The error says what is accepted and, for a misspelt kind, the nearest name.
tl::expected<KindSet, std::string> parse_set(std::string_view text);

}  // namespace nsb
