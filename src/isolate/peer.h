// One side of a check: a process that does what it is asked to, inside namespaces or outside of them.
#pragma once

#include <initializer_list>
#include <string>

#include "isolate/container.h"

namespace nsb::isolate {

/// A step of a check went wrong on one of its sides; the text says which. It says nothing of isolation.
class WentWrong : public std::runtime_error {
  public:
    WentWrong(const std::string& text, int error) : std::runtime_error(text), error_(error) {}
    [[nodiscard]] int error() const { return error_; }

  private:
    int error_;
};

/// What a request found: an errno, or what was seen.
struct PeerAnswer {
    int error = 0;
    std::string text;

    /// Of a call that failed: its errno, and its name as text.
    static PeerAnswer failed(std::string_view call);
    /// Of one that gave an error (-1) or less than was to be had, as from a process that has ended.
    static PeerAnswer nothing(long returned, std::string_view call);
    /// `text` if all is well, else "call: ENOENT".
    [[nodiscard]] std::string seen() const;
};

/// Runs in the other process, which is a copy of this one: it knows this function's globals as they were
/// then.
using PeerRequest = PeerAnswer (*)(const std::string& argument);

class Peer {
  public:
    /// Inside new namespaces. Throws NotMade, SystemError.
    explicit Peer(const Recipe& recipe);
    Peer(Peer&&) noexcept = default;
    Peer& operator=(Peer&&) = delete;
    ~Peer();

    /// Outside: in no new namespace, in a session of its own. It outlives this process if that is killed, for
    /// as long as it takes to remove what it has made.
    static Peer outside();

    [[nodiscard]] pid_t pid() const { return container_.pid(); }

    /// Success, or one of the `expected` errors, which a check can tell something from; for any other throws
    /// WentWrong. Throws SystemError where the process has died or does not answer within five seconds.
    PeerAnswer ask(PeerRequest request, const std::string& argument = "",
                   std::initializer_list<int> expected = {});

    /// As ask(), where only success will do: what was seen.
    std::string must(PeerRequest request, const std::string& argument = "") {
        return std::move(ask(request, argument).text);
    }

    /// Kills it, and waits for its end.
    void end() { (void)container_.end(); }

  private:
    struct ChannelEnds {
        sys::Fd ours, theirs;
        ChannelEnds();
    };
    Peer(const Recipe& recipe, ChannelEnds ends);
    bool is_outside_;
    std::uint64_t asked_ = 0;  ///< requests, which are numbered, and their answers with them
    sys::Fd channel_;
    Container container_;
};

/// In the peer outside: what to do before it ends, last first.
void at_end(std::function<void()> action);

}  // namespace nsb::isolate
