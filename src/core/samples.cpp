#include "core/samples.h"

#include <algorithm>
#include <boost/range/adaptor/reversed.hpp>
#include <cmath>
#include <limits>

namespace nsb {
namespace {

/// Room for a quarter more, where vector would double: thousands of series grow at the same time.
template <typename T>
void make_room(std::vector<T>& values, std::size_t size) {
    if (size > values.capacity()) values.reserve(size + size / 4 + 4);
}

template <typename T>
void put(std::vector<T>& values, std::size_t at, T value) {
    make_room(values, at + 1);
    values.resize(at);
    values.push_back(value);
}

bool is_narrow(double ticks) {
    return ticks >= 0 && ticks <= std::numeric_limits<std::uint32_t>::max() && ticks == std::floor(ticks);
}

bool goes_on(const Stretch& stretch, const Sample& sample) {
    return stretch.round == sample.round && stretch.block == sample.block &&
           stretch.machine == sample.machine && stretch.sampler == sample.sampler &&
           stretch.drain == sample.time(Phase::drain) &&
           (sample.counted || stretch.counted == stretch.end);  // first those that do not count
}

}  // namespace

void TickColumn::set(std::size_t at, double ticks) {
    if (ticks == 0) return;
    if (wide_.empty() && is_narrow(ticks)) return put(narrow_, at, static_cast<std::uint32_t>(ticks));
    if (!narrow_.empty()) {
        wide_.assign(narrow_.begin(), narrow_.end());
        narrow_ = {};
    }
    put(wide_, at, ticks);
}

void TickColumn::cut(std::size_t size) {
    narrow_.resize(std::min(narrow_.size(), size));
    wide_.resize(std::min(wide_.size(), size));
}

void Samples::push_back(const Sample& sample) {
    const auto at = static_cast<std::uint32_t>(size());
    if (stretches_.empty() || !goes_on(stretches_.back(), sample)) {
        make_room(stretches_, stretches_.size() + 1);
        stretches_.push_back({at, at, at, sample.round, sample.block, sample.machine, sample.sampler,
                              sample.time(Phase::drain)});
    }
    Stretch& own = stretches_.back();
    ++own.end;
    if (!sample.counted) ++own.counted;
    for (std::size_t i = 0; i < kPhases; ++i) {
        if (static_cast<Phase>(i) != Phase::drain) times_[i].set(at, sample.times[i]);
    }
    ended_.set(at, sample.ended);
}

Sample Samples::operator[](std::size_t at) const {
    const Stretch& of = *std::ranges::upper_bound(stretches_, at, {}, &Stretch::end);
    Sample sample{of.round, of.block, at >= of.counted, {}, of.machine, of.sampler, ended(at)};
    for (std::size_t i = 0; i < kPhases; ++i) sample.times[i] = time(of, static_cast<Phase>(i), at);
    return sample;
}

std::vector<Sample> Samples::all() const {
    std::vector<Sample> all;
    for (std::size_t at = 0; at < size(); ++at) all.push_back((*this)[at]);
    return all;
}

void Samples::set_drain(std::uint32_t before, double cost) {
    for (Stretch& stretch : stretches_ | boost::adaptors::reversed) {
        if (stretch.block <= before) return;
        stretch.drain = cost;
    }
}

void Samples::cut(std::size_t size) {
    while (!empty() && stretches_.back().begin >= size) stretches_.pop_back();
    if (!empty()) {
        Stretch& last = stretches_.back();
        last.end = std::min(last.end, static_cast<std::uint32_t>(size));
        last.counted = std::min(last.counted, last.end);
    }
    for (TickColumn& times : times_) times.cut(size);
    ended_.cut(size);
}

void Samples::leave_out(const std::set<std::uint32_t>& rounds) {
    for (Stretch& stretch : stretches_) {
        if (rounds.contains(stretch.round)) stretch.counted = stretch.end;
    }
}

}  // namespace nsb
