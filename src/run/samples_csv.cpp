#include "run/samples_csv.h"

#include <algorithm>
#include <limits>
#include <list>

#include "report/csv.h"

namespace nsb::run {
namespace {

/// Written at once: as much as a system call is worth.
constexpr std::size_t kPiece = 1U << 20U;

/// What of a series is not in the file yet.
class NewLines {
  public:
    NewLines(const report::RunIdentity& run, const Series& series, std::size_t samples, bool is_failure_new)
        : lines_(run, series),
          all_(series.samples.stretches()),
          next_(std::ranges::upper_bound(all_, samples, {}, &Stretch::end) - all_.begin()),
          at_(samples),
          of_machine_(begin_of_machine()),
          is_failure_new_(is_failure_new) {}

    [[nodiscard]] bool is_done() const { return !has_samples() && !is_failure_new_; }
    /// Of the next samples; behind all where there is a failure alone.
    [[nodiscard]] std::uint32_t round() const {
        return has_samples() ? stretch().round : std::numeric_limits<std::uint32_t>::max();
    }

    /// Those up to that round, and behind the last ones the failure.
    void put_up_to(std::uint32_t round, std::string& text, const sys::Put& put) {
        for (; has_samples() && stretch().round <= round; ++next_) {
            if (next_ > 0 && all_[static_cast<std::size_t>(next_) - 1].machine != stretch().machine)
                of_machine_ = stretch().begin;
            for (at_ = std::max<std::size_t>(at_, stretch().begin); at_ < stretch().end; ++at_) {
                lines_.append(text, stretch(), at_, at_ - of_machine_);
                if (text.size() < kPiece) continue;
                put(text);
                text.clear();
            }
        }
        if (has_samples() || !is_failure_new_) return;
        lines_.append_failed(text);
        is_failure_new_ = false;
    }

  private:
    [[nodiscard]] bool has_samples() const { return next_ < std::ssize(all_); }
    [[nodiscard]] const Stretch& stretch() const { return all_[static_cast<std::size_t>(next_)]; }
    /// Where the samples of the machine begin that the next one is of: they stand together.
    [[nodiscard]] std::size_t begin_of_machine() const {
        if (!has_samples()) return 0;
        const auto until = all_.first(static_cast<std::size_t>(next_) + 1);
        const auto is_of_another = [&](const Stretch& one) { return one.machine != until.back().machine; };
        return std::ranges::partition_point(until, is_of_another)->begin;
    }

    report::SampleLines lines_;
    std::span<const Stretch> all_;
    std::ptrdiff_t next_;
    std::size_t at_;
    std::size_t of_machine_;
    bool is_failure_new_;
};

/// Round by round, and in a round case by case: the same order, however many rounds are written at once.
void put_lines(std::string& text, std::list<NewLines> all, const sys::Put& put) {
    std::erase_if(all, [](const NewLines& one) { return one.is_done(); });
    while (!all.empty()) {
        const std::uint32_t round = std::ranges::min_element(all, {}, &NewLines::round)->round();
        for (NewLines& one : all) one.put_up_to(round, text, put);
        std::erase_if(all, [](const NewLines& one) { return one.is_done(); });
    }
    put(text);
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
    std::list<NewLines> all;
    for (const Series* s : series) all.emplace_back(run, *s, 0, s->failure.has_value());
    put_lines(text, std::move(all), put);
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
        std::list<NewLines> all;
        for (const Series* s : series) {
            const auto at = written_.find(s->measured);
            const Written own = at == written_.end() ? Written{} : at->second;
            const bool is_failure_new = s->failure && !own.failure;
            if (is_failure_new || s->samples.size() > own.samples)
                all.emplace_back(run, *s, own.samples, is_failure_new);
        }
        put_lines(text, std::move(all), put);
    };
    const bool is_beginning = is_beginning_of(series);
    if (!is_beginning || !file_.extend(put_new, folder)) {
        // Else the new file begins with what is valid of the earlier one.
        if (!is_beginning || !lines_ || !file_.is_known()) {
            file_.cut(folder);  // before nobody knows any more how far it is valid
            forget();
        }
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
