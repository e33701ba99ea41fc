// The batches of cleanup_net as programs attached to the kernel's functions see them.
#pragma once

#include <memory>

#include "core/batch.h"
#include "probe/probe.h"
#include "sys/refusal.h"

namespace nsb::probe {

/// Attaches to the worker, and where that can be had to what it calls for each namespace: by fentry, kprobe
/// or kprobe.multi, or by the one that was chosen. Refused where none serves the worker; the choice of
/// tracepoints is none of them. All goes with the object, and with the process.
sys::Expected<std::unique_ptr<BatchSource>> open_batches(Choice choice);

}  // namespace nsb::probe
