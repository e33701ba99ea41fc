// What is fuzzed: functions that read any bytes as the program reads a file, a message or its arguments.
#pragma once

#include <stdexcept>
#include <string_view>

namespace nsb::fuzz {

/// Something that must hold of whatever was read does not.
class Broken : public std::logic_error {
    using std::logic_error::logic_error;
};

/// `what` says what must hold, and does not where this is thrown.
inline void must_hold(bool holds, const char* what) {
    if (!holds) throw Broken(what);
}

/// Reads it. What is no input for the reader is an error of its own, which the target takes; all else that is
/// thrown is a finding, as a crash is.
#define NSB_TARGET(name, modules, reads) void name(std::string_view input);
#include "fuzz/targets.def"
#undef NSB_TARGET

}  // namespace nsb::fuzz
