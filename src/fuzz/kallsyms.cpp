#include "sys/kallsyms.h"

#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "env/batch_watch.h"
#include "env/teardown.h"
#include "exact/symbols.h"
#include "fuzz/target.h"
#include "probe/symbols.h"

namespace nsb::fuzz {
namespace {

constexpr std::size_t kLookedFor = 2;  ///< at either end: each time, all lines are read

}  // namespace

void kallsyms(std::string_view input) {
    const std::string text(input);
    const auto symbols = probe::Symbols::parse(text);
    std::istringstream lines(text);
    const auto guest = exact::GuestSymbols::read(lines);
    std::vector<std::string> names;
    env::WorkerSearch workers;
    sys::each_kernel_symbol(text, [&](const sys::KernelSymbol& symbol) {
        (void)symbols.name(symbol.address);
        (void)symbols.kept_as(symbol.name);
        const auto function = guest.at(symbol.address);
        must_hold(!guest.name(function).empty() || guest.find("").has_value(), "a function has a name");
        must_hold(!guest.is_first(symbol.address) || function > exact::kNameless,
                  "where a function begins, it is that function");
        names.emplace_back(symbol.name);
        workers.see(symbol);
    });
    for (std::size_t at = 0; at < names.size(); ++at) {
        if (at >= kLookedFor && at + kLookedFor < names.size()) continue;
        if (const auto range = env::find_text(text, names[at]))
            must_hold(range->begin < range->end, "a function lies behind its begin");
    }
    if (const auto found = std::move(workers).found()) {
        for (const env::Worker& worker : *found) {
            must_hold(worker.address != 0 || worker.function->role == Role::new_work,
                      "what tears namespaces down is there, or refused");
        }
    }
}

}  // namespace nsb::fuzz
