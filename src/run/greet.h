// The first words to a sampler's program.
#pragma once

#include <filesystem>

#include "sys/process.h"

namespace nsb::run {

/// Says to one that has just been started which protocol this nsbench speaks, and hears which it does. One
/// that does not answer is left for its user to find. Throws std::runtime_error where it is of another build.
void greet(const sys::Fd& socket, const sys::Process& process, const std::filesystem::path& program);

}  // namespace nsb::run
