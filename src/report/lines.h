// Lines of text as a terminal shows them: wrapping, and colours.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace nsb::report {

/// Broken at spaces where it is wider than `width`, with an indent in front of what follows; 0: not broken.
/// Ends with a newline.
std::string wrap(std::string_view text, std::size_t width);

inline constexpr std::string_view kDim = "\033[2m";
inline constexpr std::string_view kYellow = "\033[33m";
inline constexpr std::string_view kCyan = "\033[36m";
inline constexpr std::string_view kBold = "\033[1m";

class Painter {
  public:
    explicit Painter(bool colours) : colours_(colours) {}
    [[nodiscard]] std::string paint(std::string_view colour, std::string_view text) const;

  private:
    bool colours_;
};

}  // namespace nsb::report
