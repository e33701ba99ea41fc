#include "run/samples_csv.h"

#include <algorithm>

#include "report/csv.h"

namespace nsb::run {
namespace {

/// Written at once: as much as a system call is worth.
constexpr std::size_t kPiece = 1U << 20U;

/// Puts a series' lines behind the first `samples`, with its failure where that is not among them.
void put_lines(std::string& text, const report::RunIdentity& run, const Series& series, std::size_t samples,
               bool is_failure_new, const sys::Put& put) {
    if (samples == series.samples.size() && !is_failure_new) return;
    const report::SampleLines lines(run, series);
    const std::span all = series.samples.stretches();
    for (auto of = std::ranges::upper_bound(all, samples, {}, &Stretch::end); of != all.end(); ++of) {
        for (std::size_t at = std::max<std::size_t>(samples, of->begin); at < of->end; ++at) {
            lines.append(text, *of, at);
            if (text.size() < kPiece) continue;
            put(text);
            text.clear();
        }
    }
    if (is_failure_new) lines.append_failed(text);
}

bool is_same(const protocol::Failure& one, const protocol::Failure& other) {
    return one.call == other.call && one.error == other.error;
}

std::uint64_t lines_of(const Series& series) {
    return series.samples.size() + (series.failure ? 1 : 0);
}

/// The file whole.
void put_samples(const report::RunIdentity& run, std::span<const Series* const> series, const sys::Put& put) {
    std::string text = report::csv_header(report::sample_columns());
    for (const Series* s : series) put_lines(text, run, *s, 0, s->failure.has_value(), put);
    put(text);
}

}  // namespace

SamplesCsv::SamplesCsv(const sys::Fd& file, const RecordedSamples& read)
    : file_(kSamplesCsv), lines_(read.lines) {
    std::uint64_t ours = 0;
    for (const Series& s : read.series) {
        written_[s.measured] = {s.samples.size(), s.failure};
        ours += lines_of(s);
    }
    // Lines of other columns, or more of them than these series make, cannot be appended to.
    if (read.is_ours && ours == read.lines)
        file_ = sys::GrowingFile(kSamplesCsv, file, static_cast<off_t>(read.bytes));
}

bool SamplesCsv::is_beginning_of(std::span<const Series* const> series) const {
    std::size_t found = 0;
    for (const Series* s : series) {
        const auto at = written_.find(s->measured);
        if (at == written_.end()) continue;
        ++found;
        const auto& [samples, failure] = at->second;
        // A failure is a case's last line; one that was tried again has none any more.
        if (s->samples.size() < samples) return false;
        if (failure && (!s->failure || !is_same(*s->failure, *failure) || s->samples.size() > samples))
            return false;
    }
    return found == written_.size();
}

void SamplesCsv::save(int folder, const report::RunIdentity& run, std::span<const Series* const> series,
                      const std::function<void()>& forget) {
    const auto put_new = [&](const sys::Put& put) {
        std::string text;
        for (const Series* s : series) {
            const auto at = written_.find(s->measured);
            const Written own = at == written_.end() ? Written{} : at->second;
            put_lines(text, run, *s, own.samples, s->failure && !own.failure, put);
        }
        put(text);
    };
    if (!is_beginning_of(series) || !file_.extend(put_new, folder)) {
        file_.cut(folder);  // before nobody knows any more how far it is valid
        forget();
        file_.replace([&](const sys::Put& put) { put_samples(run, series, put); }, folder);
    }
    written_.clear();
    lines_ = 0;
    for (const Series* s : series) {
        written_[s->measured] = {s->samples.size(), s->failure};
        *lines_ += lines_of(*s);
    }
}

std::string samples_csv(const report::RunIdentity& run, std::span<const Series* const> series) {
    std::string text;
    put_samples(run, series, [&](std::string_view piece) { text += piece; });
    return text;
}

}  // namespace nsb::run
