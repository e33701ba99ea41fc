#include "cli/laws.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <exception>

#include "cli/outcome.h"
#include "cli/rights.h"
#include "cli/script.h"
#include "report/csv.h"
#include "sys/error.h"
#include "sys/file.h"

namespace nsb::cli {
namespace {

constexpr const char* kName = "results.csv";
constexpr const char* kScript = "curves";

/// The rows as a file of this process and its children alone: nothing is left of it, however they end.
sys::Fd file_of(const run::Summary& summary) {
    sys::Fd file(static_cast<int>(sys::must(memfd_create(kName, 0), "memfd_create", kName)));
    sys::write_all(file.get(), report::results_csv(summary.info.identity, summary.rows), kName);
    return file;
}

[[noreturn]] void become_child(const std::vector<std::string>& words) {
    try {
        give_up_rights();
        become_script(kScript, words, {});
    } catch (const std::exception& error) {
        const Ending ending = ending_of(error);
        sys::try_write(STDERR_FILENO, ending.line);
        _exit(ending.code);
    }
}

}  // namespace

void print_laws(const run::Summary& summary) {
    const auto& curve = summary.info.options.selection.curve;
    if (!curve || summary.info.interrupted_by != 0) return;
    // The lab's guests have no scripts: what they have counted is summed up by the nsbench outside.
    if (summary.info.identity.clock == TickClock::instructions && !script_file(kScript)) return;
    try {
        const sys::Fd file = file_of(summary);
        const auto child = sys::must(sys::checked(fork()), "fork");
        if (child == 0) {
            become_child({fmt::format("/proc/self/fd/{}", file.get()),
                          fmt::format("--of={}", info(curve->parameter).key), "--laws-alone"});
        }
        sys::retried([&] { return waitpid(child, nullptr, 0); });
    } catch (const std::exception& error) {
        sys::try_write(STDERR_FILENO, ending_of(error).line);
    }
}

}  // namespace nsb::cli
