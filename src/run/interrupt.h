// Ctrl-C and its like, noticed between two blocks.
#pragma once

namespace nsb::run {

/// From here on SIGINT, SIGTERM and SIGHUP end the measuring and keep what was measured; a second one kills.
void catch_signals();

/// The signal that asked for the end, or 0.
int interrupted_by();

}  // namespace nsb::run
