// What the processes that measure are to be able to do.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/capabilities.h"

namespace nsb::run {

/// What a sampler needs for all cases of a plan, and the bases that it gains; not for the runtimes, which
/// have one of their own. One set for all of them, since a new sampler for each case would be another process
/// than that of its base.
Capabilities needed_by(const std::vector<Case>& plan, MeasuredIn where);

/// What a sampler without rights to all files needs to start this program again for a block under conditions:
/// after sudo the program may be another user's, and closed to others.
Capabilities needed_to_start(const std::filesystem::path& program, const std::vector<Case>& plan);

/// The capabilities that a sampler has kept; nothing where it does not know, or did not say.
std::optional<Capabilities> kept_by(const std::optional<protocol::Privilege>& privilege);

/// What to warn of where a sampler has more than it was to keep; empty where it has not.
std::string kept_more(const std::optional<protocol::Privilege>& privilege, Capabilities keep);

}  // namespace nsb::run
