// The lines of a text that may be too long to be held.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace nsb::run {

/// What a file says that does not hold: the column or member, and why.
struct Wrong {
    std::string what;
};

/// The next piece of a text, good until the next call; empty at its end.
using NextPiece = std::function<std::string_view()>;

/// A text that is there whole, and outlives it.
inline NextPiece whole(std::string_view text) {
    return [text]() mutable { return std::exchange(text, {}); };
}

/// The lines of a text that comes in pieces.
class Lines {
  public:
    explicit Lines(NextPiece next) : next_(std::move(next)) {}

    /// Without its end; nothing at the text's end. Throws Wrong where that is within the line.
    std::optional<std::string> next() {
        std::size_t searched = at_;
        for (;;) {
            const std::size_t end = text_.find('\n', searched);
            if (end != std::string::npos) {
                std::string line = text_.substr(at_, end - at_);
                if (line.ends_with('\r'))
                    throw Wrong{"the line ends in \\r\\n, and not in \\n alone as it was written"};
                bytes_ += line.size() + 1;
                at_ = end + 1;
                return line;
            }
            text_.erase(0, std::exchange(at_, 0));
            searched = text_.size();
            text_ += next_();
            if (text_.size() > searched) continue;
            if (text_.empty()) return std::nullopt;
            throw Wrong{"the file ends within this line"};
        }
    }

    /// Of the lines that came, with their ends.
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

  private:
    NextPiece next_;
    std::string text_;    // that is here
    std::size_t at_ = 0;  // where the next line begins in it
    std::uint64_t bytes_ = 0;
};

}  // namespace nsb::run
