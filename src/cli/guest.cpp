// The command `guest`: what a saved machine of the lab waits in, and what a copy of it does.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>

#include "cli/commands.h"
#include "cli/outcome.h"
#include "cli/probing.h"
#include "core/text.h"
#include "run/measurement.h"
#include "run/store.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/lab_machine.h"
#include "sys/process.h"

namespace nsb::cli {
namespace {

/// The kernel's messages from the moment of construction on.
class KernelLog {
  public:
    KernelLog() : fd_(open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC)) {
        if (fd_) lseek(fd_.get(), 0, SEEK_END);
    }

    [[nodiscard]] std::string read_new() const {
        std::string text;
        std::array<char, 8192> record{};  // CONSOLE_EXT_LOG_MAX: each read(2) is one record
        for (ssize_t n = 0; fd_ && (n = read(fd_.get(), record.data(), record.size())) > 0;) {
            text.append(record.data(), static_cast<std::size_t>(n));
        }
        return text;
    }

  private:
    sys::Fd fd_;
};

/// The order that asks for the kernel's symbols instead, and for the notes by which its file is known.
constexpr std::string_view kSymbols = "symbols";

int send_symbols(const sys::LabMachine& machine) {
    const auto text = sys::read_file("/proc/kallsyms");
    if (!text) throw sys::SystemError("open", "/proc/kallsyms", text.error());
    machine.send("kallsyms", *text);
    machine.send("notes", sys::read_file("/sys/kernel/notes").value_or(""));
    return kMeasured;
}

/// The first word of an order that has another program measure: its name, found beside nsbench, and its
/// arguments follow.
constexpr std::string_view kProgram = "program";

int run_program(const sys::LabMachine& machine, std::span<const std::string> words) {
    if (words.empty()) throw UsageError("the order names no program");
    const auto program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / words.front();
    const auto text = sys::output_of(program, {words.begin() + 1, words.end()});
    if (!text) throw sys::SystemError("posix_spawn", program.native(), text.error());
    machine.send("output", *text);
    return kMeasured;
}

/// Measures what the order asks for, and sends its files. Returns the exit code.
int carry_out(const sys::LabMachine& machine, const Options& asked, run::RunStart start,
              run::Instruments instruments) {
    if (asked.command != Command::run) throw UsageError("a guest measures, and does nothing else");
    if (asked.repeat > 1)
        throw UsageError("--repeat: copies of one saved machine have no scatter of repeats");
    start.arguments = asked.arguments;
    start.options = asked.run;
    start.identity.state = asked.state;
    const auto plan = make_plan(start.options.selection);
    if (!plan) throw UsageError(plan.error());
    OpenedProbe opened = open_probe(asked, *plan);
    start.warnings = opened.warnings;
    run::Measurement measurement(start, *plan, std::move(instruments));
    run::Runner& runner = measurement.runner();
    std::vector<const Series*> series;
    for (const Series& s : runner.series()) series.push_back(&s);
    runner.measure({});
    std::optional<run::Probed> probed;
    if (opened.probe) probed = run_probed_pass(asked, start.options, measurement, *opened.probe, {});
    const run::RunInfo info = measurement.describe(std::move(probed));
    if (info.probe) machine.send("probe.txt", probe_lines(asked, info, runner.planned()));
    const std::vector<Row> rows = measurement.rows();
    const run::RunData data{info, rows, series};
    for (const auto& [output, path] : asked.files) {
        if (output->can_be_made_of(info)) machine.send(path, output->text(data));
    }
    for (const run::Output& output : run::outputs()) {
        // The summary is made outside, of the samples of all copies.
        if (output.file.empty() || output.file == run::kResultsCsv || !output.can_be_made_of(info)) continue;
        machine.send(output.file, output.text(data));
    }
    return exit_code(info, rows);
}

}  // namespace

int run_guest(const Options& options) {
    const auto machine = sys::LabMachine::open();
    if (!machine) {
        throw run::NotPermitted(
            fmt::format("guest: {}: this is no guest of scripts/lab.py, which alone it is for",
                        errno_name(machine.error())));
    }
    run::RunStart start = describe_start(options);
    run::Instruments instruments = run::Instruments::prepare(options.run, std::nullopt);
    instruments.teardown = env::TeardownWatch::open();
    const KernelLog log;
    machine->stop();

    // From here on in a copy.
    int code = kFailed;
    try {
        const std::vector<std::string> order = split(machine->order(), "\n");
        const std::string first = order.empty() ? "" : order.front();
        if (first == kSymbols) {
            code = send_symbols(*machine);
        } else if (first == kProgram) {
            code = run_program(*machine, std::span(order).subspan(1));
        } else {
            code = carry_out(*machine, parse(order), std::move(start), std::move(instruments));
        }
    } catch (const std::exception& error) {
        const Ending ending = ending_of(error);
        machine->send("stderr", ending.line);
        code = ending.code;
    }
    if (const std::string messages = log.read_new(); !messages.empty()) machine->send("dmesg", messages);
    machine->send("status", std::to_string(code));
    machine->end();
}

}  // namespace nsb::cli
