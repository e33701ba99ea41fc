#include "run/filter.h"

#include <iterator>

namespace nsb::run {
namespace {

/// A place in a text. All of a search together have so many looks.
class Place {
  public:
    using iterator_category = std::bidirectional_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;

    Place() = default;
    Place(const char* at, std::size_t* left) : at_(at), left_(left) {}

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
        if (left_ == nullptr) return;
        if (*left_ == 0) throw std::regex_error(std::regex_constants::error_complexity);
        --*left_;
    }

    const char* at_ = nullptr;
    std::size_t* left_ = nullptr;
};

bool is_in(const std::string& text, const std::regex& expression) {
    std::size_t left = kMostLooks;
    std::match_results<Place> found;
    return std::regex_search(Place(text.data(), &left), Place(text.data() + text.size(), &left), found,
                             expression);
}

}  // namespace

bool Filter::finds(const std::string& id) const {
    return is_in(id, expression_) || is_in(id + '/', expression_);
}

}  // namespace nsb::run
