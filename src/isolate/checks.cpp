#include "isolate/checks.h"

#include <fmt/format.h>

#include <sched.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "core/chroot.h"
#include "core/failure.h"
#include "isolate/inside.h"
#include "sys/file.h"

namespace nsb::isolate {
namespace {

constexpr auto kChecks = std::to_array<IsolationCheck>({
#define NSB_CHECK(kind, id, what, makes, function) {#kind, #id, what, makes, function},
#include "isolate/checks.def"
#undef NSB_CHECK
});

/// What keeps a step from being taken here, rather than being broken: a capability, a filter, a limit.
bool is_refusal(int error) {
    constexpr auto kRefusals = std::to_array<int>({EPERM, EACCES, ENOSYS, EUSERS});
    return std::ranges::find(kRefusals, error) != kRefusals.end() || !limit_behind_call(error).empty();
}

std::string why_not_made(const NotMade& error) {
    const bool is_of_user = std::string_view(error.what()).find("NEWUSER") != std::string_view::npos;
    const KindSet set = is_of_user ? KindSet(Kind::user) : KindSet();
    return fmt::format("{}: {}", error.what(), explain({protocol::Call::clone3, error.error()}, set));
}

bool is_asked(const IsolationCheck& check, KindSet asked) {
    if (check.kind == "links") return true;
    for (const KindInfo& kind : kKinds) {
        if (check.kind == kind.name) return asked.contains(kind.kind);
    }
    return false;
}

Verdict run(const IsolationCheck& check, CheckContext& context) {
    try {
        return check.run(context);
    } catch (const NotMade& error) {
        // Flags that the kernel does not know.
        if (error.error() == EINVAL) return skip(why_not_made(error));
        return not_seen(error.error(), why_not_made(error));
    } catch (const NotShown& error) {
        return skip(error.what());
    } catch (const NotTaken& error) {
        return not_seen(error.error(), error.what());
    } catch (const WentWrong& error) {
        return not_seen(error.error(), error.what());
    } catch (const sys::SystemError& error) {
        return not_seen(error.error(), error.what());
    }
}

/// NEWUSER where nothing can be made without it. Throws NotMade where nothing can be made with it either.
KindSet needed_here() {
    Recipe recipe;
    recipe.set = Kind::uts;
    try {
        (void)Container::start(recipe, [] { return 0; });
    } catch (const NotMade& error) {
        if (error.error() != EPERM) return {};
        recipe.set = Kind::user;
        // It may be made and still be worth nothing (Ubuntu's kernel.apparmor_restrict_unprivileged_userns).
        const int refused =
            exit_code(Container::start(recipe, [] { return unshare(CLONE_NEWUTS) == 0 ? 0 : errno; }).wait());
        // A limit on this kind alone keeps no other from being looked at.
        if (refused != 0 && refused != ENOSPC)
            throw NotMade("unshare", "NEWUTS, in a user namespace", refused);
        return Kind::user;
    }
    return {};
}

}  // namespace

Verdict judge(bool is_isolated, std::string inside, std::string outside) {
    return {is_isolated ? Outcome::passed : Outcome::failed, std::move(inside), std::move(outside),
            is_isolated ? "" : "not isolated"};
}

Verdict skip(std::string reason) {
    return {Outcome::skipped, "", "", std::move(reason)};
}

Verdict not_seen(int error, std::string reason) {
    if (error == EINVAL && reason.starts_with("mount(MS_PRIVATE"))
        return skip(fmt::format("{}: {}", reason, kNoMountPoint));
    const std::string_view limit = limit_behind_call(error);
    if (!limit.empty() && reason.find(limit) == std::string::npos) reason += fmt::format(": {}", limit);
    return {is_refusal(error) ? Outcome::skipped : Outcome::error, "", "", std::move(reason)};
}

Recipe CheckContext::recipe(KindSet set) const {
    Recipe recipe;
    recipe.set = (set | gained) - left_out;
    return recipe;
}

std::span<const IsolationCheck> checks() {
    return kChecks;
}

std::vector<Checked> verify(const VerifyOptions& options) {
    const KindSet gained = needed_here();
    CheckContext context{Peer::outside(), gained, options.left_out, options.asked | gained};
    std::vector<Checked> results;
    for (const IsolationCheck& check : kChecks) {
        if (!is_asked(check, options.asked)) continue;
        const KindSet made = check.set.empty() ? context.asked : check.set | gained;
        results.push_back({&check, made, run(check, context)});
    }
    return results;
}

int in_sandbox(const Container::Main& main) {
    Recipe recipe;
    // A new cgroup namespace would hide in which cgroup this is.
    recipe.set = KindSet::all() - Kind::cgroup;
    recipe.set = needed_here().empty() ? recipe.set - Kind::user : recipe.set;
    // What is made beyond the sandbox's namespaces is removed by a process that outlives them.
    Peer outside = Peer::outside();
    sys::Pipe failure = sys::must(sys::Pipe::make(), "pipe2");
    sys::Pipe moved = sys::must(sys::Pipe::make(), "pipe2");
    Container sandbox = Container::start(recipe, [&] {
        failure.read_end.reset();
        moved.write_end.reset();
        try {
            char none = 0;
            sys::must(sys::retried([&] { return read(moved.read_end.get(), &none, 1); }), "read", "a pipe");
            make_own_mounts();
            mount_proc();
            raise_lo();
        } catch (const sys::SystemError& error) {
            const int number = error.error();
            sys::try_write(failure.write_end.get(), {reinterpret_cast<const char*>(&number), sizeof number});
            sys::try_write(failure.write_end.get(), error.what());
            return 1;
        }
        failure.write_end.reset();
        return main();
    });
    failure.write_end.reset();
    (void)leave_root_cgroup(outside, sandbox.pid());
    moved.write_end.reset();
    const int code = exit_code(sandbox.wait());
    char text[512];
    int number = 0;
    const ssize_t length = sys::retried([&] { return read(failure.read_end.get(), text, sizeof text); });
    if (length <= static_cast<ssize_t>(sizeof number)) return code;
    std::memcpy(&number, text, sizeof number);
    throw NotTaken({text + sizeof number, text + length}, number);
}

}  // namespace nsb::isolate
