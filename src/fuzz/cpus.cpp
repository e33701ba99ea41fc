#include "core/capabilities.h"
#include "env/cpu_list.h"
#include "env/files.h"
#include "fuzz/target.h"

namespace nsb::fuzz {

void cpus(std::string_view input) {
    if (const auto listed = env::parse_cpus(input)) {
        must_hold(env::parse_cpus(env::to_text(*listed)) == listed, "CPUs that are written are read again");
        must_hold(env::without(*listed, *listed).empty(), "nothing is left of all");
    }
    if (const auto held = parse_capabilities(input)) (void)names_of(*held);
    (void)env::words(input);
    (void)env::field(input, "Slab");
    (void)env::marked(input);
    (void)env::marked(input, "()");
}

}  // namespace nsb::fuzz
