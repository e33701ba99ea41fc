// The first words to a sampler's program.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "core/capabilities.h"
#include "sys/process.h"

namespace nsb::run {

/// The argument of one that may keep these capabilities.
std::string keeping(Capabilities keep);

/// Says to one that has just been started which protocol this nsbench speaks, and hears which it does, and
/// what it may do. One that does not answer is left for its user to find. Throws std::runtime_error where it
/// is of another build.
std::optional<protocol::Privilege> greet(const sys::Fd& socket, const sys::Process& process,
                                         const std::filesystem::path& program);

}  // namespace nsb::run
