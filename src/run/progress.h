// The line on a terminal that says how far a run is.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace nsb::run {

/// Which repeat it is.
struct RepeatPlace {
    std::uint32_t number, count;
    double apart_s;  ///< between two
};

struct Progress {
    std::uint32_t round;
    std::size_t blocks_done, blocks_in_round;
    std::size_t cases, cases_precise;
    double elapsed_s;
    std::optional<double> left_s;  ///< about; absent where nothing tells
    std::optional<RepeatPlace> repeat{};
};

/// "round 3: 120 of 606 blocks, 41 of 606 cases precise, 0:27 left", behind "repeat 2 of 5, " where it is
/// one: then what is left is that of all, the others as long as this one.
std::string describe(const Progress& progress);

/// "repeat 2 of 5 begins in 0:27".
std::string describe_pause(const RepeatPlace& next, double seconds);

/// Writes the line to standard error, at most ten times a second, and takes it away again.
class ProgressLine {
  public:
    void show(const Progress& progress);
    /// Of the probed pass: which share of it is done, after so long.
    void show_probing(double done, double elapsed_s);
    /// Of the time between two repeats.
    void show_pause(const RepeatPlace& next, double seconds);
    /// Of what is no run of rounds.
    void show(const std::string& text);
    void clear();
    ~ProgressLine() { clear(); }

  private:
    [[nodiscard]] bool is_due();
    void write(const std::string& text);

    std::chrono::steady_clock::time_point shown_{};
    bool visible_ = false;
};

}  // namespace nsb::run
