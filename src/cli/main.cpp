#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <new>
#include <string_view>

#include "cli/command_table.h"
#include "cli/commands.h"
#include "cli/complete.h"
#include "cli/outcome.h"
#include "cli/rights.h"
#include "cli/script.h"
#include "core/failure.h"
#include "report/dictionary.h"
#include "run/outputs.h"
#include "sys/file.h"

namespace {

using namespace nsb::cli;  // NOLINT(google-build-using-namespace): main is of this module

/// A standard stream that was closed must not become one of our files. What takes its place cannot be written
/// to, so that output to it is an error as it should be; a command of exec finds it closed.
void occupy_standard_streams() {
    for (int fd = 0; fd < 3; ++fd) {
        if (fcntl(fd, F_GETFD) < 0) (void)open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
}

/// Where operator new finds no memory. It ends here, as if it were killed, which a run is made for: an
/// exception would unwind through libraries that cannot have one there (a JSON value of nlohmann's is
/// destroyed half made, and crashes), and would need memory for its own message. Nothing here may take any.
/// No destructor runs: what has to be removed is removed here. It ends here for new (std::nothrow), too, with
/// which libstdc++ asks for a buffer that it could do without.
[[noreturn]] void end_without_memory() {
    for (const std::string_view text :
         {std::string_view("nsbench: "), nsb::limit_behind(ENOMEM), std::string_view("\n")})
        nsb::sys::try_write(STDERR_FILENO, text);
    nsb::sys::remove_unfinished();
    _exit(kNotPermitted);
}

/// So libstdc++ ends where there is no memory left even for an exception.
[[noreturn]] void end_without_exception() {
    if (std::current_exception()) std::abort();
    end_without_memory();
}

void require_standard_output() {
    if ((fcntl(STDOUT_FILENO, F_GETFL) & O_ACCMODE) == O_RDONLY) {
        throw UsageError("standard output is closed; redirect it to a file or to /dev/null");
    }
}

int dispatch(const Options& options, const nsb::isolate::Dispositions& inherited) {
    switch (options.command) {
        case Command::run:
            return run_measurements(options);
        case Command::benchmark:
            return options.only_listed ? list_cases(options) : run_benchmark(options);
        case Command::churn:
            return run_churn(options);
        case Command::summary:
            return run_summary(options);
        case Command::guest:
            return run_guest(options);
        case Command::list:
            return list_cases(options);
        case Command::verify:
            return run_verify(options);
        case Command::exec:
            return run_exec(options, inherited);
        case Command::doctor:
            return options.prepare.is_asked_for ? run_prepared(options, inherited) : run_doctor(options);
        case Command::dictionary:
            print(options.as_json ? nsb::report::dictionary_json(nsb::run::output_names())
                                  : nsb::report::dictionary_markdown());
            return kMeasured;
        case Command::script:
            become_script(options.script.name, options.script.words, inherited);
        case Command::complete:
            if (const auto words = completed_by_script(options.completed))
                become_script("described", *words, inherited);
            print(candidates(options.completed));
            return kMeasured;
        case Command::completion:
        case Command::help:
        case Command::version:
            print(options.text);
            return kMeasured;
    }
    return kUsage;
}

void mind_memory() {
    std::set_new_handler(end_without_memory);
    std::set_terminate(end_without_exception);
}

/// Before the constructors of shared libraries too, which take memory (ELF gABI, DT_PREINIT_ARRAY).
[[gnu::used, gnu::section(".preinit_array")]] void (*const kBeforeLibraries)() = mind_memory;

}  // namespace

int main(int argc, char** argv) {
    occupy_standard_streams();
    // A pipe without a reader and a file at its limit are errors of write(2). Where SIGCHLD was ignored, no
    // child's end could be waited for.
    const nsb::isolate::Dispositions inherited{std::signal(SIGPIPE, SIG_IGN), std::signal(SIGCHLD, SIG_DFL),
                                               std::signal(SIGXFSZ, SIG_IGN)};
    try {
        const Options options = with_rights_over_files([&] { return parse({argv + 1, argv + argc}); });
        const bool is_for_another =  // program, which minds its own streams
            options.command == Command::exec || options.command == Command::script ||
            options.prepare.is_asked_for;
        if (!is_for_another) require_standard_output();
        if (rights_for(options) == Rights::over_files) give_up_rights();
        return dispatch(options, inherited);
    } catch (const std::exception& error) {
        return end_by(error);
    }
}
