#include "run/needs.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "core/failure.h"
#include "sys/privilege.h"

namespace nsb::run {

Capabilities needed_by(const std::vector<Case>& plan, MeasuredIn where) {
    Capabilities all = always_needed();
    const auto add = [&](const Case& c) {
        if (!c.has(Trait::sandboxed)) all |= needed(c, where);
    };
    for (const Case& c : plan) {
        const Case real = where.in_userns ? c.through_userns() : c;
        add(real);
        if (const auto base = real.base(base_set(where.in_userns))) add(*base);
    }
    return all;
}

Capabilities needed_to_start(const std::filesystem::path& program, const std::vector<Case>& plan) {
    struct stat file {};
    // Readable as well: a process of a program that it may not read is not dumpable (would_dump() in
    // fs/exec.c), and its files in /proc are closed.
    constexpr mode_t kOpen = S_IROTH | S_IXOTH;
    if (std::ranges::none_of(plan, &Case::has_condition) || stat(program.c_str(), &file) != 0 ||
        file.st_uid == geteuid() || (file.st_mode & kOpen) == kOpen)
        return 0;
    return Capabilities{1} << CAP_DAC_OVERRIDE;
}

std::optional<Capabilities> kept_by(const std::optional<protocol::Privilege>& privilege) {
    if (!privilege || privilege->own.call == protocol::Call::capget) return std::nullopt;
    return privilege->permitted;
}

std::string kept_more(const std::optional<protocol::Privilege>& privilege, Capabilities keep) {
    if (!privilege) return "";
    std::string why;
    for (const protocol::Failure& failure : {privilege->bounding, privilege->own}) {
        if (failure.error == 0) continue;
        // It had what this process has.
        why += fmt::format("{}{}", why.empty() ? "" : "; ", explain(failure, {}, sys::held_capabilities()));
    }
    if (!why.empty())
        return fmt::format("the sampler could not give up all privileges that it does not need: {}", why);
    const Capabilities more = kept_by(privilege).value_or(0) & ~keep;
    if (more == 0) return "";
    return fmt::format("the sampler has privileges that it does not need, and did not say why: {}",
                       names_of(more));
}

}  // namespace nsb::run
