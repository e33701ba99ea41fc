#include "env/preparation.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/range/adaptor/reversed.hpp>
#include <map>

#include "core/failure.h"

namespace nsb::env {
namespace {

/// Its thread has ended, and needs nothing.
bool has_ended(const Change& change, int error) {
    return change.form == Form::affinity && (error == ENOENT || error == ESRCH);
}

/// "0-1" or "nothing".
std::string shown(const std::string& state) {
    return state.empty() ? "nothing" : state;
}

bool was_made(const Attempt& attempt) {
    return !attempt.refused && !attempt.in_force.empty();
}

/// Refusals of the same call and errno are one clause, with the first path and how many more there are.
std::string clauses(const std::vector<Attempt>& attempts) {
    std::map<std::string, std::vector<const Attempt*>> by_reason;
    for (const Attempt& attempt : attempts) {
        if (!attempt.refused) continue;
        const sys::Refusal& r = *attempt.refused;
        by_reason[fmt::format("{} {} {}", r.call, r.error, r.remedy)].push_back(&attempt);
    }
    std::string text;
    for (const auto& [reason, all] : by_reason) {
        text += fmt::format("{}{}", text.empty() ? "" : "; ", all.front()->refused->text());
        if (all.size() > 1) text += fmt::format(", and {} more like it", all.size() - 1);
    }
    return text;
}

/// With the folder that it is in.
bool goes_by_itself(const Change& change) {
    return change.is_in_folder && change.before.empty();
}

/// The states, where they are all the same; else how many there are.
std::string changed(const std::vector<const Attempt*>& made) {
    const Attempt& first = *made.front();
    const bool are_alike = std::ranges::all_of(made, [&](const Attempt* one) {
        return one->change.before == first.change.before && one->in_force == first.in_force;
    });
    const std::string what = made.size() > 1 ? fmt::format("{} of them: ", made.size()) : "";
    return are_alike ? fmt::format("{}{} → {}", what, shown(first.change.before), first.in_force)
                     : fmt::format("{}for one {} → {}", what, shown(first.change.before), first.in_force);
}

std::string line(std::string_view status, std::string_view id, std::string_view text) {
    return fmt::format("{:<9}{:<14} {}\n", status, id, text);
}

std::string line_of(const Prepared& prepared) {
    const std::string_view id = prepared.setting->id;
    if (prepared.unreadable)
        return line("not set", id,
                    fmt::format("{} ({})", prepared.unreadable->text(), prepared.setting->why));
    std::vector<const Attempt*> made;
    for (const Attempt& attempt : prepared.attempts) {
        if (was_made(attempt)) made.push_back(&attempt);
    }
    const std::string refusals = clauses(prepared.attempts);
    if (made.empty() && refusals.empty()) return line("as it is", id, "nothing to be changed");
    if (made.empty()) return line("not set", id, fmt::format("{} ({})", refusals, prepared.setting->why));
    // A folder's last change says most about it.
    std::string text = made.front()->change.form == Form::folder || made.front()->change.form == Form::word
                           ? fmt::format("{}: {}", made.back()->change.path, made.back()->in_force)
                           : changed(made);
    if (!refusals.empty()) text += fmt::format("; not all: {}", refusals);
    return line("set", id, text);
}

}  // namespace

sys::Expected<std::string> apply(const Root& root, const Change& change) {
    std::optional<sys::Refusal> last;
    for (const std::string& wanted : change.wanted) {
        if (const auto written = write_state(root, change, wanted); !written) {
            last = sys::Refusal{"write", fmt::format("{}, {}", change.path, wanted), written.error()};
            continue;
        }
        const auto now = state_of(root, change);
        if (now && *now == wanted) return wanted;
        last = now ? sys::Refusal{"write", fmt::format("{}, {}", change.path, wanted), 0,
                                  fmt::format("it reads {} all the same", shown(*now))}
                   : sys::Refusal{"open", change.path, now.error()};
    }
    const auto now = state_of(root, change);
    if (now && *now != change.before && !goes_by_itself(change))
        (void)write_state(root, change, change.before);
    return tl::unexpected(last.value_or(sys::Refusal{"write", change.path, EINVAL}));
}

Return put_back(const Root& root, const Change& change) {
    if (goes_by_itself(change)) return {Returned::unchanged};
    const auto now = state_of(root, change);
    // What was in a folder that is not there needs nothing either.
    const bool is_gone = !now && (change.is_in_folder || has_ended(change, now.error()));
    if (is_gone) return {Returned::unchanged};
    if (!now) return {Returned::failed, "", now.error()};
    if (*now == change.before) return {Returned::unchanged, *now};
    if (std::ranges::count(change.wanted, *now) == 0) return {Returned::left_alone, *now};
    if (const auto written = write_state(root, change, change.before); !written) {
        if (has_ended(change, written.error())) return {Returned::unchanged, *now};
        return {Returned::failed, *now, written.error()};
    }
    const auto after = state_of(root, change);
    if (!after && has_ended(change, after.error())) return {Returned::unchanged, *now};
    if (!after || *after != change.before) return {Returned::failed, after.value_or(*now)};
    return {Returned::put_back, *now};
}

Preparation Preparation::plan(Target target, const std::vector<std::string>& left) {
    Preparation preparation(std::move(target));
    for (const Setting& setting : settings()) {
        if (std::ranges::count(left, setting.id) > 0) continue;
        Planned planned = setting.plan(preparation.target_);
        Prepared prepared{&setting, {}, std::nullopt};
        if (!planned)
            prepared.unreadable = std::move(planned.error());
        else
            for (Change& change : *planned) prepared.attempts.push_back({std::move(change)});
        preparation.settings_.push_back(std::move(prepared));
    }
    return preparation;
}

void Preparation::apply() {
    for (Prepared& prepared : settings_) {
        bool is_whole = true;
        for (Attempt& attempt : prepared.attempts) {
            if (attempt.change.is_consequence) continue;
            auto done = env::apply(target_.root, attempt.change);
            if (done)
                attempt.in_force = std::move(*done);
            else
                attempt.refused = std::move(done.error());
            if (done || prepared.setting->extent == Extent::each) continue;
            is_whole = false;
            break;
        }
        if (is_whole) continue;
        for (Attempt& attempt : boost::adaptors::reverse(prepared.attempts)) {
            (void)env::put_back(target_.root, attempt.change);
        }
        for (Attempt& attempt : prepared.attempts) attempt.in_force.clear();
    }
    // A cpuset that was made after it may have moved a thread once more.
    for (Prepared& prepared : settings_) {
        for (Attempt& attempt : prepared.attempts) {
            if (attempt.change.form != Form::affinity || !was_made(attempt)) continue;
            const auto now = state_of(target_.root, attempt.change);
            if (!now || *now == attempt.in_force) continue;
            attempt.refused = sys::Refusal{"sched_setaffinity", attempt.change.path, 0,
                                           fmt::format("the cpuset moved it to {}: --leave=cpuset", *now)};
        }
    }
}

Preparation::Back Preparation::put_back() const {
    Back all;
    std::string& text = all.text;
    for (const Prepared& prepared : boost::adaptors::reverse(settings_)) {
        std::size_t count = 0;
        for (const Attempt& attempt : boost::adaptors::reverse(prepared.attempts)) {
            const Change& change = attempt.change;
            const Return back = env::put_back(target_.root, change);
            const std::string_view id = prepared.setting->id;
            if (back.how == Returned::put_back) ++count;
            if (back.how == Returned::left_alone && !attempt.refused && !change.is_consequence &&
                !change.is_in_folder) {
                text += line("left", id,
                             fmt::format("{}: somebody made it {} meanwhile; it was {}", change.path,
                                         shown(back.now), shown(change.before)));
            }
            if (back.how == Returned::failed) {
                all.is_whole = false;
                text +=
                    line("NOT BACK", id,
                         fmt::format("{}: {}; it was {}", change.path,
                                     back.error != 0 ? errno_name(back.error) : "it reads " + shown(back.now),
                                     shown(change.before)));
            }
        }
        if (count > 0) text += line("put back", prepared.setting->id, fmt::format("{}", count));
    }
    return all;
}

std::string Preparation::text() const {
    std::string text;
    for (const Prepared& prepared : settings_) text += line_of(prepared);
    return text;
}

std::optional<std::string> Preparation::cgroup() const {
    for (const Prepared& prepared : settings_) {
        const bool is_entered = std::ranges::any_of(prepared.attempts, [](const Attempt& attempt) {
            return was_made(attempt) && attempt.change.path.ends_with(".partition");
        });
        if (!is_entered) continue;
        for (const Attempt& attempt : prepared.attempts) {
            if (attempt.change.form == Form::folder)
                return fmt::format("{}{}/cgroup.procs", target_.root.prefix, attempt.change.path);
        }
    }
    return std::nullopt;
}

}  // namespace nsb::env
