// uts: the names that a machine has.
#include <sys/utsname.h>
#include <unistd.h>

#include "isolate/checks.h"

namespace nsb::isolate {
namespace {

constexpr const char* kName = "nsbench-inside";

Answer get_hostname(const std::string&) {
    utsname names{};
    if (uname(&names) != 0) return Answer::failed("uname");
    return {0, names.nodename};
}

Answer set_hostname(const std::string& name) {
    if (sethostname(name.data(), name.size()) != 0) return Answer::failed("sethostname");
    return {};
}

Answer get_domainname(const std::string&) {
    utsname names{};
    if (uname(&names) != 0) return Answer::failed("uname");
    return {0, names.domainname};
}

Answer set_domainname(const std::string& name) {
    if (setdomainname(name.data(), name.size()) != 0) return Answer::failed("setdomainname");
    return {};
}

Verdict check_name(Stage& stage, Request get, Request set) {
    const std::string before = stage.outside.must(get);
    Peer inside(stage.recipe(Kind::uts));
    inside.must(set, kName);
    const std::string seen_inside = inside.must(get);
    const std::string seen_outside = stage.outside.must(get);
    // A host that is not isolated after all is given its name back.
    if (seen_outside != before) (void)stage.outside.ask(set, before);
    return judge(seen_inside == kName && seen_outside == before, seen_inside, seen_outside);
}

}  // namespace

Verdict check_hostname(Stage& stage) {
    return check_name(stage, get_hostname, set_hostname);
}

Verdict check_domainname(Stage& stage) {
    return check_name(stage, get_domainname, set_domainname);
}

}  // namespace nsb::isolate
