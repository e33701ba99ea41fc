// What each namespace kind isolates, as a table of checks that look from inside and from outside.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "isolate/peer.h"

namespace nsb::isolate {

enum class Outcome : std::uint8_t {
    passed,
    failed,   ///< not isolated
    skipped,  ///< cannot be had here: not permitted, or not in this kernel
    error     ///< a step went wrong: nothing is known
};

struct Verdict {
    Outcome outcome = Outcome::skipped;
    std::string inside;   ///< what was seen there
    std::string outside;  ///< and there, at the same time
    std::string reason;   ///< why it failed or was skipped
};

/// Passed or failed by what was seen.
Verdict judge(bool is_isolated, std::string inside, std::string outside);
/// It cannot be had here.
Verdict skip(std::string reason);
/// What a step that gave `error` makes of a check: it lacks a permission, or went wrong.
Verdict not_seen(int error, std::string reason);

/// What a check works with.
struct CheckContext {
    Peer outside;
    KindSet gained;    ///< NEWUSER for an ordinary user, who may make the other kinds only together with it
    KindSet left_out;  ///< made without these, so that their checks must fail
    KindSet asked;     ///< the whole set that was asked for

    /// How to make `set` here.
    [[nodiscard]] Recipe recipe(KindSet set) const;
};

struct IsolationCheck {
    std::string_view kind;  ///< by name, or `links`
    std::string_view id;
    std::string_view what;  ///< what is isolated, in a few words
    KindSet set;            ///< what it makes; empty: the set that was asked for
    Verdict (*run)(CheckContext&);
};

/// Every check, in the order in which they are shown.
std::span<const IsolationCheck> checks();

struct Checked {
    const IsolationCheck* check;
    KindSet made;  ///< the namespaces that it was about, with what was gained
    Verdict verdict;
};

struct VerifyOptions {
    KindSet asked = KindSet::all();
    KindSet left_out;
};

/// The checks of the kinds asked for, and those of the links. Throws NotMade where no namespace can be made.
std::vector<Checked> verify(const VerifyOptions& options);

/// Where namespaces are left out on purpose, what would be seen outside must not be the host: runs `main` in
/// a container of all kinds and returns its exit code. `main` throws nothing, which would be said there
/// without a remedy. Throws NotMade, NotShown, NotTaken, SystemError.
int in_sandbox(const Container::Main& main);

/// Has `outside` put the process that is `pid` there into a new cgroup if it is in the root cgroup, where
/// nothing can be seen; that cgroup goes when `outside` ends. Any errno is a value.
PeerAnswer leave_root_cgroup(Peer& outside, pid_t pid);

// The checks' own functions, each in the file of its kind.
#define NSB_CHECK(kind, id, what, makes, function) Verdict function(CheckContext& context);
#include "isolate/checks.def"
#undef NSB_CHECK

}  // namespace nsb::isolate
