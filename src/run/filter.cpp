#include "run/filter.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace nsb::run {
namespace {

/// Of a search: how many looks are left, and where its stack began.
struct Limits {
    std::size_t looks;
    std::uintptr_t stack;
};

std::uintptr_t stack_here() {
    return reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
}

/// A place in a text, of a search with these limits.
class Place {
  public:
    using iterator_category = std::bidirectional_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;

    Place() = default;
    Place(const char* at, Limits* limits) : at_(at), limits_(limits) {}

    reference operator*() const {
        look();
        return *at_;
    }
    Place& operator++() {
        ++at_;
        return *this;
    }
    Place operator++(int) {
        Place before = *this;
        ++*this;
        return before;
    }
    Place& operator--() {
        --at_;
        return *this;
    }
    Place operator--(int) {
        Place before = *this;
        --*this;
        return before;
    }
    /// Counted, too: an expression that fits nothing, again and again, never looks at a letter.
    bool operator==(const Place& other) const {
        look();
        return at_ == other.at_;
    }

  private:
    void look() const {
        if (limits_ == nullptr) return;
        if (limits_->looks == 0 || limits_->stack - stack_here() > kMostOfStack)
            throw std::regex_error(std::regex_constants::error_complexity);
        --limits_->looks;
    }

    const char* at_ = nullptr;
    Limits* limits_ = nullptr;
};

}  // namespace

bool Filter::is_in(const std::string& text) {
    const std::size_t looks = std::min(kMostLooks, looks_left_);
    Limits limits{looks, stack_here()};
    std::match_results<Place> found;
    const bool is_found = std::regex_search(Place(text.data(), &limits),
                                            Place(text.data() + text.size(), &limits), found, expression_);
    looks_left_ -= looks - limits.looks;
    return is_found;
}

bool Filter::finds(const std::string& id) {
    return is_in(id) || is_in(id + '/');
}

}  // namespace nsb::run
