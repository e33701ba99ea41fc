// uts: the names that a machine has.
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>

#include "isolate/checks.h"

namespace nsb::isolate {
namespace {

/// What is set inside: the second where the machine has the first for a name already.
constexpr std::array<std::string_view, 2> kNames{"nsbench-inside", "nsbench-within"};

/// One of the machine's names: how it is read and set.
struct UtsName {
    const char* (*in)(const utsname& names);
    int (*set)(const char* name, std::size_t length);
    const char* call;
};
constexpr UtsName kHostname{[](const utsname& names) { return names.nodename; }, sethostname, "sethostname"};
constexpr UtsName kDomainname{[](const utsname& names) { return names.domainname; }, setdomainname,
                              "setdomainname"};

template <const UtsName& name>
PeerAnswer get(const std::string&) {
    utsname names{};
    if (uname(&names) != 0) return PeerAnswer::failed("uname");
    return {0, name.in(names)};
}

template <const UtsName& name>
PeerAnswer set(const std::string& text) {
    if (name.set(text.data(), text.size()) != 0) return PeerAnswer::failed(name.call);
    return {};
}

/// On the outside: what was read there before anything was set, and is all that is ever written there.
template <const UtsName& name>
std::optional<std::string>& kept() {
    static std::optional<std::string> before;
    return before;
}

/// A host that is not isolated after all gets its name back; any name but a check's stays.
template <const UtsName& name>
PeerAnswer give_back(const std::string&) {
    const PeerAnswer now = get<name>("");
    const bool is_checks = now.error == 0 && std::ranges::find(kNames, now.text) != kNames.end();
    return is_checks && kept<name>() ? set<name>(*kept<name>()) : now;
}

template <const UtsName& name>
PeerAnswer keep(const std::string&) {
    PeerAnswer now = get<name>("");
    if (now.error != 0) return now;
    kept<name>() = now.text;
    // Also where nsbench does not get as far as asking for it.
    at_end([] { (void)give_back<name>(""); });
    return now;
}

template <const UtsName& name>
Verdict check_name(CheckContext& context) {
    const std::string before = context.outside.must(keep<name>);
    const std::string ours(before == kNames[0] ? kNames[1] : kNames[0]);
    Peer inside(context.recipe(Kind::uts));
    inside.must(set<name>, ours);
    const std::string seen_inside = inside.must(get<name>);
    const std::string seen_outside = context.outside.must(get<name>);
    if (seen_outside != before) context.outside.must(give_back<name>);
    return judge(seen_inside == ours && seen_outside == before, seen_inside, seen_outside);
}

}  // namespace

Verdict check_hostname(CheckContext& context) {
    return check_name<kHostname>(context);
}

Verdict check_domainname(CheckContext& context) {
    return check_name<kDomainname>(context);
}

}  // namespace nsb::isolate
