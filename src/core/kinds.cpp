#include "core/kinds.h"

#include <fmt/format.h>

#include "core/text.h"

namespace nsb {

std::string to_string(KindSet set) {
    if (set.empty()) return "none";
    std::string id;
    for (const KindInfo& kind : kKinds) {
        if (!set.contains(kind.kind)) continue;
        if (!id.empty()) id += '-';
        id += kind.flag;
    }
    return id;
}

tl::expected<KindSet, std::string> parse_set(std::string_view text) {
    const std::string whole = to_lower(text);
    if (whole == "none") return KindSet{};
    if (whole == "all") return KindSet::all();

    std::vector<std::string_view> names;
    for (const KindInfo& kind : kKinds) names.insert(names.end(), {kind.name, kind.flag});
    KindSet set;
    for (const std::string& word : split(whole, ",-")) {
        bool known = false;
        for (const KindInfo& kind : kKinds) {
            if (word != kind.name && word != to_lower(kind.flag)) continue;
            set = set | kind.kind;
            known = true;
        }
        if (word == "none" || word == "all") return tl::unexpected(fmt::format("'{}' stands alone", word));
        if (!known) {
            return tl::unexpected(
                fmt::format("'{}' is no namespace kind (mnt, uts, ipc, pid, net, user, cgroup, time, their "
                            "NEW* flags, none or all){}",
                            word, nearest_hint(word, names)));
        }
    }
    return set;
}

}  // namespace nsb
