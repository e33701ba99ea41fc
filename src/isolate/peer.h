// One side of a check: a process that does what it is asked to, inside namespaces or outside of them.
#pragma once

#include <string>

#include "isolate/container.h"

namespace nsb::isolate {

/// A step of a check went wrong on one of its sides; the text says which.
class WentWrong : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// What a request found: an errno, or what was seen.
struct Answer {
    int error = 0;
    std::string text;

    /// Of a call that failed: its errno, and its name as text.
    static Answer failed(std::string_view call);
    /// `text` if all is well, else "call: ENOENT".
    [[nodiscard]] std::string seen() const;
};

/// Runs in the other process, which is a copy of this one: it knows this function's globals as they were
/// then.
using Request = Answer (*)(const std::string& argument);

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

    /// Throws SystemError where it has died or does not answer within five seconds.
    Answer ask(Request request, const std::string& argument = "");

    /// As ask(), where only success will do: else throws WentWrong.
    std::string must(Request request, const std::string& argument = "");

    /// Kills it, and waits for its end.
    void end() { (void)container_.end(); }

  private:
    struct Ends {
        sys::Fd ours, theirs;
        Ends();
    };
    Peer(const Recipe& recipe, Ends ends);
    bool is_outside_;
    sys::Fd channel_;
    Container container_;
};

/// In the peer outside: what to do before it ends, last first.
void at_end(std::function<void()> action);

}  // namespace nsb::isolate
