// The digest of a run: for a terminal, as Markdown, and as JSON.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.h"
#include "report/columns.h"

namespace nsb::report {

/// What is said of the run beside its figures.
struct DigestRun {
    RunIdentity identity;
    std::string version;  ///< of nsbench
    std::string machine;  ///< its CPU
    double precision = 0.02;
    std::uint32_t rounds = 0;
    double seconds = 0;
    std::uint64_t seed = 0;
    std::size_t repeats = 0;              ///< whose scatter the intervals are of; 0: it is that of rounds
    bool has_machines = false;            ///< of the lab, which figures vary between
    int interrupted_by = 0;               ///< a signal
    std::vector<std::string> warnings{};  ///< also what the doctor warns of
};

struct DigestStyle {
    std::size_t width = 0;  ///< columns of the terminal; 0: kUsualWidth
    bool colour = false;
    bool below_table = true;  ///< whose marks are explained
};

/// Where there is no terminal to be fitted.
inline constexpr std::size_t kUsualWidth = 80;

std::string digest_text(const DigestRun& run, const Digest& digest, const DigestStyle& style);
std::string digest_markdown(const DigestRun& run, const Digest& digest);
std::string digest_json(const DigestRun& run, const Digest& digest);

/// What the formats have in common.
namespace digest {
/// A set in few words: "all but NEWTIME" where that is shorter.
std::string set_name(KindSet kinds);
/// What an entry is about: its kinds, or a runtime.
std::string entry_name(const DigestBlock& block, const DigestEntry& entry);
/// "clone · create", with the parameters of its cases where they are not the defaults.
std::string block_name(const DigestBlock& block);
/// What entries are: kind, set or runtime.
std::string_view subject(const DigestBlock& block);
/// "what each kind adds to none".
std::string about(const DigestBlock& block);
/// What entries add to, in few words.
std::string base_name(const DigestBlock& block);
/// "+341 µs", or without a sign what is no difference.
std::string value_text(const DigestBlock& block, double value, const RunIdentity& run);
/// "338 µs … 344 µs", or "±1.2 k" of saved machines; empty where nothing is known.
std::string range_text(const Quantity& figure, const RunIdentity& run);
/// What range_text() says of this run.
std::string range_name(const DigestRun& run);
/// "skipped: ENOSYS".
std::string status_text(const DigestEntry& entry);
/// What cases without a figure have in common, in a line.
std::string missing_text(const Missing& missing);
/// What kinds share, and what sets cost beside the sum of their kinds: a line each, all that goes on being
/// indented.
std::vector<std::string> sum_lines(const DigestBlock& block, const RunIdentity& run);
/// What the bases take, in a line for each set that they have.
std::vector<std::string> base_lines(const Digest& digest, const RunIdentity& run);
/// How many cases have a line of their own; empty where all have.
std::string shown_text(const Digest& digest);
/// How many cases are precise.
std::string precision_text(const DigestRun& run, const Digest& digest);
}  // namespace digest

}  // namespace nsb::report
