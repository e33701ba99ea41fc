// The command line as one plain struct.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "report/table.h"
#include "run/churn_plan.h"
#include "run/outputs.h"
#include "run/run_info.h"

namespace nsb::cli {

/// Exit codes, as the help says them.
enum ExitCode : int { kMeasured = 0, kFailed = 1, kUsage = 2, kNotPermitted = 3 };
inline constexpr int kBySignal = 128;  ///< and the signal's number

/// A command line that cannot be carried out: one line, and what there is instead where that is long; exit
/// code 2.
class UsageError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
    UsageError(const std::string& line, std::string below)
        : std::runtime_error(line), below_(std::move(below)) {}
    [[nodiscard]] const std::string& below() const { return below_; }

  private:
    std::string below_;
};

enum class Command {
    run,
    benchmark,
    churn,
    list,
    summary,
    verify,
    exec,
    doctor,
    dictionary,
    guest,
    script,
    completion,
    complete,
    help,
    version
};

/// What a run's figures are shown as.
enum class Format { text, markdown, json };

/// Of the commands that make namespaces to be used rather than timed: verify and exec.
struct NamespaceOptions {
    KindSet set = KindSet::all();
    KindSet left_out;              ///< verify makes its namespaces without these
    std::string format = "table";  ///< of verify: table, csv or json
    bool proc = false;             ///< exec's steps inside
    bool net_lo = false;
    bool map_root = false;
    std::optional<std::string> hostname;
    std::vector<std::string> command;  ///< empty: the user's shell
};

/// Of doctor --prepare.
struct PrepareOptions {
    bool is_asked_for = false;
    std::vector<std::string> left;     ///< settings that stay as they are
    std::vector<std::string> command;  ///< with its name first
};

/// Of churn.
struct ChurnOptions {
    run::ChurnPlan plan;
    std::optional<std::string> out, csv;

    /// Whether standard output is for programs.
    bool as_json = false;
    [[nodiscard]] bool is_output_taken() const { return as_json || csv == "-"; }
};

/// A command that is a script of this name.
struct ScriptCall {
    std::string name;
    std::vector<std::string> words;
};

struct Options {
    Command command = Command::run;
    std::string text;  ///< of help, version and completion
    ScriptCall script;
    std::vector<std::string> completed;  ///< the words of complete
    run::RunOptions run;
    NamespaceOptions namespaces;
    PrepareOptions prepare;
    ChurnOptions churn;
    std::optional<std::string> out, resume;
    run::Destinations files;   ///< that outputs of their own go to
    std::uint32_t repeat = 1;  ///< how often the whole of it is measured
    std::chrono::nanoseconds apart{0};
    bool budget_given = false;  ///< these may differ from a resumed run's
    bool precision_given = false;
    std::optional<Disturbed> disturbed;  ///< likewise, and of a summary
    bool narrowed = false;               ///< something was selected, which --resume does not take
    std::string probe = "off";
    report::Sort sort = report::Sort::plan;
    Format format = Format::text;
    bool all = false;      ///< every row of the table, also on a terminal
    bool verbose = false;  ///< why things are as they are, on standard error
    bool quiet = false;    ///< the digest alone
    bool no_progress = false;
    std::string state;                   ///< the name of the kernel's state
    std::string folder;                  ///< of summary
    bool with_bases = false;             ///< of list
    bool as_root = false;                ///< likewise
    bool as_json = false;                ///< of dictionary, which is Markdown otherwise
    std::vector<std::string> benchmark;  ///< Google Benchmark's own options
    bool only_listed = false;            ///< of benchmark: the ids, and nothing is measured
    std::vector<std::string> arguments;  ///< as typed
};

/// Throws UsageError: the option, the value, what is accepted, and the nearest match of a misspelt name.
Options parse(const std::vector<std::string>& arguments);

}  // namespace nsb::cli
